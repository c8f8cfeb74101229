//! About two hundred certificates, good, bad and odd, in one table: each is shown to the running gateway in a real handshake,
//! and each has one verdict. Whatever is refused has a twin that gets in.
#![allow(clippy::too_many_lines, reason = "a table is read from top to bottom")]

mod certificate;
mod document;
mod form;
mod keys;
mod names;
mod nginx;
mod programs;
mod revocation;
mod row;
mod scene;
mod show;
mod table;
mod usages;

use crate::support::client::reason;
use crate::support::upstream::full;
use crate::support::{Gateway, Upstream, eventually};
use http::Response;
use row::{Row, Shown, Verdict, When};
use scene::Zoo;
use show::{Outcome, show};
use std::collections::{HashMap, HashSet};

/// Shows what a row has to show at its time, and gives what `judge` makes of it.
fn at_its_time<T>(row: &Row, judge: impl Fn(&Shown) -> T, is_expected: impl Fn(&T) -> bool) -> T {
    match &row.when {
        When::AtOnce(shown) => judge(shown),
        When::WithinASecond(make) => eventually("a handshake within a second", || {
            let second = certificate::now();
            let verdict = judge(&make());
            (certificate::now() == second).then_some(verdict)
        }),
        When::OnceTheListIsOld(shown) => eventually(row.name, || {
            Some(judge(shown)).filter(|verdict| is_expected(verdict))
        }),
    }
}

/// What the gateway says to it, and what its log says about that.
fn verdict(gateway: &Gateway, zoo: &Zoo, row: &Row, shown: &Shown) -> Verdict {
    let (outcome, address) = show(&zoo.pki, gateway.address(), row.host, row.path, shown);
    match outcome {
        Outcome::Answer(200, user) => Verdict::User(user),
        Outcome::Answer(status, body) => {
            Verdict::Refused(status, reason(&format!("\r\n\r\n{body}")))
        }
        Outcome::Alert(alert) => {
            let client = address.to_string();
            let is_it = |line: &serde_json::Value| {
                line["message"] == "handshake failed" && line["client"] == client.as_str()
            };
            let line = eventually("a line in the log", || {
                gateway.log().into_iter().find(is_it)
            });
            Verdict::Alert(alert, line["reason"].as_str().unwrap().to_owned())
        }
        Outcome::Closed => panic!("{}: closed without a word", row.name),
    }
}

fn start(zoo: &Zoo, upstream: &Upstream) -> Gateway {
    zoo.write_lists();
    Gateway::start(&zoo.config(upstream.address))
}

/// Answers with the user that it was told.
fn upstream() -> Upstream {
    Upstream::answering(|request| Response::new(full(request.values("x-client-user").concat())))
}

#[test]
fn each_certificate_has_the_verdict_of_the_table() {
    let (zoo, upstream) = (Zoo::new(), upstream());
    let gateway = start(&zoo, &upstream);
    let mut wrong = Vec::new();
    let rows: Vec<Row> = table::table(&zoo)
        .into_iter()
        .flat_map(|(_, rows)| rows)
        .collect();
    for row in &rows {
        let found = at_its_time(
            row,
            |shown| verdict(&gateway, &zoo, row, shown),
            |found| *found == row.verdict,
        );
        if found != row.verdict {
            wrong.push(format!(
                "{}: expected {}, found {found}",
                row.name, row.verdict
            ));
        }
    }
    assert_eq!(gateway.metric("portcullis_panics_total", &[]), 0.0);
    // Before it tells its whole log.
    drop(gateway);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_denial_has_an_allowing_twin() {
    let zoo = Zoo::new();
    let rows: Vec<Row> = table::table(&zoo)
        .into_iter()
        .flat_map(|(_, rows)| rows)
        .collect();
    let accepted: HashSet<_> = rows
        .iter()
        .filter(|row| row.is_accepted())
        .map(|row| row.name)
        .collect();
    let mut seen = HashMap::new();
    for row in &rows {
        assert_eq!(seen.insert(row.name, ()), None, "{} stands twice", row.name);
        assert_eq!(row.twin.is_none(), row.is_accepted(), "{}", row.name);
        if let Some(twin) = row.twin {
            assert!(
                accepted.contains(twin),
                "{}: its twin \"{twin}\" is not accepted",
                row.name
            );
        }
    }
    assert!(rows.len() >= 60, "{}", rows.len());
}

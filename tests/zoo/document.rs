//! `docs/certificate-zoo.md`: the table with what we and nginx say to each row. `PORTCULLIS_GOLDEN=write` writes it anew.

use super::nginx;
use super::row::{Row, Verdict};
use super::scene::Zoo;
use super::show::{Outcome, show};
use super::{at_its_time, table};
use crate::support::nginx::version;
use crate::support::require_program;
use std::path::{Path, PathBuf};

const OPENING: &str = "# The certificate zoo

What the gateway says to certificates that are good, bad or odd, beside what nginx says. `tests/zoo` makes each of them,
shows it to both in a real handshake, and fails if this page is not true; `PORTCULLIS_GOLDEN=write cargo test zoo::` writes
it. The certificate is alice's and ordinary but for what its row says.

*is* means that the request goes up as this user's. A rejection is an alert in the handshake or a status, and the reason word
of log and metrics. nginx has `ssl_verify_client`, `ssl_crl` where the gateway has revocation lists, the same depth, and
a `map` from `$ssl_client_s_dn` to users. It finishes the handshake with whom it does not believe, and answers 400.

";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certificate-zoo.md")
}

/// All but what nginx says.
fn beginning(row: &Row) -> String {
    format!("| {} | {} |", row.name, row.verdict)
}

/// Whether nginx takes it as the same user, or refuses it, too.
fn agree(ours: &Verdict, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        // nginx has one name for all domains.
        (Verdict::User(ours), Outcome::Answer(200, theirs)) => {
            ours.split("-of-").next() == Some(theirs)
        }
        (Verdict::User(_), _) | (_, Outcome::Answer(200, _)) => false,
        _ => true,
    }
}

#[test]
fn the_page_has_every_row_and_its_verdict() {
    let text = std::fs::read_to_string(file()).expect("the page");
    let rows: Vec<Row> = table::table(&Zoo::new())
        .into_iter()
        .flat_map(|(_, rows)| rows)
        .collect();
    for row in &rows {
        assert!(
            text.lines().any(|line| line.starts_with(&beginning(row))),
            "not there: {}",
            beginning(row)
        );
    }
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| Certificate"))
            .count(),
        rows.len()
    );
}

#[test]
fn nginx_says_what_the_page_says_and_each_difference_has_its_reason() {
    if !require_program("nginx") {
        return;
    }
    let (written, version) = (
        std::fs::read_to_string(file()).unwrap_or_default(),
        version(),
    );
    let is_writing = std::env::var_os("PORTCULLIS_GOLDEN").is_some_and(|word| word == "write");
    if !is_writing && !written.contains(&format!("This is {version}.")) {
        eprintln!("skipped: the page was written with another version than {version}");
        return;
    }
    let zoo = Zoo::new();
    zoo.write_lists();
    let server = nginx::start(&zoo);
    let mut page = format!("{OPENING}This is {version}.\n");
    let mut wrong = Vec::new();
    for (title, rows) in table::table(&zoo) {
        page += &format!(
            "\n## {title}\n\n| Certificate | Portcullis | nginx | Why nginx differs |\n|---|---|---|---|\n"
        );
        for row in &rows {
            let judge = |shown: &_| show(&zoo.pki, server.address, row.host, row.path, shown).0;
            let outcome = at_its_time(row, judge, |outcome| agree(&row.verdict, outcome));
            let said = nginx::in_words(&outcome);
            if agree(&row.verdict, &outcome) != row.why.is_empty() {
                wrong.push(format!(
                    "{}: {}, nginx: {said}; why: \"{}\"",
                    row.name, row.verdict, row.why
                ));
            }
            page += &format!("{} {said} | {} |\n", beginning(row), row.why);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if is_writing {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), &page).unwrap();
    } else {
        assert!(
            page == written,
            "PORTCULLIS_GOLDEN=write writes docs/certificate-zoo.md anew:\n{page}"
        );
    }
}

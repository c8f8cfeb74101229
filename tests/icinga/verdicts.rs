//! Verdicts of the real Icinga 2.13.6, each asked again of one gateway with the preset, in its raw form.

use crate::support::client::status;
use crate::support::gateway::listener;
use crate::support::{Client, Gateway, Pki, Upstream};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write;

/// One request that was made of the real server.
#[derive(Deserialize)]
pub(super) struct Case {
    tag: String,
    pub(super) permissions: Vec<String>,
    pub(super) method: String,
    pub(super) target: String,
    #[serde(default)]
    fields: Vec<(String, String)>,
    /// Only where none was sent.
    accept: Option<bool>,
    body: Option<String>,
    verdict: String,
}

pub(super) fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("verdicts.json")).expect("a list of cases")
}

/// A text as it stands in TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}

/// An ApiUser with these permissions. What could never be a permission is an error in the config, and grants nothing in
/// Icinga either.
pub(super) fn user_with(name: &str, permissions: &[String]) -> String {
    let usable = permissions
        .iter()
        .filter(|text| !text.trim().is_empty() && !text.starts_with('/'));
    let listed: Vec<String> = usable.map(|text| quoted(text)).collect();
    format!(
        "[api_user.{name}]\nclient_cn = \"{name}\"\npermissions = [{}]\n",
        listed.join(", ")
    )
}

impl Case {
    fn octets(&self) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: icinga-master.lab\r\nConnection: close\r\n",
            self.method, self.target
        );
        if self.accept != Some(false) && !self.fields.iter().any(|(name, _)| name == "Accept") {
            head += "Accept: application/json\r\n";
        }
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() || self.method != "GET" {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head + "\r\n" + body
    }

    /// Why it is refused here although Icinga serves it. `docs/icinga2.md` has the reasons.
    fn is_stricter_here(&self) -> bool {
        let path = self.target.split(['?', '#']).next().unwrap_or_default();
        let has_dot_segment = path.split('/').any(|word| matches!(word, "." | ".."));
        let is_of_other_scheme = !self.target.starts_with('/') && !self.target.starts_with("http");
        self.target.contains('#')
            || is_of_other_scheme
            || self.target.starts_with("//")
            || has_dot_segment
    }

    /// What Icinga itself refuses, and is sent on for those who have the right.
    fn is_answered_by_icinga(&self) -> bool {
        self.tag == "accept" || self.target.contains(['|', '"'])
    }

    fn fits(&self, status: u16) -> bool {
        let rejected_unread = status == 400 && self.is_stricter_here();
        match self.verdict.as_str() {
            "allowed" | "filtered" => status == 200 || rejected_unread,
            "denied" => status == 403 || rejected_unread,
            "no-route" => status == 404 || status == 400,
            "bad-request" => {
                status == 400 || matches!(status, 200 | 403) && self.is_answered_by_icinga()
            }
            other => panic!("unknown verdict {other}"),
        }
    }
}

#[test]
fn every_recorded_verdict_is_the_gateways_too() {
    let (pki, upstream, cases) = (Pki::new(), Upstream::start(), cases());
    let lists: BTreeSet<&[String]> = cases
        .iter()
        .map(|case| case.permissions.as_slice())
        .collect();
    let lists: Vec<&[String]> = lists.into_iter().collect();
    let mut config = listener(&pki);
    for (number, permissions) in lists.iter().enumerate() {
        config += &user_with(&format!("user-{number}"), permissions);
    }
    let _ = write!(
        config,
        "[upstream.icinga]\nendpoints = [\"http://{}\"]\n",
        upstream.address
    );
    config += "[[route]]\npath = \"/\"\nupstream = \"icinga\"\npreset = \"icinga2\"\n";
    let gateway = Gateway::start(&config);
    let mut wrong = Vec::new();
    for (number, permissions) in lists.iter().enumerate() {
        let client = Client::new(
            &pki,
            Some(&pki.client(&format!("user-{number}"))),
            gateway.address(),
        );
        for case in cases.iter().filter(|case| case.permissions == *permissions) {
            let status = status(&client.exchange(case.octets().as_bytes()));
            if !case.fits(status) {
                let Case {
                    tag,
                    method,
                    target,
                    verdict,
                    ..
                } = case;
                wrong.push(format!(
                    "{tag}: {method} {target} with {permissions:?}: {status}, but {verdict}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(upstream.recorded().len() > 200, "most were allowed");
    // What came through has the method that counts, and nothing that would say another.
    assert!(
        upstream
            .recorded()
            .iter()
            .all(|seen| seen.values("x-http-method-override").is_empty())
    );
    assert!(
        upstream
            .recorded()
            .iter()
            .all(|seen| ["GET", "POST", "PUT", "DELETE"].contains(&&*seen.method))
    );
}

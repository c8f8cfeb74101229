//! The audit log through the real binary, and what is made of it: `plan` and `learn`.

/// Decisions, snapshots and cuts; rotation, full disks, the end.
mod log;
/// The smallest permissions that are enough.
mod learn;
/// Who would gain or lose what.
mod plan;

use crate::support::client::{Answer, RequestBody, Version, request};
use crate::support::gateway::{listener, route_to};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, eventually, json_lines, run};
use serde_json::Value;
use std::path::PathBuf;

const AUDIT: &str = "[audit_log]\npath = \"audit.log\"\n";

/// A gateway with an audit log beside its config.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    fn new(config: &str) -> Self {
        Self::with(AUDIT, config)
    }

    fn with(audit: &str, config: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway =
            Gateway::start(&(listener(&pki) + audit + config + &route_to(upstream.address)));
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    /// The config with these tables instead of those of users and the like.
    fn config(&self, config: &str) -> String {
        listener(&self.pki) + AUDIT + config + &route_to(self.upstream.address)
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    fn send(&self, name: &str, method: &str, path: &str) -> Answer {
        self.client(name)
            .send(Version::Http1, request(method, path, ""))
            .unwrap()
    }

    fn request(
        method: &str,
        path: &str,
        fields: &[(&'static str, &str)],
    ) -> hyper::Request<RequestBody> {
        let mut request = request(method, path, "");
        fields.iter().for_each(|(name, value)| {
            drop(request.headers_mut().insert(*name, value.parse().unwrap()))
        });
        request
    }

    fn file(&self, name: &str) -> PathBuf {
        self.gateway.config_file.with_file_name(name)
    }

    /// The lines of the audit log so far, of one kind.
    fn lines(&self, kind: &str) -> Vec<Value> {
        lines_of(&self.file("audit.log"), kind)
    }

    fn wait_for(&self, kind: &str, condition: impl Fn(&Value) -> bool) -> Value {
        eventually("a line of the audit log", || {
            self.lines(kind).into_iter().find(|line| condition(line))
        })
    }

    /// Waits until so many decisions are in the file.
    fn wait_for_decisions(&self, count: usize) -> Vec<Value> {
        eventually("decisions", || {
            Some(self.lines("decision")).filter(|lines| lines.len() >= count)
        })
    }

    /// Runs the binary with files beside the config.
    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let beside = |argument: &&str| match argument.strip_prefix('@') {
            Some(name) => self.file(name).to_str().unwrap().to_owned(),
            None => (*argument).to_owned(),
        };
        let arguments: Vec<String> = arguments.iter().map(beside).collect();
        run(
            PORTCULLIS,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }
}

fn lines_of(file: &std::path::Path, kind: &str) -> Vec<Value> {
    json_lines(file)
        .into_iter()
        .filter(|line| line["kind"] == kind)
        .collect()
}

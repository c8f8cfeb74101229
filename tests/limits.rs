//! Limits of ApiUsers, roles and routes: how many requests pass, what those over it are told, and what they cost.

mod numbers;
mod reloads;
mod sizes_and_times;
mod under_way;

use crate::support::client::{Answer, BOTH, Connection, Version, get};
use crate::support::gateway::{listener, user};
use crate::support::upstream::{HeldUpstream, read_head, write};
use crate::support::{Client, Gateway, Pki, Upstream, eventually, eventually_is};
use std::net::SocketAddr;

/// A gateway with quick upstream `api` and one that is held.
struct Scene {
    pki: Pki,
    gateway: Gateway,
    upstream: Upstream,
    held: HeldUpstream,
}

impl Scene {
    /// With these users and routes. Each route names an upstream, `api` or `held`.
    fn new(tables: &str) -> Self {
        let (pki, upstream, held) = (Pki::new(), Upstream::start(), HeldUpstream::start());
        let gateway = Gateway::start(&config(
            &pki,
            (upstream.address, held.upstream.address),
            tables,
        ));
        Self {
            pki,
            gateway,
            upstream,
            held,
        }
    }

    fn reload_with(&self, tables: &str) {
        let upstreams = (self.upstream.address, self.held.upstream.address);
        self.gateway
            .reload_with(&config(&self.pki, upstreams, tables));
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    fn limited(&self, reason: &str) -> f64 {
        self.gateway.metric(
            "portcullis_limited_total",
            &[("listener", "main"), ("reason", reason)],
        )
    }

    fn cut(&self, kind: &str) -> f64 {
        self.gateway.metric(
            "portcullis_cut_total",
            &[("kind", kind), ("reason", "request_timeout")],
        )
    }
}

fn config(pki: &Pki, (api, held): (SocketAddr, SocketAddr), tables: &str) -> String {
    // Limits are of the whole process, whichever worker serves a request.
    let process = "[gateway]\nworkers = 2\n";
    let upstreams = format!(
        "[upstream.api]\nendpoints = [\"http://{api}\"]\n[upstream.held]\nendpoints = [\"http://{held}\"]\n"
    );
    listener(pki) + process + &upstreams + tables
}

/// A user who may do everything, with further lines.
fn user_with(name: &str, lines: &str) -> String {
    user(name, &["*"]) + lines + "\n"
}

fn route(path: &str, upstream: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\nupstream = \"{upstream}\"\n{lines}\n")
}

/// What a request comes to: `ok`, or the reason of the rejection.
fn outcome(answer: &Answer) -> String {
    if answer.status == 200 {
        "ok".to_owned()
    } else {
        answer.reason()
    }
}

fn ask(connection: &mut Connection<'_>, path: &str) -> String {
    outcome(&connection.send(get(path)).expect("an answer"))
}

/// What so many requests in a row come to, each on a connection of its own.
fn outcomes(client: &Client, version: Version, path: &str, count: usize) -> Vec<String> {
    let ask = |_| outcome(&client.send(version, get(path)).expect("an answer"));
    (0..count).map(ask).collect()
}

/// Waits until a request passes. That it did not before costs nothing.
fn passes_at_last(client: &Client, version: Version, path: &str) {
    eventually("a request passes", || {
        (client.send(version, get(path)).expect("an answer").status == 200).then_some(())
    });
}

//! Passwords and tokens beside certificates: which a route takes, what proves whom, and what is refused.

/// Certificate-bound tokens.
mod tokens;
mod typed;
/// HTTP basic, from hash to answer.
mod passwords;
/// Several credentials on one request.
mod several;

use crate::support::client::{Version, get};
use crate::support::gateway::{listener_with, route_to};
use crate::support::{Client, Gateway, Pki, Upstream};
use base64::Engine;

/// Hashes of `correct horse`, made by glibc's crypt; cheap.
const SHA512: &str = "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/";
const SHA256: &str = "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB";
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
/// Of `password`, by the reference implementation.
const ARGON2: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// A user that comes with a password.
fn password_user(name: &str, hash: &str) -> String {
    format!("[api_user.{name}]\npassword_hash = '{hash}'\npermissions = [\"*\"]\n")
}

/// `Basic` and what it stands for.
fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    )
}

/// A gateway whose listener asks for certificates, and lets in who has none.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
    users: String,
}

impl Scene {
    /// One route for everything, with these keys.
    fn new(users: &str, route: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = Gateway::start(&Self::config(&pki, &upstream, users, route));
        Self {
            pki,
            upstream,
            gateway,
            users: users.to_owned(),
        }
    }

    fn config(pki: &Pki, upstream: &Upstream, users: &str, route: &str) -> String {
        listener_with(pki, "client_auth = \"optional\"")
            + users
            + &route_to(upstream.address)
            + route
            + "\n"
    }

    fn reload(&mut self, users: &str, route: &str) {
        self.users = users.to_owned();
        self.gateway
            .reload_with(&Self::config(&self.pki, &self.upstream, users, route));
    }

    fn anonymous(&self) -> Client {
        Client::new(&self.pki, None, self.gateway.address())
    }

    fn client(&self, name: &str) -> Client {
        Client::new(
            &self.pki,
            Some(&self.pki.client(name)),
            self.gateway.address(),
        )
    }

    /// `200 USER CREDENTIAL`, or status and reason: the same over HTTP/1.1 and HTTP/2.
    fn judge(&self, client: &Client, authorization: &[&str]) -> String {
        let outcomes = [Version::Http1, Version::Http2]
            .map(|version| self.judge_in(version, client, authorization));
        assert_eq!(outcomes[0], outcomes[1], "the versions differ");
        outcomes[0].clone()
    }

    fn judge_in(&self, version: Version, client: &Client, authorization: &[&str]) -> String {
        let before = self.upstream.recorded().len();
        let mut request = get("/");
        for value in authorization {
            request
                .headers_mut()
                .append("authorization", value.parse().unwrap());
        }
        let answer = client.send(version, request).unwrap();
        let id = match self.upstream.recorded().get(before) {
            Some(up) => up.values("x-request-id")[0].to_owned(),
            None => answer.header("x-request-id").expect("an id").to_owned(),
        };
        let line = self
            .gateway
            .wait_for_access(|line| line["id"] == id.as_str());
        if answer.status == 200 {
            return format!(
                "200 {} {}",
                line["user"].as_str().unwrap(),
                line["credential"].as_str().unwrap()
            );
        }
        assert_eq!(self.upstream.recorded().len(), before, "nothing went up");
        assert_eq!(line["reason"].as_str(), Some(&*answer.reason()), "{line}");
        let challenges: Vec<&str> = answer
            .headers
            .get_all("www-authenticate")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(
            answer.status == 401 && answer.reason() != "no_certificate",
            !challenges.is_empty(),
            "{answer:?}"
        );
        format!("{} {}", answer.status, answer.reason())
    }
}

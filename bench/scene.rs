//! What is judged: snapshots of generated configs, and the heads of ordinary requests. Measures nothing.

#[path = "../src/pki/test_certificates.rs"]
mod test_certificates;

pub(crate) use test_certificates::write_certificates;

use portcullis::head::RequestHead;
use portcullis::host::HostName;
use portcullis::pki::{Authority, CertificateRequest, OutputFile, Overwrite, Profile, write_files};
use portcullis::proxy::{Client, ClientIdentity, RequestDecision, decide};
use portcullis::snapshot::{Depth, Snapshot, load};
use portcullis::telemetry::Telemetry;
use portcullis::tls::HostPolicy;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// How large a config is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) routes: usize,
    /// For each user.
    pub(crate) permissions: usize,
}

/// A snapshot, and the user that came last in its config.
pub(crate) struct Scene {
    pub(crate) size: Size,
    snapshot: Snapshot,
    identity: ClientIdentity,
    host: Arc<HostPolicy>,
}

type Fields<'a> = [httparse::Header<'a>];

impl Scene {
    /// Permissions are `GET /vN/*`, routes `/vN` and `/captured/vN/{type}`.
    pub(crate) fn new(folder: &Path, size: Size) -> Self {
        let mut config =
            "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\n\
            private_key = \"server.key\"\n[trust_domain.bench]\nanchors = [\"ca.crt\"]\n\
            [upstream.api]\nendpoints = [\"http://127.0.0.1:1\"]\n"
                .to_owned();
        for route in 0..size.routes {
            let _ = write!(
                config,
                "[[route]]\npath = \"/v{route}\"\nupstream = \"api\"\n"
            );
        }
        if size.routes > 1 {
            config.push_str("[[route]]\npath = \"/captured/{type}/{name}\"\nrequirement = \"objects/query/{type}\"\nupstream = \"api\"\n");
        }
        for user in 0..size.users {
            let _ = write!(
                config,
                "[api_user.user-{user}]\nclient_cn = \"user-{user}\"\npermissions = [\"objects/*\", "
            );
            for permission in 0..size.permissions {
                let _ = write!(config, "\"GET /v{permission}/*\", ");
            }
            config.push_str("]\n");
        }
        let file = folder.join("gateway.toml");
        std::fs::write(&file, config).expect("a writable folder");
        let outcome = load(&file, None, &Arc::new(Telemetry::default()), Depth::Errors);
        let report = outcome.report();
        let snapshot = outcome.snapshot.unwrap_or_else(|| {
            println!("{report}");
            std::process::exit(1)
        });
        let last = snapshot
            .users
            .named(&format!("user-{}", size.users - 1))
            .expect("the user");
        let listener = snapshot.listeners.get("main").expect("the listener");
        let host = listener
            .host(HostName::parse("localhost").as_ref())
            .expect("the host")
            .clone();
        Self {
            size,
            snapshot,
            identity: ClientIdentity::Known(last),
            host,
        }
    }

    /// Decides about one request.
    pub(crate) fn judge<'a>(
        &'a self,
        path: &'a str,
        fields: &'a Fields<'a>,
    ) -> RequestDecision<'a, 'a> {
        let listener = self.snapshot.listeners.get("main").expect("the listener");
        let head = RequestHead {
            method: "GET",
            target: path,
            authority: None,
            fields,
        };
        let client = Client {
            listener,
            host: &self.host,
            identity: &self.identity,
            verified_by: None,
            certificate: None,
            source: Ipv4Addr::LOCALHOST.into(),
            now: 1_800_000_000,
        };
        decide(&self.snapshot, client, &head)
    }
}

/// What curl sends.
pub(crate) const CURL: &str = "GET /v0/objects/hosts?limit=10 HTTP/1.1\r\nHost: localhost:8443\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\n\r\n";

/// What a browser sends.
pub(crate) const BROWSER: &str = "GET /v0/objects/hosts?limit=10 HTTP/1.1\r\nHost: localhost:8443\r\n\
    Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";

/// What an upstream answers.
pub(crate) const ANSWER: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\
    ETag: \"0123456789abcdef\"\r\nCache-Control: no-cache\r\n\r\n";

//! Authorizers behind TLS: whom the gateway trusts, what it shows, and that both change while it runs.

use super::grpc::{self, Grpc};
use super::{BOTH, PATIENT, Speaks, asking_route};
use crate::support::gateway::{listener, user};
use crate::support::pki::text;
use crate::support::upstream::full;
use crate::support::{Client, Gateway, Pki, Upstream};
use http::Response;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// Shows `server.crt` of this PKI, and wants a certificate of it.
fn server(pki: &Pki, protocol: &[u8]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(pki.path("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pki.ca_file()).unwrap())
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// An authorizer that permits whatever it is asked; kept alive by the value.
enum Secured {
    ForwardAuth(Upstream),
    ExtAuthz(Grpc),
}

impl Secured {
    fn start(speaks: Speaks, pki: &Pki) -> Self {
        match speaks {
            Speaks::ForwardAuth => {
                let answer = |_: &_| Response::builder().status(204).body(full("")).unwrap();
                Self::ForwardAuth(Upstream::over_tls_answering(
                    server(pki, b"http/1.1"),
                    answer,
                ))
            }
            Speaks::ExtAuthz => Self::ExtAuthz(Grpc::answering(Some(server(pki, b"h2")), |_| {
                Some(grpc::Answer::code(0))
            })),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::ForwardAuth(server) => server.address.port(),
            Self::ExtAuthz(server) => server.address.port(),
        }
    }
}

#[test]
fn an_authorizer_is_verified_by_its_anchors_and_gets_the_gateway_certificate() {
    for speaks in BOTH {
        let (pki, theirs, upstream) = (Pki::new(), Pki::named("Their CA"), Upstream::start());
        let server = Secured::start(speaks, &theirs);
        let (path, protocol) = match speaks {
            Speaks::ForwardAuth => ("/check", "forward-auth"),
            Speaks::ExtAuthz => ("", "ext-authz"),
        };
        let ours = theirs.client("gateway");
        let certificate = format!(
            "certificate = \"{}\"\nprivate_key = \"{}\"\n",
            text(&ours.certificate_file),
            text(&ours.key_file)
        );
        let config = |keys: &str| {
            let table = format!(
                "[authorizer.opa]\nprotocol = \"{protocol}\"\nendpoint = \"https://localhost:{}{path}\"\n{PATIENT}{keys}",
                server.port()
            );
            listener(&pki) + &user("alice", &["*"]) + &table + &asking_route(upstream.address)
        };
        let anchors = |of: &Pki| format!("anchors = [\"{}\"]\n", text(&of.ca_file()));
        let good = anchors(&theirs) + &certificate;
        let gateway = Gateway::start(&config(&good));
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        let check = |keys: &str, status: u16| {
            gateway.reload_with(&config(keys));
            let answer = client.get("/");
            assert_eq!(answer.status, status, "{speaks:?} {keys}");
        };
        check(&(anchors(&pki) + &certificate), 503);
        check(&good, 200);
        check(&anchors(&theirs), 503);
        check(&(good.clone() + "server_name = \"other.internal\"\n"), 503);
        check(&(good.clone() + "server_name = \"127.0.0.1\"\n"), 200);
        // A new certificate in the same files is shown at once; one of another CA does not count there.
        let before = gateway.generation();
        let stranger = Pki::named("Another CA").client("gateway");
        std::fs::write(&ours.key_file, &stranger.key).unwrap();
        std::fs::write(&ours.certificate_file, &stranger.certificate).unwrap();
        gateway.wait_for_generation_after(before);
        assert_eq!(client.get("/").status, 503);
    }
}

//! Authorizers that permit, refuse and fail, asked as a worker asks.

mod silence;

use super::*;
use crate::endpoint::EndpointAddress;
use crate::tls::{PeerCertificate, TrustDomainId};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// A question about an unknown client.
pub(super) fn question() -> Question<'static> {
    Question {
        id: "id-1",
        method: "POST",
        path: "/a",
        query: Some("b=c"),
        host: "api.example.org",
        protocol: "HTTP/1.1",
        listener: "main",
        route: "/",
        client: "192.0.2.1:50000".parse().unwrap(),
        local: "192.0.2.9:8443".parse().unwrap(),
        server_name: Some("api.example.org"),
        known: Default::default(),
        fields: Vec::new(),
    }
}

/// A certificate of a client.
pub(super) fn known(name: &str) -> PeerCertificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    PeerCertificate::read(TrustDomainId(0), params.self_signed(&key).unwrap().der()).unwrap()
}

/// What is unusual about an authorizer.
struct Unusual {
    timeout: Duration,
    unavailable: WhenUnavailable,
    cache: Option<(Duration, Vec<KeyPart>)>,
    concurrency: usize,
}

impl Default for Unusual {
    fn default() -> Self {
        let (timeout, unavailable) = (Duration::from_secs(20), WhenUnavailable::Refuse);
        Self {
            timeout,
            unavailable,
            cache: None,
            concurrency: 10,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    ForwardAuth,
    ExtAuthz,
}

const BOTH: [Speaks; 2] = [Speaks::ForwardAuth, Speaks::ExtAuthz];

fn authorizer(at: std::net::SocketAddr, speaks: Speaks, unusual: Unusual) -> Authorizer {
    let mut taken = FieldNames::default();
    taken.add_reserved("x-org").unwrap();
    let settings = AuthorizerSettings {
        name: "opa".into(),
        protocol: match speaks {
            Speaks::ForwardAuth => {
                AuthorizerApi::ForwardAuth(FetchUrl::parse(&format!("http://{at}/check")).unwrap())
            }
            Speaks::ExtAuthz => AuthorizerApi::ExtAuthz(EndpointScheme::Http),
        },
        endpoint: EndpointAddress::parse(&format!("http://{at}"))
            .unwrap()
            .into_endpoint(None),
        timeout: unusual.timeout,
        unavailable: unusual.unavailable,
        cache: unusual.cache,
        shown: FieldNames::default(),
        taken,
        concurrency: unusual.concurrency,
    };
    Authorizer::new(settings, Vec::new(), Arc::default())
}

/// The verdict in a word.
fn word(verdict: &Verdict) -> &'static str {
    match &verdict.opinion {
        Opinion::Permit(_) => "permit",
        Opinion::Deny(_) => "deny",
        Opinion::Nothing(silence, _) => silence.word(),
    }
}

async fn ask(authorizer: &Authorizer) -> Verdict {
    authorizer.ask(authorizer.encode(&question())).await
}

/// Runs on a thread like a worker's.
fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(task))
}

/// Takes connections, each with its number.
async fn serving<F: Future<Output = ()> + 'static>(
    script: impl Fn(TcpStream, usize) -> F + 'static,
) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn_local(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            spawn_local(script(stream, number));
        }
    });
    address
}

/// Answers each request with this status of HTTP, or this message of gRPC; counts connections and requests.
async fn answering(
    speaks: Speaks,
    status: u16,
    counts: Rc<Cell<(usize, usize)>>,
) -> std::net::SocketAddr {
    serving(move |stream, _| {
        counts.set((counts.get().0 + 1, counts.get().1));
        let counts = counts.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            counts.set((counts.get().0, counts.get().1 + 1));
            async move {
                request.into_body().collect().await.unwrap();
                let mut answer = http::Response::builder();
                let (body, trailers) = match speaks {
                    Speaks::ForwardAuth => {
                        answer = answer.status(status).header("x-org", "a");
                        (Bytes::from_static(b"some words"), None)
                    }
                    Speaks::ExtAuthz => {
                        answer = answer.header("content-type", "application/grpc");
                        // status { code: 0 } or { code: 7 }
                        let message = if status == 200 {
                            &b"\0\0\0\0\x02\x0a\0"[..]
                        } else {
                            b"\0\0\0\0\x04\x0a\x02\x08\x07"
                        };
                        let mut trailers = http::HeaderMap::new();
                        let code = if status >= 500 { "14" } else { "0" };
                        trailers.insert("grpc-status", code.parse().unwrap());
                        (Bytes::from_static(message), Some(Ok(trailers)))
                    }
                };
                let body = Full::new(body).with_trailers(async { trailers });
                Ok::<_, Infallible>(answer.body(body).unwrap())
            }
        });
        async move {
            let io = TokioIo::new(stream);
            let _ = match speaks {
                Speaks::ForwardAuth => {
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await
                }
                Speaks::ExtAuthz => {
                    hyper::server::conn::http2::Builder::new(crate::worker::LocalExecutor)
                        .serve_connection(io, service)
                        .await
                }
            };
        }
    })
    .await
}

#[test]
fn both_ways_permit_reject_and_fail() {
    for speaks in BOTH {
        for (status, expected) in [(200, "permit"), (403, "deny"), (500, "failed")] {
            let verdict = run(async {
                ask(&authorizer(
                    answering(speaks, status, Rc::default()).await,
                    speaks,
                    Unusual::default(),
                ))
                .await
            });
            assert_eq!(
                (word(&verdict), verdict.permits()),
                (expected, status == 200)
            );
            assert_eq!(&*verdict.by, "opa");
        }
    }
}

#[test]
fn connections_are_used_again() {
    for speaks in BOTH {
        run(async {
            let counts = Rc::new(Cell::new((0, 0)));
            let authorizer = authorizer(
                answering(speaks, 200, counts.clone()).await,
                speaks,
                Unusual::default(),
            );
            // The rest of an answer is passed over behind the verdict, so one may be busy still.
            for asked in 1.. {
                assert_eq!(word(&ask(&authorizer).await), "permit");
                assert_eq!(counts.get().1, asked);
                if counts.get().0 < asked {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
    }
}

#[test]
fn a_connection_that_was_closed_is_replaced() {
    run(async {
        let address = serving(|mut stream, _| async move {
            // One answer, as if it would stay, and then the end.
            let mut head = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        })
        .await;
        let authorizer = authorizer(address, Speaks::ForwardAuth, Unusual::default());
        for _ in 0..20 {
            assert_eq!(word(&ask(&authorizer).await), "permit");
        }
    });
}

#[test]
fn no_more_questions_are_open_than_may_be() {
    run(async {
        let address = answering(Speaks::ForwardAuth, 200, Rc::default()).await;
        let patient = authorizer(
            address,
            Speaks::ForwardAuth,
            Unusual {
                concurrency: 1,
                ..Default::default()
            },
        );
        let (one, other) = tokio::join!(ask(&patient), ask(&patient));
        assert_eq!(
            (word(&one), word(&other)),
            ("permit", "permit"),
            "one after the other"
        );
        let unusual = Unusual {
            timeout: Duration::from_millis(100),
            concurrency: 1,
            ..Default::default()
        };
        let hasty = authorizer(address, Speaks::ForwardAuth, unusual);
        let _place = hasty.permits.acquire().await.unwrap();
        assert_eq!(word(&ask(&hasty).await), "busy");
    });
}

#[test]
fn a_verdict_is_cached_only_where_configured() {
    for (cache, questions) in [
        (None, 3),
        (Some((Duration::from_secs(600), vec![KeyPart::User])), 1),
    ] {
        run(async {
            let counts = Rc::new(Cell::new((0, 0)));
            let address = answering(Speaks::ForwardAuth, 403, counts.clone()).await;
            let authorizer = authorizer(
                address,
                Speaks::ForwardAuth,
                Unusual {
                    cache,
                    ..Default::default()
                },
            );
            for _ in 0..3 {
                assert_eq!(word(&ask(&authorizer).await), "deny");
            }
            assert_eq!(counts.get().1, questions);
        });
    }
}

#[test]
fn an_unavailable_authorizer_is_never_cached() {
    run(async {
        let counts = Rc::new(Cell::new((0, 0)));
        let address = answering(Speaks::ExtAuthz, 503, counts.clone()).await;
        let cache = Some((Duration::from_secs(600), vec![KeyPart::User]));
        let authorizer = authorizer(
            address,
            Speaks::ExtAuthz,
            Unusual {
                cache,
                ..Default::default()
            },
        );
        for _ in 0..3 {
            assert_eq!(word(&ask(&authorizer).await), "failed");
        }
        assert_eq!(counts.get().1, 3);
    });
}

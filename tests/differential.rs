//! Our own HTTP/1.1 engine, over both record layers, against hyper alone: the same bytes, cut into records anywhere, lead
//! to the same answers and to the same requests at the upstream, or the difference stands in a list with its reason.

/// What is sent: everything that the engines could read differently.
mod corpus;
/// Streams that are bent, joined and cut.
mod mutations;
/// One gateway with a listener for each engine, and an upstream that writes down what it gets.
mod scene;

use corpus::corpus;
use mutations::{Bent, bent};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scene::{Lane, Outcome, Scene};

/// A difference on purpose: our own engine refuses more, or says more truly what was sent. It never lets more pass.
struct Difference {
    reason: &'static str,
    /// Makes the two equal where only this is different.
    forget: fn(stream: &[u8], own: &mut Outcome, hyper: &mut Outcome),
}

/// The same list stands in SECURITY.md.
const DIFFERENCES: [Difference; 6] = [
    Difference {
        reason: "a client that says `Content-Length: 0` is quoted; hyper drops it where the method expects no body",
        forget: |_, own, hyper| {
            for request in own.requests.iter_mut().chain(&mut hyper.requests) {
                request.fields.retain(|(name, value)| {
                    (name.as_str(), value.as_str()) != ("content-length", "0")
                });
            }
        },
    },
    Difference {
        reason: "trailers that are no fields are bad framing; of hyper we learn only that the body ended in error",
        forget: |_, own, hyper| {
            // Ours, too, may have come from hyper: behind a request that was handed over.
            for (code, reason) in own.answers.iter_mut().chain(&mut hyper.answers) {
                if *code == 400 && reason == "body_broke_off" {
                    "bad_framing".clone_into(reason);
                }
            }
        },
    },
    Difference {
        reason: "behind a request with `Upgrade` or CONNECT, hyper closes where our own engine says first what it refuses",
        forget: |stream, own, hyper| {
            let says = |word: &[u8]| {
                stream
                    .windows(word.len())
                    .any(|window| window.eq_ignore_ascii_case(word))
            };
            let asks = says(b"upgrade:") || says(b"connect ");
            if asks && own.answers.len() == hyper.answers.len() + 1 {
                let unread = [
                    "bad_framing",
                    "bad_path",
                    "head_too_large",
                    "too_many_fields",
                    "expectation",
                ];
                own.answers
                    .pop_if(|(_, reason)| unread.contains(&reason.as_str()));
            }
        },
    },
    Difference {
        reason: "a head that is too long and wrong besides is refused for the one or the other, by how it comes",
        forget: |_, own, hyper| {
            let unread = [
                "bad_framing",
                "bad_path",
                "head_too_large",
                "too_many_fields",
                "expectation",
            ];
            let (Some(ours), Some(theirs)) = (own.answers.last(), hyper.answers.last_mut()) else {
                return;
            };
            let both = [&ours.1, &theirs.1].map(String::as_str);
            if both.contains(&"head_too_large") && both.iter().all(|reason| unread.contains(reason))
            {
                theirs.clone_from(ours);
            }
        },
    },
    Difference {
        reason: "a body in chunks that is too long and broken besides is refused for the one or the other",
        forget: |_, own, hyper| {
            let (Some(ours), Some(theirs)) = (own.answers.last(), hyper.answers.last_mut()) else {
                return;
            };
            let mut both = [&ours.1, &theirs.1].map(String::as_str);
            both.sort_unstable();
            if both == ["bad_framing", "body_too_large"] {
                theirs.clone_from(ours);
            }
        },
    },
    Difference {
        reason: "the connection ends behind a refused request whose body is in chunks, or not all here; hyper reads on",
        forget: |_, own, hyper| {
            let refused = own.answers.last().is_some_and(|(code, _)| *code >= 400);
            if refused
                && hyper.answers.starts_with(&own.answers)
                && hyper.requests.starts_with(&own.requests)
            {
                hyper.answers.truncate(own.answers.len());
                hyper.requests.truncate(own.requests.len());
            }
        },
    },
];

/// What is different and should not be.
fn disagreement(stream: &[u8], own: &Outcome, hyper: &Outcome) -> Option<String> {
    let (mut own, mut hyper) = (own.clone(), hyper.clone());
    DIFFERENCES
        .iter()
        .for_each(|difference| (difference.forget)(stream, &mut own, &mut hyper));
    if own == hyper {
        return None;
    }
    let (own, hyper) = (own.lines(), hyper.lines());
    let only = |these: &[String], others: &[String]| -> String {
        these
            .iter()
            .filter(|line| !others.contains(line))
            .map(|line| format!("  {line}\n"))
            .collect()
    };
    Some(format!(
        "our own engine:\n{}hyper:\n{}",
        only(&own, &hyper),
        only(&hyper, &own)
    ))
}

/// Sends a stream to all, and tells what is different.
fn check(scene: &Scene, stream: &[u8], cuts: &[usize]) -> Result<(), String> {
    let mut found = String::new();
    // A machine that stands still for a second makes a timeout of what is none, but not again and again.
    for _ in 0..3 {
        let [own, in_place, hyper] = scene.run(stream, cuts);
        let disagreements = [
            disagreement(stream, &own, &hyper),
            disagreement(stream, &in_place, &hyper),
        ];
        let Some(which) = disagreements.into_iter().flatten().next() else {
            return Ok(());
        };
        found = which;
    }
    Err(format!(
        "{:.2000?}\ncut at {cuts:?}\n{found}",
        String::from_utf8_lossy(stream)
    ))
}

fn cases() -> Option<u32> {
    std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
}

#[test]
fn every_known_trick_has_the_same_outcome() {
    let scene = Scene::start();
    let mut found = Vec::new();
    for stream in corpus() {
        let middle = stream.len() / 2;
        found.extend(check(&scene, &stream, &[]).err());
        found.extend(check(&scene, &stream, &[1, middle, middle + 1]).err());
    }
    assert!(
        found.is_empty(),
        "{} differences\n{}",
        found.len(),
        found.join("\n\n")
    );
    scene.is_unharmed();
}

#[test]
fn a_request_has_the_same_outcome_wherever_it_is_cut() {
    let scene = Scene::start();
    for stream in [
        b"\r\nPOST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: b\r\n\r\n3;x\r\nabc\r\n0\r\nb: c\r\n\r\n".as_slice(),
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let whole = scene.run_on(Lane::Hyper, stream, &[]);
        assert!(whole.requests.len() > 1);
        for cut in 1..stream.len() {
            for lane in [Lane::Own, Lane::InPlace] {
                let outcome = scene.run_on(lane, stream, &[cut]);
                assert_eq!(disagreement(stream, &outcome, &whole), None, "{lane:?}, cut at {cut}");
            }
        }
    }
}

#[test]
fn bent_streams_have_the_same_outcome() {
    let scene = Scene::start();
    let config = Config {
        cases: cases().unwrap_or(60),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&bent(corpus()), |Bent { stream, cuts }| {
        check(&scene, &stream, &cuts).map_err(TestCaseError::fail)
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    scene.is_unharmed();
}

#[test]
fn every_difference_on_purpose_has_its_reason() {
    assert!(
        DIFFERENCES
            .iter()
            .all(|difference| !difference.reason.is_empty())
    );
}

//! The gateway, over both record layers, against hyper as a server inside the test: of the same bytes, cut into records
//! anywhere, the upstream gets the requests that hyper reads. The gateway may refuse more; it never lets more pass.

/// What is sent: everything that the two could read differently.
mod corpus;
/// Streams that are bent, joined and cut.
mod mutations;
/// What hyper reads.
mod oracle;
/// One gateway with a listener for each record layer, and an upstream that writes down what it gets.
mod scene;

use corpus::{corpus, correct};
use mutations::{Bent, bent, joined};
use oracle::ReadRequest;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use scene::{LAST, Lane, Outcome, Request, Scene};

/// Fields that the gateway writes, or that frame the message. Bodies are compared instead.
const OWN_FIELDS: [&str; 6] = [
    "host",
    "via",
    "x-request-id",
    "content-length",
    "transfer-encoding",
    "forwarded",
];

/// Whether hyper reads nothing behind this request: another protocol may follow.
fn ends_reading(request: &ReadRequest) -> bool {
    request.method == "CONNECT" || request.has_field("upgrade")
}

/// What the upstream got that hyper did not read.
fn contradiction(outcome: &Outcome, read: &[ReadRequest]) -> Option<String> {
    let mut sent = outcome.requests.iter();
    for (number, (status, reason)) in outcome.answers.iter().enumerate() {
        let known = read.get(number);
        if reason.is_empty() {
            let Some(known) = known else {
                return Some(format!(
                    "request {number} has the response {status}; hyper reads {}",
                    read.len()
                ));
            };
            let Some(request) = sent.next() else {
                return Some(format!("request {number} did not reach the upstream"));
            };
            if let Some(difference) = difference(request, known) {
                return Some(format!("request {number}: {difference}"));
            }
        }
        if known.is_some_and(ends_reading) {
            return None;
        }
    }
    sent.next()
        .map(|request| format!("a request without a response: {request:?}"))
}

/// The first difference between the request at the upstream and what hyper reads.
fn difference(sent: &Request, read: &ReadRequest) -> Option<String> {
    let differs = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        Some(format!(
            "{what}: sent {ours:.200?}, hyper reads {theirs:.200?}"
        ))
    };
    let line = format!("{} {} HTTP/1.1", read.method, read.target());
    // Other targets are made canonical, which has tests of its own.
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'?' | b'=' | b'&' | b'-');
    if read.target().bytes().all(is_plain) && !read.target().contains("//") && sent.line != line {
        return differs("line", &sent.line, &line);
    }
    if !sent.line.starts_with(&format!("{} ", read.method)) {
        return differs("method", &sent.line, &read.method);
    }
    if Some(&sent.body) != read.body.as_ref() {
        let length = read.body.as_ref().map(Vec::len);
        return differs("body", &sent.body.len(), &length);
    }
    let read_fields = joined_cookies(&read.fields);
    let invented = sent.fields.iter().find(|(name, value)| {
        let is_ours = OWN_FIELDS.contains(&name.as_str())
            || name.starts_with("x-client-")
            || name.starts_with("x-forwarded-");
        !is_ours && !is_read(name, value, &read_fields)
    });
    if let Some(field) = invented {
        return differs("field", field, &read.fields);
    }
    let trailer = sent
        .trailers
        .iter()
        .find(|trailer| !read.trailers.contains(trailer));
    trailer.and_then(|trailer| differs("trailer", trailer, &read.trailers))
}

/// Whether hyper reads this field. The gateway writes `TE: trailers` itself if the client sent it in any letter case.
fn is_read(name: &str, value: &str, read_fields: &[(String, String)]) -> bool {
    read_fields.iter().any(|(read_name, read_value)| {
        let has_same_value = match name {
            "te" => value == "trailers" && read_value.to_ascii_lowercase().contains(value),
            _ => read_value == value,
        };
        read_name == name && has_same_value
    })
}

/// Fields with one cookie field, as the gateway sends them.
fn joined_cookies(fields: &[(String, String)]) -> Vec<(String, String)> {
    let (cookies, mut others): (Vec<_>, Vec<_>) = fields
        .iter()
        .cloned()
        .partition(|(name, _)| name == "cookie");
    if !cookies.is_empty() {
        let values: Vec<String> = cookies.into_iter().map(|(_, value)| value).collect();
        others.push(("cookie".to_owned(), values.join("; ")));
    }
    others
}

/// What is missing although nothing is wrong with the stream.
fn omission(outcome: &Outcome, read: &[ReadRequest]) -> Option<String> {
    let all_served = outcome.answers.iter().all(|(status, _)| *status == 200);
    let is_complete = outcome.answers.len() == read.len() && outcome.requests.len() == read.len();
    (!all_served || !is_complete).then(|| {
        format!(
            "responses {:?}, {} requests, hyper reads {}",
            outcome.answers,
            outcome.requests.len(),
            read.len()
        )
    })
}

/// Sends a stream over both record layers, and tells what `fault` finds.
fn check(
    scene: &Scene,
    bent: &Bent,
    fault: impl Fn(&Outcome, &[ReadRequest]) -> Option<String>,
) -> Result<(), String> {
    let read = oracle::read(&[&bent.stream, LAST].concat());
    let mut found = String::new();
    // A machine that stands still for a second makes a timeout of what is none, but not again and again.
    for _ in 0..3 {
        let outcomes = scene.run(&bent.stream, &bent.cuts);
        let mut faults = outcomes.iter().filter_map(|outcome| fault(outcome, &read));
        let Some(first) = faults.next() else {
            return Ok(());
        };
        found = first;
    }
    let stream = String::from_utf8_lossy(&bent.stream);
    Err(format!("{stream:.2000?}\ncut at {:?}\n{found}", bent.cuts))
}

fn config() -> Config {
    let cases = std::env::var("PORTCULLIS_FUZZ_CASES").ok();
    Config {
        cases: cases.and_then(|text| text.parse().ok()).unwrap_or(60),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    }
}

#[test]
fn every_known_trick_is_read_as_hyper_reads_it_or_rejected() {
    let scene = Scene::start();
    let mut found = Vec::new();
    for stream in corpus() {
        let middle = stream.len() / 2;
        for cuts in [vec![], vec![1, middle, middle + 1]] {
            let stream = stream.clone();
            found.extend(check(&scene, &Bent { stream, cuts }, contradiction).err());
        }
    }
    let all = found.join("\n\n");
    assert!(found.is_empty(), "{} differences\n{all}", found.len());
    scene.is_unharmed();
}

#[test]
fn a_request_has_the_same_outcome_wherever_it_is_cut() {
    let scene = Scene::start();
    for stream in [
        b"\r\nPOST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: b\r\n\r\n3;x\r\nabc\r\n0\r\nb: c\r\n\r\n".as_slice(),
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let read = oracle::read(&[stream, LAST].concat());
        assert!(read.len() > 1);
        for cut in 1..stream.len() {
            for lane in Lane::ALL {
                let outcome = scene.run_on(lane, stream, &[cut]);
                assert_eq!(contradiction(&outcome, &read), None, "{lane:?}, cut at {cut}");
                assert_eq!(omission(&outcome, &read), None, "{lane:?}, cut at {cut}");
            }
        }
    }
}

#[test]
fn a_long_head_behind_another_is_served_wherever_it_is_cut() {
    let scene = Scene::start();
    let first = format!(
        "GET /long HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    let second = format!(
        "POST /long HTTP/1.1\r\nX-A: {}\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        "y".repeat(68_000)
    );
    let stream = [first, second].concat().into_bytes();
    let read = oracle::read(&[&*stream, LAST].concat());
    assert_eq!(read.len(), 3);
    for cut in (50_000..stream.len()).step_by(2011).chain([120_966]) {
        for lane in Lane::ALL {
            let outcome = scene.run_on(lane, &stream, &[7373, cut]);
            assert_eq!(omission(&outcome, &read), None, "{lane:?}, cut at {cut}");
        }
    }
}

#[test]
fn correct_streams_are_served_completely() {
    let scene = Scene::start();
    let outcome = TestRunner::new(config()).run(&joined(correct()), |bent| {
        let fault = |outcome: &Outcome, read: &[ReadRequest]| {
            contradiction(outcome, read).or_else(|| omission(outcome, read))
        };
        check(&scene, &bent, fault).map_err(TestCaseError::fail)
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    scene.is_unharmed();
}

#[test]
fn bent_streams_are_read_as_hyper_reads_them_or_rejected() {
    let scene = Scene::start();
    let all = [corpus(), correct()].concat();
    let outcome = TestRunner::new(config()).run(&bent(all), |bent| {
        check(&scene, &bent, contradiction).map_err(TestCaseError::fail)
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    scene.is_unharmed();
}

/// The comparison itself: what it must find, and its twin.
#[test]
fn a_request_that_hyper_reads_otherwise_is_found() {
    let read = oracle::read(
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi",
    );
    let sent = Request {
        line: "POST /a HTTP/1.1".to_owned(),
        fields: vec![("x-a".to_owned(), "b".to_owned())],
        body: b"hi".to_vec(),
        trailers: Vec::new(),
    };
    let outcome = |request: Request| Outcome {
        answers: vec![(200, String::new())],
        requests: vec![request],
    };
    assert_eq!(contradiction(&outcome(sent.clone()), &read), None);
    assert_eq!(omission(&outcome(sent.clone()), &read), None);
    type Change = fn(&mut Request);
    let changes: [Change; 5] = [
        |request| request.line = "POST /b HTTP/1.1".to_owned(),
        |request| request.line = "PUT /a HTTP/1.1".to_owned(),
        |request| request.body.clear(),
        |request| request.fields.push(("x-b".to_owned(), String::new())),
        |request| request.trailers.push(("x-b".to_owned(), String::new())),
    ];
    for change in changes {
        let mut other = sent.clone();
        change(&mut other);
        assert!(
            contradiction(&outcome(other.clone()), &read).is_some(),
            "{other:?}"
        );
    }
    let mut more = outcome(sent.clone());
    more.requests.push(sent);
    assert!(contradiction(&more, &read).is_some());
    more.answers.push((200, String::new()));
    assert!(contradiction(&more, &read).is_some());
}

//! Conditions that have no outcome for a request, and say why.

use super::*;

fn absent(name: &str) -> Result<bool, EvaluationError> {
    Err(EvaluationError::Absent(name.into()))
}

#[test]
fn what_is_missing_gives_no_outcome_unless_it_is_asked_for_first() {
    let (plain, bare) = (Request::plain(), Request::without_certificate());
    for (text, name) in [
        (r#"request.query["page"] == """#, r#"request.query["page"]"#),
        (
            r#"request.headers["X-None"] != "a""#,
            r#"request.headers["x-none"]"#,
        ),
        (r#"captures.name == """#, r#"captures["name"]"#),
    ] {
        assert_eq!(plain.evaluate(text), absent(name));
        assert_eq!(plain.evaluate(&format!("!({text})")), absent(name));
    }
    assert_eq!(bare.evaluate("'limit' in request.query"), Ok(false));
}

#[test]
fn a_certificate_that_is_missing_gives_no_outcome_unless_it_is_asked_for_first() {
    let (plain, bare) = (Request::plain(), Request::without_certificate());
    for field in [
        "cn",
        "domain",
        "subject",
        "issuer",
        "serial",
        "fingerprint",
        "spki",
    ] {
        assert_eq!(
            bare.evaluate(&format!("certificate.{field} != 'x'")),
            absent(&format!("certificate.{field}"))
        );
        assert_eq!(
            plain.evaluate(&format!("certificate.{field} != 'x'")),
            Ok(true)
        );
        assert_eq!(
            bare.evaluate(&format!(
                "has(certificate.{field}) && certificate.{field} != 'x'"
            )),
            Ok(false)
        );
        assert_eq!(
            plain.evaluate(&format!(
                "has(certificate.{field}) && certificate.{field} != 'x'"
            )),
            Ok(true)
        );
    }
    for field in [
        "dns",
        "uris",
        "emails",
        "organizations",
        "organizational_units",
    ] {
        assert_eq!(
            bare.evaluate(&format!("certificate.{field}.size() < 9")),
            absent(&format!("certificate.{field}"))
        );
        assert_eq!(
            plain.evaluate(&format!("certificate.{field}.size() < 9")),
            Ok(true)
        );
    }
    assert_eq!(
        bare.evaluate("certificate.not_after > now"),
        absent("certificate.not_after")
    );
}

#[test]
fn a_common_name_that_cannot_be_used_is_missing_and_nothing_else() {
    let nameless = PeerCertificate {
        common_name: Err(CommonNameError::Several),
        ..certificate()
    };
    let nameless = Request {
        certificate: Some(nameless),
        ..Request::plain()
    };
    assert_eq!(
        nameless.evaluate("certificate.cn == 'web-1'"),
        absent("certificate.cn")
    );
    assert_eq!(nameless.evaluate("has(certificate.cn)"), Ok(false));
    assert_eq!(nameless.evaluate("has(certificate.fingerprint)"), Ok(true));
}

#[test]
fn what_has_two_readings_or_none_gives_no_outcome() {
    let request = Request::plain();
    let several = |name: &str| Err(EvaluationError::Several(name.into()));
    assert_eq!(
        request.evaluate("request.headers['x-twice'] == 'a'"),
        several(r#"request.headers["x-twice"]"#)
    );
    assert_eq!(
        request.evaluate("request.query.twice == '1'"),
        several(r#"request.query["twice"]"#)
    );
    let other = || {
        Err(EvaluationError::OtherSpelling(
            r#"request.headers["x-other"]"#.into(),
        ))
    };
    assert_eq!(
        request.evaluate("request.headers['x-other'] == 'a'"),
        other()
    );
    assert_eq!(
        request.evaluate("!('x-other' in request.headers)"),
        other(),
        "an upstream may find it"
    );
    let not_text = |name: &str| Err(EvaluationError::NotText(name.into()));
    assert_eq!(
        request.evaluate("request.headers['x-raw'] == 'a'"),
        not_text(r#"request.headers["x-raw"]"#)
    );
    assert_eq!(
        request.evaluate("request.query.raw == 'a'"),
        not_text(r#"request.query["raw"]"#)
    );
    for query in ["limit=1;limit=2", "limit=%", "limit=1&%zz"] {
        let request = Request {
            query: Some(query.to_owned()),
            ..Request::plain()
        };
        assert_eq!(
            request.evaluate("'limit' in request.query"),
            Err(EvaluationError::UnclearQuery),
            "{query}"
        );
        assert_eq!(request.evaluate("user == 'alice'"), Ok(true));
    }
}

#[test]
fn what_cannot_be_computed_gives_no_outcome() {
    let request = Request::plain();
    for (text, error) in [
        (
            "9223372036854775807 + int(request.query.limit) > 0",
            EvaluationError::OutOfRange,
        ),
        ("-9223372036854775808 - 1 < 0", EvaluationError::OutOfRange),
        ("-(-9223372036854775808) > 0", EvaluationError::OutOfRange),
        ("-9223372036854775808 / -1 > 0", EvaluationError::OutOfRange),
        (
            "-9223372036854775808 % -1 == 0",
            EvaluationError::OutOfRange,
        ),
        ("9223372036854775807 * 2 > 0", EvaluationError::OutOfRange),
        (
            "1 / (int(request.query.limit) - 5) == 1",
            EvaluationError::DivisionByZero,
        ),
        ("1 % 0 == 1", EvaluationError::DivisionByZero),
        ("int(request.query.name) == 1", EvaluationError::NotANumber),
        ("certificate.dns[2] == ''", EvaluationError::NoSuchElement),
        ("certificate.dns[-1] == ''", EvaluationError::NoSuchElement),
        (
            "now + duration('80000000h') > now",
            EvaluationError::OutOfRange,
        ),
        (
            "timestamp('9999-12-31T23:00:00Z').getHours('+02:00') == 1",
            EvaluationError::OutOfRange,
        ),
    ] {
        assert_eq!(request.evaluate(text), Err(error), "{text}");
    }
    let late = Request {
        now: i64::MAX,
        ..Request::plain()
    };
    assert_eq!(
        late.evaluate("now > certificate.not_after"),
        Err(EvaluationError::OutOfRange)
    );
    assert_eq!(late.evaluate("user == 'alice'"), Ok(true));
}

#[test]
fn work_is_bounded_for_every_client_input() {
    let names = |count: usize| {
        (0..count)
            .map(|at| format!("name-{at}").into())
            .collect::<Vec<Box<str>>>()
    };
    let many = PeerCertificate {
        dns_names: names(60_000),
        ..certificate()
    };
    let few = PeerCertificate {
        dns_names: names(60),
        ..certificate()
    };
    let text = "certificate.dns.all(n, n.startsWith('name-') && n.size() > 5)";
    assert_eq!(
        Request {
            certificate: Some(many),
            ..Request::plain()
        }
        .evaluate(text),
        Err(EvaluationError::TooCostly)
    );
    assert_eq!(
        Request {
            certificate: Some(few),
            ..Request::plain()
        }
        .evaluate(text),
        Ok(true)
    );
    let long = Request {
        headers: vec![("x-long".to_owned(), vec![b'a'; 9_000])],
        ..Request::plain()
    };
    assert_eq!(
        long.evaluate("request.headers['x-long'].matches('b')"),
        Err(EvaluationError::TooCostly)
    );
    assert_eq!(
        long.evaluate("request.headers['x-long'].contains('b')"),
        Ok(false)
    );
    let doubled = (0..8).fold("request.headers['x-long']".to_owned(), |text, _| {
        format!("({text} + 'a')")
    });
    assert_eq!(
        long.evaluate(&format!("{doubled}.size() == 9008")),
        Ok(true)
    );
    let sum = ["request.headers['x-long']"; 9].join(" + ");
    assert_eq!(
        long.evaluate(&format!("({sum}).size() > 0")),
        Err(EvaluationError::TooCostly)
    );
    // Once the work is done, no other side of an operator saves it.
    assert_eq!(
        long.evaluate(&format!("({sum}).size() > 0 || false")),
        Err(EvaluationError::TooCostly)
    );
}

//! CAs that may not sign what they signed, and several trust domains.

use super::*;

pub(super) fn limits(zoo: &Zoo) -> Vec<Row> {
    let called = |name: &str| Certificate::authority(name);
    let below = |certificate: Certificate| {
        let authority = zoo.root.below(&certificate);
        zoo.leaf_of(&authority, &alice()).and(&[&authority])
    };
    let two = |upper: Certificate| {
        let upper = zoo.root.below(&upper);
        let lower = upper.intermediate("Lower");
        (
            zoo.leaf_of(&lower, &alice()).and(&[&lower, &upper]),
            zoo.leaf_of(&upper, &alice()).and(&[&upper]),
        )
    };
    let (over, within) = two(called("Ends here")
        .bare()
        .with(basic_constraints(true, Some(0)))
        .with(key_usage(KEY_CERT_SIGN)));
    let (room, _) = two(called("One more")
        .bare()
        .with(basic_constraints(true, Some(1)))
        .with(key_usage(KEY_CERT_SIGN)));
    let constrained = |constraints: Vec<u8>, name: &str| {
        let authority = zoo.root.below(&called("Constrained").with(constraints));
        let certificate = alice().with(alternative_names(&[dns(name)]));
        zoo.leaf_of(&authority, &certificate).and(&[&authority])
    };
    let mut five = vec![zoo.root.intermediate("Level 1")];
    for level in 2..=5 {
        five.push(five[level - 2].intermediate(&format!("Level {level}")));
    }
    let deep = |levels: usize| {
        let authorities: Vec<_> = five[..levels].iter().rev().collect();
        zoo.leaf_of(authorities[0], &alice()).and(&authorities)
    };
    let client = Certificate::client("a client");
    let by_client = zoo.root.below(&client);
    vec![
        alerted(
            "of a CA that has expired",
            EXPIRED,
            "the intermediate sent",
            below(called("Old").valid(now() - 9 * DAY, now() - DAY)),
        ),
        alerted(
            "of a CA that is not yet valid",
            NOT_YET,
            "the intermediate sent",
            below(called("New").valid(now() + DAY, now() + 9 * DAY)),
        ),
        alerted(
            "of a client",
            INVALID,
            "the intermediate sent",
            zoo.leaf_of(&by_client, &alice()).and(&[&by_client]),
        ),
        alerted(
            "of a CA that says CA:FALSE",
            INVALID,
            "the intermediate sent",
            below(
                called("No")
                    .bare()
                    .with(basic_constraints(false, None))
                    .with(key_usage(KEY_CERT_SIGN)),
            ),
        ),
        alerted(
            "of a CA that may not sign certificates",
            USAGE,
            "the intermediate sent",
            below(
                called("Lists only")
                    .bare()
                    .with(basic_constraints(true, None))
                    .with(key_usage(CRL_SIGN)),
            ),
        ),
        accepted(
            "of a CA that does not say what its key is for",
            "alice",
            below(called("Silent").bare().with(basic_constraints(true, None))),
        ),
        accepted("a CA that ends the path, and does", "alice", within),
        alerted(
            "a CA that ends the path, and another below",
            INVALID,
            "a CA that ends the path, and does",
            over,
        ),
        accepted("a CA with room for one more", "alice", room),
        accepted("four intermediates", "alice", deep(4)),
        alerted(
            "five intermediates",
            TOO_LONG,
            "four intermediates",
            deep(5),
        ),
        accepted("one intermediate, one allowed", "alice-of-strict", deep(1)).at(Host::Strict),
        alerted(
            "two intermediates, one allowed",
            TOO_LONG,
            "one intermediate, one allowed",
            deep(2),
        )
        .at(Host::Strict),
        accepted(
            "a DNS name that its CA may give",
            "alice",
            constrained(
                name_constraints(&[dns("example.net")], &[]),
                "a.example.net",
            ),
        ),
        alerted(
            "a DNS name that its CA may not give",
            INVALID,
            "a DNS name that its CA may give",
            constrained(
                name_constraints(&[dns("example.net")], &[]),
                "a.example.com",
            ),
        ),
        accepted(
            "a DNS name beside those excluded",
            "alice",
            constrained(
                name_constraints(&[], &[dns("example.com")]),
                "a.example.net",
            ),
        ),
        alerted(
            "a DNS name that is excluded",
            INVALID,
            "a DNS name beside those excluded",
            constrained(
                name_constraints(&[], &[dns("example.com")]),
                "a.example.com",
            ),
        ),
    ]
}

pub(super) fn domains(zoo: &Zoo) -> Vec<Row> {
    let theirs = zoo.leaf_of(&zoo.other_root, &alice());
    let certificate = Certificate::authority("Of both");
    let ours = zoo.root.below(&certificate);
    let as_theirs = Authority {
        der: certificate.signed_by(&zoo.other_root, &ours.key),
        ..ours.clone()
    };
    let by_both = zoo.leaf_of(&ours, &alice());
    let optional = Verdict::Refused(401, "no_certificate".to_owned());
    let mut nobody = forbidden(
        "no certificate where they are optional",
        "",
        "a certificate where they are optional",
        Shown::nothing(),
    );
    nobody.verdict = optional;
    vec![
        accepted(
            "of another domain, where it counts",
            "alice-of-others",
            theirs.clone(),
        )
        .at(Host::Two),
        accepted(
            "of the first domain, where both count",
            "alice",
            zoo.leaf(&alice()),
        )
        .at(Host::Two),
        alerted(
            "of another domain, where it does not count",
            UNKNOWN,
            "of another domain, where it counts",
            theirs.clone(),
        ),
        forbidden(
            "of another domain than the route's",
            "wrong_trust_domain",
            "of the route's domain",
            theirs,
        )
        .unlike_nginx("nginx has one file of CAs for a server, and none for a location")
        .at(Host::Two)
        .path("/staff"),
        accepted("of the route's domain", "alice", zoo.leaf(&alice()))
            .at(Host::Two)
            .path("/staff"),
        accepted(
            "of a CA that both domains sign, shown by one side",
            "alice",
            by_both.clone().and(&[&ours]),
        )
        .at(Host::Two),
        alerted(
            "of a CA that both domains sign, shown by both",
            (Alert::AccessDenied, "ambiguous_domain"),
            "of a CA that both domains sign, shown by one side",
            by_both.and(&[&ours, &as_theirs]),
        )
        .unlike_nginx("nginx does not tell CAs apart")
        .at(Host::Two),
        accepted(
            "a certificate where they are optional",
            "alice",
            zoo.leaf(&alice()),
        )
        .at(Host::Open),
        nobody.at(Host::Open),
        alerted(
            "expired where they are optional",
            EXPIRED,
            "a certificate where they are optional",
            zoo.leaf(&alice().valid(now() - 9 * DAY, now() - DAY)),
        )
        .at(Host::Open),
    ]
}

//! Lists grant what was seen, and as little else as they can.

use super::*;
use proptest::prelude::*;

fn needed(captures: &[usize]) -> NeedUse {
    NeedUse {
        seen: Occurrences::once("2026-01-01T00:00:00Z"),
        on_trial: 0,
        captures: captures.iter().copied().collect(),
    }
}

fn texts(requirements: &[&str], captures: &[usize], threshold: usize) -> Vec<String> {
    let all = requirements
        .iter()
        .flat_map(|text| LearnedNeed::all_of(text));
    let needs = all.map(|need| (need, needed(captures))).collect();
    learn(&needs, threshold)
        .0
        .into_iter()
        .map(|learned| learned.text)
        .collect()
}

fn grants(text: &str, need: &LearnedNeed) -> bool {
    let permission = Permission::new(
        Arc::new(CompiledPermission::new(text, Effect::Grant)),
        Place::nowhere(),
    );
    permission.grants(&RequirementSubject::of(&need.requirement()))
}

#[test]
fn few_values_stay_exact_and_many_become_a_wildcard() {
    let paths = |count: usize, tail: &str| {
        (0..count)
            .map(|id| format!("GET /api/hosts/{id}{tail}"))
            .collect::<Vec<_>>()
    };
    let few = paths(7, "");
    assert_eq!(
        texts(&few.iter().map(String::as_str).collect::<Vec<_>>(), &[], 8),
        few
    );
    let many = paths(8, "");
    assert_eq!(
        texts(&many.iter().map(String::as_str).collect::<Vec<_>>(), &[], 8),
        ["GET /api/hosts/*"]
    );
    let middle = paths(8, "/status");
    let mut all: Vec<&str> = middle.iter().map(String::as_str).collect();
    all.push("GET /api/hosts/1/config");
    assert_eq!(
        texts(&all, &[], 8),
        ["GET /api/hosts/*/status", "GET /api/hosts/1/config"]
    );
    all.push("POST /api/hosts/1/status");
    assert!(
        texts(&all, &[], 8).contains(&"POST /api/hosts/1/status".to_owned()),
        "each method for itself"
    );
}

#[test]
fn where_the_route_has_a_capture_two_values_are_enough() {
    assert_eq!(
        texts(&["GET /v1/a/x", "GET /v1/b/x"], &[1], 8),
        ["GET /v1/*/x"]
    );
    assert_eq!(texts(&["GET /v1/a/x"], &[1], 8), ["GET /v1/a/x"]);
    assert_eq!(texts(&["GET /a", "GET /b"], &[0], 8), ["GET /*"]);
}

#[test]
fn whole_parts_of_an_api_never_become_a_wildcard() {
    let all: Vec<String> = (0..50).map(|part| format!("GET /part{part:02}")).collect();
    assert_eq!(
        texts(&all.iter().map(String::as_str).collect::<Vec<_>>(), &[], 8),
        all
    );
}

#[test]
fn names_stay_exact_and_all_of_several_are_needed() {
    assert_eq!(
        texts(
            &[
                "objects/query/Host and b",
                "objects/query/host",
                "(any ApiUser)"
            ],
            &[],
            2
        ),
        ["b", "objects/query/host"]
    );
}

#[test]
fn what_a_wildcard_grants_anyway_needs_no_line() {
    let mut all: Vec<String> = (0..8).map(|id| format!("GET /a/{id}")).collect();
    all.push("GET /a/1/deeper".to_owned());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let needs: BTreeMap<LearnedNeed, NeedUse> = all
        .iter()
        .flat_map(|text| LearnedNeed::all_of(text))
        .map(|need| (need, needed(&[])))
        .collect();
    let (learned, _) = learn(&needs, 8);
    assert_eq!(
        (
            learned.len(),
            learned[0].text.as_str(),
            learned[0].kinds,
            learned[0].seen.count
        ),
        (1, "GET /a/*", 9, 9)
    );
}

#[test]
fn wildcards_in_requests_are_taken_at_their_word() {
    let learned = texts(&["GET /a/*", "objects/query/*"], &[], 8);
    assert_eq!(learned, ["GET /a/\\*", "objects/query/\\*"]);
    assert!(!grants(
        &learned[0],
        &LearnedNeed::Path {
            method: "GET".to_owned(),
            path: "/a/b".to_owned()
        }
    ));
    assert!(!grants(
        &learned[1],
        &LearnedNeed::Name("objects/query/host".to_owned())
    ));
}

fn need() -> impl Strategy<Value = LearnedNeed> {
    let path = proptest::collection::vec("[a-c*]{0,2}", 1..4);
    prop_oneof![
        ("(GET|POST|\\*)", path).prop_map(|(method, segments)| LearnedNeed::Path {
            method,
            path: format!("/{}", segments.join("/"))
        }),
        "[a-c]/[a-c*]{1,2}".prop_map(LearnedNeed::Name),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn without_wildcards_exactly_what_was_seen_is_granted(
        seen in proptest::collection::btree_set(need(), 0..25),
        others in proptest::collection::btree_set(need(), 0..50),
    ) {
        let needs = seen.iter().map(|need| (need.clone(), needed(&[]))).collect();
        let (learned, left_out) = learn(&needs, usize::MAX);
        prop_assert!(left_out.is_empty());
        prop_assert_eq!(learned.iter().map(|it| it.seen.count).sum::<u64>(), seen.len() as u64);
        for need in seen.union(&others) {
            let granted = learned.iter().any(|it| grants(&it.text, need));
            prop_assert_eq!(granted, seen.contains(need), "{:?} by {:?}", need, learned);
        }
    }

    #[test]
    fn with_wildcards_all_that_was_seen_is_granted_and_nothing_of_another_kind(
        seen in proptest::collection::btree_set(need(), 0..40),
        others in proptest::collection::btree_set(need(), 0..50),
        threshold in 2usize..5,
        captures in proptest::collection::btree_set(0usize..3, 0..2),
    ) {
        let captures: Vec<usize> = captures.into_iter().collect();
        let needs: BTreeMap<_, _> = seen.iter().map(|need| (need.clone(), needed(&captures))).collect();
        let (learned, _) = learn(&needs, threshold);
        prop_assert_eq!(learned.iter().map(|it| it.seen.count).sum::<u64>(), seen.len() as u64);
        for need in &seen {
            prop_assert!(learned.iter().any(|it| grants(&it.text, need)), "{:?} by {:?}", need, learned);
        }
        for need in others.difference(&seen).filter(|need| learned.iter().any(|it| grants(&it.text, need))) {
            // Only paths are granted beyond, of a method that was seen, and below a first segment that was, unless
            // the route has a capture there.
            let LearnedNeed::Path { method, path } = need else { return Err(TestCaseError::fail(format!("{need:?}"))) };
            let first = |path: &str| path.split('/').nth(1).map(str::to_owned);
            let related = seen.iter().any(|other| match other {
                LearnedNeed::Path { method: seen_method, path: seen_path } => {
                    seen_method == method && (captures.contains(&0) || first(seen_path) == first(path))
                }
                LearnedNeed::Name(_) => false,
            });
            prop_assert!(related, "{:?} by {:?}", need, learned);
        }
        prop_assert_eq!(&learned, &learn(&needs, threshold).0, "the same each time");
    }
}

//! Texts that are no conditions: each says where it is wrong, and what would help.

mod functions;
mod lists;
mod operators;
mod syntax;

use super::*;

fn refused(text: &str) -> ConditionError {
    match Condition::compile(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error,
    }
}

/// The text, the byte where it is wrong, and a part of message and hint.
type Refused = (&'static str, usize, &'static str, &'static str);

#[test]
fn each_mistake_has_a_place_and_a_hint() {
    let mut wrong = Vec::new();
    let all = [
        operators::REFUSED,
        functions::REFUSED,
        lists::REFUSED,
        syntax::REFUSED,
    ];
    for &(text, place, message, hint) in all.into_iter().flatten() {
        let error = refused(text);
        let says =
            error.message.contains(message) && error.hint.contains(hint) && !error.hint.is_empty();
        if !says || error.offset != Some(place) {
            wrong.push(format!("{text}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_text_beyond_the_bounds_is_rejected_and_not_tried() {
    let nested = |count: usize, open: &str, close: &str| {
        format!("{}true{}", open.repeat(count), close.repeat(count))
    };
    for (open, close) in [
        ("(", ")"),
        ("!(", ")"),
        ("true ? (", ") : true"),
        ("[", "]"),
        ("size(", ")"),
        ("a[", "]"),
        ("{", "}"),
    ] {
        for count in [25, 120] {
            let error = refused(&nested(count, open, close));
            assert!(
                error.message.contains("nested too deep"),
                "{count} {open}: {error:?}"
            );
        }
    }
    assert!(Condition::compile(&nested(24, "(", ")")).is_ok());
    for count in [10_000, 1_000_000] {
        assert!(
            refused(&"(".repeat(count))
                .message
                .contains("longer than 2048 bytes")
        );
        assert!(
            refused(&nested(count, "(", ")"))
                .message
                .contains("longer than 2048 bytes")
        );
    }
    for chain in [
        "1+", "!", "-", "true==", "1<", "user.", "user[0].", "a.b().", "a&&", "a?a:", "[", "{",
        "(", "a(", "a.a(", "'",
    ] {
        let text = chain.repeat(2048 / chain.len());
        let _ = refused(&text);
        let _ = refused(&format!("{}1", text.get(..text.len() - 1).unwrap()));
    }
    let sum = |terms: usize| format!("{} == 1", vec!["1"; terms].join(" + "));
    assert!(Condition::compile(&sum(60)).is_ok());
    assert!(refused(&sum(100)).message.contains("nested too deep"));
    // Chains of `&&` are a balanced tree.
    assert!(Condition::compile(&vec!["true"; 250].join("&&")).is_ok());
}

#[test]
fn a_long_text_within_bounds_holds() {
    let text = vec!["user == 'alice'"; 100].join(" && ");
    assert_eq!(Request::plain().evaluate(&text), Ok(true));
}

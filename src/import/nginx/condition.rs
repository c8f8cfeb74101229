//! `if` about who the client is. Only one that refuses everybody else becomes users.

use super::lexer::Directive;
use super::subject::{Holds, Named, Variables, named};
use crate::import::people::{Meaning, People, meaning};
use crate::import::plain_regex;

pub(super) fn read(condition: &Directive, variables: &Variables, people: &mut People) {
    let words = words(condition);
    let text = words.join(" ");
    let about = format!("if ({text})");
    let [variable, operator, value] = words.as_slice() else {
        if variables.any_in(&text) {
            people.attention(condition.at, &about, NOT_UNDERSTOOD);
        }
        return;
    };
    let Some(holds) = variables.holds(variable) else {
        return;
    };
    if !refuses(condition) {
        people.attention(
            condition.at,
            &about,
            "what this does is not carried over: say it with routes and permissions",
        );
        return;
    }
    match (holds, *operator) {
        (Holds::Mapped, "=") if meaning(value) == Meaning::Denied => {}
        (Holds::Mapped | Holds::Other(_), _) => people.attention(condition.at, &about, NOT_UNDERSTOOD),
        (_, "!=") => name(people, condition, holds, value, &about),
        (_, "!~") => match plain_regex::names(value) {
            Some(names) => names.iter().for_each(|text| name(people, condition, holds, text, &about)),
            None => people.attention(
                condition.at,
                &about,
                "a regular expression says who is let in: write the common names that it is meant for as `client_cn` of \
                 an api_user",
            ),
        },
        (_, "=" | "~" | "~*") => people.attention(
            condition.at,
            &about,
            "this shuts somebody out: put `cn NAME` into the `deny_list` of the trust domain",
        ),
        _ => people.attention(condition.at, &about, NOT_UNDERSTOOD),
    }
}

const NOT_UNDERSTOOD: &str =
    "what this asks is not carried over: say it with routes and permissions";

fn name(people: &mut People, condition: &Directive, holds: Holds, text: &str, about: &str) {
    let common_name = match (holds, named(text)) {
        (Holds::CommonName, _) => text,
        (_, Named::Exactly(name)) => name,
        (_, Named::Among(name)) => {
            let what = format!(
                "\"{text}\" is more than a common name: \"{name}\" alone would let in others, too"
            );
            people.attention(condition.at, about, what);
            return;
        }
        (_, Named::Nobody) => {
            people.attention(
                condition.at,
                about,
                format!("\"{text}\" has not exactly one plain common name"),
            );
            return;
        }
    };
    match common_name {
        // Whoever has any name.
        "" => {}
        name => people.add(name, name, condition.at),
    }
}

/// The words between the parentheses.
fn words(condition: &Directive) -> Vec<&str> {
    let mut words: Vec<&str> = condition
        .words
        .iter()
        .skip(1)
        .map(|word| word.text.as_str())
        .collect();
    if let Some(first) = words.first_mut() {
        *first = first.strip_prefix('(').unwrap_or(first);
    }
    if let Some(last) = words.last_mut() {
        *last = last.strip_suffix(')').unwrap_or(last);
    }
    words.retain(|word| !word.is_empty());
    // An empty text in quotes is a word, too.
    if words.len() == 2 {
        words.push("");
    }
    words
}

/// Whether its block does nothing but refuse.
fn refuses(condition: &Directive) -> bool {
    let is_refusal = |directive: &Directive| match directive.name() {
        "return" => directive.argument(1).starts_with('4'),
        "deny" => directive.argument(1) == "all",
        _ => false,
    };
    !condition.block.is_empty() && condition.block.iter().all(is_refusal)
}

//! Reads `if` conditions about the client certificate. Only a condition that denies all other clients becomes users.

use super::lexer::Directive;
use super::subject::{SubjectName, VariableContent, Variables, subject_name};
use crate::import::imported_users::{ImportedUsers, Meaning, meaning};
use crate::import::plain_regex;

pub(super) fn read(condition: &Directive, variables: &Variables, users: &mut ImportedUsers) {
    let words = words(condition);
    let text = words.join(" ");
    let subject = format!("if ({text})");
    let [variable, operator, value] = words.as_slice() else {
        if variables.any_in(&text) {
            users.attention(condition.at, &subject, NOT_CONVERTED);
        }
        return;
    };
    let Some(content) = variables.content(variable) else {
        return;
    };
    if !denies(condition) {
        users.attention(
            condition.at,
            &subject,
            "the block of this condition is not converted: write it as routes and permissions",
        );
        return;
    }
    match (content, *operator) {
        (VariableContent::Mapped, "=") if meaning(value) == Meaning::Denied => {}
        (VariableContent::Mapped | VariableContent::Other(_), _) => users.attention(condition.at, &subject, NOT_CONVERTED),
        (_, "!=") => name(users, condition, content, value, &subject),
        (_, "!~") => match plain_regex::names(value) {
            Some(names) => names.iter().for_each(|text| name(users, condition, content, text, &subject)),
            None => users.attention(
                condition.at,
                &subject,
                "the regular expression is not converted: write the common names that it matches as `client_cn` of an \
                 api_user",
            ),
        },
        (_, "=" | "~" | "~*") => users.attention(
            condition.at,
            &subject,
            "this denies a client: put `cn NAME` into the `deny_list` of the trust domain",
        ),
        _ => users.attention(condition.at, &subject, NOT_CONVERTED),
    }
}

const NOT_CONVERTED: &str = "this condition is not converted: write it as routes and permissions";

fn name(
    users: &mut ImportedUsers,
    condition: &Directive,
    content: VariableContent,
    text: &str,
    subject: &str,
) {
    let common_name = match (content, subject_name(text)) {
        (VariableContent::CommonName, _) => text,
        (_, SubjectName::Alone(name)) => name,
        (_, SubjectName::WithMore(name)) => {
            let note = format!(
                "\"{text}\" is more than a common name: \"{name}\" alone would also allow other clients"
            );
            users.attention(condition.at, subject, note);
            return;
        }
        (_, SubjectName::None) => {
            users.attention(
                condition.at,
                subject,
                format!("\"{text}\" does not have exactly one plain common name"),
            );
            return;
        }
    };
    match common_name {
        // Any common name.
        "" => {}
        name => users.add(name, name, condition.at),
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
    // An empty text in quotes is a word.
    if words.len() == 2 {
        words.push("");
    }
    words
}

/// Whether the block only denies the request.
fn denies(condition: &Directive) -> bool {
    let is_denial = |directive: &Directive| match directive.name() {
        "return" => directive.argument(1).starts_with('4'),
        "deny" => directive.argument(1) == "all",
        _ => false,
    };
    !condition.block.is_empty() && condition.block.iter().all(is_denial)
}

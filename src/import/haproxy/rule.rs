//! Finds out from the rules whether an ACL allows or denies the clients that it matches. Ignores paths.

use super::ConfigLine;
use super::acl::{self, Acl, AclUse};
use crate::import::error::ImportError;
use crate::import::imported_users::ImportedUsers;
use crate::import::source::ImportFile;

/// Whether a test is negated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Negated,
}

/// Anonymous ACLs of a line, in braces.
pub(super) fn anonymous(file: &ImportFile, line: &ConfigLine) -> Result<Vec<Acl>, ImportError> {
    let mut acls = Vec::new();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        if word.trim_start_matches('!') == "{" {
            let inner: Vec<String> = words
                .by_ref()
                .take_while(|word| *word != "}")
                .cloned()
                .collect();
            acls.extend(acl::read(file, String::new(), &inner, line.at)?);
        }
    }
    Ok(acls)
}

/// Sets how each ACL is used, and adds a note for each rule that tests more than the client.
pub(super) fn apply(lines: &[ConfigLine], acls: &mut [Acl], users: &mut ImportedUsers) {
    for line in lines.iter().filter(|line| line.word(0) != "acl") {
        let Some(at) = line
            .words
            .iter()
            .position(|word| word == "if" || word == "unless")
        else {
            continue;
        };
        let unless = line.word(at) == "unless";
        let tests = tests(line, at + 1, acls);
        let about_clients = tests.iter().flatten().any(|(_, acl)| acl.is_some());
        if !about_clients {
            continue;
        }
        let acl_use = if denies(line, at) {
            use_of(&tests, unless)
        } else {
            None
        };
        let tested: Vec<usize> = tests.iter().flatten().filter_map(|(_, acl)| *acl).collect();
        match acl_use {
            Some(acl_use) => {
                tested.iter().for_each(|at| set_use(acls, *at, acl_use));
            }
            None => {
                let rule = line.words.join(" ");
                users.attention(
                    line.at,
                    &rule,
                    "this rule tests more than the client: write it as routes and permissions",
                );
            }
        }
    }
}

/// Sets how an ACL is used. Several lines may declare the same ACL.
fn set_use(acls: &mut [Acl], at: usize, acl_use: AclUse) {
    let name = acls.get(at).map(|acl| acl.name.clone()).unwrap_or_default();
    for (number, acl) in acls.iter_mut().enumerate() {
        let is_same = number == at || !name.is_empty() && acl.name == name;
        // A client that any rule denies is not imported.
        if is_same && acl.acl_use != AclUse::Denies {
            acl.acl_use = acl_use;
        }
    }
}

/// The tests of a condition, as alternatives of tests that must all hold. A test about the client has the index of its
/// ACL.
fn tests(line: &ConfigLine, from: usize, acls: &[Acl]) -> Vec<Vec<(Sign, Option<usize>)>> {
    let mut alternatives = vec![Vec::new()];
    let mut anonymous = acls
        .iter()
        .enumerate()
        .filter(|(_, acl)| acl.name.is_empty() && acl.at == line.at)
        .map(|(at, _)| at);
    let mut sign = Sign::Plain;
    let mut words = line.words.iter().skip(from);
    while let Some(word) = words.next() {
        let bare = word.trim_start_matches('!');
        if (word.len() - bare.len()) % 2 == 1 {
            sign = if sign == Sign::Plain {
                Sign::Negated
            } else {
                Sign::Plain
            };
        }
        let acl = match bare {
            "" => continue,
            "or" | "||" => {
                alternatives.push(Vec::new());
                continue;
            }
            "{" => {
                let inner: Vec<&String> = words.by_ref().take_while(|word| *word != "}").collect();
                if inner
                    .first()
                    .is_some_and(|sample| acl::is_about_clients(sample))
                {
                    anonymous.next()
                } else {
                    None
                }
            }
            name => acls.iter().position(|acl| acl.name == name),
        };
        if let Some(all) = alternatives.last_mut() {
            all.push((sign, acl));
        }
        sign = Sign::Plain;
    }
    alternatives
}

/// How a denying rule uses its ACLs. `None` if it also tests something else, or combines tests otherwise.
fn use_of(tests: &[Vec<(Sign, Option<usize>)>], unless: bool) -> Option<AclUse> {
    if tests.iter().flatten().any(|(_, acl)| acl.is_none()) {
        return None;
    }
    let all = |expected: Sign| tests.iter().flatten().all(|(sign, _)| *sign == expected);
    let each_alone = tests.iter().all(|alternative| alternative.len() == 1);
    match unless {
        // deny unless a or b
        true if each_alone && all(Sign::Plain) => Some(AclUse::Allows),
        // deny if !a !b
        false if tests.len() == 1 && all(Sign::Negated) => Some(AclUse::Allows),
        // deny if a or b
        false if each_alone && all(Sign::Plain) => Some(AclUse::Denies),
        _ => None,
    }
}

/// Whether a rule denies requests or connections.
fn denies(line: &ConfigLine, condition: usize) -> bool {
    const REFUSALS: [&str; 4] = ["deny", "reject", "silent-drop", "tarpit"];
    let is_rule = ["http-request", "tcp-request", "block"].contains(&line.word(0));
    is_rule
        && line
            .words
            .iter()
            .take(condition)
            .any(|word| REFUSALS.contains(&word.as_str()) || word == "block")
}

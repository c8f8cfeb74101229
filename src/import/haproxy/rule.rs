//! What rules do with ACLs: whether those whom one names are let in, or shut out. Decides nothing about paths.

use super::Line;
use super::acl::{self, Acl, Use};
use crate::import::error::ImportError;
use crate::import::people::People;
use crate::import::source::ImportFile;

/// Whether a test must hold, or must not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Negated,
}

/// ACLs that stand in braces in their rule.
pub(super) fn anonymous(file: &ImportFile, line: &Line) -> Result<Vec<Acl>, ImportError> {
    let mut found = Vec::new();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        if word.trim_start_matches('!') == "{" {
            let inner: Vec<String> = words
                .by_ref()
                .take_while(|word| *word != "}")
                .cloned()
                .collect();
            found.extend(acl::read(file, String::new(), &inner, line.at)?);
        }
    }
    Ok(found)
}

/// Sets what each ACL is used for, and names rules that decide about more than who gets in.
pub(super) fn judge(lines: &[Line], acls: &mut [Acl], people: &mut People) {
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
        let use_ = if refuses(line, at) {
            use_of(&tests, unless)
        } else {
            None
        };
        let concerned: Vec<usize> = tests.iter().flatten().filter_map(|(_, acl)| *acl).collect();
        match use_ {
            Some(use_) => {
                concerned.iter().for_each(|at| set_use(acls, *at, use_));
            }
            None => {
                let rule = line.words.join(" ");
                people.attention(
                    line.at,
                    &rule,
                    "this decides about more than who gets in: say it with routes and permissions",
                );
            }
        }
    }
}

/// Sets what an ACL is used for; several lines may make one.
fn set_use(acls: &mut [Acl], at: usize, use_: Use) {
    let name = acls.get(at).map(|acl| acl.name.clone()).unwrap_or_default();
    for (number, acl) in acls.iter_mut().enumerate() {
        let is_meant = number == at || !name.is_empty() && acl.name == name;
        // Whoever is shut out anywhere is not let in here.
        if is_meant && acl.use_ != Use::ShutsOut {
            acl.use_ = use_;
        }
    }
}

/// The tests of a condition as alternatives of tests that must all hold. Each with the ACL that it is, if it is about
/// clients.
fn tests(line: &Line, from: usize, acls: &[Acl]) -> Vec<Vec<(Sign, Option<usize>)>> {
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

/// What a refusing rule does to those whom its ACLs name. `None` if other things count, too.
fn use_of(tests: &[Vec<(Sign, Option<usize>)>], unless: bool) -> Option<Use> {
    if tests.iter().flatten().any(|(_, acl)| acl.is_none()) {
        return None;
    }
    let all = |wanted: Sign| tests.iter().flatten().all(|(sign, _)| *sign == wanted);
    let each_alone = tests.iter().all(|alternative| alternative.len() == 1);
    match unless {
        // deny unless a or b
        true if each_alone && all(Sign::Plain) => Some(Use::LetsIn),
        // deny if !a !b
        false if tests.len() == 1 && all(Sign::Negated) => Some(Use::LetsIn),
        // deny if a or b
        false if each_alone && all(Sign::Plain) => Some(Use::ShutsOut),
        _ => None,
    }
}

fn refuses(line: &Line, condition: usize) -> bool {
    const REFUSALS: [&str; 4] = ["deny", "reject", "silent-drop", "tarpit"];
    let is_rule = ["http-request", "tcp-request", "block"].contains(&line.word(0));
    is_rule
        && line
            .words
            .iter()
            .take(condition)
            .any(|word| REFUSALS.contains(&word.as_str()) || word == "block")
}

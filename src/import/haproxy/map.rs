//! Maps of HAProxy over the common name: files of `name value`.

use super::{Line, common_name_of};
use crate::import::error::ImportError;
use crate::import::people::{Meaning, People, meaning};
use crate::import::source::ImportFile;

pub(super) fn read(file: &ImportFile, line: &Line, people: &mut People) -> Result<(), ImportError> {
    for word in &line.words {
        for (at, _) in word.match_indices("ssl_c_s_dn(") {
            let Some(conversion) = word
                .get(at..)
                .and_then(common_name_of)
                .and_then(|rest| rest.strip_prefix(','))
            else {
                continue;
            };
            let Some((name, arguments)) = conversion.split_once('(') else {
                continue;
            };
            if !name.starts_with("map") {
                continue;
            }
            let arguments = arguments.split(')').next().unwrap_or_default();
            let (path, default) = arguments.split_once(',').unwrap_or((arguments, ""));
            converter(file, line, (name, path, default), people)?;
        }
    }
    Ok(())
}

fn converter(
    file: &ImportFile,
    line: &Line,
    (name, path, default): (&str, &str, &str),
    people: &mut People,
) -> Result<(), ImportError> {
    let about = format!("{name}({path})");
    if !["map", "map_str", "map_str_str"].contains(&name) {
        let what = format!(
            "it compares by {name}: write the common names that it is meant for as `client_cn` of an api_user"
        );
        people.attention(line.at, &about, what);
        return Ok(());
    }
    if meaning(default) != Meaning::Denied {
        let what =
            format!("everybody else is \"{default}\" there; here, who is not listed has no right");
        people.attention(line.at, &about, what);
    }
    let map = file.named(line.at, path)?;
    for (number, text) in (1..).zip(map.text().lines()) {
        let entry = text.trim_start_matches([' ', '\t']);
        if text.starts_with('#') || entry.is_empty() {
            continue;
        }
        match entry.split_once([' ', '\t']) {
            Some((common_name, value)) => {
                people.add_mapped(common_name, value.trim_start_matches([' ', '\t']), line.at);
            }
            None => {
                let what = format!("line {number} of it, \"{entry}\", has no value");
                people.attention(line.at, &about, what);
            }
        }
    }
    Ok(())
}

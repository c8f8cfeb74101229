//! Reads HAProxy maps over the common name: files with lines of `name value`.

use super::{ConfigLine, common_name_of};
use crate::import::error::ImportError;
use crate::import::imported_users::{ImportedUsers, Meaning, meaning};
use crate::import::source::ImportFile;

pub(super) fn read(
    file: &ImportFile,
    line: &ConfigLine,
    users: &mut ImportedUsers,
) -> Result<(), ImportError> {
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
            let map = MapCall {
                name,
                path,
                default,
            };
            converter(file, line, &map, users)?;
        }
    }
    Ok(())
}

/// A call of a map converter.
struct MapCall<'w> {
    /// The converter, such as `map_str`.
    name: &'w str,
    /// The map file.
    path: &'w str,
    /// The value of names that are not in the map; may be empty.
    default: &'w str,
}

fn converter(
    file: &ImportFile,
    line: &ConfigLine,
    map: &MapCall<'_>,
    users: &mut ImportedUsers,
) -> Result<(), ImportError> {
    let MapCall {
        name,
        path,
        default,
    } = *map;
    let subject = format!("{name}({path})");
    if !["map", "map_str", "map_str_str"].contains(&name) {
        let text = format!(
            "it compares by {name}: write the common names that it matches as `client_cn` of an api_user"
        );
        users.attention(line.at, &subject, text);
        return Ok(());
    }
    if meaning(default) != Meaning::Denied {
        let text = format!(
            "its default is \"{default}\"; here, a client that is not listed has no permission"
        );
        users.attention(line.at, &subject, text);
    }
    let map_file = file.named(line.at, path)?;
    for (number, map_line) in (1..).zip(map_file.text().lines()) {
        let entry = map_line.trim_start_matches([' ', '\t']);
        if map_line.starts_with('#') || entry.is_empty() {
            continue;
        }
        match entry.split_once([' ', '\t']) {
            Some((common_name, value)) => {
                users.add_mapped(common_name, value.trim_start_matches([' ', '\t']), line.at);
            }
            None => {
                let text = format!("line {number} of it, \"{entry}\", has no value");
                users.attention(line.at, &subject, text);
            }
        }
    }
    Ok(())
}

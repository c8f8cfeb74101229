//! Small listings of our own, in the daemon's forms.

use super::*;
use crate::credentials::PasswordHash;
use crate::import::Weight;
use std::path::Path;

fn file(text: &str) -> ImportFile {
    ImportFile::new(Path::new("users"), text.as_bytes()).unwrap()
}

fn imported(text: &str) -> ImportedConfig {
    icinga2(&file(text), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    let error = icinga2(&file(text), &[]).expect_err("a rejection");
    assert!(
        error.hint().contains("icinga2 object list") || error.hint().contains("attrs"),
        "{}",
        error.hint()
    );
    error.to_string()
}

fn users(imported: &ImportedConfig) -> toml::Table {
    let config: toml::Table = imported.config.parse().unwrap();
    config
        .get("api_user")
        .map(|users| users.as_table().unwrap().clone())
        .unwrap_or_default()
}

/// An object as the daemon prints it.
fn object(name: &str, client_cn: &str, password: &str, permissions: &str) -> String {
    format!(
        "Object '{name}' of type 'ApiUser':\n  % declared in 'x.conf', lines 1:1-1:2\n  * __name = \"{name}\"\n  \
         * client_cn = \"{client_cn}\"\n    % = modified in 'x.conf', lines 1:1-1:2\n  * name = \"{name}\"\n  \
         * password = \"{password}\"\n  * password_hash = \"\"\n  * permissions = {permissions}\n  * source_location\n    \
         * first_column = 1\n    * path = \"x.conf\"\n  * type = \"ApiUser\"\n  * zone = \"\"\n\n"
    )
}

fn json(name: &str, client_cn: &str, permissions: &str) -> String {
    format!(
        "{{\"results\":[{{\"attrs\":{{\"client_cn\":{client_cn},\"permissions\":{permissions}}},\"name\":{name},\
         \"type\":\"ApiUser\"}}]}}"
    )
}

#[test]
fn both_listings_of_a_plain_user_become_that_user() {
    let from_list = imported(&object(
        "alice",
        "alice.example",
        "",
        "[ \"status/query\", \"objects/query/*\" ]",
    ));
    let from_json = imported(&json(
        "\"alice\"",
        "\"alice.example\"",
        "[\"status/query\",\"objects/query/*\"]",
    ));
    for imported in [&from_list, &from_json] {
        let alice = users(imported)["alice"].clone();
        assert_eq!(alice["client_cn"].as_str(), Some("alice.example"));
        assert_eq!(alice["permissions"].as_array().unwrap().len(), 2);
        assert!(!imported.needs_attention(), "{:?}", imported.notes);
    }
}

#[test]
fn a_password_becomes_a_matching_hash_and_is_stored_nowhere() {
    for password in ["secret pass", "a\"quoted\" \\ one", "p#ss//word/*x*/", "  "] {
        let imported = imported(&object("bob", "", password, "[ \"*\" ]"));
        let hash = users(&imported)["bob"]["password_hash"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(PasswordHash::parse(&hash).unwrap().matches(password));
        assert!(
            !imported.needs_attention()
                && (password.trim().is_empty() || !imported.config.contains(password))
        );
    }
    let imported = imported(&object("bob", "", "first\n  second line", "[ \"*\" ]"));
    assert!(
        users(&imported).is_empty() && imported.needs_attention(),
        "no request could carry it"
    );
    assert!(!imported.config.contains("second line"));
}

#[test]
fn a_node_name_identifies_no_user() {
    let user = object("node", "master.lab", "", "[ \"*\" ]");
    let endpoint = "Object 'master.lab' of type 'Endpoint':\n  * __name = \"master.lab\"\n  * log_duration = 86400\n";
    let named = icinga2(&file(&user), &["master.lab".to_owned()]).unwrap();
    for imported in [&named, &imported(&(user.clone() + endpoint))] {
        assert!(users(imported).is_empty() && imported.needs_attention());
        assert!(
            imported
                .config
                .contains("# reserved_names = [\"master.lab\"]")
        );
    }
    assert_eq!(users(&imported(&user)).len(), 1);
}

#[test]
fn two_users_of_one_certificate_keep_only_what_tells_them_apart() {
    let imported = imported(
        &(object("a", "shared", "", "[ ]")
            + &object("b", "shared", "pass", "[ ]")
            + &object("c", "c", "", "[ ]")),
    );
    let users = users(&imported);
    assert_eq!(users.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert!(users["b"].get("client_cn").is_none() && users["b"].get("password_hash").is_some());
}

#[test]
fn a_user_without_a_name_or_with_an_unprintable_one_is_a_comment() {
    for name in ["\"\"", "\"a\\nb\"", "\"\\u0000\""] {
        let imported = imported(&json(name, "\"cn\"", "[]"));
        assert!(
            users(&imported).is_empty() && imported.needs_attention(),
            "{name}"
        );
        assert!(
            imported
                .config
                .lines()
                .all(|line| line.is_empty() || line.starts_with('#'))
        );
    }
}

#[test]
fn repeated_or_folded_fields_are_rejected() {
    let good = object("a", "a", "", "[ ]");
    let twice = good.replace("  * zone", "  * client_cn = \"b\"\n  * zone");
    assert!(
        refused(&twice).starts_with("users:14:1: attribute client_cn is repeated"),
        "{}",
        refused(&twice)
    );
    let other = good.replace("* name = \"a\"", "* name = \"b\"");
    assert!(refused(&other).contains("differ"));
    for missing in [
        "  * permissions = [ ]\n",
        "  * client_cn = \"a\"\n",
        "  * password = \"\"\n",
    ] {
        assert!(
            refused(&good.replace(missing, "")).contains("is missing"),
            "{missing}"
        );
    }
    assert!(
        refused(&(good.clone() + "Object 'x' of type 'Host':\n  * name = \"x\"\n"))
            .contains("type Host")
    );
    assert!(
        refused(&object("a", "a", "", "[ \"x\"y\" ]"))
            .contains("users:9:1: a permission has a quote in it")
    );
    assert!(refused(&format!("x\n{good}")).contains("not a listing"));
    // A text of several lines that looks like another attribute.
    let sly = object(
        "a",
        "a",
        "x\"\n  * permissions = [ \"*\" ]\n  * y = \"",
        "[ ]",
    );
    assert!(refused(&sly).contains("permissions is repeated"));
}

#[test]
fn other_texts_are_rejected_with_the_two_commands() {
    assert!(refused("").contains("empty"));
    assert!(refused("/* x */\nobject ApiUser \"a\" { }").contains("Icinga's language"));
    assert!(refused("template ApiUser \"a\" { }").contains("Icinga's language"));
    assert!(refused("<html>").contains("HTML"));
    assert!(
        refused("Object '\u{1b}[34ma").contains("first object")
            || refused("\u{1b}[1mObject").contains("colours")
    );
    assert!(
        refused("{\"error\":404,\"status\":\"No objects found.\"}").contains("No objects found.")
    );
    assert!(refused("{}").contains("no `results`"));
    assert!(
        refused("{\"results\":[\n  {\"name\":}").starts_with("users:2:"),
        "{}",
        refused("{\"results\":[\n {\"name\":}")
    );
    let partly =
        "{\"results\":[{\"attrs\":{\"client_cn\":\"a\"},\"name\":\"a\",\"type\":\"ApiUser\"}]}";
    assert!(
        refused(partly).contains("permissions"),
        "{}",
        refused(partly)
    );
    assert!(refused(&json("\"a\"", "\"a\"", "[[\"x\"]]")).contains("list in its permissions"));
    assert!(refused(&json("\"a\"", "\"a\"", "[{\"filter\":{}}]")).contains("would not load"));
}

#[test]
fn a_filter_that_is_null_is_none() {
    let unfiltered = imported(&json(
        "\"a\"",
        "\"a\"",
        "[{\"permission\":\"types\",\"filter\":null}]",
    ));
    assert_eq!(
        users(&unfiltered)["a"]["permissions"][0].as_str(),
        Some("types")
    );
    let filtered = imported(&json(
        "\"a\"",
        "\"a\"",
        "[{\"permission\":\"types\",\"filter\":{\"type\":\"Function\"}}]",
    ));
    assert!(
        users(&filtered)["a"]["permissions"]
            .as_array()
            .unwrap()
            .is_empty()
            && filtered.needs_attention()
    );
    assert!(filtered.config.contains("# [api_user.a.upstream.icinga]"));
}

#[test]
fn a_listing_without_users_says_so() {
    let imported = imported("{\"results\":[]}");
    assert!(
        imported
            .notes
            .iter()
            .all(|note| note.weight == Weight::Information)
            && users(&imported).is_empty()
    );
}

proptest::proptest! {
    #[test]
    fn every_import_is_toml_and_grants_no_more(
        name in "[a\"'\\]\n#.\u{e4} -]{0,6}", cn in "[a*\"\\\\\n\u{0} ]{0,5}", permission in "[a/*?\"\\\\\n\u{e4} ]{0,8}",
    ) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let imported = imported(&json(&quoted(&name), &quoted(&cn), &format!("[{}]", quoted(&permission))));
        let users = users(&imported);
        proptest::prop_assert!(users.keys().all(|user| *user == name));
        for user in users.values() {
            proptest::prop_assert_eq!(user["client_cn"].as_str(), Some(cn.as_str()));
            let permissions = user["permissions"].as_array().unwrap();
            proptest::prop_assert!(permissions.iter().all(|given| given.as_str() == Some(&permission)));
        }
    }

    #[test]
    fn no_object_list_makes_it_stumble(text in "(Object 'a' of type 'ApiUser':\n|  \\* name = \"a\"\n|  \\* permissions = |\\[ |\"|\n|  % x\n| \\]|x){0,12}") {
        let _ = icinga2(&file(&text), &[]);
    }
}

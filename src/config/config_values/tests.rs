//! Changes between two configs, and that secrets are not among them.

use super::*;

fn written(text: &str) -> ConfigValues {
    let mut sources = Sources::default();
    sources.add("gateway.toml".into(), text.to_owned()).unwrap();
    ConfigValues::of(&sources)
}

fn changes(old: &str, new: &str) -> serde_json::Value {
    serde_json::to_value(written(new).changes_since(&written(old)).0).unwrap()
}

#[test]
fn tables_are_added_and_removed_and_keys_change() {
    let old = "include = [\"a\"]\n[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"a\", \"b\"]\n\
               [api_user.bob]\nclient_cn = \"bob\"\n[gateway]\ndrain_delay = \"1s\"\n[[route]]\npath = \"/\"\nupstream = \"api\"\n";
    let new = "include = [\"a\"]\n[api_user.alice]\nclient_cn = [\"alice\"]\npermissions = [\"c\", \"b\"]\n\
               [gateway]\nworkers = 2\n[[route]]\npath = \"/\"\nupstream = \"other\"\n[[route]]\npath = \"/x\"\nhost = \"h\"\n";
    let expected = serde_json::json!([
        { "table": "api_user.alice", "change": "list", "key": "permissions", "added": ["\"c\""], "removed": ["\"a\""] },
        { "table": "api_user.bob", "change": "removed", "old": { "client_cn": "\"bob\"" } },
        { "table": "gateway", "change": "value", "key": "drain_delay", "old": "\"1s\"", "new": null },
        { "table": "gateway", "change": "value", "key": "workers", "old": null, "new": "2" },
        { "table": "route \"/\"", "change": "list", "key": "upstream", "added": ["\"other\""], "removed": ["\"api\""] },
        { "table": "route \"/x\" host \"h\"", "change": "added", "new": { "host": "\"h\"", "path": "\"/x\"" } },
    ]);
    assert_eq!(changes(old, new), expected);
    assert_eq!(changes(new, new), serde_json::json!([]));
}

#[test]
fn an_order_that_changes_is_a_change() {
    let found = changes("[a]\nkeys = [\"x\", \"y\"]", "[a]\nkeys = [\"y\", \"x\"]");
    let expected = serde_json::json!([
        { "table": "a", "change": "value", "key": "keys", "old": "[\"x\", \"y\"]", "new": "[\"y\", \"x\"]" }
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_secret_is_seen_to_change_and_never_shown() {
    let config = |hash: &str| {
        format!("[api_user.a]\npassword_hash = \"$5$hush{hash}\"\nother = [\"$2b$hush{hash}\"]\n")
    };
    for (old, new) in [
        (config("1"), config("2")),
        (String::new(), config("1")),
        (config("1"), String::new()),
    ] {
        let found = changes(&old, &new).to_string();
        assert!(
            found.contains("password_hash") && found.contains(SECRET) && !found.contains("hush"),
            "{found}"
        );
    }
    let inline = changes("", "[a]\nlist = [{ name = \"n\", secret = \"hush\" }]").to_string();
    assert!(
        inline.contains(SECRET) && !inline.contains("hush"),
        "{inline}"
    );
    let file = changes("", "[a]\npassword_hash_file = \"secrets/a\"").to_string();
    assert!(file.contains("secrets/a"), "{file}");
}

#[test]
fn hosts_of_a_listener_and_conditions_are_distinguished() {
    let host = |names: &str, file: &str| {
        format!("[[listener.main.host]]\nnames = [\"{names}\"]\ncertificate = \"{file}\"\n")
    };
    let old =
        "[listener.main]\naddress = \"a\"\n".to_owned() + &host("one", "1") + &host("two", "2");
    let new =
        "[listener.main]\naddress = \"a\"\n".to_owned() + &host("one", "1") + &host("two", "3");
    let expected = serde_json::json!([
        { "table": "listener.main", "change": "list", "key": "host [\"two\"].certificate", "added": ["\"3\""], "removed": ["\"2\""] },
    ]);
    assert_eq!(changes(&old, &new), expected);
    let found = changes(
        "[role.r]\npermissions = [\"a\"]",
        "[role.r]\npermissions = [\"a\", { permission = \"b\", when = \"true\" }]",
    );
    assert_eq!(
        found[0]["added"][0],
        "{ permission = \"b\", when = \"true\" }"
    );
}

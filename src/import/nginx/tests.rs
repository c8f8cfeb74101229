//! Configurations as they stand in guides and in the field.

use super::*;
use crate::import::tests::users;
use std::path::Path;

fn file(text: &str) -> ImportFile {
    ImportFile::new(Path::new("nginx.conf"), text.as_bytes()).unwrap()
}

fn imported(text: &str) -> ImportedConfig {
    nginx(&file(text), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn lines(imported: &ImportedConfig) -> Vec<usize> {
    imported
        .notes
        .iter()
        .filter_map(|note| note.at.map(|at| at.line))
        .collect()
}

#[test]
fn a_map_over_common_names_becomes_users() {
    let text = "http {\n  map $ssl_client_s_dn $ssl_client_s_dn_cn {\n    default \"\";\n    ~(^|,)CN=(?<CN>[^,]+) $CN;\n  }\n  \
                map $ssl_client_s_dn_cn $user {\n    default \"\"; # nobody\n    \"alice\" alice;\n    a-phone alice;\n    \
                'bob b' bob;\n    \\default odd;\n    ~^(carol|dave)$ team;\n  }\n  server { if ($user = \"\") { return 403; } }\n}";
    let imported = imported(text);
    assert_eq!(
        users(&imported),
        "alice=[alice, a-phone] bob=bob b odd=default team=[carol, dave]"
    );
    assert!(!imported.needs_attention(), "{:?}", imported.notes);
}

#[test]
fn words_of_access_are_no_names() {
    let imported = imported("map $ssl_client_s_dn_cn $ok { default 0; alice 1; bob on; eve 0; }");
    assert_eq!(users(&imported), "alice=alice bob=bob");
    assert!(
        imported.notes.iter().any(|note| note.subject == "eve"),
        "who is left out is named"
    );
}

#[test]
fn what_cannot_be_carried_over_is_named_with_its_line() {
    let imported = imported(
        "map $ssl_client_s_dn_cn $user {\n  default guest;\n  ~^admin- admin;\n  ~*^bob$ bob;\n  alice $1;\n  carol carol;\n}\n\
         map $user $limit {\n  carol 1;\n}\nmap $ssl_client_fingerprint $x {\n  ab 1;\n}\n\
         map \"$ssl_client_s_dn:$uri\" $y {\n  a 1;\n}\nif ($user != carol) { rewrite ^ /x; }\n\
         if ($ssl_client_s_dn !~ \"CN=(alice|bob)\") { return 403; }\nif ($ssl_client_s_dn_cn = eve) { return 403; }\n",
    );
    assert_eq!(users(&imported), "carol=carol");
    assert_eq!(lines(&imported), [2, 3, 4, 5, 8, 11, 14, 17, 18, 19]);
    assert!(imported.needs_attention());
    for note in imported.notes.iter().filter(|note| note.at.is_some()) {
        assert!(
            imported
                .config
                .contains(&format!("line {}: ", note.at.unwrap().line)),
            "{note}"
        );
    }
}

#[test]
fn a_whole_subject_is_a_user_only_if_it_is_no_more_than_a_common_name() {
    let imported = imported(
        "map $ssl_client_s_dn $user {\n \"CN=alice\" alice;\n \"CN=bob,O=Example\" bob;\n ~^CN=carol$ carol;\n ~CN=dave dave;\n}",
    );
    assert_eq!(users(&imported), "alice=alice carol=carol");
    assert_eq!(lines(&imported), [3, 5]);
    assert!(
        imported
            .notes
            .iter()
            .any(|note| note.text.contains("client_cn = \"bob\""))
    );
}

#[test]
fn a_condition_that_rejects_all_others_becomes_users() {
    let imported = imported(
        "server {\n if ($ssl_client_s_dn_cn != \"alice\") { return 403; }\n \
         if ($ssl_client_s_dn !~ \"^(CN=bob|CN=carol)$\") { return 403; }\n if ($ssl_client_verify != SUCCESS) { return 403; }\n}",
    );
    assert_eq!(users(&imported), "alice=alice bob=bob carol=carol");
    assert!(!imported.needs_attention(), "{:?}", imported.notes);
}

#[test]
fn files_in_a_map_are_read_from_where_the_configuration_lies() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("users.map"),
        "# users\nalice alice;\nbob bob;\n",
    )
    .unwrap();
    let main = "map $ssl_client_s_dn_cn $user {\n  include users.map;\n}";
    let path = folder.path().join("nginx.conf");
    assert_eq!(
        users(&nginx(&ImportFile::new(&path, main.as_bytes()).unwrap(), &[]).unwrap()),
        "alice=alice bob=bob"
    );
    std::fs::write(folder.path().join("users.map"), "alice alice;\nbob").unwrap();
    let error = nginx(&ImportFile::new(&path, main.as_bytes()).unwrap(), &[]).expect_err("broken");
    assert!(error.to_string().contains("users.map:2:1"), "{error}");
    let error = nginx(&file(main), &[]).expect_err("missing");
    assert!(
        error
            .to_string()
            .starts_with("nginx.conf:2:11: cannot read users.map"),
        "{error}"
    );
}

#[test]
fn what_nginx_would_not_load_is_rejected_with_its_place() {
    for (text, place) in [
        ("map $ssl_client_s_dn_cn $u {\n  alice", "1:28"),
        ("map $ssl_client_s_dn_cn $u {\n  alice alice; } }", "2:18"),
        ("map $ssl_client_s_dn_cn $u {\n  \"alice alice;\n}", "2:3"),
        ("map $ssl_client_s_dn_cn $u { alice; }", "1:30"),
        ("map $ssl_client_s_dn_cn $u { alice a b; }", "1:30"),
        ("x {\n content_by_lua_block { }", "2:23"),
        (&"a {".repeat(100), "1:195"),
    ] {
        let error = nginx(&file(text), &[]).expect_err(text);
        assert!(
            error
                .to_string()
                .starts_with(&format!("nginx.conf:{place}: ")),
            "{text}: {error}"
        );
    }
    let error = nginx(&file("map $http_upgrade $c { default 1; }"), &[])
        .expect_err("nothing about clients");
    assert!(error.to_string().contains("nothing here"), "{error}");
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_stumble(text in "(map|if|\\(| |\\$ssl_client_s_dn_cn|\\$u|\\{|\\}|;|\"|'|\\\\|\n|a|~|\\^|#|include|default|!=|return 403){0,20}") {
        if let Ok(imported) = nginx(&file(&text), &["GET /*".to_owned()]) {
            proptest::prop_assert!(imported.config.parse::<toml::Table>().is_ok(), "{}", imported.config);
        }
    }
}

//! Configurations as they stand in guides and in the field.

use super::*;
use crate::import::tests::users;
use std::path::Path;

fn import(text: &str) -> Result<ImportedConfig, ImportError> {
    haproxy(
        &ImportFile::new(Path::new("haproxy.cfg"), text.as_bytes()).unwrap(),
        &[],
    )
}

fn imported(text: &str) -> ImportedConfig {
    import(text).unwrap_or_else(|error| panic!("{error}"))
}

fn lines(imported: &ImportedConfig) -> Vec<usize> {
    imported
        .notes
        .iter()
        .filter_map(|note| note.at.map(|at| at.line))
        .collect()
}

#[test]
fn allow_lists_become_users() {
    for rule in [
        "http-request deny unless ok",
        "http-request deny deny_status 403 if !ok",
        "tcp-request content reject unless ok",
        "http-request deny unless ok || ok",
    ] {
        let imported = imported(&format!(
            "frontend f\n  acl ok ssl_c_s_dn(cn) -m str alice \"bob b\"\n  acl ok ssl_c_s_dn(CN) carol # more\n  {rule}\n"
        ));
        assert_eq!(
            users(&imported),
            "alice=alice bob b=bob b carol=carol",
            "{rule}"
        );
        assert!(!imported.needs_attention(), "{:?}", imported.notes);
    }
    let anonymous = imported(
        "http-request deny unless { ssl_c_s_dn(CN) -m str alice bob } or { ssl_c_s_dn(CN) carol }\n",
    );
    assert_eq!(users(&anonymous), "alice=alice bob=bob carol=carol");
    assert!(!anonymous.needs_attention(), "{:?}", anonymous.notes);
    assert_eq!(
        users(&imported(
            "acl ok ssl_c_s_dn(CN) -m reg ^(alice|bob)$\nhttp-request deny unless ok\n"
        )),
        "alice=alice bob=bob"
    );
}

#[test]
fn blocked_names_become_no_users() {
    for rule in [
        "http-request deny if bad",
        "http-request deny if bad\nhttp-request deny unless bad",
        "http-request deny unless bad\nhttp-request deny if bad",
    ] {
        let imported = imported(&format!("acl bad ssl_c_s_dn(CN) eve\n{rule}\n"));
        assert_eq!(users(&imported), "", "{rule}");
        assert!(
            imported
                .notes
                .iter()
                .any(|note| note.text.contains("deny_list")),
            "{rule}"
        );
    }
}

#[test]
fn what_cannot_be_carried_over_is_named_with_its_line() {
    let imported = imported(
        "acl a ssl_c_s_dn(CN) -m reg ^admin-\nacl b ssl_c_s_dn(CN) -m beg web\nacl c ssl_c_s_dn(CN) -i Alice\n\
         acl d ssl_c_s_dn(OU) ops\nacl e ssl_c_sha1 -m str ab\nacl f ssl_c_s_dn(CN),lower bob\nacl g path_beg /x\n\
         http-request deny unless c g\nuse_backend b if c\nacl h ssl_c_used\nhttp-request deny unless h\n",
    );
    assert_eq!(users(&imported), "Alice=Alice");
    let mut lines = lines(&imported);
    lines.sort_unstable();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 8, 9]);
}

#[test]
fn files_of_names_and_maps_are_read_from_where_the_configuration_lies() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("ok.lst"),
        "# names\nalice\n\n  bob\n #odd\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("users.map"),
        "# users\na-laptop alice\nc-laptop\tcarol c\neve 0\nodd\n",
    )
    .unwrap();
    let path = folder.path().join("haproxy.cfg");
    let import = |text: &str| {
        haproxy(
            &ImportFile::new(&path, text.as_bytes()).unwrap(),
            &["GET /*".to_owned()],
        )
    };
    let listed = import("acl ok ssl_c_s_dn(CN) -f ok.lst\nhttp-request deny unless ok\n").unwrap();
    assert_eq!(users(&listed), "#odd=#odd alice=alice bob=bob");
    assert!(listed.config.contains("permissions = [\"GET /*\"]"));
    let mapped =
        import("http-request set-header X-User %[ssl_c_s_dn(cn),map_str(users.map)]\n").unwrap();
    assert_eq!(users(&mapped), "alice=a-laptop carol c=c-laptop");
    assert!(
        mapped.notes.iter().any(|note| note.subject == "eve") && mapped.needs_attention(),
        "a line has no value"
    );
    let by_default =
        import("http-request set-var(txn.u) ssl_c_s_dn(cn),map(users.map,guest)\n").unwrap();
    assert!(
        by_default
            .notes
            .iter()
            .any(|note| note.text.contains("\"guest\""))
    );
    let other = import("http-request set-var(txn.u) ssl_c_s_dn(cn),map_reg(users.map)\n").unwrap();
    assert!(users(&other).is_empty() && other.needs_attention());
    for missing in [
        "acl ok ssl_c_s_dn(CN) -f gone\n",
        "x %[ssl_c_s_dn(cn),map(gone)]\n",
    ] {
        let error = import(missing).expect_err("a missing file").to_string();
        assert!(
            error.contains("haproxy.cfg:1:1: cannot read") && error.contains("gone"),
            "{error}"
        );
    }
}

#[test]
fn other_texts_are_rejected_with_their_place() {
    let error = import("frontend f\n  acl ok ssl_c_s_dn(CN) \"alice\n")
        .expect_err("a quote")
        .to_string();
    assert!(error.starts_with("haproxy.cfg:2:25: "), "{error}");
    assert!(
        import("frontend f\n bind :80\n")
            .expect_err("nothing")
            .to_string()
            .contains("nothing here")
    );
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_stumble(text in "(acl a |ssl_c_s_dn\\(CN\\)| |\n|-m str|-m reg|-i|alice|http-request deny|unless| if |!|a|\\{ | \\}|\"|'|\\\\|or|,map\\(|\\)|%\\[){0,20}") {
        if let Ok(imported) = import(&text) {
            proptest::prop_assert!(imported.config.parse::<toml::Table>().is_ok(), "{}", imported.config);
        }
    }
}

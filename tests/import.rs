//! `portcullis import`: users of other software become a config that loads, gives no more than they had, and names all
//! that is not as it was.

use crate::support::gateway::{listener, route_to};
use crate::support::{PORTCULLIS, Pki, Upstream, require_program, run};
use std::path::PathBuf;

const OBJECTS: &str = "import/icinga2-objects.txt";
const JSON: &str = "import/icinga2-apiusers.json";

/// A file beside the tests.
fn data(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
        .display()
        .to_string()
}

/// A folder with certificates and a config that includes what is imported.
struct Scene {
    pki: Pki,
    _upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        std::fs::create_dir(pki.path("users.d")).unwrap();
        let named = "[[route]]\npath = \"/v1/objects/{type}\"\nupstream = \"api\"\n\
            requirement = { GET = \"objects/query/{type}\", POST = \"objects/modify/{type}\" }\n\
            [[route]]\npath = \"/v1/status\"\nupstream = \"api\"\nrequirement = \"status/query\"\n\
            [[route]]\npath = \"/v1/actions/{action}\"\nupstream = \"api\"\nrequirement = { POST = \"actions/{action}\" }\n";
        let text = "include = [\"users.d/*.toml\"]\n".to_owned()
            + &listener(&pki)
            + &route_to(upstream.address)
            + named;
        std::fs::write(pki.path("gateway.toml"), text).unwrap();
        Self {
            pki,
            _upstream: upstream,
        }
    }

    fn config(&self) -> String {
        self.pki.path("gateway.toml").display().to_string()
    }

    /// Imports, includes the result, and sees that it loads. Gives the result, what is said beside it, and the exit code.
    fn import(&self, arguments: &[&str]) -> (String, String, i32) {
        let (out, err, code) = run(PORTCULLIS, &[&["import"], arguments].concat());
        std::fs::write(self.pki.path("users.d/imported.toml"), &out).unwrap();
        let (_, report, checked) = run(PORTCULLIS, &["check", "-c", &self.config()]);
        assert_eq!(checked, 0, "{report}\n{out}");
        (out, err, code)
    }

    /// Whether somebody with this common name may do something.
    fn allows(&self, who: [&str; 2], method: &str, path: &str) -> bool {
        let url = format!("https://localhost{path}");
        let (out, err, code) = run(
            PORTCULLIS,
            &[
                "explain",
                "-c",
                &self.config(),
                who[0],
                who[1],
                method,
                &url,
            ],
        );
        assert!(code <= 1, "{out}{err}");
        code == 0
    }
}

/// The users that count.
fn users(config: &str) -> toml::Table {
    let table: toml::Table = config.parse().unwrap();
    table
        .get("api_user")
        .map(|users| users.as_table().unwrap().clone())
        .unwrap_or_default()
}

/// All that are listed, but for those with a filter, which stand as comments.
fn has_the_same_permissions(config: &str, fact: &serde_json::Value, user: &toml::Value) {
    let name = fact["name"].as_str().unwrap();
    let texts = |list: &serde_json::Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let given = user["permissions"].as_array().unwrap();
    let given: Vec<&str> = given.iter().map(|text| text.as_str().unwrap()).collect();
    let granted = texts(&fact["permissions"]);
    assert!(
        given
            .iter()
            .all(|text| granted.iter().any(|granted| granted == text)),
        "{name} gets more: {given:?}"
    );
    for text in granted
        .iter()
        .filter(|text| !given.contains(&text.as_str()))
    {
        assert!(text.is_empty() || text == "1", "{name} loses {text}");
    }
    for text in texts(&fact["filtered"]) {
        assert!(
            !given.contains(&text.as_str())
                && config.contains(&format!("    # \"{text}\",  # has a filter"))
        );
    }
}

#[test]
fn settings_of_each_icinga_user_are_imported_or_written_as_comments() {
    let scene = Scene::new();
    let facts: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(data("import/icinga2-expected.json")).unwrap(),
    )
    .unwrap();
    for (listing, has_passwords) in [(OBJECTS, true), (JSON, false)] {
        let (config, said, code) = scene.import(&[
            "icinga2",
            &data(listing),
            "--node-name",
            "icinga-master.lab",
        ]);
        assert_eq!(code, 1, "some need attention: {said}");
        let imported = users(&config);
        for fact in facts.as_array().unwrap() {
            let name = fact["name"].as_str().unwrap();
            let Some(user) = imported.get(name) else {
                assert!(
                    said.contains(&format!("attention: {name}: ")),
                    "{name} is dropped in silence"
                );
                assert!(
                    config.contains("# [api_user.") && config.contains(name),
                    "{name} does not stand as a comment"
                );
                continue;
            };
            let common_name = user.get("client_cn").and_then(|name| name.as_str());
            assert_eq!(common_name, fact["client_cn"].as_str(), "{name}");
            let hash = user.get("password_hash");
            assert_eq!(
                hash.is_some(),
                has_passwords && fact["has_password"] == true,
                "{name}"
            );
            has_the_same_permissions(&config, fact, user);
        }
        let gone = [
            "dup-1",
            "dup-2",
            "empty-cn",
            "no-login",
            "node",
            "with:colon",
        ];
        for name in gone {
            assert!(!imported.contains_key(name), "{name}");
        }
    }
}

#[test]
fn imported_users_may_do_what_they_might_there_and_no_more() {
    let scene = Scene::new();
    scene.import(&["icinga2", &data(OBJECTS)]);
    let host = "/v1/objects/Host";
    assert!(scene.allows(["--cn", "k\u{e4}lte-01"], "GET", host));
    assert!(!scene.allows(["--cn", "k\u{e4}lte-01"], "POST", host));
    assert!(
        !scene.allows(["--cn", "K\u{e4}lte-01"], "GET", host),
        "names are compared with case"
    );
    assert!(
        scene.allows(["--cn", "prometheus-01"], "GET", "/v1/status"),
        "permissions are not"
    );
    assert!(
        scene.allows(["--cn", "case"], "GET", "/v1/status")
            && !scene.allows(["--cn", "case"], "GET", host)
    );
    assert!(
        scene.allows(["--cn", "Case"], "GET", host),
        "two users whose names differ by case are two"
    );
    assert!(
        scene.allows(["--cn", "*"], "GET", host) && !scene.allows(["--cn", "x"], "GET", host),
        "no pattern"
    );
    assert!(scene.allows(["--cn", "team-linux"], "GET", "/v1/status"));
    assert!(
        !scene.allows(["--cn", "team-linux"], "GET", host),
        "a filter is not left out"
    );
    assert!(
        !scene.allows(["--cn", "shared"], "GET", "/v1/status"),
        "a name of two users is nobody's"
    );
    assert!(scene.allows(["--cn", "icinga-master.lab"], "GET", host));
    scene.import(&[
        "icinga2",
        &data(OBJECTS),
        "--node-name",
        "icinga-master.lab",
    ]);
    assert!(
        !scene.allows(["--cn", "icinga-master.lab"], "GET", host),
        "a node is no user"
    );
}

#[test]
fn a_filter_holds_also_where_another_permission_would_grant() {
    let scene = Scene::new();
    let (config, _, _) = scene.import(&["icinga2", &data(OBJECTS)]);
    assert!(
        config.contains("\ndeny = [\"objects/query/Host\"]\n"),
        "{config}"
    );
    let user = "[api_user.probe]\nclient_cn = \"probe\"\npermissions = [\"*\"]\ndeny = [\"objects/query/Host\"]\n";
    std::fs::write(scene.pki.path("users.d/probe.toml"), user).unwrap();
    assert!(scene.allows(["--cn", "probe"], "GET", "/v1/status"));
    assert!(!scene.allows(["--cn", "probe"], "GET", "/v1/objects/host"));
}

#[test]
fn a_listing_without_oddities_is_carried_over_without_a_word_of_attention() {
    let scene = Scene::new();
    let json = r#"{"results":[
        {"name":"web","type":"ApiUser","attrs":{"client_cn":"web.example","permissions":["status/query","objects/query/*"]}},
        {"name":"\u00dcber \"x\"","type":"ApiUser","attrs":{"client_cn":"\u00fc","permissions":["actions/*"]}}]}"#;
    std::fs::write(scene.pki.path("users.json"), json).unwrap();
    let (config, said, code) =
        scene.import(&["icinga2", scene.pki.path("users.json").to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("note: this listing has no passwords") && !said.contains("attention"),
        "{said}"
    );
    assert_eq!(users(&config).len(), 2);
    assert!(scene.allows(["--user", "\u{dc}ber \"x\""], "POST", "/v1/actions/x"));
}

#[test]
fn what_cannot_be_read_prints_nothing_and_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let refused = |kind: &str, octets: &[u8]| {
        std::fs::write(&file, octets).unwrap();
        let (out, err, code) = run(PORTCULLIS, &["import", kind, file.to_str().unwrap()]);
        assert_eq!((out.trim(), code), ("", 2), "{err}");
        assert!(
            err.starts_with("error: ") && err.contains("\n  help: "),
            "{err}"
        );
        err
    };
    let dsl = refused(
        "icinga2",
        b"object ApiUser \"root\" {\n  password = \"secret\"\n}\n",
    );
    assert!(
        dsl.contains("/v1/objects/apiusers") && dsl.contains("icinga2 object list --type ApiUser"),
        "{dsl}"
    );
    assert!(!dsl.contains("secret"));
    assert!(refused("icinga2", b"{\"results\": [\n  {\"name\": }").contains("x:2:12: "));
    assert!(refused("icinga2", b"{\"results\": [\n \"\xff\"").contains("x:2:3: this is not UTF-8"));
    assert!(refused("nginx", b"map $ssl_client_s_dn_cn $u {\n a b;\n").contains("x:1:28: "));
    assert!(refused("haproxy", b"acl a ssl_c_s_dn(CN) \"alice\n").contains("x:1:22: "));
    let (out, err, code) = run(PORTCULLIS, &["import", "nginx", "/nowhere/x"]);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("cannot read /nowhere/x"), "{err}");
    let (_, err, code) = run(
        PORTCULLIS,
        &["import", "nginx", "/nowhere/x", "--permission", "/x"],
    );
    assert_eq!(code, 2);
    assert!(err.contains("begins with the method"), "{err}");
}

const NGINX: &str = "http {\n    map $ssl_client_s_dn $ssl_client_s_dn_cn {\n        default \"\";\n        \
    ~(^|,)CN=(?<CN>[^,]+) $CN;\n    }\n    map $ssl_client_s_dn_cn $api_user {\n        default \"\";\n        \
    include users.map;\n        \"web 1\" web;\n        ~^adm- admin;\n    }\n    server {\n        listen 443 ssl;\n        \
    location / { if ($api_user = \"\") { return 403; } proxy_pass http://127.0.0.1:8080; }\n    }\n}\nevents { }\n";

#[test]
fn maps_of_nginx_become_users_with_the_permissions_that_are_asked_for() {
    let scene = Scene::new();
    std::fs::write(scene.pki.path("nginx.conf"), NGINX).unwrap();
    std::fs::write(
        scene.pki.path("users.map"),
        "alice-laptop alice;\nalice-phone alice;\nbob bob;\n",
    )
    .unwrap();
    let file = scene.pki.path("nginx.conf").display().to_string();
    let (config, said, code) = scene.import(&["nginx", &file]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("attention: line 10: ") && said.contains("^adm-"),
        "{said}"
    );
    assert_eq!(
        users(&config).keys().collect::<Vec<_>>(),
        ["alice", "bob", "web"]
    );
    assert!(
        !scene.allows(["--cn", "bob"], "GET", "/x"),
        "nobody gets a right that nobody named"
    );
    scene.import(&["nginx", &file, "--permission", "GET /x*"]);
    assert!(
        scene.allows(["--cn", "alice-phone"], "GET", "/x")
            && scene.allows(["--cn", "web 1"], "GET", "/x")
    );
    assert!(
        !scene.allows(["--cn", "alice-phone"], "POST", "/x")
            && !scene.allows(["--cn", "adm-1"], "GET", "/x")
    );
}

#[test]
fn lists_of_haproxy_become_users() {
    let scene = Scene::new();
    let text = "frontend api\n  bind :8443 ssl crt server.pem ca-file ca.crt verify required\n  \
        acl known ssl_c_s_dn(cn) -m str alice bob\n  acl known ssl_c_s_dn(cn) -f more.lst\n  \
        acl eve ssl_c_s_dn(cn) -m str eve\n  http-request deny if eve\n  http-request deny unless known\n  \
        http-request set-header X-User %[ssl_c_s_dn(cn),map_str(users.map)]\n  default_backend api\nbackend api\n  \
        server one 127.0.0.1:8080\n";
    std::fs::write(scene.pki.path("haproxy.cfg"), text).unwrap();
    std::fs::write(scene.pki.path("more.lst"), "# more\ncarol\n").unwrap();
    std::fs::write(scene.pki.path("users.map"), "d-laptop dave\n").unwrap();
    let file = scene.pki.path("haproxy.cfg").display().to_string();
    let (config, said, code) = scene.import(&["haproxy", &file, "--permission", "* /*"]);
    assert_eq!(code, 1, "who is shut out is named: {said}");
    assert_eq!(
        users(&config).keys().collect::<Vec<_>>(),
        ["alice", "bob", "carol", "dave"]
    );
    assert!(
        scene.allows(["--cn", "carol"], "GET", "/x")
            && scene.allows(["--cn", "d-laptop"], "PUT", "/x")
    );
    assert!(
        !scene.allows(["--cn", "eve"], "GET", "/x") && !scene.allows(["--cn", "dave"], "GET", "/x")
    );
}

#[test]
fn the_samples_are_what_nginx_itself_loads() {
    if !require_program("nginx") {
        return;
    }
    let scene = Scene::new();
    std::fs::write(
        scene.pki.path("nginx.conf"),
        NGINX.replace("listen 443 ssl;", "listen 127.0.0.1:1;"),
    )
    .unwrap();
    std::fs::write(scene.pki.path("users.map"), "alice-laptop alice;\n").unwrap();
    let (folder, file) = (
        scene.pki.folder.path().display().to_string(),
        scene.pki.path("nginx.conf"),
    );
    let settings = "pid nginx.pid; error_log stderr;";
    let (_, err, code) = run(
        "nginx",
        &[
            "-t",
            "-p",
            &folder,
            "-c",
            file.to_str().unwrap(),
            "-e",
            "stderr",
            "-g",
            settings,
        ],
    );
    assert_eq!(code, 0, "{err}");
}

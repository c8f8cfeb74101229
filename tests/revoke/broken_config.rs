//! `portcullis revoke` finds the deny list and the admin listener beside common typos.

use super::*;

/// A gateway whose config names all files by relative paths, and whose admin listener is a socket.
struct Broken {
    pki: Pki,
    gateway: Gateway,
    good: String,
    _upstream: Upstream,
}

const USERS: &str = "[api_user.my-api-client]\nclient_cn = \"my-api-client\"\npermissions = [\n  \"*\",\n]\n\n\
                     [api_user.bob]\nclient_cn = \"bob\"\npermissions = [\"*\"]\n";

impl Broken {
    fn new(users_file: Option<&str>) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pki")).unwrap();
        std::fs::write(folder.path().join("pki/denied"), "").unwrap();
        let pki_path = pki.folder.path().display();
        let include =
            users_file.map_or_else(String::new, |name| format!("include = [\"{name}\"]\n\n"));
        let users = if users_file.is_some() { "" } else { USERS };
        let good = format!(
            "{include}[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"{pki_path}/server.crt\"\n\
             private_key = \"{pki_path}/server.key\"\n\n[upstream.api]\nendpoints = [\"http://{}\"]\n\n[[route]]\npath = \"/\"\n\
             upstream = \"api\"\n\n[trust_domain.test]\nanchors = [\n  \"{pki_path}/ca.crt\",\n]\n\
             deny_list = \"pki/denied\"\n\n[admin]\npath = \"admin.sock\"\n\n[log]\nformat = \"json\"\n\
             level = \"debug\"\n\n{users}",
            upstream.address
        );
        let config = folder.path().join("gateway.toml");
        std::fs::write(&config, &good).unwrap();
        if let Some(name) = users_file {
            std::fs::write(folder.path().join(name), USERS).unwrap();
        }
        let gateway = Gateway::start_in(folder, config);
        Self {
            pki,
            gateway,
            good,
            _upstream: upstream,
        }
    }

    fn beside(&self, name: &str) -> std::path::PathBuf {
        self.gateway.config_file.with_file_name(name)
    }

    fn spoil(&self, from: &str, to: &str) {
        assert!(self.good.contains(from), "{from}");
        self.gateway.write_config(&self.good.replacen(from, to, 1));
    }

    fn revoke(&self, arguments: &[&str]) -> (String, String, i32) {
        let config = self.gateway.config_file.to_str().unwrap();
        run(PORTCULLIS, &[&["revoke", "-c", config], arguments].concat())
    }

    fn list(&self) -> String {
        std::fs::read_to_string(self.beside("pki/denied")).unwrap()
    }

    fn status(&self, name: &str) -> u16 {
        let identity = self.pki.client(name);
        Client::new(&self.pki, Some(&identity), self.gateway.address())
            .get("/")
            .status
    }
}

/// What stands in the config, what it becomes, and what of it cannot be read then.
const TYPOS: [(&str, &str, &str); 13] = [
    ("address = ", "address: ", "lines 1 to 4 ([listener.main])"),
    (
        "address = \"127.0.0.1:0\"",
        "address = \"127.0.0.1:0",
        "lines 1 to 4 ([listener.main])",
    ),
    (
        "upstream = \"api\"",
        "upstream: \"api\"",
        "lines 9 to 11 ([[route]])",
    ),
    (
        "upstream = \"api\"",
        "upstream \"api\"",
        "lines 9 to 11 ([[route]])",
    ),
    (
        "endpoints = ",
        "endpoints: ",
        "lines 6 to 7 ([upstream.api])",
    ),
    ("[[route]]", "[[route]", "line 9 ([[route])"),
    ("[admin]", "admin]", "line 19 (admin])"),
    ("[admin]", "[admin", "line 19 ([admin)"),
    (
        "[trust_domain.test]",
        "[trust_domain.test",
        "line 13 ([trust_domain.test)",
    ),
    (
        "path = \"admin.sock\"",
        "path: \"admin.sock\"",
        "lines 19 to 20 ([admin])",
    ),
    (
        ".crt\",\n]\ndeny",
        ".crt\",\ndeny",
        "lines 13 to 16 ([trust_domain.test])",
    ),
    (
        "  \"*\",\n]\n",
        "  \"*\",\n",
        "lines 26 to 29 ([api_user.my-api-client])",
    ),
    (
        "client_cn = ",
        "client_cn: ",
        "lines 26 to 30 ([api_user.my-api-client])",
    ),
];

#[test]
fn common_typos_hold_up_no_revocation() {
    let scene = Broken::new(None);
    for (from, to, unread) in TYPOS {
        assert_eq!(scene.status("my-api-client"), 200, "before {to}");
        scene.spoil(from, to);
        let (said, error, code) = scene.revoke(&["--user", "my-api-client"]);
        assert_eq!(code, 0, "{to}: {said}{error}");
        assert!(
            said.contains("(trust domain test): user my-api-client\nactive since"),
            "{to}: {said}{error}"
        );
        assert!(
            error.contains(&format!("could not be read: {unread} of ")),
            "{to}: {error}"
        );
        assert!(
            !error.contains("api_user \"my-api-client\""),
            "{to}: {error}"
        );
        assert!(scene.list().contains("user my-api-client\n"), "{to}");
        assert_eq!(
            (scene.status("my-api-client"), scene.status("bob")),
            (403, 200),
            "{to}"
        );
        scene.gateway.write_config(&scene.good);
        let (said, error, code) = scene.revoke(&["--undo", "--user", "my-api-client"]);
        assert_eq!(code, 0, "{to}: {said}{error}");
    }
}

#[test]
fn a_named_list_is_confirmed_where_the_config_says_neither_list_nor_admin_listener() {
    let scene = Broken::new(None);
    scene.gateway.write_config("[listener main]\naddress: 1\n");
    let (_, error, code) = scene.revoke(&["--user", "my-api-client"]);
    assert!(
        code == 1 && error.contains("no trust domain is in what can be read"),
        "{error}"
    );
    assert!(
        error.contains("lines 1 to 2 ([listener main])") && error.contains("--deny-list FILE"),
        "{error}"
    );
    assert_eq!(scene.list(), "");
    let list = scene.beside("pki/denied");
    let (said, error, code) = scene.revoke(&[
        "--deny-list",
        list.to_str().unwrap(),
        "--user",
        "my-api-client",
    ]);
    assert!(code == 0 && said.contains("active since"), "{said}{error}");
    let warning = "warning: api_user \"my-api-client\" was not found: the config could not be read completely";
    assert!(
        error.contains(warning) && !error.contains("there is no api_user"),
        "{error}"
    );
    assert_eq!(
        (scene.status("my-api-client"), scene.status("bob")),
        (403, 200)
    );
}

#[test]
fn a_typo_in_an_included_file_holds_up_no_revocation() {
    let scene = Broken::new(Some("users.toml"));
    std::fs::write(
        scene.beside("users.toml"),
        USERS.replacen("client_cn = ", "client_cn: ", 1),
    )
    .unwrap();
    // The main file is broken as well, above its first table.
    scene.gateway.write_config(&format!("x: 1\n{}", scene.good));
    let (said, error, code) = scene.revoke(&["--user", "my-api-client"]);
    assert!(code == 0 && said.contains("active since"), "{said}{error}");
    assert!(
        error.contains("lines 1 to 2 (above the first table) of "),
        "{error}"
    );
    assert!(
        error.contains("lines 1 to 5 ([api_user.my-api-client]) of ")
            && error.contains("users.toml"),
        "{error}"
    );
    assert!(!error.contains("was not found"), "{error}");
    assert_eq!(
        (scene.status("my-api-client"), scene.status("bob")),
        (403, 200)
    );
}

#[test]
fn a_trust_domain_that_may_not_be_the_only_one_must_be_named() {
    let scene = Broken::new(None);
    scene.gateway.write_config(&format!(
        "{}\n[trust_domain other]\ndeny_list = \"pki/other\"\n",
        scene.good
    ));
    let (_, error, code) = scene.revoke(&["--user", "my-api-client"]);
    assert!(
        code == 1 && error.contains("name the trust domain with --trust-domain"),
        "{error}"
    );
    assert_eq!(scene.list(), "");
    let (said, error, code) = scene.revoke(&["--user", "my-api-client", "--trust-domain", "test"]);
    assert!(code == 0 && said.contains("active since"), "{said}{error}");
}

#[test]
fn a_config_with_a_syntax_error_gives_nothing_to_the_gateway_and_to_check() {
    let scene = Broken::new(None);
    let more = scene.good.replacen(
        "[api_user.bob]",
        "[api_user.carol]\nclient_cn = \"carol\"\npermissions = [\"*\"]\n[api_user.bob]",
        1,
    );
    scene.gateway.write_config(&more.replacen(
        "upstream = \"api\"",
        "upstream: \"api\"\nupstream = \"api\"",
        1,
    ));
    let (_, _, code) = run(
        PORTCULLIS,
        &["check", "-c", scene.gateway.config_file.to_str().unwrap()],
    );
    assert_ne!(code, 0);
    let (said, error, code) = scene.revoke(&["--user", "my-api-client"]);
    assert!(
        code == 0 && said.contains("active since generation 1, overlay "),
        "{said}{error}"
    );
    assert_eq!((scene.status("carol"), scene.status("bob")), (403, 200));
    scene.gateway.write_config(&more);
    eventually("carol is known", || {
        (scene.status("carol") == 200).then_some(())
    });
}

//! Examples of configs to whole ones: what an example does not say is taken from `base.toml`.

use crate::support::PORTCULLIS;
use std::process::Command;

/// What examples leave out. Tables that an example writes itself are not taken from here.
const BASE: &str = include_str!("base.toml");

/// The public key of RFC 8037, appendix A.2.
const TOKEN_KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A folder with the files that the examples name, made by the real binary.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "pki new-ca",
        "pki new-cert --cn server --key pki/server.key --csr server.csr",
        "pki sign-csr --csr server.csr --cert pki/server.crt --server --dns localhost --ip 127.0.0.1",
        "pki new-crl --crl pki/ca.crl",
    ] {
        let output = Command::new(PORTCULLIS)
            .args(command.split(' '))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let signing_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    let authority = std::fs::read_to_string(folder.path().join("pki/ca.crt")).unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for (name, text) in [
        ("pki/icinga-ca.crt", authority.as_str()),
        ("pki/partners-ca.crt", &authority),
        ("pki/jwt.key", &signing_key),
        ("idp-keys.json", TOKEN_KEYS),
        ("pki/denied", ""),
        ("secrets/icinga", "root:secret\n"),
        ("secrets/my-api-client", "my-api-client:secret\n"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The example and those tables of the base that it does not write itself.
pub fn completed(example: &str) -> String {
    let own = sections(example);
    let missing = sections(BASE)
        .into_iter()
        .filter(|base| !own.iter().any(|section| section.replaces(base)));
    let rest: String = missing.map(|section| section.text).collect();
    format!("{example}\n{rest}")
}

/// A config in which a permission has this condition.
pub fn with_condition(condition: &str) -> String {
    completed(&format!(
        "[api_user.conditional]\nclient_cn = \"conditional\"\npermissions = [{{ permission = \"*\", when = '''{condition}''' }}]\n"
    ))
}

/// A table with its heading.
struct Section {
    heading: String,
    text: String,
}

impl Section {
    /// Whether both write the same: one table twice, or a route for the same paths.
    fn replaces(&self, base: &Self) -> bool {
        let is_array = self.heading.starts_with("[[");
        self.heading == base.heading && (!is_array || self.path() == base.path())
    }

    /// The line with the path of a route.
    fn path(&self) -> Option<&str> {
        let line = self.text.lines().find(|line| line.starts_with("path ="))?;
        line.split('#').next().map(str::trim_end)
    }
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let is_heading = line.starts_with('[');
        if is_heading {
            let heading = line.split('#').next().unwrap_or_default().trim().to_owned();
            sections.push(Section {
                heading,
                text: String::new(),
            });
        }
        if let Some(section) = sections.last_mut() {
            section.text += &format!("{line}\n");
        }
    }
    sections
}

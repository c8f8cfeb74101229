//! The CA, and the key and the certificate of the node.

use super::*;

/// The CA, and the node's key and certificate.
pub(super) struct Identity {
    ca_certificate: Vec<u8>,
    node_certificate: Vec<u8>,
    node_key: Vec<u8>,
    client_certificate: Vec<u8>,
    client_key: String,
}

impl Identity {
    pub(super) fn of_this_process() -> &'static Self {
        static IDENTITY: OnceLock<Identity> = OnceLock::new();
        IDENTITY.get_or_init(Self::make)
    }

    /// Makes everything with Icinga's own commands, as its users do. Each of the two RSA-4096 keys takes seconds, so
    /// they are made at the same time.
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (key, request, certificate) = (path("node.key"), path("node.csr"), path("node.crt"));
        let making_ca = spawn_quietly(icinga(folder.path(), &["pki", "new-ca"]));
        let making_request = spawn_quietly(icinga(
            folder.path(),
            &[
                "pki", "new-cert", "--cn", NODE_NAME, "--key", &key, "--csr", &request,
            ],
        ));
        expect_success(making_ca);
        expect_success(making_request);
        expect_success(spawn_quietly(icinga(
            folder.path(),
            &["pki", "sign-csr", "--csr", &request, "--cert", &certificate],
        )));
        // A user's key need not be Icinga's own kind.
        let client_key = rcgen::KeyPair::generate().unwrap();
        let mut client = rcgen::CertificateParams::default();
        client.distinguished_name =
            super::super::pki::subject(&[rcgen::DnValue::Utf8String(SEES_WEB1.to_owned())]);
        let (request, client_certificate) = (path("client.csr"), path("client.crt"));
        fs::write(
            &request,
            client
                .serialize_request(&client_key)
                .unwrap()
                .pem()
                .unwrap(),
        )
        .unwrap();
        expect_success(spawn_quietly(icinga(
            folder.path(),
            &[
                "pki",
                "sign-csr",
                "--csr",
                &request,
                "--cert",
                &client_certificate,
            ],
        )));
        Self {
            client_certificate: fs::read(client_certificate).unwrap(),
            client_key: client_key.serialize_pem(),
            ca_certificate: fs::read(path("data/ca/ca.crt")).unwrap(),
            node_certificate: fs::read(certificate).unwrap(),
            node_key: fs::read(key).unwrap(),
        }
    }

    pub(super) fn write(&self, directory: &Path) {
        fs::write(directory.join("client.crt"), &self.client_certificate).unwrap();
        fs::write(directory.join("client.key"), &self.client_key).unwrap();
        let certificates = directory.join("data/certs");
        fs::write(certificates.join("ca.crt"), &self.ca_certificate).unwrap();
        fs::write(
            certificates.join(format!("{NODE_NAME}.crt")),
            &self.node_certificate,
        )
        .unwrap();
        fs::write(
            certificates.join(format!("{NODE_NAME}.key")),
            &self.node_key,
        )
        .unwrap();
    }
}

fn spawn_quietly(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn expect_success(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "icinga2 pki: {output:?}");
}

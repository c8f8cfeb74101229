//! Certificates of a CA and a server for tests and benchmarks, which include this file. Part of no build that ships.

use super::{Authority, CertificateRequest, OutputFile, Overwrite, Profile, write_files};
use std::path::Path;

/// Writes `ca.crt` and `ca.key`, and `server.crt` and `server.key` for `localhost`. Returns the CA.
pub(crate) fn write_certificates(folder: &Path) -> Authority {
    let authority = Authority::create("Test CA", 1).expect("a CA");
    let (request, key) = CertificateRequest::create("server").expect("a request");
    let server = Profile::Server {
        dns: vec!["localhost".parse().expect("a name")],
        ip: Vec::new(),
    };
    let signed = authority.sign(&request, &server, 1).expect("a certificate");
    let mut files = authority.files(folder);
    files.push(OutputFile::private_key(folder.join("server.key"), &key));
    files.push(OutputFile::certificate(
        folder.join("server.crt"),
        &signed.certificate_pem,
        signed.valid_until,
    ));
    write_files(&files, Overwrite::Refuse).expect("a writable folder");
    authority
}

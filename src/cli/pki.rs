//! `portcullis pki`: flags and reports of the commands. Their implementation is in `crate::pki`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand, value_parser};

use crate::file_read::FileKind;
use crate::pki::{
    Authority, CertificateRequest, DnsName, Lifetime, OutputFile, Overwrite, PkiError, Profile,
    RevocationList, SerialNumberText, SignedCertificate, create_folder, reject_shared_paths,
    self_signed, write_files,
};

/// The lifetime of certificates of Icinga 2.
const LEAF_DAYS: u32 = 397;

/// The commands below `portcullis pki`.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make a certificate authority (CA): DIR/ca.crt, which all trust, and DIR/ca.key, which stays secret
    #[command(after_help = "Example:\n  portcullis pki new-ca --ca-dir pki")]
    NewCa(NewCa),
    /// Make a private key, and a certificate request (CSR) to be signed by a CA
    #[command(after_help = "Example:\n  \
        portcullis pki new-cert --cn my-api-client \\\n    \
        --key my-api-client.key --csr my-api-client.csr")]
    NewCert(NewCert),
    /// Sign a certificate request (CSR) with the CA: for a client, or with --server for a server
    ///
    /// Only the common name (CN) and the public key are taken from the request. The output names other names of the request,
    /// which the certificate does not have.
    #[command(after_help = "Examples:\n  \
        portcullis pki sign-csr --csr my-api-client.csr --cert my-api-client.crt\n  \
        portcullis pki sign-csr --csr server.csr --cert server.crt --server \\\n    \
        --dns api.example.org --ip 192.0.2.7")]
    SignCsr(SignCsr),
    /// Make a revocation list (CRL), or a newer one that also revokes others
    ///
    /// If the file exists, its entries are kept, and the new list replaces it. Make a new list before the old one expires, also
    /// if no other certificate is to be revoked: with an expired list, no client is accepted.
    #[command(
        after_help = "Example:\n  portcullis pki new-crl --crl pki/ca.crl --cert my-api-client.crt"
    )]
    NewCrl(NewCrl),
}

/// The flags of `portcullis pki new-ca`.
#[derive(Debug, Args)]
pub struct NewCa {
    /// Common name of the CA
    #[arg(long, value_name = "NAME", default_value = "Portcullis CA")]
    cn: String,
    /// Folder of the CA; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = "./pki")]
    ca_dir: PathBuf,
    /// How long the CA is valid
    #[arg(long, value_name = "N", default_value_t = 5475, value_parser = value_parser!(u32).range(1..=36500))]
    days: u32,
    /// Replace a CA that exists; all its certificates become worthless
    #[arg(long)]
    force: bool,
}

/// The flags of `portcullis pki new-cert`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("outputs").args(["csr", "cert"]).required(true).multiple(true))]
pub struct NewCert {
    /// Common name: who the certificate is for
    #[arg(long, value_name = "NAME")]
    cn: String,
    /// Where the private key goes (ECDSA P-256, PKCS#8, readable by you alone)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the certificate request goes, to be signed with `sign-csr`
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Where a self-signed certificate goes (397 days; for client and server)
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

/// The flags of `portcullis pki sign-csr`.
#[derive(Debug, Args)]
pub struct SignCsr {
    /// The certificate request
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// Where the certificate goes
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Folder of the CA, with ca.crt and ca.key
    #[arg(long, value_name = "DIR", default_value = "./pki")]
    ca_dir: PathBuf,
    /// How long the certificate is valid; never longer than the CA
    #[arg(long, value_name = "N", default_value_t = LEAF_DAYS, value_parser = value_parser!(u32).range(1..=36500))]
    days: u32,
    /// Make a server certificate, for the names given with --dns and --ip
    #[arg(long)]
    server: bool,
    /// DNS name of the server; may be repeated, may begin with `*.`
    #[arg(long, value_name = "NAME", requires = "server")]
    dns: Vec<DnsName>,
    /// Address of the server; may be repeated
    #[arg(long, value_name = "ADDR", requires = "server")]
    ip: Vec<IpAddr>,
    /// Replace a certificate that exists
    #[arg(long)]
    force: bool,
}

/// The flags of `portcullis pki new-crl`.
#[derive(Debug, Args)]
pub struct NewCrl {
    /// Where the list goes; existing entries are kept
    #[arg(long, value_name = "FILE")]
    crl: PathBuf,
    /// Folder of the CA, with ca.crt and ca.key
    #[arg(long, value_name = "DIR", default_value = "./pki")]
    ca_dir: PathBuf,
    /// Serial number of a certificate to be revoked; may be repeated
    #[arg(long, value_name = "HEX")]
    serial: Vec<SerialNumberText>,
    /// A certificate to be revoked (PEM); may be repeated
    #[arg(long, value_name = "FILE")]
    cert: Vec<PathBuf>,
    /// How long the list is valid
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u32).range(1..=36500))]
    days: u32,
}

/// Runs `command` and reports the written files to `out`.
///
/// # Errors
/// [`PkiError`]. All files are written, or none ([`PkiError::Report`] comes after the writing).
pub fn run(command: &PkiCommand, out: &mut dyn Write) -> Result<(), PkiError> {
    match command {
        PkiCommand::NewCa(flags) => new_ca(flags, out),
        PkiCommand::NewCert(flags) => new_cert(flags, out),
        PkiCommand::SignCsr(flags) => sign_csr(flags, out),
        PkiCommand::NewCrl(flags) => new_crl(flags, out),
    }
}

fn new_ca(flags: &NewCa, out: &mut dyn Write) -> Result<(), PkiError> {
    let authority = Authority::create(&flags.cn, flags.days)?;
    create_folder(&flags.ca_dir)?;
    write_and_report(&authority.files(&flags.ca_dir), overwrite(flags.force), out)
}

fn new_cert(flags: &NewCert, out: &mut dyn Write) -> Result<(), PkiError> {
    let (request, key) = CertificateRequest::create(&flags.cn)?;
    let mut files = vec![OutputFile::private_key(&flags.key, &key)];
    if let Some(path) = &flags.csr {
        files.push(OutputFile::request(path, &request));
    }
    if let Some(path) = &flags.cert {
        let signed = self_signed(&flags.cn, &key, LEAF_DAYS)?;
        files.push(OutputFile::certificate(
            path,
            &signed.certificate_pem,
            signed.valid_until,
        ));
    }
    write_and_report(&files, overwrite(flags.force), out)
}

fn sign_csr(flags: &SignCsr, out: &mut dyn Write) -> Result<(), PkiError> {
    let profile = match flags.server {
        true => Profile::Server {
            dns: flags.dns.clone(),
            ip: flags.ip.clone(),
        },
        false => Profile::Client,
    };
    let authority = Authority::load(&flags.ca_dir)?;
    let request = CertificateRequest::load(&flags.csr)?;
    let signed = authority.sign(&request, &profile, flags.days)?;
    let inputs = authority.files(&flags.ca_dir);
    let inputs: Vec<&Path> = inputs
        .iter()
        .map(OutputFile::path)
        .chain([flags.csr.as_path()])
        .collect();
    reject_shared_paths(&[&flags.cert], &inputs)?;
    let file = OutputFile::certificate(&flags.cert, &signed.certificate_pem, signed.valid_until);
    write_and_report(&[file], overwrite(flags.force), out)?;
    report_signed(&request, &profile, &signed, out).map_err(PkiError::Report)
}

fn new_crl(flags: &NewCrl, out: &mut dyn Write) -> Result<(), PkiError> {
    let authority = Authority::load(&flags.ca_dir)?;
    let inputs = authority.files(&flags.ca_dir);
    let inputs: Vec<&Path> = inputs
        .iter()
        .map(OutputFile::path)
        .chain(flags.cert.iter().map(PathBuf::as_path))
        .collect();
    reject_shared_paths(&[&flags.crl], &inputs)?;
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| PkiError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let mut list = match flags.crl.exists() {
        true => RevocationList::from_last(&read(&flags.crl)?, &authority)
            .map_err(|error| error.in_file(&flags.crl, FileKind::RevocationList))?,
        false => RevocationList::default(),
    };
    flags.serial.iter().for_each(|serial| list.revoke(serial));
    for path in &flags.cert {
        list.revoke_certificate(&read(path)?, &authority)
            .map_err(|error| error.in_file(path, FileKind::Certificates))?;
    }
    let signed = list.sign(&authority, flags.days)?;
    let file = OutputFile::revocation_list(&flags.crl, &signed.pem, signed.next_update);
    write_and_report(&[file], Overwrite::Replace, out)?;
    writeln!(out, "information: revoked certificates: {}", signed.entries).map_err(PkiError::Report)
}

fn overwrite(force: bool) -> Overwrite {
    if force {
        Overwrite::Replace
    } else {
        Overwrite::Refuse
    }
}

fn write_and_report(
    files: &[OutputFile],
    overwrite: Overwrite,
    out: &mut dyn Write,
) -> Result<(), PkiError> {
    write_files(files, overwrite)?;
    files
        .iter()
        .try_for_each(|file| writeln!(out, "information: wrote {file}"))
        .map_err(PkiError::Report)
}

fn report_signed(
    request: &CertificateRequest,
    profile: &Profile,
    signed: &SignedCertificate,
    out: &mut dyn Write,
) -> io::Result<()> {
    if signed.lifetime == Lifetime::CutToAuthority {
        writeln!(
            out,
            "information: cut short: the CA itself is valid until {} only",
            signed.valid_until
        )?;
    }
    if !signed.left_out.is_empty() {
        let names = signed.left_out.join(", ");
        writeln!(
            out,
            "information: not in the certificate, but in the request: {names}"
        )?;
        if *profile != Profile::Client {
            writeln!(
                out,
                "hint: if the server has this name, give it with --dns or --ip"
            )?;
        }
    }
    if *profile == Profile::Client {
        let name = request.common_name();
        writeln!(out, "hint: to let this client in, add to the config:\n")?;
        writeln!(
            out,
            "[api_user.{}]\nclient_cn = {}",
            toml_key(name),
            toml_string(name)
        )?;
        writeln!(
            out,
            "permissions = [\"GET /*\"]   # what it may do; `*` stands for any text"
        )?;
    }
    Ok(())
}

fn toml_key(name: &str) -> String {
    let is_bare = name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    if is_bare {
        name.to_owned()
    } else {
        toml_string(name)
    }
}

/// A TOML string. Invisible characters are escaped, so that a name cannot look like another one.
fn toml_string(name: &str) -> String {
    let escaped: String = name
        .chars()
        .map(|letter| match letter {
            '"' | '\\' => format!("\\{letter}"),
            '\'' => letter.to_string(),
            _ if letter.escape_debug().len() == 1 => letter.to_string(),
            _ => format!("\\U{:08X}", u32::from(letter)),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted_in_the_hint() {
        assert_eq!(toml_key("my-api_client9"), "my-api_client9");
        assert_eq!(toml_key("api.example.org"), "\"api.example.org\"");
        assert_eq!(toml_key("O'Neill \"x\" \\"), "\"O'Neill \\\"x\\\" \\\\\"");
        assert_eq!(toml_key("a\u{202e}b"), "\"a\\U0000202Eb\"");
    }
}

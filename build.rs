//! Tells the code which versions of the TLS and crypto libraries `Cargo.lock` has settled on: they do not say so themselves.

use std::io::Write;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let path = Path::new(&root).join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).unwrap_or_default();
    let mut cargo = std::io::stdout().lock();
    writeln!(cargo, "cargo:rerun-if-changed={}", path.display())?;
    writeln!(cargo, "cargo:rerun-if-changed=build.rs")?;
    for (package, variable) in [
        ("rustls", "PORTCULLIS_RUSTLS"),
        ("aws-lc-rs", "PORTCULLIS_AWS_LC_RS"),
        ("aws-lc-fips-sys", "PORTCULLIS_AWS_LC_FIPS"),
    ] {
        writeln!(
            cargo,
            "cargo:rustc-env={variable}={}",
            version(&lock, package).unwrap_or("unknown")
        )?;
    }
    Ok(())
}

/// The version of a package, if there is only one.
fn version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let mut found = lock.split(&entry).skip(1);
    let rest = found.next()?;
    if found.next().is_some() {
        None
    } else {
        rest.split('"').next()
    }
}

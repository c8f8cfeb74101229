//! What this binary was built from: versions and the kind of cryptography. Compile-time facts; measures nothing.

/// Our own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The TLS library's version.
pub const RUSTLS_VERSION: &str = env!("PORTCULLIS_RUSTLS");
/// The crypto library.
pub const CRYPTO_PROVIDER: &str = "aws-lc-rs";
/// The crypto library's version.
pub const CRYPTO_PROVIDER_VERSION: &str = env!("PORTCULLIS_AWS_LC_RS");

/// Whether the cryptography is that of a module made for FIPS 140-3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fips {
    /// It is the AWS-LC FIPS module, or the gateway does not start.
    Only,
    /// It is not.
    No,
}

/// The choice of this build: the feature `fips`.
pub const FIPS: Fips = if cfg!(feature = "fips") {
    Fips::Only
} else {
    Fips::No
};

impl Fips {
    /// What people read.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Only => concat!(
                "AWS-LC FIPS module (aws-lc-fips-sys ",
                env!("PORTCULLIS_AWS_LC_FIPS"),
                ")"
            ),
            Self::No => "no FIPS module",
        }
    }

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Only => "true",
            Self::No => "false",
        }
    }
}

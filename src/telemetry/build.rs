//! Build facts: versions and the crypto provider. Compile-time constants; measures nothing.

/// The version of the gateway.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The TLS library's version.
pub const RUSTLS_VERSION: &str = env!("PORTCULLIS_RUSTLS");
/// The crypto library.
pub const CRYPTO_PROVIDER: &str = "aws-lc-rs";
/// The crypto library's version.
pub const CRYPTO_PROVIDER_VERSION: &str = env!("PORTCULLIS_AWS_LC_RS");

/// Whether the crypto provider is a module for FIPS 140-3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fips {
    /// The AWS-LC FIPS module is required; without it the gateway does not start.
    Only,
    /// No FIPS module.
    No,
}

/// The choice of this build: the feature `fips`.
pub const FIPS: Fips = if cfg!(feature = "fips") {
    Fips::Only
} else {
    Fips::No
};

impl Fips {
    /// The text in version output.
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

//! Bytes and SHA-256 digests as hexadecimal text.

use std::fmt::Write;

/// SHA-256 in lower-case hexadecimal. Over a certificate's DER: its fingerprint.
pub(crate) fn sha256_text(bytes: &[u8]) -> String {
    hexadecimal(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

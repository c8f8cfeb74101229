//! Password hashes: supported kinds, cost limits, and verification of a password.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use sha_crypt::{PasswordVerifier, ShaCrypt};

const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// Maximum memory of one check with Argon2, in KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// Maximum product of memory in KiB and passes; about two seconds of one core.
const MAX_WORK: u32 = 2 * 1024 * 1024;
/// Maximum cost of bcrypt. Each step doubles the work; 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;
/// Maximum rounds of SHA-crypt; about half a second.
const MAX_ROUNDS: u32 = 500_000;
/// Number of password bytes that bcrypt uses.
const MAX_BCRYPT_PASSWORD: usize = 72;

/// The SHA-256 of a hash text, which identifies the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashDigest([u8; 32]);

/// A password hash of a kind that resists guessing.
pub struct PasswordHash {
    digest: HashDigest,
    form: HashForm,
}

enum HashForm {
    Argon2id {
        params: Params,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        hash: [u8; 23],
    },
    /// SHA-256 or SHA-512 in the format of `crypt`.
    ShaCrypt(String),
}

/// Prints no content: hashes are secret, since they allow offline guessing.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// The reason why a text is not an accepted hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The text is empty.
    #[error("the hash is empty")]
    Empty,
    /// The text does not begin like a hash, so it may be the password itself.
    #[error("this is no hash, and perhaps the password itself")]
    PlainText,
    /// A known kind that allows fast guessing.
    #[error("hashes of the kind {0} are guessed too fast")]
    Weak(&'static str),
    /// The kind is not supported.
    #[error("hashes of this kind are not known")]
    UnknownKind,
    /// The kind is supported, but the text is malformed.
    #[error("the hash is malformed")]
    Malformed,
    /// One check would take too much time or memory; the limits.
    #[error("checking it would cost too much: {0}")]
    CostTooHigh(&'static str),
}

impl PasswordHash {
    /// Reads Argon2id (PHC), bcrypt (`$2a$`, `$2b$`, `$2y$`) or SHA-crypt (`$5$`, `$6$`).
    ///
    /// # Errors
    /// [`HashError`] if the text is none of these, or its cost is too high.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        let kind = text
            .strip_prefix('$')
            .and_then(|rest| rest.split('$').next());
        let form = match kind {
            Some("argon2id") => argon2id(text)?,
            Some("2a" | "2b" | "2y") => bcrypt(text)?,
            Some("5" | "6") => sha_crypt(text)?,
            Some("argon2i") => return Err(HashError::Weak("argon2i")),
            Some("argon2d") => return Err(HashError::Weak("argon2d")),
            Some("1") => return Err(HashError::Weak("$1$ (MD5)")),
            Some("apr1") => return Err(HashError::Weak("$apr1$ (MD5)")),
            Some("2" | "2x") => return Err(HashError::Weak("$2$ or $2x$ (broken bcrypt)")),
            Some(_) => return Err(HashError::UnknownKind),
            None if text.starts_with("{SHA}") || text.starts_with("{SSHA}") => {
                return Err(HashError::Weak("{SHA}"));
            }
            None => return Err(HashError::PlainText),
        };
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(Self {
            digest: HashDigest(bytes),
            form,
        })
    }

    /// The SHA-256 of the hash text.
    pub fn digest(&self) -> &HashDigest {
        &self.digest
    }

    /// Whether a password matches. Takes milliseconds to seconds of CPU time, so it must not run on a worker.
    pub fn matches(&self, password: &str) -> bool {
        match &self.form {
            HashForm::Argon2id { params, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let done = argon2.hash_password_into(password.as_bytes(), salt, &mut computed);
                done.is_ok() && verify_slices_are_equal(&computed, hash).is_ok()
            }
            HashForm::Bcrypt { cost, salt, hash } => {
                // bcrypt ignores the rest, so a longer password would match another one. Longer passwords never match.
                let prefix = password
                    .as_bytes()
                    .get(..MAX_BCRYPT_PASSWORD.min(password.len()))
                    .unwrap_or_default();
                let mut terminated = zeroize::Zeroizing::new(prefix.to_vec());
                terminated.push(0);
                terminated.truncate(MAX_BCRYPT_PASSWORD);
                let computed = bcrypt::bcrypt(*cost, *salt, &terminated);
                let equal =
                    verify_slices_are_equal(computed.get(..23).unwrap_or_default(), hash).is_ok();
                equal && password.len() <= MAX_BCRYPT_PASSWORD
            }
            HashForm::ShaCrypt(text) => ShaCrypt::default()
                .verify_password(password.as_bytes(), text.as_str())
                .is_ok(),
        }
    }
}

/// `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`
fn argon2id(text: &str) -> Result<HashForm, HashError> {
    let fields: Vec<&str> = text.split('$').collect();
    let &["", "argon2id", "v=19", costs, salt, hash] = fields.as_slice() else {
        return Err(HashError::Malformed);
    };
    let costs: Vec<&str> = costs.split(',').collect();
    let &[memory, passes, lanes] = costs.as_slice() else {
        return Err(HashError::Malformed);
    };
    let number = |text: &str, name| -> Result<u32, HashError> {
        let digits = text.strip_prefix(name).ok_or(HashError::Malformed)?;
        let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| is_decimal)
            .ok_or(HashError::Malformed)
    };
    let memory = number(memory, "m=")?;
    let passes = number(passes, "t=")?;
    let lanes = number(lanes, "p=")?;
    if memory > MAX_MEMORY || memory.saturating_mul(passes) > MAX_WORK || lanes > 16 {
        return Err(HashError::CostTooHigh(
            "at most m=262144, p=16, and m times t at most 2097152",
        ));
    }
    let decoded = |text| {
        STANDARD_NO_PAD
            .decode(text)
            .map_err(|_| HashError::Malformed)
    };
    let salt = decoded(salt)?;
    let hash = decoded(hash)?;
    if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
        return Err(HashError::Malformed);
    }
    let params =
        Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| HashError::Malformed)?;
    Ok(HashForm::Argon2id { params, salt, hash })
}

/// `$2b$12$` and 22 characters of salt, 31 of hash.
fn bcrypt(text: &str) -> Result<HashForm, HashError> {
    let fields: Vec<&str> = text.split('$').collect();
    let &["", _, cost, rest] = fields.as_slice() else {
        return Err(HashError::Malformed);
    };
    let (salt, hash) = rest.split_at_checked(22).ok_or(HashError::Malformed)?;
    let is_decimal = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    let cost: u32 = cost
        .parse()
        .ok()
        .filter(|cost| is_decimal && (4..=31).contains(cost))
        .ok_or(HashError::Malformed)?;
    if cost > MAX_BCRYPT_COST {
        return Err(HashError::CostTooHigh("a cost of at most 14"));
    }
    // The last character has unused bits, which some programs leave set.
    let decoded_salt = BCRYPT
        .decode(salt)
        .ok()
        .or_else(|| LENIENT_BCRYPT.decode(salt).ok());
    let salt = decoded_salt
        .and_then(|salt| salt.try_into().ok())
        .ok_or(HashError::Malformed)?;
    let hash = LENIENT_BCRYPT
        .decode(hash)
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .ok_or(HashError::Malformed)?;
    Ok(HashForm::Bcrypt { cost, salt, hash })
}

const LENIENT_BCRYPT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

/// `$6$rounds=N$SALT$HASH`; the default of `rounds` is 5000.
fn sha_crypt(text: &str) -> Result<HashForm, HashError> {
    let fields: Vec<&str> = text.split('$').collect();
    let (kind, rounds, salt, hash) = match *fields.as_slice() {
        ["", kind, salt, hash] => (kind, None, salt, hash),
        ["", kind, rounds, salt, hash] => (kind, Some(rounds), salt, hash),
        _ => return Err(HashError::Malformed),
    };
    if let Some(rounds) = rounds {
        let digits = rounds.strip_prefix("rounds=").ok_or(HashError::Malformed)?;
        let is_decimal =
            !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let rounds: u32 = digits
            .parse()
            .ok()
            .filter(|_| is_decimal)
            .ok_or(HashError::Malformed)?;
        if rounds < 1000 {
            return Err(HashError::Malformed);
        }
        if rounds > MAX_ROUNDS {
            return Err(HashError::CostTooHigh("at most 500000 rounds"));
        }
    }
    let length = if kind == "5" { 43 } else { 86 };
    let is_crypt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    let is_valid_hash = hash.len() == length && hash.bytes().all(is_crypt);
    let is_valid_salt =
        (1..=16).contains(&salt.len()) && salt.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_valid_hash || !is_valid_salt || salt.starts_with("rounds=") {
        return Err(HashError::Malformed);
    }
    Ok(HashForm::ShaCrypt(text.to_owned()))
}

/// Hashes a password with Argon2id and a random salt: 19 MiB, two passes, as OWASP recommends.
///
/// # Errors
/// [`HashError::Empty`] for an empty password, [`HashError::Malformed`] if no random salt can be generated.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    if password.is_empty() {
        return Err(HashError::Empty);
    }
    let mut salt = [0; 16];
    let mut hash = [0; 32];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| HashError::Malformed)?;
    let params = Params::default();
    let costs = format!(
        "m={},t={},p={}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost()
    );
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password_into(password.as_bytes(), &salt, &mut hash)
        .map_err(|_| HashError::Malformed)?;
    Ok(format!(
        "$argon2id$v=19${costs}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by other programs: the reference implementation of Argon2, and glibc's crypt.
    const OF_OTHERS: [(&str, &str); 6] = [
        (
            "password",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ),
        (
            "correct horse",
            "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        ),
        (
            "correct horse",
            "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        ),
        (
            "correct horse",
            "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        ),
        (
            "correct horse",
            "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB",
        ),
        (
            "correct horse",
            "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/",
        ),
    ];

    #[test]
    fn hashes_of_other_programs_fit_their_password_and_no_other() {
        for (password, text) in OF_OTHERS {
            let hash = PasswordHash::parse(text).unwrap();
            assert!(hash.matches(password), "{text}");
            for wrong in ["", "Correct horse", "correct horse ", "correct hors"] {
                assert!(!hash.matches(wrong), "{text}");
            }
        }
    }

    #[test]
    fn a_fresh_hash_fits_and_is_salted() {
        let (one, other) = (
            hash_password("pass").unwrap(),
            hash_password("pass").unwrap(),
        );
        assert_ne!(one, other);
        assert!(PasswordHash::parse(&one).unwrap().matches("pass"));
        assert_eq!(hash_password(""), Err(HashError::Empty));
    }

    #[test]
    fn what_is_cut_off_by_bcrypt_fits_nothing() {
        let hash = PasswordHash::parse(OF_OTHERS[1].1).unwrap();
        assert!(!hash.matches(&"x".repeat(72)) && !hash.matches(&"x".repeat(73)));
    }

    #[test]
    fn other_kinds_and_expensive_hashes_are_rejected() {
        let error = |text: &str| PasswordHash::parse(text).err();
        assert_eq!(error(""), Some(HashError::Empty));
        assert_eq!(error("secret"), Some(HashError::PlainText));
        assert_eq!(
            error("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="),
            Some(HashError::Weak("{SHA}"))
        );
        assert_eq!(error("$1$abc$xyz"), Some(HashError::Weak("$1$ (MD5)")));
        assert_eq!(
            error("$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$AAAA"),
            Some(HashError::Weak("argon2i"))
        );
        assert_eq!(error("$y$j9T$x$y"), Some(HashError::UnknownKind));
        let dear = |text: &str| matches!(error(text), Some(HashError::CostTooHigh(_)));
        assert!(dear(
            "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        ));
        assert!(dear(
            "$argon2id$v=19$m=65536,t=4000000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        ));
        assert!(dear(
            "$2b$20$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
        ));
        assert!(dear(&OF_OTHERS[5].1.replace("1000", "999999999")));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_stumble(change in 0usize..150, with in "[ -~]{0,3}", which in 0usize..6) {
            let mut text = OF_OTHERS[which].1.to_owned();
            let at = change.min(text.len());
            text.replace_range(at..(at + with.len()).min(text.len()), &with);
            let _ = PasswordHash::parse(&text);
        }
    }
}

//! Password hashes: which kinds there are, how dear they may be, and whether a password fits. Knows no user.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use sha_crypt::{PasswordVerifier, ShaCrypt};

const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// The most memory that one check with Argon2 may take, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// Memory times passes; about two seconds of one core.
const MOST_WORK: u32 = 2 * 1024 * 1024;
/// Each step doubles the work; 14 is about a second.
const MOST_BCRYPT_COST: u32 = 14;
/// About half a second.
const MOST_ROUNDS: u32 = 500_000;
/// bcrypt looks at no more.
const LONGEST_FOR_BCRYPT: usize = 72;

/// What tells one hash from another: its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashDigest([u8; 32]);

/// A password hash of a kind that stands up to guessing.
pub struct PasswordHash {
    digest: HashDigest,
    form: Form,
}

enum Form {
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
    /// SHA-256 or SHA-512, as `crypt` writes it.
    ShaCrypt(String),
}

/// Hashes are secrets to those who guess.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Why a text is no hash that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No password could ever be meant by it.
    #[error("the hash is empty")]
    Empty,
    /// Nothing that begins as a hash does, so perhaps the password itself.
    #[error("this is no hash, and perhaps the password itself")]
    PlainText,
    /// Known, and guessed too fast.
    #[error("hashes of the kind {0} are guessed too fast")]
    Weak(&'static str),
    /// Not one of ours.
    #[error("hashes of this kind are not known")]
    UnknownKind,
    /// Of a kind of ours, and broken.
    #[error("the hash is malformed")]
    Malformed,
    /// One check would take too long or too much memory.
    #[error("checking it would cost too much: {0}")]
    TooDear(&'static str),
}

impl PasswordHash {
    /// Reads Argon2id (PHC), bcrypt (`$2a$`, `$2b$`, `$2y$`) or SHA-crypt (`$5$`, `$6$`).
    ///
    /// # Errors
    /// [`HashError`] for what is none of these, or is too dear.
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
        let mut octets = [0; 32];
        octets.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(Self {
            digest: HashDigest(octets),
            form,
        })
    }

    /// What tells it from others.
    pub fn digest(&self) -> &HashDigest {
        &self.digest
    }

    /// Whether a password fits. Takes milliseconds to seconds of a core, and is not for a worker.
    pub fn fits(&self, password: &str) -> bool {
        match &self.form {
            Form::Argon2id { params, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let done = argon2.hash_password_into(password.as_bytes(), salt, &mut computed);
                done.is_ok() && verify_slices_are_equal(&computed, hash).is_ok()
            }
            Form::Bcrypt { cost, salt, hash } => {
                // Cut off there, so that two long passwords would be one; neither fits.
                let counted = password
                    .as_bytes()
                    .get(..LONGEST_FOR_BCRYPT.min(password.len()))
                    .unwrap_or_default();
                let mut ended = zeroize::Zeroizing::new(counted.to_vec());
                ended.push(0);
                ended.truncate(LONGEST_FOR_BCRYPT);
                let computed = bcrypt::bcrypt(*cost, *salt, &ended);
                let equal =
                    verify_slices_are_equal(computed.get(..23).unwrap_or_default(), hash).is_ok();
                equal && password.len() <= LONGEST_FOR_BCRYPT
            }
            Form::ShaCrypt(text) => ShaCrypt::default()
                .verify_password(password.as_bytes(), text.as_str())
                .is_ok(),
        }
    }
}

/// `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`
fn argon2id(text: &str) -> Result<Form, HashError> {
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
        let plain = digits.bytes().all(|octet| octet.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| plain)
            .ok_or(HashError::Malformed)
    };
    let (memory, passes, lanes) = (
        number(memory, "m=")?,
        number(passes, "t=")?,
        number(lanes, "p=")?,
    );
    if memory > MOST_MEMORY || memory.saturating_mul(passes) > MOST_WORK || lanes > 16 {
        return Err(HashError::TooDear(
            "at most m=262144, p=16, and m times t at most 2097152",
        ));
    }
    let decoded = |text| {
        STANDARD_NO_PAD
            .decode(text)
            .map_err(|_| HashError::Malformed)
    };
    let (salt, hash) = (decoded(salt)?, decoded(hash)?);
    if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
        return Err(HashError::Malformed);
    }
    let params =
        Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| HashError::Malformed)?;
    Ok(Form::Argon2id { params, salt, hash })
}

/// `$2b$12$` and 22 characters of salt, 31 of hash.
fn bcrypt(text: &str) -> Result<Form, HashError> {
    let fields: Vec<&str> = text.split('$').collect();
    let &["", _, cost, rest] = fields.as_slice() else {
        return Err(HashError::Malformed);
    };
    let (salt, hash) = rest.split_at_checked(22).ok_or(HashError::Malformed)?;
    let plain = cost.len() == 2 && cost.bytes().all(|octet| octet.is_ascii_digit());
    let cost: u32 = cost
        .parse()
        .ok()
        .filter(|cost| plain && (4..=31).contains(cost))
        .ok_or(HashError::Malformed)?;
    if cost > MOST_BCRYPT_COST {
        return Err(HashError::TooDear("a cost of at most 14"));
    }
    // The last character holds bits that do not count, and some programs leave them set.
    let lenient = BCRYPT
        .decode(salt)
        .ok()
        .or_else(|| LENIENT_BCRYPT.decode(salt).ok());
    let salt = lenient
        .and_then(|salt| salt.try_into().ok())
        .ok_or(HashError::Malformed)?;
    let hash = LENIENT_BCRYPT
        .decode(hash)
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .ok_or(HashError::Malformed)?;
    Ok(Form::Bcrypt { cost, salt, hash })
}

const LENIENT_BCRYPT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

/// `$6$rounds=N$SALT$HASH`; without `rounds` they are 5000.
fn sha_crypt(text: &str) -> Result<Form, HashError> {
    let fields: Vec<&str> = text.split('$').collect();
    let (kind, rounds, salt, hash) = match *fields.as_slice() {
        ["", kind, salt, hash] => (kind, None, salt, hash),
        ["", kind, rounds, salt, hash] => (kind, Some(rounds), salt, hash),
        _ => return Err(HashError::Malformed),
    };
    if let Some(rounds) = rounds {
        let digits = rounds.strip_prefix("rounds=").ok_or(HashError::Malformed)?;
        let plain = !digits.starts_with('0') && digits.bytes().all(|octet| octet.is_ascii_digit());
        let rounds: u32 = digits
            .parse()
            .ok()
            .filter(|_| plain)
            .ok_or(HashError::Malformed)?;
        if rounds < 1000 {
            return Err(HashError::Malformed);
        }
        if rounds > MOST_ROUNDS {
            return Err(HashError::TooDear("at most 500000 rounds"));
        }
    }
    let length = if kind == "5" { 43 } else { 86 };
    let is_crypt = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'/');
    let whole = hash.len() == length && hash.bytes().all(is_crypt);
    let salted =
        (1..=16).contains(&salt.len()) && salt.bytes().all(|octet| octet.is_ascii_graphic());
    if !whole || !salted || salt.starts_with("rounds=") {
        return Err(HashError::Malformed);
    }
    Ok(Form::ShaCrypt(text.to_owned()))
}

/// A fresh Argon2id hash of a password: 19 MiB, two passes, as OWASP recommends.
///
/// # Errors
/// [`HashError::Empty`] for an empty password, [`HashError::Malformed`] if no randomness can be had.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    if password.is_empty() {
        return Err(HashError::Empty);
    }
    let (mut salt, mut hash) = ([0; 16], [0; 32]);
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
            assert!(hash.fits(password), "{text}");
            for wrong in ["", "Correct horse", "correct horse ", "correct hors"] {
                assert!(!hash.fits(wrong), "{text}");
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
        assert!(PasswordHash::parse(&one).unwrap().fits("pass"));
        assert_eq!(hash_password(""), Err(HashError::Empty));
    }

    #[test]
    fn what_is_cut_off_by_bcrypt_fits_nothing() {
        let hash = PasswordHash::parse(OF_OTHERS[1].1).unwrap();
        assert!(!hash.fits(&"x".repeat(72)) && !hash.fits(&"x".repeat(73)));
    }

    #[test]
    fn other_kinds_and_dear_ones_are_refused() {
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
        let dear = |text: &str| matches!(error(text), Some(HashError::TooDear(_)));
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

//! Opens all files of a load: regular files only, with a size limit, and watched by a watchdog, so that no file blocks the
//! gateway.

mod watchdog;

pub use watchdog::during;
use watchdog::progressed;
pub use watchdog::{FileThread, FileWorkError};

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a read may make no progress before it counts as stalled.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The purpose of a file, which determines its size limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Config, perhaps with a million users.
    Config,
    /// Certificates in PEM, perhaps all public CAs.
    Certificates,
    /// A certificate signing request in PEM.
    CertificateRequest,
    /// One private key in PEM.
    PrivateKey,
    /// Passwords and their hashes.
    Secret,
    /// Public keys of token issuers.
    KeySet,
    /// A revocation list, perhaps of a public CA.
    RevocationList,
    /// A deny list.
    DenyList,
}

impl FileKind {
    /// The size limit in bytes.
    pub const fn limit(self) -> u64 {
        const MIB: u64 = 1 << 20;
        match self {
            Self::Config | Self::RevocationList => 1024 * MIB,
            Self::DenyList => 256 * MIB,
            Self::Certificates => 64 * MIB,
            Self::KeySet => 4 * MIB,
            Self::CertificateRequest | Self::PrivateKey | Self::Secret => MIB,
        }
    }
}

/// Reads a regular file. Symbolic links are followed.
///
/// # Errors
/// I/O errors of the operating system; also if it is not a regular file, or too long.
pub fn read(path: &Path, kind: FileKind) -> io::Result<Vec<u8>> {
    during(path, || {
        let (file, metadata) = open_regular(path)?;
        let length = metadata.len();
        if length > kind.limit() {
            return Err(too_long(kind));
        }
        let mut content =
            Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
        read_all(file, &mut content, kind)?;
        Ok(content)
    })
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`]; also if it is not UTF-8.
pub fn read_text(path: &Path, kind: FileKind) -> io::Result<String> {
    text(read(path, kind)?)
}

/// As [`read_text`], and also accepts a pipe: for commands that read once and end.
///
/// # Errors
/// As [`read_text`].
pub fn read_text_or_pipe(path: &Path, kind: FileKind) -> io::Result<String> {
    let is_stream = std::fs::metadata(path).is_ok_and(|metadata| is_stream(metadata.file_type()));
    if !is_stream {
        return read_text(path, kind);
    }
    let mut content = Vec::new();
    read_all(File::open(path)?, &mut content, kind)?;
    text(content)
}

/// Passes the content of a regular file to `piece` in chunks, without keeping it.
///
/// # Errors
/// As [`read`].
pub fn read_pieces(path: &Path, kind: FileKind, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
    during(path, || {
        let (mut file, metadata) = open_regular(path)?;
        let mut left = kind
            .limit()
            .checked_sub(metadata.len())
            .map_or(0, |_| kind.limit());
        let mut buffer = [0; 16 << 10];
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            left = u64::try_from(length)
                .ok()
                .and_then(|length| left.checked_sub(length))
                .ok_or_else(|| too_long(kind))?;
            piece(buffer.get(..length).unwrap_or_default());
            progressed();
        }
    })
}

/// Checks that a regular file or a folder can be read.
///
/// # Errors
/// Why it cannot be read.
pub fn check_readable(path: &Path) -> io::Result<()> {
    match metadata(path)?.is_dir() {
        true => entries(path).map(drop),
        false => during(path, || open_regular(path).map(drop)),
    }
}

/// The metadata of a file or folder. Symbolic links are followed.
///
/// # Errors
/// I/O errors of the operating system.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    during(path, || std::fs::metadata(path))
}

/// Whether the path is a folder.
pub fn is_folder(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The entries of a folder, unsorted.
///
/// # Errors
/// I/O errors of the operating system.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    during(folder, || {
        std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    })
}

fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // Checked before opening, since opening a device may have effects.
    regular(&std::fs::metadata(path)?)?;
    // If it was replaced by a FIFO, the open must not wait for a writer; a terminal must not become the controlling one.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK | O_NOCTTY)
        .open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    Ok((file, metadata))
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = match kind {
        folder if folder.is_dir() => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
        fifo if fifo.is_fifo() => "a named pipe (FIFO)",
        socket if socket.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {what}, and only regular files are read"),
    ))
}

fn is_stream(kind: FileType) -> bool {
    kind.is_fifo() || kind.is_char_device() || kind.is_socket()
}

/// Reads in pieces, so that a slow file is distinguished from a stalled one.
fn read_all(mut file: impl Read, content: &mut Vec<u8>, kind: FileKind) -> io::Result<()> {
    const PIECE_SIZE: u64 = 1 << 20;
    loop {
        let so_far = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if so_far > kind.limit() {
            return Err(too_long(kind));
        }
        if file.by_ref().take(PIECE_SIZE).read_to_end(content)? == 0 {
            return Ok(());
        }
        progressed();
    }
}

fn too_long(kind: FileKind) -> io::Error {
    let limit = kind.limit() >> 20;
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it is longer than {limit} MiB, the most for such a file"),
    )
}

fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests;

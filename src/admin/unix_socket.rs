//! A unix socket with a file of its own: only its owner may connect, a stale file of a dead process is replaced, and the file
//! is removed at the end.

use nix::unistd::{Gid, Uid};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Read and write for the owner only.
const MODE: u32 = 0o600;
/// Length of the kernel's accept queue.
const BACKLOG: i32 = 64;

/// The file of a socket. Dropping it removes the file, unless another process listens on it. Drop the socket first.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
}

/// Binds a socket to which only the owner can connect.
///
/// # Errors
/// I/O errors of the operating system, and [`io::ErrorKind::AddrInUse`] if another process listens on the socket or the path
/// is not a socket.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale_socket(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile {
        path: path.to_owned(),
    };
    // Before `listen`: no client can connect until then, so the umask never decides.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// Removes the file of a socket on which no process listens.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let in_use = |what| Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    if !metadata.file_type().is_socket() {
        return in_use("something else than a socket is there");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A full accept queue must not block a reload.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => in_use("another process answers there"),
    }
}

impl SocketFile {
    /// Changes the owner of the file.
    ///
    /// # Errors
    /// If the process lacks the permission.
    pub(super) fn give_to(&self, user: Uid, group: Gid) -> io::Result<()> {
        chown(&self.path, Some(user.as_raw()), Some(group.as_raw()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Inode numbers are reused at once, so only a connection attempt shows whether the file is still in use.
        match remove_stale_socket(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                tracing::warn!(path = %self.path.display(), %error, "the admin socket cannot be removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_file_is_the_owners_alone_and_goes_with_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let (listener, file) = bind(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            MODE
        );
        assert!(UnixStream::connect(&path).is_ok());
        drop(listener);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_process_has_left_is_replaced_and_a_live_one_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let (listener, file) = bind(&path).unwrap();
        assert_eq!(
            bind(&path).err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        drop(listener);
        let (second, second_file) = bind(&path).unwrap();
        drop(file);
        assert!(path.exists(), "it is another one's now");
        drop(second);
        drop(second_file);
        assert!(!path.exists());
        fs::write(&path, "text").unwrap();
        assert_eq!(
            bind(&path).err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }
}

//! Drops privileges to the configured user, and checks that this user can read everything that a load reads. Otherwise
//! every later reload and revocation would fail.

use super::GatewayError;
use crate::admin::SideListener;
use crate::config::WatchedFile;
use crate::file_read;
use crate::snapshot::{RevocationSource, RevocationSourceKind, Snapshot};
use nix::unistd::{Group, User, geteuid, initgroups, setgid, setuid};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Drops privileges once the ports are bound. All threads of the process change (POSIX semantics of `setuid`). The
/// admin socket is given to the user first, since the user may not be able to change its owner.
pub(super) fn become_user(
    user: Option<&str>,
    admin: Option<&SideListener>,
) -> Result<(), GatewayError> {
    let Some(name) = user else { return Ok(()) };
    let failed = |source| GatewayError::User {
        user: name.to_owned(),
        source,
    };
    let user = User::from_name(name)
        .map_err(failed)?
        .ok_or_else(|| failed(nix::Error::ENOENT))?;
    let c_name = std::ffi::CString::new(name).map_err(|_| failed(nix::Error::EINVAL))?;
    let owner_change = admin.map_or(Ok(()), |admin| admin.give_to(user.uid, user.gid));
    owner_change.map_err(|error| {
        failed(
            error
                .raw_os_error()
                .map_or(nix::Error::EIO, nix::Error::from_raw),
        )
    })?;
    // Groups first: only root can change them.
    initgroups(&c_name, user.gid).map_err(failed)?;
    setgid(user.gid).map_err(failed)?;
    setuid(user.uid).map_err(failed)?;
    tracing::info!(user = name, "privileges given up");
    Ok(())
}

/// Inputs and result of a load.
#[derive(Clone, Copy)]
pub struct LoadedFrom<'a> {
    /// The main file.
    pub config: &'a Path,
    /// All files and folders.
    pub watched: &'a [WatchedFile],
    /// The result.
    pub snapshot: &'a Snapshot,
}

/// Files and folders that the user of the config cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "user \"{user}\" of `[gateway] user` cannot read {first}{}, so every reload and every revocation would fail; let it: \
     `chgrp {group} FILE && chmod g+r FILE`, and `chmod g+rx` for folders", others_suffix(*.others)
)]
pub struct UnreadableForUser {
    user: String,
    group: String,
    /// Path and reason.
    first: String,
    others: usize,
}

fn others_suffix(others: usize) -> String {
    if others == 0 {
        String::new()
    } else {
        format!(" and {others} more")
    }
}

/// Checks that this process, which runs as the configured user, can read all files of a load.
///
/// # Errors
/// [`UnreadableForUser`]
pub(super) fn check_access(from: LoadedFrom<'_>) -> Result<(), UnreadableForUser> {
    let Some(user) = &from.snapshot.process.user else {
        return Ok(());
    };
    let mut unreadable = paths_of(from)
        .into_iter()
        .filter_map(|path| Some((check_readable(&path).err()?, path)));
    let Some((error, path)) = unreadable.next() else {
        return Ok(());
    };
    let group = User::from_name(user)
        .ok()
        .flatten()
        .and_then(|user| Group::from_gid(user.gid).ok().flatten());
    Err(UnreadableForUser {
        user: user.clone(),
        group: group.map_or_else(|| user.clone(), |group| group.name),
        first: format!("{} ({error})", path.display()),
        others: unreadable.count(),
    })
}

/// As `check_access`, for a command that root runs. The process becomes the user and stays it. Checks nothing unless
/// the process runs as root and the user exists.
///
/// # Errors
/// [`UnreadableForUser`]
pub fn check_access_as_root(from: LoadedFrom<'_>) -> Result<(), UnreadableForUser> {
    let user = from.snapshot.process.user.as_deref();
    match user.is_some() && geteuid().is_root() && become_user(user, None).is_ok() {
        true => check_access(from),
        false => Ok(()),
    }
}

/// All files and folders of a load, and the folders of the config and of deny lists, where tools replace files.
fn paths_of(from: LoadedFrom<'_>) -> BTreeSet<PathBuf> {
    let deny_lists = from
        .snapshot
        .revocation_sources
        .iter()
        .filter(|source: &&RevocationSource| source.kind == RevocationSourceKind::DenyList);
    let replaced_files = deny_lists
        .map(|source| source.path.as_path())
        .chain([from.config]);
    let folders = replaced_files
        .filter_map(|path| std::path::absolute(path).ok()?.parent().map(Path::to_owned));
    from.watched
        .iter()
        .map(|file| file.path.clone())
        .chain(folders)
        .collect()
}

/// A missing path counts as readable.
fn check_readable(path: &Path) -> io::Result<()> {
    match file_read::check_readable(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

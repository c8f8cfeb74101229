//! The user that the gateway becomes, and what that user must be able to read: all that a load reads, or every reload and
//! every revocation would fail from then on.

use super::GatewayError;
use crate::admin::SideListener;
use crate::config::WatchedFile;
use crate::file_read;
use crate::snapshot::{RevocationSource, RevocationSourceKind, Snapshot};
use nix::unistd::{Group, User, geteuid, initgroups, setgid, setuid};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Gives up privileges once the ports are bound. All threads of the process change (POSIX semantics of `setuid`). The admin
/// socket becomes the user's, who may not have it otherwise.
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
    let given = admin.map_or(Ok(()), |admin| admin.give_to(user.uid, user.gid));
    given.map_err(|error| {
        failed(
            error
                .raw_os_error()
                .map_or(nix::Error::EIO, nix::Error::from_raw),
        )
    })?;
    // Groups first: without root they cannot be changed any more.
    initgroups(&c_name, user.gid).map_err(failed)?;
    setgid(user.gid).map_err(failed)?;
    setuid(user.uid).map_err(failed)?;
    tracing::info!(user = name, "privileges given up");
    Ok(())
}

/// What a config and its snapshot were loaded from.
#[derive(Clone, Copy)]
pub struct LoadedFrom<'a> {
    /// The main file.
    pub config: &'a Path,
    /// All files and folders.
    pub watched: &'a [WatchedFile],
    /// What they became.
    pub snapshot: &'a Snapshot,
}

/// Files and folders that the user of the config cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "user \"{user}\" of `[gateway] user` cannot read {first}{}, so every reload and every revocation would fail; let it: \
     `chgrp {group} FILE && chmod g+r FILE`, and `chmod g+rx` for folders", more(*.others)
)]
pub struct UnreadableForUser {
    user: String,
    group: String,
    /// With the reason.
    first: String,
    others: usize,
}

fn more(others: usize) -> String {
    if others == 0 {
        String::new()
    } else {
        format!(" and {others} more")
    }
}

/// Whether this process, which is that user by now, can read all that a load reads.
///
/// # Errors
/// [`UnreadableForUser`]
pub(super) fn check_access(from: LoadedFrom<'_>) -> Result<(), UnreadableForUser> {
    let Some(user) = &from.snapshot.process.user else {
        return Ok(());
    };
    let mut unreadable = paths_of(from)
        .into_iter()
        .filter_map(|path| Some((readable(&path).err()?, path)));
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

/// As `check_access`, for a command that root runs: it becomes the user for that, and stays it. Nothing is found out by
/// anybody else, or about a user that there is not.
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

/// All files and folders of a load, and the folders in which the config and deny lists are replaced.
fn paths_of(from: LoadedFrom<'_>) -> BTreeSet<PathBuf> {
    let deny_lists = from
        .snapshot
        .revocation_sources
        .iter()
        .filter(|source: &&RevocationSource| source.kind == RevocationSourceKind::DenyList);
    let replaced = deny_lists
        .map(|source| source.path.as_path())
        .chain([from.config]);
    let folders =
        replaced.filter_map(|path| std::path::absolute(path).ok()?.parent().map(Path::to_owned));
    from.watched
        .iter()
        .map(|file| file.path.clone())
        .chain(folders)
        .collect()
}

/// What is not there need not be read.
fn readable(path: &Path) -> io::Result<()> {
    match file_read::check_readable(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

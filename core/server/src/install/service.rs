//! Whom commands work as on a machine where Windlass is installed: the service's user, whose files they are.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid, User};
use windlass_model::{Code, Problem};

use super::{
    layout::{CONFIG, DATA, RELEASES},
    record::Record,
};
use crate::lock::Lock;

/// While this lives, nobody else changes the installation. What is written meanwhile others may read, unless it says otherwise.
pub fn alone() -> Result<Lock, Problem> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let busy =
        || Problem::new(Code::Conflict, "somebody else changes the installation just now").help("wait for its end");
    Lock::try_take(Path::new("/run/windlass-install.lock"))?.ok_or_else(busy)
}

/// A command line that runs as the service's user.
pub fn as_service(record: &Record, words: &[&str]) -> Vec<String> {
    let user = record.user();
    let before: &[&str] = if user == "root" { &[] } else { &["runuser", "-u", user, "--"] };
    before.iter().chain(words).map(|word| (*word).to_owned()).collect()
}

/// The machine's configuration, for the program that is installed there.
pub fn installed_config() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    (program.starts_with(RELEASES) && Path::new(CONFIG).is_file()).then(|| CONFIG.into())
}

/// Root becomes the owner of the service's data folder before it is worked on: what root wrote there the service couldn't read, and
/// PostgreSQL knows the service by its user. Anybody else, and any other folder, stays as it is.
pub fn become_owner(data: &Path) -> Result<(), Problem> {
    if !Uid::effective().is_root() || data != Path::new(DATA) {
        return Ok(());
    }
    let Some(owner) = std::fs::metadata(data).ok().map(|found| (found.uid(), found.gid())).filter(|owner| owner.0 != 0)
    else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    let failed = |errno: nix::errno::Errno| {
        Problem::new(Code::System, format!("the owner of {DATA} can't be acted as: {errno}"))
    };
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name).unwrap_or_default();
    tracing::debug!("going on as {name}, whose {DATA} is");
    nix::unistd::setgroups(&[gid]).map_err(failed)?;
    nix::unistd::setgid(gid).map_err(failed)?;
    nix::unistd::setuid(uid).map_err(failed)?;
    // The folder that root was in may be closed to them.
    if std::fs::read_dir(".").is_err() {
        std::env::set_current_dir(data).map_err(|error| Problem::new(Code::System, format!("{DATA}: {error}")))?;
    }
    Ok(())
}

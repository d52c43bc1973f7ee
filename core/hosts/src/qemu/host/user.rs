//! Whom QEMU runs as.

use std::{ffi::CString, os::unix::fs::chown, path::Path};

use windlass_model::{Code, Problem};

use crate::support::system;

/// A user of this machine.
#[derive(Clone, Debug)]
pub struct User {
    pub uid: libc::uid_t,
    pub gid: libc::gid_t,
    pub groups: Vec<libc::gid_t>,
}

impl User {
    /// The configured user; `None` where there is none, and QEMU runs as we do.
    pub fn configured(name: &str) -> Result<Option<Self>, Problem> {
        if name.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| {
            Problem::new(Code::Configuration, format!("hosts.qemu.user: {name}: {why}"))
                .help("name a user of this machine, or leave it empty")
                .no_effect()
        };
        let user = nix::unistd::User::from_name(name)
            .map_err(|error| wrong(error.to_string()))?
            .ok_or_else(|| wrong("there is no such user".into()))?;
        let known = CString::new(name).map_err(|error| wrong(error.to_string()))?;
        let groups = nix::unistd::getgrouplist(&known, user.gid).map_err(|error| wrong(error.to_string()))?;
        let groups = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups }))
    }

    /// Gives a file or a folder to the user, if there is one.
    pub fn give(user: Option<&Self>, path: &Path) -> Result<(), Problem> {
        let Some(user) = user else { return Ok(()) };
        chown(path, Some(user.uid), Some(user.gid))
            .map_err(|error| system(format!("giving away {}", path.display()), &error))
    }
}

/// Has a program run as this user, with the user's groups (that of /dev/kvm may be among them).
pub fn become_user(command: &mut std::process::Command, user: &User) {
    use std::os::unix::process::CommandExt as _;
    let user = user.clone();
    let prepare = move || {
        // SAFETY: plain system calls, allowed between fork and exec.
        let done = unsafe {
            libc::setgroups(user.groups.len(), user.groups.as_ptr()) == 0
                && libc::setgid(user.gid) == 0
                && libc::setuid(user.uid) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: `prepare` allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
}

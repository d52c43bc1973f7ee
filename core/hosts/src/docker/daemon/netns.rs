//! A handle on a container's network namespace, of which is certain that it is the container's: process ids are used again.

use std::{fs::File, io::ErrorKind, os::fd::OwnedFd};

use super::{
    super::fault::{Fault, Kind},
    Daemon,
};

impl Daemon {
    pub(super) async fn network_namespace(&self, container: &str) -> Result<OwnedFd, Fault> {
        let client = self.client().await?;
        let (id, pid) = self.running(&client, container).await?;
        let handle = open(pid)?;
        // Whoever has this number now may not be whom Docker meant.
        check_is_of(pid, &id)?;
        let (id_now, pid_now) = self.running(&client, container).await?;
        check_same((&id, pid), (&id_now, pid_now))?;
        Ok(handle)
    }

    pub(super) async fn running(&self, client: &bollard::Docker, container: &str) -> Result<(String, i64), Fault> {
        let found = self.inspected(client, container).await?;
        let state = found.state.unwrap_or_default();
        match (found.id, state.pid) {
            (Some(id), Some(pid)) if pid > 0 && state.running == Some(true) => Ok((id, pid)),
            _ => Err(Fault::new(Kind::Conflict, format!("the container {container} doesn't run (any more)"))),
        }
    }
}

fn open(pid: i64) -> Result<OwnedFd, Fault> {
    match File::open(format!("/proc/{pid}/ns/net")) {
        Ok(file) => Ok(file.into()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Fault::new(
            Kind::Unsupported,
            "the network namespace of a container can be opened by root only: run Windlass as root",
        )),
        Err(error) => Err(Fault::new(Kind::Conflict, format!("the process {pid} has ended: {error}"))),
    }
}

/// Control groups name the container that a process is of.
pub(super) fn check_is_of(pid: i64, id: &str) -> Result<(), Fault> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    if id.len() >= 12 && groups.contains(id) {
        return Ok(());
    }
    Err(Fault::new(
        Kind::Conflict,
        format!(
            "the process {pid} isn't the one of the container {}: it has ended, or Docker doesn't share process ids with Windlass",
            id.get(..12).unwrap_or(id)
        ),
    ))
}

fn check_same(before: (&str, i64), now: (&str, i64)) -> Result<(), Fault> {
    if before == now {
        return Ok(());
    }
    Err(Fault::new(Kind::Conflict, "the container was started anew while its network namespace was opened"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_the_containers_is_refused() {
        let own = i64::from(std::process::id());
        let fault = check_is_of(own, &"ab".repeat(32)).unwrap_err();
        assert!(fault.kind == Kind::Conflict && fault.message.contains("isn't the one"), "{fault:?}");
        assert!(check_is_of(own, "").is_err(), "an empty id is in every text");
        assert!(check_same(("a", 7), ("a", 8)).is_err() && check_same(("a", 7), ("b", 7)).is_err());
        assert!(check_same(("a", 7), ("a", 7)).is_ok());
        assert_eq!(open(i64::from(i32::MAX)).unwrap_err().kind, Kind::Conflict);
    }
}

//! What a test has started ends with it: machines, daemons and namespaces outlive their server on purpose, and a test that panics, or
//! whose process is killed, removes no lab.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// A process that outlives this one, by however little.
static WARDEN: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// A test's folder. When this value is dropped, or this process ends, nothing is left that has to do with it: no process that stands in it
/// or names it, no mount, nothing in the kernel with the mark of its `data/instance_id`.
pub struct Watched(PathBuf);

impl Watched {
    /// From now on.
    pub fn new(folder: &Path) -> Self {
        tell('+', folder);
        Self(folder.to_owned())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The same script, whose writer ends at once.
        if let Some((mut child, mut stdin)) = start() {
            let _ = writeln!(stdin, "+{}", self.0.display());
            drop(stdin);
            let _ = child.wait();
        }
        tell('-', &self.0);
    }
}

fn tell(what: char, folder: &Path) {
    let mut warden = WARDEN.lock().unwrap_or_else(PoisonError::into_inner);
    if warden.is_none() {
        *warden = start().map(|(_, stdin)| stdin);
    }
    if let Some(stdin) = warden.as_mut() {
        let _ = writeln!(stdin, "{what}{}", folder.display());
    }
}

fn start() -> Option<(std::process::Child, ChildStdin)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/warden.sh");
    // What is typed at a terminal (Control-C) is for the group that the tests are in.
    let mut command = Command::new("sh");
    command.arg(script).process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let stdin = child.stdin.take()?;
    Some((child, stdin))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{wait_for, wait_until};

    const SOON: Duration = Duration::from_secs(20);

    /// A process that is nobody's child and stands in the folder, as a machine does; its number.
    fn machine(folder: &Path) -> u32 {
        let line = "cd \"$0\" && exec setsid sh -c 'echo $$ >pid; exec sleep 600' &";
        assert!(Command::new("sh").args(["-c", line]).arg(folder).status().unwrap().success());
        wait_for("its number", SOON, || std::fs::read_to_string(folder.join("pid")).ok()?.trim().parse().ok())
    }

    fn lives(process: u32) -> bool {
        // One that has ended stays until its parent asks.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    #[test]
    fn what_a_test_that_panics_has_started_ends() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let (ours, others) = (machine(folder.path()), machine(other.path()));
        let path = folder.path().to_owned();
        let panicked = std::thread::spawn(move || {
            let _watched = Watched::new(&path);
            assert!(lives(ours));
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        wait_until("its end", SOON, || !lives(ours));
        assert!(lives(others), "another test's was ended");
        drop(Watched::new(other.path()));
        assert!(!lives(others));
    }

    #[test]
    fn what_a_process_that_is_killed_has_started_ends() {
        let folder = tempfile::tempdir().unwrap();
        let ours = machine(folder.path());
        let (mut warden, mut stdin) = start().unwrap();
        writeln!(stdin, "+/tmp/another\n-/tmp/another\n+{}", folder.path().display()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(lives(ours) && warden.try_wait().unwrap().is_none());
        // All that the warden hears of a killed process.
        drop(stdin);
        assert!(warden.wait().unwrap().success());
        assert!(!lives(ours) && !folder.path().exists());
    }
}

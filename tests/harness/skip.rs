//! Skipping a test out loud, and what tests may lack.

mod loud;

use std::{env, path::PathBuf, thread};

pub use loud::{SKIPS_FILE, skip};

/// Whether this process is root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether a program of this name is in `PATH` (or in the folders that only root's `PATH` has).
pub fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).any(|file| file.is_file())
}

/// Whether this process may make network namespaces, with the reason if it may not.
pub fn can_make_namespaces() -> Result<(), String> {
    // On a thread of its own, which ends at once: the namespace ends with it, and this thread stays where it is.
    let attempt = thread::spawn(|| nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET));
    match attempt.join() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            Err(format!("network namespaces can't be made here: {error} (CAP_SYS_ADMIN and CAP_NET_ADMIN are needed)"))
        }
        Err(_) => Err("network namespaces can't be made here: the attempt panicked".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        loud::{on_ci, record},
        *,
    };

    #[test]
    fn only_ci_makes_a_skip_a_failure() {
        assert!(on_ci(Some("true")));
        assert!(on_ci(Some("1")));
        assert!(!on_ci(Some("false")));
        assert!(!on_ci(None));
    }

    #[test]
    fn skips_are_appended_one_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skips");
        record(&file, "net::veth", "no\nnamespaces");
        record(&file, "store::postgres", "no PostgreSQL");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "net::veth\tno namespaces\nstore::postgres\tno PostgreSQL\n"
        );
    }

    #[test]
    fn programs_are_found_and_missed() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-anywhere"));
    }
}

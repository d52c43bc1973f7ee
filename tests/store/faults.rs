//! A damaged file, a folder that can't be written, a full disk: clear errors, and nothing is lost.

use std::{path::Path, process::Command as Program, time::Duration};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use windlass_model::{
    Code, EffectClass, Problem,
    command::{Command, Given},
    journal::LocalEffect,
};
use windlass_store::{Store, StoreError, StoreOptions};

use super::world::{TestClock, World, call, value};

fn open(url: &str) -> Result<Store, Problem> {
    Store::open(url, StoreOptions::new(std::sync::Arc::new(TestClock(0.into())))).map_err(Into::into)
}

/// A small file system of its own, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        match mount(Some("windlass"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str())) {
            Ok(()) => Some(Self(folder)),
            Err(error) => {
                windlass_tests::skip(&format!("no tmpfs can be mounted here: {error}"));
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn url(&self) -> String {
        format!("sqlite:{}/windlass.db", self.path().display())
    }

    fn remount(&self, flags: MsFlags, options: &str) {
        // A process that another test starts holds for a moment what was open here when it was made.
        let remounted =
            || mount(None::<&str>, self.path(), None::<&str>, MsFlags::MS_REMOUNT | flags, Some(options)).ok();
        windlass_tests::wait_for("a disk that can be mounted anew", Duration::from_secs(60), remounted);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("windlass.db");
    std::fs::write(&file, "this is no database at all, but long enough to look at".repeat(40)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let url = format!("sqlite:{}", file.display());
    for problem in [open(&url).err().unwrap(), Store::migrate(&url).unwrap_err().into()] {
        assert_eq!(problem.code, Code::Storage);
        assert!(problem.message.contains("windlass.db"), "{}", problem.message);
        assert!(problem.help.unwrap().contains("backup"));
    }
    assert_eq!(std::fs::read(&file).unwrap(), before, "it is left as it was");
}

#[test]
fn a_damaged_page_fails_the_read_and_not_the_process() {
    let world = World::sqlite();
    let lease = world.launch_claimed("r1");
    for ordinal in 0..500 {
        world.finish(&lease, &call(&ordinal.to_string(), "x", EffectClass::Read), value("x".repeat(500).into()));
    }
    world.store.close();
    let file = world.folder().join("windlass.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let damaged = bytes.len() - 200_000..bytes.len() - 1_000;
    bytes[damaged].fill(0xAA);
    std::fs::write(&file, bytes).unwrap();
    let store = world.second();
    let problem: Problem = store.dump().unwrap_err().into();
    assert_eq!(problem.code, Code::Storage);
    assert!(problem.help.unwrap().contains("backup"), "{}", problem.message);
}

#[test]
fn a_read_only_folder_is_named() {
    let Some(disk) = SmallDisk::new("8m") else { return };
    let url = disk.url();
    Store::migrate(&url).unwrap();
    disk.remount(MsFlags::MS_RDONLY, "size=8m");
    let problem = open(&url).err().expect("a read-only folder can't be opened");
    assert_eq!(problem.code, Code::Storage);
    assert!(problem.help.as_deref().is_some_and(|help| help.contains("writ")), "{problem:?}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some(disk) = SmallDisk::new("3m") else { return };
    let url = disk.url();
    Store::migrate(&url).unwrap();
    let store = open(&url).unwrap();
    store.commit(Command::PutBundle { digest: "b1".into(), body: "{}".into() }).unwrap();
    let claim = Some(("n1".into(), i64::MAX));
    store.commit(Command::Launch { run: Box::new(super::world::new_run("r1")), claim }).unwrap();
    let lease = store.claimed(&"r1".into()).unwrap().unwrap().lease;
    let keep = |ordinal: usize, bytes: usize| {
        let effect = LocalEffect::Artifact {
            name: format!("a{ordinal}"),
            media_type: "text/plain".into(),
            content: vec![b'x'; bytes],
        };
        let call = std::sync::Arc::new(call(&ordinal.to_string(), "keep", EffectClass::Idempotent));
        store.commit(Command::Local { lease: lease.clone(), call, effect, given: Given::Nothing })
    };
    let mut kept = 0;
    let problem = loop {
        match keep(kept, 200_000) {
            Ok(_) => kept += 1,
            Err(StoreError::Failed(problem)) => break problem,
            Err(other) => panic!("{other:?}"),
        }
        assert!(kept < 100, "3 MB hold no 20 MB");
    };
    assert!(kept > 2);
    assert_eq!(problem.code, Code::Storage);
    assert!(problem.help.as_deref().is_some_and(|help| help.contains("space")), "{problem:?}");
    // Once there is space, it goes on where it was.
    disk.remount(MsFlags::empty(), "size=12m");
    keep(kept, 200_000).unwrap();
    assert_eq!(store.artifacts(&lease.run).unwrap().len(), kept + 1);
    let events = store.events(&lease.run, 0, 1_000).unwrap();
    assert_eq!(events.last().unwrap().seq, events.len() as i64);
    assert_eq!(events.len(), kept + 3);
    store.close();
    if let Ok(output) =
        Program::new("sqlite3").arg(disk.path().join("windlass.db")).arg("PRAGMA integrity_check").output()
    {
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let port = windlass_tests::free_port();
    let problem = open(&format!("postgres://ann:hunter2@127.0.0.1:{port}/x")).err().unwrap();
    assert_eq!(problem.code, Code::Storage);
    assert!(problem.message.contains("ann@127.0.0.1") && !problem.message.contains("hunter2"), "{}", problem.message);
    assert!(problem.help.is_some());
}

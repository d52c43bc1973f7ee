//! Faults below the engine: a full disk, a folder that can't be written, a damaged file, a clock that was set back.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use serde_json::json;
use windlass_engine::{EngineConfig, Time, VirtualClock};
use windlass_model::{Code, RunState};
use windlass_tests::{World, is_root, skip, wait_until};

/// A small file system in memory, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(kilobytes: u32) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.mount(&["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"]);
        disk
    }

    fn mount(&self, arguments: &[&str]) {
        let status = Command::new("mount").args(arguments).arg(self.path()).status().unwrap();
        assert!(status.success(), "mount {arguments:?}");
    }

    fn grow(&self, kilobytes: u32) {
        self.mount(&["-o", &format!("remount,size={kilobytes}k")]);
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_holds_a_run_up_and_loses_nothing() {
    if !is_root() {
        return skip("mounting a small disk needs root");
    }
    let disk = SmallDisk::new(2_048);
    let world = World::open(disk.path(), Arc::new(|_: &mut EngineConfig| {}));
    world.script(
        "t/fill",
        "",
        r#"fn run(input) {
        let text = "x"; text.pad(20000, 'y');
        for n in 0..200 { kv_set(`fill/${n}`, text); }
        probe::touch("end");
        "done"
    }"#,
    );
    let run = world.launch("t/fill", json!({}));
    let filled = || fs::write(disk.path().join("probe"), vec![0_u8; 65_536]).is_err();
    wait_until("the disk to be full", Duration::from_secs(60), || {
        let full = filled();
        let _ = fs::remove_file(disk.path().join("probe"));
        full
    });
    std::thread::sleep(Duration::from_millis(300));
    let before = world.engine().steps(&run).unwrap().len();
    assert!(before > 5 && before < 200, "{before} steps are recorded");
    assert!(!world.engine().run(&run).unwrap().unwrap().state.is_ended(), "a full disk fails no run");
    disk.grow(65_536);
    let record = world.end(&run);
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!("done"))));
    let numbers: Vec<i64> = world.engine().events(&run, 0, 1_000).unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
}

#[test]
fn a_damaged_database_is_told_and_left_as_it_is() {
    let mut world = World::new();
    world.script("t/x", "", r#"fn run(input) { probe::touch("x"); wait_signal("go") }"#);
    let run = world.launch("t/x", json!({}));
    world.waits(&run);
    let path = world.stop_for_surgery();
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad.iter_mut().take(4_000).for_each(|byte| *byte = 0x5a);
    fs::write(&path, &bad).unwrap();
    let problem = world.try_start().err().unwrap();
    assert_eq!(problem.code, Code::Storage, "{problem:?}");
    assert!(problem.help.is_some(), "{problem:?}");
    assert_eq!(fs::read(&path).unwrap(), bad, "the file isn't touched");
    fs::write(&path, &good).unwrap();
    world.engine().signal(&run, "go", json!(1), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
}

#[test]
fn a_clock_that_was_set_back_loses_no_timer() {
    let folder = tempfile::tempdir().unwrap();
    let at = |clock: &Arc<VirtualClock>| {
        let clock = clock.clone();
        World::open(
            folder.path(),
            Arc::new(move |config: &mut EngineConfig| config.time = Time::Virtual(clock.clone())),
        )
    };
    let late: Arc<VirtualClock> = Arc::default();
    late.advance_by(10 * 86_400_000);
    late.on_idle(Arc::new(|_| {
        std::thread::sleep(Duration::from_millis(2));
        true
    }));
    let world = at(&late);
    world.script(
        "t/sleep",
        "",
        r#"fn run(input) { probe::touch("before"); sleep("1h"); probe::touch("after"); "woken" }"#,
    );
    let run = world.launch("t/sleep", json!({}));
    world.waits(&run);
    drop(world);
    let early: Arc<VirtualClock> = Arc::default();
    let world = at(&early);
    let record = world.end(&run);
    assert_eq!(record.output, Some(json!("woken")));
    assert_eq!((world.witness.count("touch", "before"), world.witness.count("touch", "after")), (1, 1));
    let events = world.engine().events(&run, 0, 100).unwrap();
    assert!(events.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
}

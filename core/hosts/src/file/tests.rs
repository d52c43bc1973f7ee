//! `file` on real folders.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_model::{Code, Problem};

use super::{Config, module, rehearsal};
use crate::testing::Bench;

/// A declared folder, everything in it granted, and calls that are steps 1, 2, … of a run.
struct Site {
    folder: TempDir,
    bench: Bench,
    run: String,
    step: usize,
}

impl Site {
    fn new() -> Self {
        Self::of(|config| module(config).unwrap())
    }

    fn of(make: impl Fn(&Config) -> windlass_script::host::HostModule) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display().to_string();
        let config = Config { folders: vec![folder.path().to_owned()], ..Config::default() };
        let grants = ["file.read", "file.write"].map(|verb| [format!("{verb}:{shown}"), format!("{verb}:{shown}/*")]);
        let mut bench = Bench::new(make(&config), &[]);
        bench.cx.grants = grants.concat();
        let run = ulid::Ulid::new().to_string().to_lowercase();
        bench.cx.run = run.as_str().into();
        Self { folder, bench, run, step: 0 }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn call(&mut self, op: &str, name: &str, rest: Value) -> Result<Value, Problem> {
        self.step += 1;
        self.bench.cx.key = format!("{}/{}", self.run, self.step);
        self.again(op, name, rest)
    }

    /// The same step once more, as after a crash.
    fn again(&self, op: &str, name: &str, rest: Value) -> Result<Value, Problem> {
        let mut args = vec![json!(self.path(name))];
        args.extend(rest.as_array().unwrap().iter().cloned());
        self.bench.call(op, Value::Array(args))
    }

    /// Undoes a step, as the engine would.
    fn undo(&mut self, step: usize, name: &str) -> bool {
        self.try_undo(&format!("{}/{step}", self.run), name).unwrap() == true
    }

    fn try_undo(&mut self, key: &str, name: &str) -> Result<Value, Problem> {
        self.bench.cx.key = format!("{}/9/u9/0", self.run);
        self.bench.cx.undoes = Some(key.to_owned());
        let result = self.again("restore", name, json!([]));
        self.bench.cx.undoes = None;
        result
    }

    /// The steps that follow are another run's.
    fn another_run(&mut self) {
        self.run = ulid::Ulid::new().to_string().to_lowercase();
        self.bench.cx.run = self.run.as_str().into();
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The one file that this run has kept.
    fn backup(&self) -> String {
        let start = format!("{}.", self.run);
        let is_backup = |name: &String| name.rsplit_once(&start).is_some_and(|(_, rest)| !rest.contains('.'));
        self.names().into_iter().find(is_backup).unwrap()
    }

    fn content(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn what_is_written_can_be_read_and_seen() {
    let mut site = Site::new();
    site.call("write", "a.txt", json!(["hällo"])).unwrap();
    assert_eq!(site.call("read", "a.txt", json!([])).unwrap(), "hällo");
    let stat = site.call("stat", "a.txt", json!([])).unwrap();
    assert_eq!(stat, json!({ "exists": true, "kind": "file", "bytes": 6, "mode": 0o644, "target": null }));
    assert_eq!(site.call("exists", "none/x", json!([])).unwrap(), false);
    site.call("render", "b", json!(["{{ n }}\n", { "n": 7 }])).unwrap();
    let args = json!([site.path("b"), site.path("c")]);
    site.bench.call("copy", args).unwrap();
    assert_eq!(site.content("c"), "7\n");
    let listed = site.call("list", "", json!([])).unwrap_err();
    assert_eq!(listed.code, Code::InvalidArgument, "a path that ends in a slash");
    let listed = site.bench.call("list", json!([site.folder.path()])).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.txt", "b", "c"], "without backups");
}

#[test]
fn a_change_replaces_the_file_and_keeps_its_mode() {
    let mut site = Site::new();
    fs::write(site.path("a"), "old").unwrap();
    fs::set_permissions(site.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
    let open = fs::File::open(site.path("a")).unwrap();
    site.call("write", "a", json!(["new"])).unwrap();
    assert_eq!(fs::metadata(site.path("a")).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(std::io::read_to_string(open).unwrap(), "old", "whoever had it open sees all of the old content");
    site.call("write", "a", json!(["new", { "mode": 0o600, "owner": "root:root" }])).unwrap();
    assert_eq!(fs::metadata(site.path("a")).unwrap().mode() & 0o7777, 0o600);
    for opts in [json!({ "mode": 0o4755 }), json!({ "owner": "nobody-here" }), json!({ "moed": 1 })] {
        assert_eq!(site.call("write", "a", json!(["x", opts])).unwrap_err().code, Code::InvalidArgument);
    }
}

#[test]
fn every_change_can_be_taken_back_in_reverse_order() {
    let mut site = Site::new();
    fs::write(site.path("a"), "zero").unwrap();
    let inode = fs::metadata(site.path("a")).unwrap().ino();
    site.call("write", "a", json!(["one"])).unwrap();
    site.call("write", "a", json!(["two"])).unwrap();
    site.call("remove", "a", json!([])).unwrap();
    site.call("write", "new", json!(["x"])).unwrap();
    site.call("link", "current", json!(["a"])).unwrap();
    site.call("link", "current", json!(["new"])).unwrap();
    assert!(site.undo(6, "current"));
    assert_eq!(fs::read_link(site.path("current")).unwrap(), Path::new("a"));
    assert!(site.undo(5, "current"));
    assert!(site.undo(4, "new"));
    assert!(site.undo(3, "a"));
    assert_eq!(site.content("a"), "two");
    assert!(site.undo(2, "a"));
    assert_eq!(site.content("a"), "one");
    assert!(site.undo(1, "a"));
    assert_eq!((site.content("a").as_str(), fs::metadata(site.path("a")).unwrap().ino()), ("zero", inode));
    assert!(!site.undo(1, "a"), "a second time there is nothing to do");
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn a_step_that_is_repeated_after_a_crash_keeps_the_first_backup() {
    let mut site = Site::new();
    fs::write(site.path("a"), "old").unwrap();
    site.call("write", "a", json!(["new"])).unwrap();
    site.again("write", "a", json!(["new"])).unwrap();
    assert!(site.undo(1, "a"));
    assert_eq!(site.content("a"), "old");
    // The backup was made, and the crash came before the change.
    site.call("write", "b", json!(["new"])).unwrap();
    fs::remove_file(site.path("b")).unwrap();
    site.again("write", "b", json!(["new"])).unwrap();
    assert!(site.undo(2, "b"));
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn backups_are_dropped_on_request_and_with_time() {
    let mut site = Site::new();
    site.call("write", "a", json!(["1"])).unwrap();
    site.call("write", "a", json!(["2"])).unwrap();
    assert_eq!(site.names().len(), 5, "two backups, and what says which file was put there");
    assert_eq!(site.call("discard_backup", "a", json!([])).unwrap(), 2);
    assert_eq!(site.names(), ["a"]);
    site.call("write", "a", json!(["3"])).unwrap();
    let parent = super::place::Parent { fd: fs::File::open(site.folder.path()).unwrap(), name: "a".into() };
    let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    super::backup::prune(&parent, now - 60).unwrap();
    assert_eq!(site.names().len(), 3);
    super::backup::prune(&parent, now + 60).unwrap();
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn an_undo_leaves_what_somebody_else_has_put_there() {
    // What stands there before the step: nothing, or a file.
    for before in [None, Some("before")] {
        let mut site = Site::new();
        if let Some(content) = before {
            fs::write(site.path("shared.txt"), content).unwrap();
        }
        site.call("write", "shared.txt", json!(["one"])).unwrap();
        let first = format!("{}/1", site.run);
        site.another_run();
        // The same content even: it is the other run's all the same.
        site.call("write", "shared.txt", json!(["one"])).unwrap();
        let second = format!("{}/2", site.run);
        let problem = site.try_undo(&first, "shared.txt").unwrap_err();
        assert_eq!(problem.code, Code::Conflict);
        assert!(problem.message.contains("shared.txt") && problem.help.is_some(), "{problem:?}");
        assert_eq!(site.content("shared.txt"), "one");
        // Once the other one is undone, there is nothing in the way.
        assert_eq!(site.try_undo(&second, "shared.txt").unwrap(), true);
        assert_eq!(site.try_undo(&first, "shared.txt").unwrap(), true);
        assert_eq!(fs::read_to_string(site.path("shared.txt")).ok().as_deref(), before);
        assert_eq!(site.names().len(), usize::from(before.is_some()), "no traces are left");
    }
}

#[test]
fn an_undo_leaves_what_was_edited_or_made_where_a_file_was_removed() {
    let mut site = Site::new();
    site.call("write", "a", json!(["mine"])).unwrap();
    fs::write(site.path("b"), "old").unwrap();
    site.call("remove", "b", json!([])).unwrap();
    fs::write(site.path("a"), "edited in place").unwrap();
    fs::write(site.path("b"), "another's").unwrap();
    for (step, name, content) in [(1, "a", "edited in place"), (2, "b", "another's")] {
        let problem = site.try_undo(&format!("{}/{step}", site.run), name).unwrap_err();
        assert_eq!((problem.code, site.content(name).as_str()), (Code::Conflict, content));
    }
    // Whoever is in the way is gone: now it can be undone.
    fs::remove_file(site.path("b")).unwrap();
    assert!(site.undo(2, "b"));
    assert_eq!(site.content("b"), "old");
}

#[test]
fn an_undo_whose_backup_is_gone_says_so() {
    let mut site = Site::new();
    fs::write(site.path("a"), "old").unwrap();
    // A run of long ago: its backups may be pruned.
    site.run = ulid::Ulid::from_parts(1_500_000_000_000, 7).to_string().to_lowercase();
    site.bench.cx.run = site.run.as_str().into();
    site.call("write", "a", json!(["new"])).unwrap();
    let parent = super::place::Parent { fd: fs::File::open(site.folder.path()).unwrap(), name: "a".into() };
    super::backup::prune(&parent, i64::MAX).unwrap();
    let problem = site.try_undo(&format!("{}/1", site.run), "a").unwrap_err();
    assert_eq!((problem.code, site.content("a").as_str()), (Code::UndoFailed, "new"));
    assert!(problem.message.contains("/a ") && problem.message.contains("30 days"), "{problem:?}");
    // A young run's can't be: if there is none, its step did nothing, or is undone already.
    site.another_run();
    assert!(!site.undo(1, "a"));
    site.call("write", "a", json!(["newer"])).unwrap();
    let backup = site.backup();
    fs::remove_file(site.path(&backup)).unwrap();
    let problem = site.try_undo(&format!("{}/2", site.run), "a").unwrap_err();
    assert_eq!((problem.code, site.content("a").as_str()), (Code::UndoFailed, "newer"));
}

#[test]
fn an_undo_by_a_run_that_continues_another_finds_its_backup() {
    let mut site = Site::new();
    fs::write(site.path("a"), "old").unwrap();
    site.call("write", "a", json!(["new"])).unwrap();
    let first = format!("{}/1", site.run);
    site.another_run();
    assert_eq!(site.try_undo(&first, "a").unwrap(), true);
    assert_eq!((site.content("a").as_str(), site.names()), ("old", vec!["a".to_owned()]));
}

#[test]
fn an_undo_that_died_in_its_middle_is_done_again() {
    let mut site = Site::new();
    fs::write(site.path("a"), "old").unwrap();
    site.call("write", "a", json!(["new"])).unwrap();
    let backup = site.backup();
    // The file is back, and the backup is still there.
    fs::hard_link(site.path(&backup), site.path("link")).unwrap();
    fs::rename(site.path("link"), site.path("a")).unwrap();
    assert!(site.undo(1, "a"));
    assert_eq!((site.content("a").as_str(), site.names()), ("old", vec!["a".to_owned()]));
}

#[test]
fn restore_by_hand_does_nothing() {
    let mut site = Site::new();
    site.call("write", "a", json!(["x"])).unwrap();
    assert_eq!(site.again("restore", "a", json!([])).unwrap(), false);
    assert_eq!(site.content("a"), "x");
}

#[test]
fn paths_are_plain_and_inside() {
    let mut site = Site::new();
    for name in ["../x", "a/../b", "./a", "a//b", "a/", "a\0b", ".a.windlass-x", "x/.a.windlass-1/y"] {
        assert_eq!(site.call("write", name, json!(["x"])).unwrap_err().code, Code::InvalidArgument, "{name:?}");
    }
    for path in ["/etc/passwd", "/", "/tmp"] {
        assert_eq!(site.bench.call("read", json!([path])).unwrap_err().code, Code::PermissionDenied);
    }
    // A folder of which ours is a prefix by text.
    let beside = format!("{}-beside/x", site.folder.path().display());
    assert_eq!(site.bench.call("read", json!([beside])).unwrap_err().code, Code::PermissionDenied);
    assert_eq!(site.bench.call("read", json!(["etc/passwd"])).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn links_do_not_lead_out() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let mut site = Site::new();
    fs::create_dir(site.path("in")).unwrap();
    fs::write(site.path("in/x"), "inside").unwrap();
    symlink("in", site.path("good")).unwrap();
    symlink(outside.path(), site.path("out")).unwrap();
    symlink(outside.path().join("secret"), site.path("file")).unwrap();
    symlink(format!("../{}", outside.path().file_name().unwrap().display()), site.path("up")).unwrap();
    symlink("/proc/self/root", site.path("magic")).unwrap();
    assert_eq!(site.call("read", "good/x", json!([])).unwrap(), "inside");
    for name in ["out/secret", "file", "up/secret", "magic/etc/passwd"] {
        assert_eq!(site.call("read", name, json!([])).unwrap_err().code, Code::PermissionDenied, "{name}");
    }
    for name in ["out/secret", "up/new", "magic/tmp/x"] {
        for (op, rest) in [("write", json!(["x"])), ("remove", json!([])), ("link", json!(["x"]))] {
            assert_eq!(site.call(op, name, rest).unwrap_err().code, Code::PermissionDenied, "{op} {name}");
        }
    }
    // A link itself is replaced, never what it leads to.
    site.call("write", "file", json!(["mine"])).unwrap();
    assert_eq!(
        (site.content("file").as_str(), fs::read_to_string(outside.path().join("secret")).unwrap().as_str()),
        ("mine", "s")
    );
    for target in ["/etc/passwd", "../x", "", "/", "in/../../x"] {
        assert!(site.call("link", "l", json!([target])).is_err(), "{target}");
    }
    site.call("link", "l", json!(["in/x"])).unwrap();
    assert_eq!(site.call("read", "l", json!([])).unwrap(), "inside");
    // A link's mode says nothing.
    site.call("write", "l", json!(["mine"])).unwrap();
    assert_eq!(fs::metadata(site.path("l")).unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn a_link_does_not_widen_a_grant() {
    let mut site = Site::new();
    for name in ["mine", "theirs"] {
        fs::create_dir(site.path(name)).unwrap();
        fs::write(site.path(name) + "/x", name).unwrap();
    }
    symlink("../theirs", site.path("mine/way")).unwrap();
    symlink("../theirs/x", site.path("mine/file")).unwrap();
    let mine = site.path("mine");
    site.bench.cx.grants = vec![format!("file.read:{mine}/*"), format!("file.write:{mine}/*")];
    assert_eq!(site.call("read", "mine/x", json!([])).unwrap(), "mine");
    for (op, name, rest) in [
        ("read", "mine/file", json!([])),
        ("read", "mine/way/x", json!([])),
        ("list", "mine/way", json!([])),
        ("write", "mine/way/x", json!(["!"])),
        ("remove", "mine/way/x", json!([])),
    ] {
        assert_eq!(site.call(op, name, rest).unwrap_err().code, Code::PermissionDenied, "{op} {name}");
    }
    let args = json!([site.path("theirs/x"), site.path("mine/copy")]);
    assert_eq!(site.bench.call("copy", args).unwrap_err().code, Code::PermissionDenied);
    assert_eq!(site.content("theirs/x"), "theirs");
}

#[test]
fn a_folder_that_turns_into_a_link_meanwhile_is_no_way_out() {
    let outside = tempfile::tempdir().unwrap();
    let mut site = Site::new();
    fs::create_dir(site.path("real")).unwrap();
    symlink(outside.path(), site.path("trap")).unwrap();
    symlink("real", site.path("way")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (way, real, trap) = (site.path("way"), "real".to_owned(), outside.path().to_owned());
    let (written, refused) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for target in [Path::new(&real), trap.as_path()] {
                    let temporary = way.clone() + ".swap";
                    symlink(target, &temporary).unwrap();
                    fs::rename(temporary, &way).unwrap();
                }
            }
        });
        let (mut written, mut refused) = (0, 0);
        let end = Instant::now() + Duration::from_secs(20);
        while (written < 5 || refused < 300) && Instant::now() < end {
            match site.call("write", "way/x", json!(["x"])) {
                Ok(_) => written += 1,
                Err(_) => refused += 1,
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (written, refused)
    });
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(written >= 5 && refused >= 300, "{written} written inside, {refused} refused");
}

#[test]
fn only_regular_files_of_a_bounded_size_are_read() {
    let mut site = Site::new();
    nix::unistd::mkfifo(Path::new(&site.path("pipe")), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    fs::create_dir(site.path("folder")).unwrap();
    fs::write(site.path("binary"), [0xff, 0xfe]).unwrap();
    fs::File::create(site.path("large")).unwrap().set_len(5 << 20).unwrap();
    for (name, code) in [
        ("pipe", Code::InvalidArgument),
        ("folder", Code::InvalidArgument),
        ("binary", Code::InvalidArgument),
        ("large", Code::LimitExceeded),
        ("none", Code::NotFound),
    ] {
        assert_eq!(site.call("read", name, json!([])).unwrap_err().code, code, "{name}");
    }
    assert_eq!(site.call("write", "folder", json!(["x"])).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(site.call("remove", "folder", json!([])).unwrap_err().code, Code::InvalidArgument);
    let large = "x".repeat((4 << 20) + 1);
    assert_eq!(site.call("write", "x", json!([large])).unwrap_err().code, Code::LimitExceeded);
}

#[test]
fn secrets_are_written_for_their_owner_only() {
    let mut site = Site::new();
    site.bench.cx.secrets.insert("key".into(), "hush".into());
    fs::write(site.path("env"), "").unwrap();
    let secret = json!({ "$secret": "key" });
    site.call("write", "key", json!([secret])).unwrap();
    site.call("render", "env", json!(["KEY={{ key }}\n", { "key": secret }])).unwrap();
    assert_eq!((site.content("key").as_str(), site.content("env").as_str()), ("hush", "KEY=hush\n"));
    for name in ["key", "env"] {
        assert_eq!(fs::metadata(site.path(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    // A mount namespace for this thread alone; needs root, as the machine's tests do.
    if !nix::unistd::geteuid().is_root() {
        return crate::testing::skip("mounting a small file system needs root");
    }
    use nix::mount::{MsFlags, mount};
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    let mut site = Site::new();
    mount(Some("tmpfs"), site.folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
    site.call("write", "a", json!(["old"])).unwrap();
    let before = site.names();
    let problem = site.call("write", "a", json!(["x".repeat(1 << 20)])).unwrap_err();
    assert_eq!((problem.code, problem.no_effect), (Code::System, true));
    assert!(problem.message.contains("space"), "{}", problem.message);
    assert_eq!((site.names(), site.content("a").as_str()), (before, "old"));
    nix::mount::umount2(site.folder.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn what_a_crash_left_half_written_is_in_nobodys_way() {
    let mut site = Site::new();
    site.call("write", "a", json!(["x"])).unwrap();
    let backup = site.names().into_iter().find(|name| name.ends_with(".new")).unwrap();
    let temporary = backup.replace(".new", ".tmp");
    symlink("/etc/passwd", site.path(&temporary)).unwrap();
    site.again("write", "a", json!(["y"])).unwrap();
    assert_eq!(site.content("a"), "y");
    assert!(!site.names().contains(&temporary));
}

#[test]
fn long_names_have_backups_too() {
    let mut site = Site::new();
    let name = "n".repeat(255);
    site.call("write", &name, json!(["1"])).unwrap();
    site.call("write", &name, json!(["2"])).unwrap();
    assert!(site.undo(2, &name) && site.undo(1, &name));
    assert!(site.names().is_empty());
}

#[test]
fn a_rehearsal_remembers_and_changes_nothing() {
    let mut site = Site::of(rehearsal);
    fs::write(site.path("a"), "real").unwrap();
    assert_eq!(site.call("read", "a", json!([])).unwrap(), "real");
    site.call("write", "a", json!(["planned"])).unwrap();
    site.call("write", "deep/b", json!(["x"])).unwrap();
    site.call("link", "current", json!(["a"])).unwrap();
    assert_eq!(site.call("read", "a", json!([])).unwrap(), "planned");
    assert_eq!(site.call("stat", "current", json!([])).unwrap()["target"], "a");
    assert_eq!(site.call("list", "deep", json!([])).unwrap(), json!([{ "name": "b", "kind": "file" }]));
    assert_eq!(site.call("remove", "a", json!([])).unwrap(), true);
    assert_eq!(site.call("read", "a", json!([])).unwrap_err().code, Code::NotFound);
    site.bench.cx.run = "01another00000000000000000".into();
    assert_eq!(site.call("read", "a", json!([])).unwrap(), "real", "another rehearsal knows nothing of it");
    assert_eq!((site.names(), site.content("a").as_str()), (vec!["a".to_owned()], "real"));
}

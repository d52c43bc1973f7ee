//! `exec` with real programs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_model::{Code, journal::Stop};

use super::{Config, module};
use crate::{
    lab_space::Owners,
    net,
    owner::{Always, PLATFORM},
    testing::Bench,
};

fn owners() -> Arc<dyn Owners> {
    net::owners(net::kernel(), Arc::new(Always(PLATFORM)))
}

fn bench() -> Bench {
    let names = ["sh", "cat", "env", "sleep", "head", "pwd", "ls", "true"];
    let config = Config { programs: names.map(String::from).into(), env: vec!["TOKEN".into()], ..Config::default() };
    Bench::new(module(&config, owners()).unwrap(), &[])
}

/// Whether a process with this number runs, zombies included.
fn exists(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid.trim()).exists()
}

/// Waits until a process is gone: orphans are reaped by init, a moment after they were killed.
fn gone(pid: &str) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn a_program_says_what_it_is_told_to() {
    let result = bench().call("run", json!([["cat"], { "stdin": "hällo" }])).unwrap();
    assert_eq!(result, json!({ "code": 0, "stdout": "hällo", "stderr": "", "truncated": false }));
}

#[test]
fn arguments_are_not_words_for_a_shell() {
    let result =
        bench().call("probe", json!([["sh", "-c", "printf '%s|' \"$@\"", "sh", "$(id)", "a b;c", 7]])).unwrap();
    assert_eq!(result["stdout"], "$(id)|a b;c|7|");
}

#[test]
fn nothing_but_declared_programs_runs() {
    let bench = bench();
    for name in ["id", "/bin/sh", "../bin/sh", "", "./cat"] {
        let problem = bench.call("run", json!([[name]])).unwrap_err();
        assert_eq!(problem.code, Code::PermissionDenied, "{name}");
        assert!(problem.no_effect);
    }
    for argv in [json!([]), json!("cat"), json!([["cat"]]), json!(["cat", "a\0b"]), json!([null])] {
        assert_eq!(bench.call("run", json!([argv])).unwrap_err().code, Code::InvalidArgument);
    }
}

#[test]
fn a_declared_program_may_be_missing_until_it_is_called() {
    let config = Config { programs: vec!["no-such-program".into(), "/opt/none/tool".into()], ..Config::default() };
    let bench = Bench::new(module(&config, owners()).unwrap(), &[]);
    for name in ["no-such-program", "tool"] {
        assert_eq!(bench.call("run", json!([[name]])).unwrap_err().code, Code::Unsupported);
    }
    for wrong in ["bin/tool", "", "..", "/"] {
        let config = Config { programs: vec![wrong.into()], ..Config::default() };
        assert_eq!(module(&config, owners()).err().map(|problem| problem.code), Some(Code::Configuration), "{wrong}");
    }
}

#[test]
fn the_environment_holds_nothing_else() {
    let mut bench = bench();
    bench.cx.secrets.insert("token".into(), "s3cret".into());
    let opts = json!({ "env": { "TOKEN": { "$secret": "token" } } });
    let result = bench.call("run", json!([["env"], opts])).unwrap();
    let mut lines: Vec<&str> = result["stdout"].as_str().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["LANG=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TOKEN=s3cret"]);
    let problem = bench.call("run", json!([["env"], { "env": { "LD_PRELOAD": "/tmp/x.so" } }])).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
}

#[test]
fn secrets_go_to_stdin_and_never_into_arguments() {
    let mut bench = bench();
    bench.cx.secrets.insert("password".into(), "hunter2".into());
    let secret = json!({ "$secret": "password" });
    assert_eq!(bench.call("run", json!([["cat"], { "stdin": secret }])).unwrap()["stdout"], "hunter2");
    assert_eq!(bench.call("run", json!([["cat", secret]])).unwrap_err().code, Code::SecretMisuse);
}

#[test]
fn a_failure_holds_the_code_and_the_last_words() {
    let script = "for n in 1 2 3 4 5 6 7; do echo line $n >&2; done; exit 3";
    let problem = bench().call("run", json!([["sh", "-c", script]])).unwrap_err();
    assert_eq!(problem.code, Code::CommandFailed);
    assert_eq!(problem.data["code"], 3);
    assert_eq!(problem.data["stderr"], "line 3\nline 4\nline 5\nline 6\nline 7");
    let fine = bench().call("run", json!([["sh", "-c", script], { "ok_codes": [0, 3] }])).unwrap();
    assert_eq!(fine["code"], 3);
    let killed = bench().call("run", json!([["sh", "-c", "kill -9 $$"]])).unwrap_err();
    assert_eq!(killed.data["code"], 137);
}

#[test]
fn output_is_bounded_and_the_program_is_not_blocked_by_it() {
    let result = bench().call("run", json!([["head", "-c", "20000000", "/dev/zero"]])).unwrap();
    assert_eq!(result["stdout"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(result["truncated"], true);
    let small = bench().call("run", json!([["sh", "-c", "printf äöü"], { "output_bytes": 3 }])).unwrap();
    assert!(small["stdout"].as_str().unwrap().len() <= 3);
    assert_eq!(small["truncated"], true);
}

#[test]
fn a_program_may_leave_its_input_unread() {
    let stdin = "x".repeat(1 << 20);
    assert_eq!(bench().call("run", json!([["true"], { "stdin": stdin }])).unwrap()["code"], 0);
    let problem = bench().call("run", json!([["true"], { "stdin": stdin + "x" }])).unwrap_err();
    assert_eq!(problem.code, Code::LimitExceeded);
}

#[test]
fn time_is_bounded_and_the_whole_group_dies() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script =
        format!("sleep 1000 & echo $! > {0}; sleep 1000 & echo $! >> {0}; echo $$ >> {0}; wait", pids.display());
    let begin = Instant::now();
    let problem = bench().call("run", json!([["sh", "-c", script], { "timeout": "3s" }])).unwrap_err();
    assert_eq!(problem.code, Code::StepTimeout);
    assert!(begin.elapsed() < Duration::from_secs(60));
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 3);
    assert!(pids.lines().all(gone));
    assert!(!exists(pids.lines().last().unwrap()), "the program itself was reaped");
}

#[test]
fn what_stays_in_the_background_ends_with_the_program() {
    let result = bench().call("run", json!([["sh", "-c", "sleep 1000 & echo $!"]])).unwrap();
    assert!(gone(result["stdout"].as_str().unwrap()));
}

#[test]
fn a_program_that_multiplies_is_stopped() {
    // The depth bounds it if the killing should fail: 127 processes at most.
    let mark = format!("windlass-fork-{}", std::process::id());
    let script = "f() { [ $1 -gt 5 ] && sleep 1000; f $(($1+1)) & f $(($1+1)) & wait; }; f 0";
    let bench = bench();
    let highest = std::thread::scope(|scope| {
        let caller = scope.spawn(|| bench.call("run", json!([["sh", "-c", script, mark], { "timeout": "3s" }])));
        let mut highest = 0;
        while !caller.is_finished() {
            highest = highest.max(marked(&mark));
        }
        assert_eq!(caller.join().unwrap().unwrap_err().code, Code::StepTimeout);
        highest
    });
    assert!(highest > 3, "it did multiply");
    let end = Instant::now() + Duration::from_secs(60);
    while marked(&mark) > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(marked(&mark), 0);
}

/// Living processes with this word on their command line.
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let has = |text: Vec<u8>| String::from_utf8_lossy(&text).contains(mark);
    processes.filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(has)).count()
}

#[test]
fn a_run_that_is_told_to_stop_takes_its_program_along() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let bench = bench();
    let stop = bench.cx.stop.clone();
    let path = pid.clone();
    let asker = std::thread::spawn(move || {
        while std::fs::read_to_string(&path).unwrap_or_default().is_empty() {
            std::thread::yield_now();
        }
        *stop.lock() = Some(Stop::Cancelled);
    });
    let script = format!("echo $$ > {}; exec sleep 1000", pid.display());
    let problem = bench.call("run", json!([["sh", "-c", script]])).unwrap_err();
    asker.join().unwrap();
    assert_eq!(problem.code, Code::Cancelled);
    assert!(!exists(&std::fs::read_to_string(pid).unwrap()));
}

#[test]
fn a_program_gets_no_descriptor_of_ours() {
    // Not marked close-on-exec: such descriptors come from libraries.
    let leaky = std::fs::File::open("/etc/passwd").unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&leaky);
    // SAFETY: changes the flags of a descriptor that this test owns.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }, 0);
    let result = bench().call("run", json!([["ls", "-1", "/proc/self/fd"]])).unwrap();
    let fds: Vec<&str> = result["stdout"].as_str().unwrap().lines().collect();
    assert_eq!(fds, ["0", "1", "2", "3"], "3 is the folder that `ls` reads");
}

#[test]
fn it_starts_in_declared_folders_only() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = Config { programs: vec!["pwd".into()], folders: vec![inside.path().to_owned()], ..Config::default() };
    let bench = Bench::new(module(&config, owners()).unwrap(), &[]);
    assert_eq!(bench.call("run", json!([["pwd"]])).unwrap()["stdout"], "/\n");
    let real = inside.path().canonicalize().unwrap();
    let result = bench.call("run", json!([["pwd"], { "cwd": real }])).unwrap();
    assert_eq!(result["stdout"], format!("{}\n", real.display()));
    let link = inside.path().join("out");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    for (cwd, code) in [
        (link, Code::PermissionDenied),
        (outside.path().to_owned(), Code::PermissionDenied),
        (inside.path().join(".."), Code::PermissionDenied),
        (inside.path().join("none"), Code::NotFound),
        ("relative".into(), Code::InvalidArgument),
    ] {
        assert_eq!(bench.call("run", json!([["pwd"], { "cwd": cwd }])).unwrap_err().code, code, "{cwd:?}");
    }
}

#[test]
fn namespaces_are_named_and_never_reached_by_path() {
    for name in ["../../proc/1/ns/net", "", ".", "..", "a/b", "a b", "\n"] {
        let problem = bench().call("probe", json!([["true"], { "namespace": name }])).unwrap_err();
        assert_eq!(problem.code, Code::InvalidArgument, "{name:?}");
    }
    let problem = bench().call("probe", json!([["true"], { "namespace": "windlass-none" }])).unwrap_err();
    assert_eq!(problem.code, Code::NotFound);
}

#[test]
fn mistakes_in_options_are_named() {
    let problem = bench().call("run", json!([["true"], { "tiemout": "1s" }])).unwrap_err();
    assert!(problem.message.contains("tiemout"), "{}", problem.message);
    for timeout in [json!(0), json!("-1s"), json!("soon"), json!([1])] {
        let problem = bench().call("run", json!([["true"], { "timeout": timeout }])).unwrap_err();
        assert_eq!(problem.code, Code::InvalidArgument);
    }
}

/// A named network namespace of its own; gone at the end.
struct Namespace(String);

impl Namespace {
    fn new() -> Option<Self> {
        let name = format!("jails-{}", std::process::id());
        let made = std::process::Command::new("ip").args(["netns", "add", &name]).status();
        if made.is_ok_and(|status| status.success()) {
            return Some(Self(name));
        }
        crate::testing::skip("no network namespace can be made");
        None
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Lets every run in, for this organisation.
struct Everybody(&'static str);

impl Owners for Everybody {
    fn check(&self, _: &windlass_script::host::OpCx, _: &str) -> Result<String, windlass_model::Problem> {
        Ok(self.0.to_owned())
    }
}

/// The kernel counts a user's processes: what one organisation takes, no other one is short of.
#[test]
fn organisations_programs_run_as_users_of_their_own() {
    let Some(namespace) = Namespace::new() else { return };
    let run = |organisation, uid_count, argv: serde_json::Value| {
        let config = Config { programs: vec!["id".into()], uid_count, ..Config::default() };
        let bench = Bench::new(module(&config, Arc::new(Everybody(organisation))).unwrap(), &[]);
        let options = json!({ "namespace": namespace.0, "timeout": "20s" });
        bench.call("run", json!([argv, options]))
    };
    let id = |organisation, count| {
        let found = run(organisation, count, json!(["id", "-u"])).unwrap();
        found["stdout"].as_str().unwrap().trim().parse::<u32>().unwrap()
    };
    let many = Config::default().uid_count;
    assert_eq!(id("acme", 0), id("beta", 0), "without a range they share one");
    if id("acme", many) == id("acme", 0) {
        return crate::testing::skip("this user namespace has no ids to give away");
    }
    assert_ne!(id("acme", many), id("beta", many));
    assert_eq!(id("acme", 1), id("beta", 1), "as many users as there are ids");
}

//! The real program builds a real lab, and is killed at every commit and between every effect and its record.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use windlass_hosts::lab_names::LabNames;
use windlass_tests::{can_make_namespaces, skip, windlass_binary};

fn windlass(data: &Path, crash_at: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(windlass_binary());
    command.arg("--data").arg(data).arg("--workflows").arg(workflows()).args(arguments);
    command.env_remove("WINDLASS_CRASH_AT").envs(crash_at.map(|point| ("WINDLASS_CRASH_AT", point)));
    command.output().expect("the program starts")
}

fn workflows() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows")
}

/// What the kernel has of a lab, without the lab's hash, so that labs can be compared.
fn kernel(data: &Path, lab: &str) -> BTreeSet<String> {
    let instance = std::fs::read_to_string("/etc/windlass/instance_id")
        .or_else(|_| std::fs::read_to_string(data.join("instance_id")))
        .expect("the run has an instance id");
    let names = LabNames::new(instance.trim(), lab);
    let ip = |arguments: &[&str]| {
        let output = Command::new("ip").args(arguments).output().expect("iproute2 is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = format!("{}{}", ip(&["-o", "link"]), ip(&["netns", "list"]));
    let words = text.split([' ', ':', '@', '\n']);
    let ours = words.filter(|word| word.starts_with(&names.bridge_prefix()) || word.starts_with(&names.node_prefix()));
    let mut found: BTreeSet<String> = ours.map(|word| word.replacen(names.hash(), "HASH", 1)).collect();
    for namespace in found.clone().iter().filter(|name| name.contains('-')) {
        let real = namespace.replacen("HASH", names.hash(), 1);
        for line in ip(&["-n", &real, "-o", "address"]).lines().chain(ip(&["-n", &real, "route"]).lines()) {
            // What the kernel chooses itself differs from lab to lab.
            if !line.contains("fe80::") && !line.contains(" lo ") {
                let line = line.split("valid_lft").next().unwrap_or(line);
                let words = line.split_whitespace().skip_while(|word| word.ends_with(':'));
                let words: Vec<String> = words.map(|word| word.replacen(names.hash(), "HASH", 1)).collect();
                found.insert(format!("{namespace} {}", words.join(" ")));
            }
        }
    }
    found
}

fn destroy(data: &Path, lab: &str) {
    let output = windlass(data, None, &["run", "lab/destroy", "--set", &format!("lab={lab}")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kernel(data, lab), BTreeSet::new(), "lab/destroy left something");
}

/// Kills the program at the `n`th pass of `point` while it makes the lab, lets it resume, and compares the kernel with
/// what an undisturbed run leaves. Whether the program came to that point.
fn killed_at(point: &str, n: usize, expected: &BTreeSet<String>) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let data = tempfile::tempdir().unwrap();
    let lab = format!("k{n}-{}", &point[point.len() - 5..]);
    let at = format!("{point}:{n}");
    let set = format!("lab={lab}");
    let first = windlass(data.path(), Some(&at), &["run", "lab/two-routers", "--set", &set]);
    let killed = first.status.signal() == Some(9);
    assert!(killed || first.status.success(), "{at}: {}", String::from_utf8_lossy(&first.stderr));
    if killed {
        let resumed = windlass(data.path(), None, &["run", "--resume"]);
        let said = [&resumed.stdout, &resumed.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        // Killed before its launch was on disk, there is nothing to resume.
        let listed = windlass(data.path(), None, &["--json", "runs", "ls"]);
        let launched = String::from_utf8_lossy(&listed.stdout).contains("lab/two-routers");
        if !launched {
            return true;
        }
        // Killed while it took its leave, after the run had ended, neither is there.
        let ended = said[1].contains("no run is open") && String::from_utf8_lossy(&listed.stdout).contains("succeeded");
        assert!(resumed.status.success() || ended, "{at}: {said:?}");
    }
    assert_eq!(&kernel(data.path(), &lab), expected, "{at}");
    destroy(data.path(), &lab);
    killed
}

fn at_every(point: &str) {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let data = tempfile::tempdir().unwrap();
    let lab = format!("whole-{}", &point[point.len() - 5..]);
    let output = windlass(data.path(), None, &["run", "lab/two-routers", "--set", &format!("lab={lab}")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = kernel(data.path(), &lab);
    assert!(expected.len() > 10, "{expected:?}");
    destroy(data.path(), &lab);
    let (ended, next) = (AtomicBool::new(false), AtomicUsize::new(1));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    if !killed_at(point, next.fetch_add(1, Ordering::Relaxed), &expected) {
                        ended.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let passes = next.into_inner();
    assert!(passes > 10, "{point} was passed {passes} times only");
}

#[test]
fn the_program_is_killed_before_every_commit() {
    at_every("commit.before");
}

#[test]
fn the_program_is_killed_between_every_effect_and_its_record() {
    at_every("effect.after");
}

//! Whose a machine is: other runs, other organisations, undo, and what crashes leave.

use std::{fs, time::Instant};

use serde_json::{Value, json};
use windlass_model::Code;
use windlass_tests::guest::PROMPT;

use super::Lab;

#[test]
fn a_name_that_another_run_has_taken_is_a_conflict_and_no_undo_touches_it() {
    let Some(mut lab) = Lab::real() else { return };
    let asleep = lab.guest_with("r1", json!({ "start": false }));
    lab.ok("create_machine", json!([asleep]));
    let problem = lab.call("create_machine", json!([lab.guest_with("r1", json!({ "start": false, "cpus": 2 }))]));
    assert_eq!(problem.unwrap_err().code, Code::Conflict, "it isn't what is asked for");
    lab.run = "01another".into();
    let problem = lab.call("create_machine", json!([asleep])).unwrap_err();
    assert!(problem.code == Code::Conflict && problem.data["run"] == "01testrun", "{problem:#?}");
    lab.undo("create_machine", &json!([asleep]));
    assert_eq!(lab.status("r1"), "stopped", "another run's undo leaves it");
    // An undo of a start stops what that step has started, and nothing else.
    lab.ok("start_machine", json!(["r1"]));
    lab.call_as("stop_machine", json!(["r1"]), Some("01testrun/1".into())).unwrap();
    assert_eq!(lab.status("r1"), "running");
    lab.run = "01testrun".into();
    lab.undo("create_machine", &json!([asleep]));
    assert_eq!(lab.status("r1"), "absent");
    lab.undo("create_machine", &json!([asleep]));
    lab.call_as("stop_machine", json!(["r1"]), Some("01testrun/1".into())).unwrap();
}

#[test]
fn labs_of_two_organisations_do_not_meet() {
    let Some(lab) = Lab::real() else { return };
    let mut other = Lab::with(tempfile::tempdir().unwrap(), lab.config.clone(), "acme");
    other.name.clone_from(&lab.name);
    let asleep = lab.guest_with("r1", json!({ "start": false }));
    lab.ok("create_machine", json!([asleep]));
    assert_eq!(other.ok("machines", json!([])), json!([]));
    other.ok("create_machine", json!([asleep]));
    assert_eq!(other.ok("destroy", json!([]))["machines"], 1);
    assert_eq!((lab.status("r1"), other.status("r1")), ("stopped".into(), "absent".into()));
}

#[test]
fn what_a_crash_leaves_is_gone_on_with_or_removed() {
    let Some(mut lab) = Lab::real() else { return };
    let spec = lab.guest_with("r1", json!({ "disk_gb": 1, "seed": { "user_data": "x" } }));
    let folder = lab.machine("r1");
    lab.ok("create_machine", json!([lab.guest_with("r0", json!({ "start": false }))]));
    // Before the folder has its name; while it is removed.
    let labs = folder.parent().unwrap().to_owned();
    for left in [".new-r1-x", ".gone-r1-x"] {
        fs::create_dir_all(labs.join(left).join("run")).unwrap();
    }
    // After the folder, before the disk; in the middle of the disk; before the seed; before the process.
    let asleep = {
        let mut spec = spec.clone();
        spec["start"] = json!(false);
        spec
    };
    lab.ok("create_machine", json!([asleep]));
    for file in ["disk.qcow2", "seed.img"] {
        fs::remove_file(folder.join("run").join(file)).unwrap();
        fs::write(folder.join("run").join(format!("{file}.new")), "half").unwrap();
        let expected = if file == "disk.qcow2" { "missing" } else { "stopped" };
        assert_eq!(lab.status("r1"), expected);
        assert_eq!(lab.ok("create_machine", json!([asleep]))["status"], "stopped");
        assert!(folder.join("run").join(file).exists(), "{file}");
    }
    // After the process began, before it was noted.
    lab.ok("remove_machine", json!(["r1"]));
    let pid = lab.ok("create_machine", json!([spec]))["pid"].clone();
    let mut record: Value = serde_json::from_slice(&fs::read(folder.join("machine.json")).unwrap()).unwrap();
    record["started"] = Value::Null;
    fs::write(folder.join("machine.json"), record.to_string()).unwrap();
    lab.reopen();
    assert_eq!(lab.status("r1"), "running");
    assert_eq!(lab.ok("create_machine", json!([spec]))["pid"], pid, "the process that runs is taken");
    // What was known is lost: nobody uses it, everybody may destroy it.
    fs::remove_file(folder.join("machine.json")).unwrap();
    assert_eq!(lab.call("create_machine", json!([spec])).unwrap_err().code, Code::Conflict);
    assert_eq!(lab.ok("destroy", json!([]))["machines"], 2);
    // What nobody has reaped yet has no program any more.
    assert!(fs::read_link(format!("/proc/{pid}/exe")).is_err(), "the process is gone");
    assert!(!labs.exists(), "nothing is left");
}

#[test]
fn ten_machines_are_one_step_all_or_none() {
    let Some(lab) = Lab::real() else { return };
    let specs: Vec<Value> = (1..=10).map(|n| lab.guest(&format!("m{n}"))).collect();
    let begin = Instant::now();
    let made = lab.ok("create_machines", json!([specs]));
    eprintln!("ten machines created: {} ms", begin.elapsed().as_millis());
    assert!(made.as_array().unwrap().iter().all(|machine| machine["status"] == "running"));
    lab.undo("create_machines", &json!([specs]));
    assert_eq!(lab.ok("machines", json!([])), json!([]));
    // The last one can't be: a disk's name that QEMU can't put its file under.
    fs::create_dir_all(lab.machine("m10").join("run")).unwrap();
    let problem = lab.call("create_machines", json!([specs])).unwrap_err();
    assert_eq!(problem.code, Code::Conflict, "{problem:#?}");
    let left = lab.ok("machines", json!([]));
    assert_eq!(left.as_array().unwrap().len(), 1, "only what was there: {left}");
    let twice = lab.call("create_machines", json!([[lab.guest("a"), lab.guest("a")]])).unwrap_err();
    assert_eq!(twice.code, Code::InvalidArgument);
}

#[test]
fn whether_the_processor_runs_guests_is_found_out_by_a_guest() {
    let Some(lab) = Lab::real() else { return };
    let info = lab.ok("info", json!([]));
    assert_eq!(info["accelerator"], "tcg", "as it is configured here unless KVM works: {info}");
    let begin = Instant::now();
    assert_eq!(lab.ok("info", json!([])), info, "it is known now");
    assert!(begin.elapsed().as_secs() < 3);
    let made = lab.call("create_machine", json!([lab.guest_with("r1", json!({ "accelerator": "kvm" }))]));
    match info["kvm"].as_bool().unwrap() {
        // What is said to work does.
        true => drop(lab.says("r1", PROMPT)),
        false => {
            let problem = made.unwrap_err();
            assert!(problem.code == Code::Unsupported && problem.message == info["why"], "{problem:#?}");
        }
    }
}

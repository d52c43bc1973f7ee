//! From birth to removal: boot, serial line, stop, restart, what is found again.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_model::Code;
use windlass_tests::{guest::PROMPT, wait_until};

use super::Lab;

#[test]
fn a_machine_boots_listens_and_shuts_down_when_asked() {
    let Some(lab) = Lab::real() else { return };
    let begin = Instant::now();
    let made = lab.ok("create_machine", json!([lab.guest_with("r1", json!({ "labels": { "role": "edge" } }))]));
    assert_eq!(
        (&made["status"], &made["accelerator"], &made["labels"]["role"]),
        (&json!("running"), &json!("tcg"), &json!("edge"))
    );
    lab.says("r1", PROMPT);
    eprintln!("from create_machine to the prompt: {} ms", begin.elapsed().as_millis());
    assert_eq!(lab.told("r1", "echo $((6*7))-yes", "42-yes"), "42-yes");
    // What was said before the last line isn't found by the next wait.
    let problem = lab.call("wait_serial", json!(["r1", "guest is up", "200ms"])).unwrap_err();
    assert_eq!(problem.code, Code::WaitTimeout);
    assert!(problem.data["serial"].as_str().unwrap().contains("42-yes"), "{problem:#?}");
    assert!(lab.ok("serial", json!(["r1"])).as_str().unwrap().contains("guest is up"));
    let begin = Instant::now();
    let stopped = lab.ok("stop_machine", json!(["r1", { "timeout_s": 60 }]));
    assert_eq!(stopped["status"], "stopped");
    assert!(lab.ok("serial", json!(["r1"])).as_str().unwrap().contains("the power button was pressed"));
    assert!(begin.elapsed() < Duration::from_secs(50));
    lab.ok("stop_machine", json!(["r1"]));
    lab.ok("remove_machine", json!(["r1"]));
    lab.ok("remove_machine", json!(["r1"]));
    assert_eq!(lab.ok("machines", json!([])), json!([]));
    assert!(!lab.machine("r1").exists());
}

#[test]
fn a_guest_that_does_not_listen_is_ended() {
    let Some(lab) = Lab::real() else { return };
    lab.ok("create_machine", json!([lab.guest("r1")]));
    // It has no driver for the button yet.
    let stopped = lab.ok("stop_machine", json!(["r1", { "timeout_s": 0 }]));
    assert_eq!((&stopped["status"], &stopped["pid"]), (&json!("stopped"), &json!(null)));
    assert_eq!(lab.ok("start_machine", json!(["r1"]))["status"], "running");
    lab.says("r1", PROMPT);
}

#[test]
fn a_process_that_was_killed_is_seen_and_its_number_is_not_trusted() {
    let Some(lab) = Lab::real() else { return };
    let made = lab.ok("create_machine", json!([lab.guest("r1")]));
    let pid = made["pid"].as_i64().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("it is stopped", Duration::from_secs(60), || lab.status("r1") == "stopped");
    let problem = lab.call("wait_serial", json!(["r1", "never", "30s"])).unwrap_err();
    assert_eq!(problem.code, Code::Unavailable);
    assert_eq!(lab.call("send_serial", json!(["r1", "x"])).unwrap_err().code, Code::Unavailable);
    // Another process has its number by now.
    fs::write(lab.machine("r1").join("pid"), std::process::id().to_string()).unwrap();
    lab.ok("stop_machine", json!(["r1"]));
    lab.ok("remove_machine", json!(["r1"]));
}

#[test]
fn another_process_finds_machines_and_goes_on_with_them() {
    let Some(mut lab) = Lab::real() else { return };
    let made = lab.ok("create_machine", json!([lab.guest("r1")]));
    lab.reopen();
    assert_eq!(lab.status("r1"), "running");
    assert_eq!(lab.ok("create_machine", json!([lab.guest("r1")]))["pid"], made["pid"], "it is the one that runs");
    lab.says("r1", PROMPT);
    lab.told("r1", "echo still-$((1+1))", "still-2");
}

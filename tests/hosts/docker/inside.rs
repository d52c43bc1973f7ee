//! What happens inside a node: programs, files, its log, its health, events, what it uses.

use std::{process::Command, time::Instant};

use serde_json::{Value, json};
use windlass_model::Code;
use windlass_tests::wait_until;

use super::{Lab, node};

#[test]
fn programs_run_files_go_in_and_out_and_logs_are_read() {
    let Some(lab) = Lab::new() else { return };
    let mut spec = node("r1");
    spec["env"] = json!({ "COLOUR": "blue", "COUNT": 3 });
    spec["files"] = json!([{ "path": "/etc/deep/er/conf", "content": "hostname r1\n", "mode": "0640" }]);
    spec["command"] =
        json!(["sh", "-c", "cat /etc/deep/er/conf; echo $COLOUR $COUNT; echo wrong >&2; exec sleep 1000"]);
    spec["sysctls"] = json!({ "net.ipv4.ip_forward": 1 });
    spec["digest"] = json!("d1");
    spec["labels"] = json!({ "site": "north" });
    (spec["memory_mb"], spec["pids"], spec["cpus"]) = (json!(64), json!(20), json!(0.5));
    spec["capabilities"] = json!(["NET_ADMIN"]);
    let made = lab.ok("create_node", json!([spec]));
    assert_eq!((&made["status"], &made["health"], &made["digest"]), (&json!("running"), &json!("none"), &json!("d1")));
    let found = lab.status("r1");
    assert_eq!((&found["labels"], &found["digest"]), (&json!({ "site": "north" }), &json!("d1")), "{found}");
    wait_until("its log", std::time::Duration::from_secs(60), || {
        let log = lab.ok("logs", json!(["r1"]));
        ["hostname r1", "blue 3", "wrong"].iter().all(|line| log.as_str().unwrap().contains(line))
    });
    assert_eq!(lab.ok("logs", json!(["r1", { "tail": 1 }])).as_str().unwrap().lines().count(), 1);

    let ran = lab.ok(
        "exec",
        json!(["r1", ["sh", "-c", "cat; echo $A; echo no >&2; exit 3"],
        { "stdin": "in ", "env": { "A": "b" }, "ok_codes": [3] }]),
    );
    assert_eq!(ran, json!({ "code": 3, "stdout": "in b\n", "stderr": "no\n", "truncated": false }));
    let problem = lab.call("exec", json!(["r1", ["sh", "-c", "echo no >&2; exit 3"]])).unwrap_err();
    assert_eq!(
        (problem.code, &problem.data["code"], &problem.data["stderr"]),
        (Code::CommandFailed, &json!(3), &json!("no"))
    );
    assert_eq!(lab.ok("probe", json!(["r1", ["cat", "/proc/sys/net/ipv4/ip_forward"]]))["stdout"], "1\n");
    assert_eq!(lab.ok("exec", json!(["r1", ["cat", "/etc/hostname"]]))["stdout"], "r1\n");
    // Names of its own, both families, and no name server of this machine's.
    let known = lab.ok("exec", json!(["r1", ["sh", "-c", "cat /etc/hosts; cat /etc/resolv.conf; ip address show lo"]]));
    let known = known["stdout"].as_str().unwrap();
    assert!(
        ["127.0.0.1\tlocalhost", "::1\tlocalhost", "inet 127.0.0.1/8"].iter().all(|one| known.contains(one)),
        "{known}"
    );
    assert!(!known.contains("nameserver"), "{known}");
    lab.ok("exec", json!(["r1", ["sh", "-c", "echo 10.0.0.1 other >>/etc/hosts"]]));
    let cut = lab.ok("probe", json!(["r1", ["sh", "-c", "yes | head -c 3000000"], { "output_bytes": 1000 }]));
    assert!(cut["truncated"] == true && cut["stdout"].as_str().unwrap().len() == 1000);
    let problem = lab.call("probe", json!(["r1", ["no-such-program"]])).unwrap_err();
    assert!(problem.message.contains("no-such-program"), "{problem:?}");

    let read = lab.ok("copy_out", json!(["r1", "/etc/deep/er/conf"]));
    assert_eq!(read, json!({ "content": "hostname r1\n", "mode": "0640" }));
    lab.ok("copy_in", json!(["r1", "/etc/deep/er/conf", "changed", { "mode": "0600" }]));
    assert_eq!(lab.ok("exec", json!(["r1", ["cat", "/etc/deep/er/conf"]]))["stdout"], "changed");
    assert_eq!(lab.call("copy_out", json!(["r1", "/none"])).unwrap_err().code, Code::NotFound);
    assert_eq!(lab.call("copy_out", json!(["r1", "/etc/deep"])).unwrap_err().code, Code::InvalidArgument);
    let stats = lab.ok("stats", json!(["r1"]));
    assert!(stats["memory_bytes"].as_u64().unwrap() > 0 && stats["memory_limit_bytes"] == 64 << 20, "{stats}");
    assert_eq!(lab.call("exec", json!(["r9", ["true"]])).unwrap_err().code, Code::NotFound);
}

#[test]
fn a_program_that_takes_too_long_is_killed_inside() {
    let Some(lab) = Lab::new() else { return };
    lab.create(&["r1"]);
    let begin = Instant::now();
    let args = json!(["r1", ["sh", "-c", "sleep 4711 & sleep 4711"], { "timeout": "500ms" }]);
    let problem = lab.call("exec", args).unwrap_err();
    assert_eq!(problem.code, Code::StepTimeout, "{problem:?}");
    assert!(begin.elapsed().as_secs() < 60);
    wait_until("all that it has started is gone", std::time::Duration::from_secs(60), || {
        let top = lab.docker.docker(&["top", &lab.container("r1")]);
        !top.contains("4711")
    });
    assert_eq!(lab.status("r1")["status"], "running");
}

#[test]
fn health_is_waited_for_and_its_failure_brings_evidence() {
    let Some(lab) = Lab::new() else { return };
    let health = |command: Value| json!({ "command": command, "interval_s": 0.2, "retries": 1 });
    let (mut well, mut ill, mut gone) = (node("well"), node("ill"), node("gone"));
    well["health"] = health(json!(["test", "-e", "/tmp/ready"]));
    ill["health"] = health(json!(["sh", "-c", "echo the daemon is not up; exit 1"]));
    ill["command"] = json!(["sh", "-c", "echo I am ill; exec sleep 1000"]);
    gone["command"] = json!(["sh", "-c", "echo goodbye; exit 7"]);
    lab.ok("create_nodes", json!([[well, ill, gone]]));
    lab.ok("exec", json!(["well", ["touch", "/tmp/ready"]]));
    assert_eq!(lab.ok("wait_healthy", json!(["well", "60s"]))["health"], "healthy");
    let problem = lab.call("wait_healthy", json!(["ill", "2s"])).unwrap_err();
    assert_eq!(problem.code, Code::WaitTimeout);
    assert!(problem.message.contains("the daemon is not up"), "{problem:?}");
    assert!(problem.data["logs"].as_str().unwrap().contains("I am ill"), "{problem:?}");
    let problem = lab.call("wait_healthy", json!(["gone", "60s"])).unwrap_err();
    assert!(problem.message.contains("ended with code 7"), "{problem:?}");
    assert!(problem.data["logs"].as_str().unwrap().contains("goodbye"), "{problem:?}");
}

#[test]
fn events_are_waited_for() {
    let Some(lab) = Lab::new() else { return };
    lab.create(&["r1"]);
    let container = lab.container("r1");
    let problem = lab.call("wait_event", json!(["r1", "die", 100])).unwrap_err();
    assert_eq!(problem.code, Code::WaitTimeout);
    let socket = format!("unix://{}", lab.docker.socket().display());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lab.ok("wait_event", json!(["r1", "die", "60s"])));
        // Whether the waiter listens already can't be asked: the node dies until it is heard.
        while !waiting.is_finished() {
            for verb in ["kill", "start"] {
                let _ = Command::new("docker").args(["--host", &socket, verb, &container]).output();
            }
        }
        assert_eq!(waiting.join().unwrap()["exit_code"], 137);
    });
}

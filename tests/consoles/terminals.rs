//! What a terminal does for those who look and type.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{console::Console, wait_until};

use super::house::{Labs, shell};

#[test]
fn a_shell_is_in_the_nodes_network_and_nowhere_else() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let kinds = labs.server.get("/api/v1/labs/demo/nodes/r1/consoles").expect(200).json();
    assert_eq!(kinds, json!({ "organisation": "platform", "kinds": ["shell"], "may_type": true }));
    let mut console = labs.console(&shell("demo", "r1", "&cols=132&rows=43"));
    console.asks("echo is-$((6*7))", "is-42");
    console.asks("stty size", "43 132");
    console.says(r#"{"resize":{"cols":91,"rows":31}}"#);
    console.hears(|told| told["size"] == json!({ "cols": 91, "rows": 31 }));
    console.asks("stty size", "31 91");
    // It rules the node's network, and sees no other.
    console.asks("ip link add x0 type veth peer name x1 && ip -o link | wc -l | sed 's/^/links-/'", "links-3");
    console.asks("ls /sys/class/net | tr '\\n' ' '", "lo x0 x1");
    console.asks("hostname | sed 's/^/on-/'", "on-r1");
    // Of the machine it sees no process, writes no file, and is nobody: its organisation's user has an id that nobody else has.
    console.asks("echo user-$(id -u)-$(id -g)", "user-19");
    console.asks("echo pid-$$-$(ls -d /proc/[0-9]* | wc -l)", "pid-1-");
    console.asks("touch /etc/x /var/x /usr/x; echo wrote-$?", "wrote-1");
    // Not even where anybody may write.
    let open = tempfile::tempdir_in("/run").unwrap();
    std::fs::set_permissions(open.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    console.asks(&format!("touch {}/x; echo anybody-$?", open.path().display()), "anybody-1");
    console.asks("touch /tmp/x && echo scratch-$?", "scratch-0");
    console.asks(&format!("ls {} ; echo saw-$?", labs.server.data().display()), "saw-2");
    // Nor its namespaces, sockets and terminals: the only terminal is its own.
    console.asks("echo run-$(ls -A /run | wc -l)", "run-0");
    console.asks("echo pts-$(ls /dev/pts | tr '\\n' ' '); tty", "pts-0 ptmx");
    console.until("/dev/pts/0");
    console.asks("cat /etc/shadow; echo shadow-$?", "shadow-1");
    console.asks("mount -t tmpfs x /mnt; echo mounted-$?", "mounted-");
    assert!(!console.text().contains("mounted-0"), "{}", console.text());
    console.asks("grep -c . /proc/self/status | sed 's/^/x/'; grep CapEff /proc/self/status", "0000000000003400");
    console.types("exit 7\n");
    assert_eq!(console.ends(), 1000, "{:?}", console.end);
    assert_eq!(console.told.last(), Some(&json!({ "exit": 7 })));
}

#[test]
fn two_look_one_types_and_the_keyboard_goes_round() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut ann = labs.console(&shell("demo", "r1", "&cols=80&rows=24"));
    ann.asks("echo first-$((1+1))", "first-2");
    // Who comes late sees what was shown.
    let mut ben = labs.console(&shell("demo", "r1", "&cols=100&rows=30"));
    ben.until("first-2");
    let state = ben.hears(|told| told["viewers"] == 2);
    assert_eq!((&state["typing"], &state["size"]["cols"]), (&json!(false), &json!(80)));
    ben.types("echo sneaked-$((2+2))\n");
    let error = ben.hears(|told| told["error"].is_object());
    assert_eq!(error["error"]["code"], "conflict");
    ben.says(r#"{"type":true}"#);
    ben.hears(|told| told["typing"] == true && told["size"]["cols"] == 100);
    ben.asks("stty size; echo ben-$((3+3))", "ben-6");
    assert!(ben.text().contains("30 100") && !ben.text().contains("sneaked-4"), "{}", ben.text());
    ann.until("ben-6");
    assert_eq!(ann.hears(|told| told["typing"] == false && told["viewers"] == 2)["size"]["cols"], 100);
    // When who types goes, the keyboard passes on.
    ann.told.clear();
    drop(ben);
    ann.hears(|told| told["viewers"] == 1 && told["typing"] == true);
    let before = ann.told.len();
    ann.asks("echo again-$((4+4))", "again-8");
    assert!(ann.told[before..].iter().all(|told| told["error"].is_null()), "{:?}", ann.told);
    // A terminal of another name is another one.
    let mut other = labs.console(&shell("demo", "r1", "&name=mine"));
    other.asks("echo other-$((5+5))", "other-10");
    assert!(!other.text().contains("first-2"));
}

#[test]
fn who_takes_too_little_goes_and_nobody_waits_for_them() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut quick = labs.console(&shell("demo", "r1", ""));
    quick.asks("echo ready-$((1+1))", "ready-2");
    let mut slow = labs.console(&shell("demo", "r1", ""));
    quick.hears(|told| told["viewers"] == 2);
    // More than the queue and what the kernel keeps for a connection together.
    quick.types("head -c 40000000 /dev/zero | tr '\\0' x; echo; echo all-$((2+2))\n");
    let mut count = 0;
    while !quick.text().ends_with("all-4\r\n# ") && !quick.text().contains("all-4") {
        assert!(quick.read(), "{:?}", quick.end);
        count += quick.shown.len();
        // Only the end matters.
        let keep = quick.shown.len().saturating_sub(64);
        quick.shown.drain(..keep);
        count -= quick.shown.len();
    }
    assert!(count >= 39_000_000, "{count}");
    quick.hears(|told| told["viewers"] == 1);
    let code = slow.ends();
    assert!(code == 4429 || code == 0, "{:?}", slow.end);
    assert!(slow.shown.len() < 39_000_000, "{}", slow.shown.len());
}

#[test]
fn a_node_that_goes_takes_its_consoles_with_it() {
    let Some(mut labs) = Labs::start("[server]\nrecheck_ms = 200\n") else { return };
    labs.lab("platform", "demo");
    let mut console = labs.console(&shell("demo", "r1", ""));
    console.asks("echo up-$((1+1))", "up-2");
    labs.remove("platform", "demo");
    let code = console.ends();
    assert!(matches!(code, 1000 | 4404), "{:?}", console.end);
    assert!(console.told.last().is_some_and(|told| told.get("exit").is_some()), "{:?}", console.told);
    let path = shell("demo", "r1", "");
    let bearer = format!("Bearer {}", labs.server.token);
    assert_eq!(Console::refused(&labs.server, &path, &[("authorization", &bearer)]).status, 404);
}

#[test]
fn a_server_that_stops_says_so_and_leaves_no_shell() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut console = labs.console(&shell("demo", "r1", ""));
    console.types("exec sleep 98765\n");
    let shells = || {
        let of_sleep = |line: &str| line.contains("sleep") && line.contains("98765");
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|entry| std::fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|l| of_sleep(&l)))
            .count()
    };
    wait_until("the shell to sleep", Duration::from_secs(60), || shells() == 1);
    labs.server.process().signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(console.ends(), 1001, "{:?}", console.end);
    let status = labs.server.process().wait(Duration::from_secs(60));
    assert!(status.success(), "{status}");
    wait_until("the shell to be gone", Duration::from_secs(60), || shells() == 0);
    labs.server.restart();
    // The same when nobody has the time to clean up.
    let mut console = labs.console(&shell("demo", "r2", ""));
    console.types("exec sleep 98765\n");
    wait_until("the shell to sleep", Duration::from_secs(60), || shells() == 1);
    labs.server.kill();
    wait_until("the shell to be gone", Duration::from_secs(60), || shells() == 0);
    labs.server.restart();
}

#[test]
fn openings_and_ends_are_in_the_audit_log() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut console = labs.console(&shell("demo", "r1", ""));
    console.asks("exit", "exit");
    assert_eq!(console.ends(), 1000);
    let entries = || labs.server.get("/api/v1/audit?action=console.").expect(200).json()["items"].clone();
    wait_until("the end to be written", Duration::from_secs(60), || {
        entries().as_array().is_some_and(|all| all.len() == 2)
    });
    let entries = entries();
    assert_eq!((&entries[1]["action"], &entries[0]["action"]), (&json!("console.open"), &json!("console.close")));
    for entry in entries.as_array().unwrap() {
        assert_eq!((&entry["target"], &entry["organisation"]), (&json!("demo/r1 shell"), &json!("platform")));
        assert!(!entry["after"].is_null() && entry["before"] == Value::Null);
    }
    assert_eq!((&entries[0]["after"]["why"], &entries[0]["after"]["typed_bytes"]), (&json!("exited"), &json!(5)));
}

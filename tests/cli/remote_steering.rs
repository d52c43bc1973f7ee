//! Steering runs here and at a server: each command is typed twice, and says the same twice.

use std::time::Duration;

use serde_json::Value;
use windlass_tests::{Process, wait_until};

use super::both::{Both, text};

const WAIT: &str = r#"const WORKFLOW = #{ name: "lab/wait", title: "Waits" };

fn run(input) {
    log("info", "waiting for it", #{ who: "me" });
    log("warn", "a grave word");
    wait_signal("go")
}
"#;
const ASK: &str = r#"const WORKFLOW = #{ name: "lab/ask", title: "Asks" };

fn run(input) {
    approve(#{ title: "May I?", allow_self: true }).approved
}
"#;
const ROLE: &str = r#"const WORKFLOW = #{ name: "lab/role", title: "Asks somebody" };

fn run(input) {
    approve(#{ title: "May they?", allow_self: true, role: "admin" }).approved
}
"#;
const STUCK: &str = r#"const WORKFLOW = #{ name: "lab/stuck", title: "Can't be undone" };

fn run(input) {
    on_rollback("never works", || { throw "still no" });
    throw "as asked"
}
"#;
const STANDS: &str = r#"const WORKFLOW = #{ name: "lab/stands", title: "Fails and stands", rollback: "none",
    permissions: ["exec.run:false"] };

fn run(input) {
    random();
    exec::probe(["false"]);
}
"#;
const NOTE: &str = r#"const WORKFLOW = #{ name: "lab/note", title: "Notes", inputs: #{ type: "object", properties: #{
    "ms": #{ "type": "integer", "default": 1 }, "name": #{ "type": "string", "default": "" } } } };

fn run(input) {
    log(`${input.ms}`);
    input.ms
}
"#;
const DOUBT: &str = r#"const WORKFLOW = #{ name: "lab/doubt", title: "Ends in doubt", permissions: ["exec.run:sleep"] };

fn run(input) {
    exec::run(["sleep", "600"]).code
}
"#;
const ALL: &[(&str, &str)] = &[
    ("lab/wait", WAIT),
    ("lab/ask", ASK),
    ("lab/role", ROLE),
    ("lab/stuck", STUCK),
    ("lab/stands", STANDS),
    ("lab/note", NOTE),
    ("lab/doubt", DOUBT),
];
const SETTINGS: &str = "[hosts.exec]\nprograms = [\"sleep\", \"false\"]\n[policy]\n\"lab/*\" = [\"exec.run:*\"]\n";
const SOON: Duration = Duration::from_secs(60);

/// Launches it on both, until it waits or has ended; the runs' ids.
#[track_caller]
fn launched(both: &Both, workflow: &str) -> (String, String) {
    let args = ["run", workflow, "--no-wait"];
    both.alike(&args);
    let runs = newest(both);
    // A server goes on with it by itself.
    wait_until("the run to rest", SOON, || {
        let run: Value = both.server.get(&format!("/api/v1/runs/{}", runs.1)).expect(200).json();
        !matches!(run["state"].as_str(), Some("queued" | "running" | "rolling_back"))
    });
    runs
}

fn newest(both: &Both) -> (String, String) {
    let args = ["--json", "runs", "ls", "--limit", "1"];
    let id = |output: std::process::Output| {
        let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
        runs[0]["id"].as_str().unwrap().to_owned()
    };
    (id(both.here(&args)), id(both.there(&args)))
}

/// A command to a run, here and there.
#[track_caller]
fn steered(both: &Both, runs: &(String, String), before: &[&str], after: &[&str]) -> String {
    both.same(&[before, &[&runs.0], after].concat(), &[before, &[&runs.1], after].concat())
}

/// Executes it here until it rests: a server does so by itself.
fn goes_on_here(both: &Both, run: &str) {
    let resumed = both.here(&["run", "--resume", run]);
    assert!(resumed.status.code().is_some(), "{resumed:?}");
}

#[test]
fn signals_decisions_and_ends_are_told_alike() {
    let both = Both::with(ALL, SETTINGS);
    let waits = launched(&both, "lab/wait");
    assert!(steered(&both, &waits, &["runs", "show"], &[]).contains("waiting"));
    assert!(both.alike(&["runs", "ls", "--waiting-on", "signal"]).contains("lab/wait"));
    assert!(!both.alike(&["runs", "ls", "--waiting-on", "approval", "--waiting-on", "in_doubt"]).contains("lab/wait"));
    both.refused(&["runs", "ls", "--waiting-on", "godot"], &["runs", "ls", "--waiting-on", "godot"]);
    let fits = steered(&both, &waits, &["runs", "upgrade"], &["--dry-run"]);
    assert!(fits.contains("fits"), "{fits}");
    steered(&both, &waits, &["runs", "upgrade"], &[]);
    let sent = steered(&both, &waits, &["runs", "signal"], &["go", "--payload", "{\"a\":1}", "--id", "x"]);
    assert!(sent.contains("the signal `go` is sent"), "{sent}");
    goes_on_here(&both, &waits.0);
    both.server.ended(&waits.1);
    // Only lines that fit, of a log that is followed to its end.
    let all = steered(&both, &waits, &["runs", "logs", "-f"], &[]);
    assert!(all.contains("waiting for it") && all.contains("a grave word"), "{all}");
    let found = steered(&both, &waits, &["runs", "logs"], &["--search", "WHO=\"me"]);
    assert!(found.contains("waiting for it") && !found.contains("grave"), "{found}");
    let grave = steered(&both, &waits, &["runs", "logs"], &["--level", "warn"]);
    assert!(!grave.contains("waiting for it"), "{grave}");
    let events = steered(&both, &waits, &["runs", "events", "-f", "--after", "2"], &[]);
    assert!(!events.contains("launched") && !events.is_empty(), "{events}");

    for (verb, output) in [("approve", "true"), ("deny", "false")] {
        let asks = launched(&both, "lab/ask");
        let listed = both.alike(&["approvals", "ls"]);
        assert!(listed.contains("May I?"), "{listed}");
        let decided = steered(&both, &asks, &["runs", verb], &["-m", "so"]);
        assert!(decided.contains(if verb == "deny" { "denied" } else { "approved" }), "{decided}");
        goes_on_here(&both, &asks.0);
        assert_eq!(both.server.ended(&asks.1)["output"].to_string(), output);
    }
    assert!(both.alike(&["approvals", "ls"]).contains("nothing is asked"));

    let asks = launched(&both, "lab/role");
    let named = both.there(&["runs", "approve", &asks.1, "--role", "admin"]);
    assert_eq!(named.status.code(), Some(2), "{named:?}");
    assert!(text(&named.stderr).contains("knows which roles"), "{named:?}");
    both.same(&["runs", "approve", &asks.0, "--role", "admin"], &["runs", "approve", &asks.1]);

    let waits = launched(&both, "lab/wait");
    assert!(steered(&both, &waits, &["runs", "cancel"], &["--reason", "enough"]).contains("its end is asked for"));
    goes_on_here(&both, &waits.0);
    assert_eq!(both.server.ended(&waits.1)["state"], "cancelled");
    assert!(steered(&both, &waits, &["runs", "retry"], &[]).contains("launched"));
}

#[test]
fn runs_in_trouble_are_steered_alike() {
    let both = Both::with(ALL, SETTINGS);
    let stuck = launched(&both, "lab/stuck");
    for (flag, said) in [("--retry", "tried again"), ("--skip", "skipped")] {
        both.server.ended(&stuck.1);
        let told = steered(&both, &stuck, &["runs", "unstick"], &[flag]);
        assert!(told.contains(said), "{told}");
        goes_on_here(&both, &stuck.0);
    }
    both.refused(&["runs", "unpark", &stuck.0], &["runs", "unpark", &stuck.1]);
    both.refused(&["runs", "restart", &stuck.0], &["runs", "restart", &stuck.1]);
    both.refused(&["runs", "upgrade", &stuck.0], &["runs", "upgrade", &stuck.1]);
    both.refused(&["runs", "resolve", &stuck.0, "1", "--fail"], &["runs", "resolve", &stuck.1, "1", "--fail"]);

    let stands = launched(&both, "lab/stands");
    let fits = steered(&both, &stands, &["runs", "restart"], &["--dry-run"]);
    assert!(fits.contains("performed again: …") && fits.contains("next is exec::probe"), "{fits}");
    let earlier = steered(&both, &stands, &["runs", "restart"], &["--from", "0", "--dry-run"]);
    assert!(earlier.contains("next is random"), "{earlier}");
    for from in ["7", "one"] {
        both.refused(&["runs", "restart", &stands.0, "--from", from], &["runs", "restart", &stands.1, "--from", from]);
    }
    assert!(steered(&both, &stands, &["runs", "restart"], &[]).contains("is restarted"));

    let notes: Vec<(String, String)> = ["ms=1", "ms=2"]
        .iter()
        .map(|set| {
            both.alike(&["run", "lab/note", "--set", set]);
            newest(&both)
        })
        .collect();
    let (one, two) = (&notes[0], &notes[1]);
    let diff = both.same(&["--json", "runs", "diff", &one.0, &two.0], &["--json", "runs", "diff", &one.1, &two.1]);
    assert!(diff.contains("\"ms\":"), "{diff}");
    both.refused(&["runs", "diff", &one.0, "zzz"], &["runs", "diff", &one.1, "zzz"]);
}

#[test]
fn a_step_in_doubt_is_resolved_alike() {
    let mut both = Both::with(ALL, SETTINGS);
    // Both die while the program runs; the sessions of their own are ended with them.
    let there = both.server.launch("lab/doubt", &serde_json::json!({}));
    let performs = || both.server.get(&format!("/api/v1/runs/{there}/history")).text.contains("step.started");
    wait_until("the step to begin there", SOON, performs);
    both.server.kill_and_restart();
    let mut process = Process::start(&mut both.command(&["--json", "run", "lab/doubt"])).unwrap();
    wait_until("the step to begin here", SOON, || process.output().contains("step.started"));
    process.kill();
    let (here, _) = newest(&both);
    assert_eq!(both.here(&["run", "--resume", &here, "--no-wait"]).status.code(), Some(3));
    let waits = || both.server.get(&format!("/api/v1/runs/{there}")).json()["state"] == "waiting";
    wait_until("the run to wait there", SOON, waits);
    let runs = (here, there);
    assert!(steered(&both, &runs, &["runs", "show"], &[]).contains("doubt"));
    let told = steered(&both, &runs, &["runs", "resolve"], &["0", "--happened", "{\"code\":0}"]);
    assert!(told.contains("is resolved"), "{told}");
    goes_on_here(&both, &runs.0);
    assert_eq!(both.server.ended(&runs.1)["state"], "succeeded");
}

#[test]
fn runs_are_found_and_steered_together_alike() {
    let both = Both::with(ALL, SETTINGS);
    for name in ["one", "two", "a&b=c"] {
        both.alike(&["run", "lab/note", "--set", &format!("name={name}"), "--tag", name]);
    }
    let waits = launched(&both, "lab/wait");
    for (args, count) in [
        (&["--input", "name=a&b=c"][..], 1),
        (&["--input", "name=one", "--input", "ms=1"], 1),
        (&["--text", "note two"], 1),
        (&["--workflow", "lab/*"], 4),
        (&["--workflow", "lab/note", "--state", "succeeded"], 3),
        (&["--since", "1h"], 4),
        (&["--until", "1h"], 0),
        (&["--since", "2020-01-01T00:00:00Z", "--organisation", "platform"], 4),
        (&["--organisation", "nowhere"], 0),
    ] {
        let listed = both.alike(&[&["runs", "ls"], args].concat());
        let rows = listed.lines().filter(|line| line.contains("lab/")).count();
        assert_eq!(rows, count, "{args:?}: {listed}");
    }
    for wrong in [&["--since", "yesterday"][..], &["--input", "name"], &["--state", "odd"]] {
        both.refused(&[&["runs", "ls"], wrong].concat(), &[&["runs", "ls"], wrong].concat());
    }
    let open = ["runs", "bulk", "cancel", "--workflow", "lab/wait", "--state", "waiting"];
    let preview = both.alike(&[&open[..], &["--preview"]].concat());
    assert!(preview.contains("1 runs") || preview.contains("… runs"), "{preview}");
    assert!(
        both.refused(&[&open[..], &["--expect", "7"]].concat(), &[&open[..], &["--expect", "7"]].concat())
            .contains("not")
    );
    both.refused(&["runs", "bulk", "cancel"], &["runs", "bulk", "cancel"]);
    assert!(steered(&both, &waits, &["runs", "show"], &[]).contains("waiting"), "nothing was done so far");
    both.alike(&[&open[..], &["--expect", "1", "--reason", "enough"]].concat());
    assert_eq!(both.server.ended(&waits.1)["state"], "cancelled");
    let again = both.alike(&["runs", "bulk", "restart", "--workflow", "lab/note"]);
    assert!(again.contains("✗"), "{again}");
    // Each call of the command is another one.
    for so_far in [1, 2] {
        let retried = both.alike(&["runs", "bulk", "retry", "--workflow", "lab/note", "--tag", "one", "--expect", "1"]);
        assert!(retried.contains("✓ … as …"), "{retried}");
        // At the data folder nobody executes them: they stand in the queue.
        let list = ["runs", "ls", "--workflow", "lab/note", "--input", "name=one"];
        for listed in [both.here(&list), both.there(&list)] {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            assert_eq!(listed.lines().filter(|line| line.contains("lab/note")).count(), 1 + so_far, "{listed}");
        }
    }
}

#[test]
fn a_launch_of_a_plan_is_what_was_planned() {
    let both = Both::with(ALL, SETTINGS);
    let kept = both.there(&["--json", "workflows", "rehearse", "lab/note", "--set", "ms=2", "--keep"]);
    let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
    let plan = kept["id"].as_str().unwrap();
    let other = both.there(&["run", "lab/note", "--set", "ms=3", "--plan", plan]);
    assert!(text(&other.stderr).contains("precondition_failed"), "{other:?}");
    let planned = both.there(&["run", "lab/note", "--set", "ms=2", "--plan", plan]);
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");
    let here = both.here(&["run", "lab/note", "--set", "ms=2", "--plan", plan]);
    assert!(here.status.code() == Some(2) && text(&here.stderr).contains("at a server"), "{here:?}");
}

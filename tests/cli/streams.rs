//! What programs read: JSON events without a gap, documents that parse, nothing but data on standard output.

use serde_json::json;

use super::support::{Project, assert_gapless};

#[test]
fn events_come_one_a_line_without_a_gap() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/count", "--set", "count=20", "--json"]);
    let events = ran.events();
    assert_gapless(&events);
    assert_eq!(events[0]["kind"], "run.launched");
    assert_eq!(events.last().unwrap()["kind"], "run.succeeded");
    let logs: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "output.log")
        .map(|event| event["data"]["message"].as_str().unwrap())
        .collect();
    assert_eq!(logs, (0..20).map(|n| format!("step {n}")).collect::<Vec<_>>());
    let run = events[0]["run"].as_str().unwrap();
    let again = project.run(&["runs", "events", run, "--json"]).events();
    assert_eq!(again, events, "what was streamed is what is kept");
}

#[test]
fn a_repeated_launch_with_a_key_is_the_same_run() {
    let project = Project::new();
    let launch = |count: &str| project.run(&["run", "lab/count", "--idempotency-key", "k1", "--set", count, "--json"]);
    let (first, second) = (launch("count=2"), launch("count=2"));
    assert_eq!(first.events(), second.events());
    assert_eq!(launch("count=3").code, 2, "another input under the same key");
    assert_eq!(project.runs().len(), 1);
}

#[test]
fn input_comes_from_files_and_standard_input_with_settings_over_it() {
    let project = Project::new();
    project.write("in.json", r#"{ "count": 4, "name": "file" }"#);
    assert_eq!(project.run(&["run", "lab/count", "--input", "in.json"]).code, 0);
    assert_eq!(project.newest()["input"], json!({ "count": 4, "name": "file" }));
    let ran = project.run_with_input(&["run", "lab/count", "--input", "-", "--set", "name=7"], r#"{ "count": 1 }"#);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(project.newest()["input"], json!({ "count": 1, "name": "7" }));
    assert_eq!(project.run_with_input(&["run", "lab/count", "--input", "-"], "{").code, 2);
}

#[test]
fn documents_parse() {
    let project = Project::new();
    project.run(&["run", "lab/count", "--json"]);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    for args in [
        &["runs", "show", &run, "--json"][..],
        &["runs", "export", &run],
        &["runs", "diff", &run, &run, "--json"],
        &["workflows", "ls", "--json"],
        &["workflows", "show", "lab/count", "--json"],
        &["workflows", "check", "--json"],
        &["run", "lab/count", "--rehearse", "--json"],
        &["config", "show", "--json"],
        &["hosts", "--json"],
        &["definitions", "--json"],
        &["doctor", "--json"],
        &["resources", "ls", "--json"],
        &["secrets", "ls", "--json"],
        &["migrate", "--status", "--json"],
        &["version", "--json"],
    ] {
        let ran = project.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.json();
    }
    let failed = project.run(&["run", "lab/none", "--json"]);
    let error: serde_json::Value = serde_json::from_str(failed.stderr.trim()).unwrap();
    assert_eq!(error["error"]["code"], "workflow_not_found");
}

#[test]
fn a_rehearsal_tells_the_plan_and_leaves_nothing() {
    let project = Project::new();
    project.workflow(
        "lab/plan",
        "\"kv.write:lab/*\"",
        r#"approve(#{ title: "Really?" }); sleep("30d"); kv_set("lab/a", 1); wait_signal("go"); "done""#,
    );
    let plan = |args: &[&str]| project.run(&[&["run", "lab/plan", "--rehearse", "--json"], args].concat()).json();
    let first = plan(&[]);
    let ops: Vec<&str> = first["plan"].as_array().unwrap().iter().map(|step| step["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["approve", "sleep", "kv_set", "wait_signal"]);
    assert_eq!((first["state"].as_str(), first["output"].as_str()), (Some("succeeded"), Some("done")));
    assert!(first["duration_ms"].as_i64().unwrap() >= 30 * 86_400_000);
    assert_eq!(plan(&[])["digest"], first["digest"]);
    assert_ne!(plan(&["--set", "count=9"])["digest"], first["digest"]);
    assert!(!project.path(".windlass").exists(), "a rehearsal makes no data folder");
}

#[test]
fn scenarios_pass_and_fail() {
    let project = Project::new();
    project.write(
        "workflows/lab/ask.test.rhai",
        r#"
fn test_approved() {
    let s = scenario("lab/ask");
    s.approve("May I?");
    let r = s.run();
    if r.state != "succeeded" || r.output[0] != "tester" { throw `${r.state} ${r.output}`; }
}
fn test_survives_any_crash() {
    for n in 1..4 {
        let s = scenario("lab/ask");
        s.approve("May I?");
        s.crash_at(n);
        let r = s.run();
        if r.state != "succeeded" { throw `after a crash at ${n} it is ${r.state}`; }
    }
}
fn test_nobody_answers() {
    let r = scenario("lab/ask").run();
    if r.state != "waiting" || r.waiting_on != "approval" { throw `${r.state}`; }
}
"#,
    );
    let passed = project.run(&["workflows", "test"]);
    assert_eq!(passed.code, 0, "{}{}", passed.stdout, passed.stderr);
    assert!(passed.stdout.contains("3 scenarios, 0 failed"), "{}", passed.stdout);
    project.write(
        "workflows/lab/ask.test.rhai",
        "fn test_wrong() { if scenario(\"lab/ask\").run().state != \"x\" { throw \"no x\" } }",
    );
    let failed = project.run(&["workflows", "test", "lab/ask"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("lab/ask.test.rhai:1:"), "{}", failed.stderr);
}

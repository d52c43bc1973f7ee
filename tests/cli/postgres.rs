//! The same command line on PostgreSQL: migrated when told, resumed after a crash once the lease is over, shared by folders.

use serde_json::Value;
use windlass_tests::{postgres, skip};

use super::support::{Project, SOON, assert_gapless};

fn project() -> Option<Project> {
    let Some(url) = postgres::database() else {
        skip("no PostgreSQL is installed");
        return None;
    };
    let project = Project::new();
    project.write("windlass.toml", &format!("database = \"{url}\"\n[engine]\nlease_ms = 1000\npoll_ms = 50\n"));
    Some(project)
}

#[test]
fn a_killed_run_goes_on_when_its_lease_is_over() {
    let Some(project) = project() else { return };
    let refused = project.run(&["run", "lab/count"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("error[schema_mismatch]"), "{}", refused.stderr);
    assert!(refused.stderr.contains("windlass migrate"), "{}", refused.stderr);
    assert_eq!(project.run(&["migrate", "--status"]).code, 1);
    let migrated = project.run(&["migrate"]);
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    assert_eq!(project.run(&["migrate", "--status"]).code, 0);
    let ran = project.run(&["run", "lab/count"]);
    assert!(ran.code == 0 && ran.stdout.contains("succeeded 3"), "{}{}", ran.stdout, ran.stderr);
    assert!(!project.path(".windlass/windlass.db").exists());

    project.workflow(
        "lab/steps",
        "",
        r#"let all = []; for n in 0..20 { all.push(random()); log(`step ${n}`); sleep(20); } wait_signal("go"); all"#,
    );
    let mut first = project.start(&["run", "lab/steps", "--json"]);
    first.wait_for_line("step 5", SOON);
    first.kill();
    // Another machine has another data folder.
    let mut second = project.start(&["run", "--resume", "--json", "--data", "elsewhere"]);
    let waiting = second.wait_for_line("\"name\":\"go\"", SOON);
    let run = serde_json::from_str::<Value>(&waiting).unwrap()["run"].as_str().unwrap().to_owned();
    assert_eq!(project.run(&["runs", "signal", &run, "go"]).code, 0);
    assert_eq!(second.wait(SOON).code(), Some(0), "{}", second.output());
    let events = project.run(&["runs", "events", &run, "--json"]).events();
    assert_gapless(&events);
    let of = |kind: &'static str| events.iter().filter(move |event| event["kind"] == kind);
    let logs: Vec<&str> = of("output.log").map(|event| event["data"]["message"].as_str().unwrap()).collect();
    assert_eq!(logs, (0..20).map(|n| format!("step {n}")).collect::<Vec<_>>(), "every line once, in order");
    let drawn = of("step.succeeded").filter(|event| event["data"]["op"] == "random");
    let drawn: Vec<Value> = drawn.map(|event| event["data"]["result"].clone()).collect();
    assert_eq!(project.newest()["output"], Value::from(drawn), "no number was drawn twice");
}

#[test]
fn a_detached_run_has_its_process() {
    let Some(project) = project() else { return };
    assert_eq!(project.run(&["migrate"]).code, 0);
    let ran = project.run(&["run", "lab/count", "--detach"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    windlass_tests::wait_until("the run in the background", SOON, || project.newest()["state"] == "succeeded");
}

//! Every exit code that the help promises.

use super::support::Project;

#[test]
fn a_run_that_succeeds_is_0() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/count", "--set", "count=2"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("│ step 1") && ran.stdout.contains("succeeded 2"), "{}", ran.stdout);
    assert!(ran.stderr.contains("windlass runs show"), "{}", ran.stderr);
}

#[test]
fn a_run_that_fails_is_1_and_shows_where() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/fail"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("--> lab/fail.rhai:") && ran.stderr.contains("as asked"), "{}", ran.stderr);
    assert!(ran.stderr.contains("docs/errors/script_error.md"), "{}", ran.stderr);
}

#[test]
fn what_makes_no_sense_is_2_and_suggests_something() {
    let project = Project::new();
    for (args, needle) in [
        (&["run", "lab/cuont"][..], "Did you mean `lab/count`?"),
        (&["run", "lab/count", "--set", "count=many"], "isn't a whole number"),
        (&["run", "lab/count", "--set", "cuont=1"], "it takes: count, name"),
        (&["run", "lab/count", "--input", "missing.json"], "missing.json"),
        (&["run"], "required"),
        (&["run", "lab/count", "--resume"], "cannot be used with"),
        (&["runs", "show", "nonesuch"], "there is no run"),
        (&["runs", "ls", "--state", "asleep"], "rollback_stuck"),
        (&["nonsense"], "unrecognized"),
    ] {
        let ran = project.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(needle), "{args:?}: {}", ran.stderr);
    }
    assert!(project.runs().is_empty(), "nothing was launched");
}

#[test]
fn a_run_that_waits_is_3_and_goes_on_after_the_decision() {
    let project = Project::new();
    for workflow in ["lab/nap", "lab/wait"] {
        assert_eq!(project.run(&["run", workflow, "--no-wait"]).code, 3, "{workflow}");
    }
    let asked = project.run(&["run", "lab/ask", "--no-wait", "--as", "alice"]);
    assert_eq!(asked.code, 3);
    assert!(asked.stderr.contains("windlass runs approve"), "{}", asked.stderr);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    let own = project.run(&["runs", "approve", &run, "--as", "alice"]);
    assert_ne!(own.code, 0, "nobody approves their own request");
    let decided = project.run(&["runs", "approve", &run, "--as", "bob"]);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    assert_eq!(project.newest()["state"], "waiting", "a command only writes");
    let resumed = project.run(&["run", "--resume", &run, "--json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_eq!(project.newest()["output"], serde_json::json!(["bob"]));
}

#[test]
fn an_undo_that_is_stuck_is_4_until_it_is_skipped() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/stuck"]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    assert_eq!(project.run(&["runs", "unstick", &run, "--skip"]).code, 0);
    assert_eq!(project.run(&["run", "--resume", &run]).code, 1);
    assert_eq!(project.newest()["state"], "rolled_back");
}

#[test]
fn a_missing_grant_is_5_and_is_named() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/refused"]);
    assert_eq!(ran.code, 5, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("exec.run:cat"), "{}", ran.stderr);
}

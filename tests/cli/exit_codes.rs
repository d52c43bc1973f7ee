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

#[test]
fn a_run_that_continues_as_another_is_followed_to_the_last() {
    let project = Project::new();
    let body = r#"if input.count > 0 { continue_as_new(#{ count: input.count - 1, name: input.name }) }
        log(`last ${input.name}`); if input.name == "bad" { throw "as asked" } "done""#;
    project.workflow("lab/chain", "", body);
    let ran = project.run(&["run", "lab/chain", "--set", "count=2"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("last x") && ran.stderr.contains("\"done\""), "{}{}", ran.stdout, ran.stderr);
    let newest = project.newest()["id"].as_str().unwrap().to_owned();
    assert!(ran.stderr.contains(&format!("runs show {newest}")), "{}", ran.stderr);
    let failed = project.run(&["run", "lab/chain", "--set", "count=2", "--set", "name=bad"]);
    assert_eq!(failed.code, 1, "{}{}", failed.stdout, failed.stderr);
    // An output that only looks like it.
    project.workflow("lab/fake", "", &format!("#{{ continued_as: \"{newest}\" }}"));
    let fake = project.run(&["run", "lab/fake"]);
    assert!(fake.code == 0 && !fake.stdout.contains("last x"), "{}", fake.stdout);
}

#[test]
fn an_approval_takes_its_role_and_its_form() {
    let project = Project::new();
    project.workflow(
        "lab/form",
        "",
        r#"let form = #{ "type": "object", required: ["ticket"], properties: #{ ticket: #{ "type": "integer" } } };
        let a = approve(#{ title: "May I?", role: "admin", form: form }); [a.form.ticket, a.comment]"#,
    );
    let asked = project.run(&["run", "lab/form", "--no-wait", "--as", "alice"]);
    assert!(asked.code == 3 && asked.stderr.contains("--role admin --set ticket=…"), "{}", asked.stderr);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    let decide = |args: &[&str]| project.run(&[&["runs", "approve", &run, "--as", "mallory"], args].concat());
    for (args, code, needle) in [
        (&["--set", "ticket=7"][..], 5, "--role admin"),
        (&["--set", "ticket=7", "--role", "ops"], 5, "--role admin"),
        (&["--role", "admin"], 2, "ticket"),
        (&["--role", "admin", "--set", "ticket=many"], 2, "ticket"),
        (&["--role", "admin", "--set", "bogus=1", "--set", "ticket=7"], 2, "the form has no field `bogus`"),
    ] {
        let refused = decide(args);
        assert_eq!(refused.code, code, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(needle), "{args:?}: {}", refused.stderr);
    }
    project.write("form.json", "{\"ticket\": \"many\"}");
    let refused = decide(&["--role", "admin", "--form", "form.json"]);
    assert!(refused.code == 2 && refused.stderr.contains("/ticket"), "{}", refused.stderr);
    let shown = project.run(&["runs", "show", &run]);
    assert!(shown.stderr.contains("--role admin --set ticket=…"), "{}{}", shown.stdout, shown.stderr);
    assert!(shown.stdout.contains("by admin: May I?") && shown.stdout.contains("\ndigest "), "{}", shown.stdout);
    let decided = decide(&["--role", "admin", "--set", "ticket=7", "-m", "looks good"]);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    assert_eq!(project.run(&["run", "--resume", &run]).code, 0);
    assert_eq!(project.newest()["output"], serde_json::json!([7, "as admin: looks good"]));
}

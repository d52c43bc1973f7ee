//! What people change from the command line stands in the audit log, in the same words as what they change over HTTP.

use serde_json::Value;

use super::support::Project;

/// The entries of actions that begin so, oldest first.
fn entries(project: &Project, action: &str) -> Vec<Value> {
    let listed = project.run(&["audit", "ls", "--action", action, "--json"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let mut all = listed.json().as_array().unwrap().clone();
    all.reverse();
    all
}

/// The newest run that is of this workflow.
fn newest(project: &Project) -> String {
    project.newest()["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_done_to_runs_is_noted_with_who_and_what_it_was_before() {
    let project = Project::new();
    let ann = |args: &[&str]| {
        let ran = project.run(&[&["--as", "ann"], args].concat());
        assert!([0, 1, 3, 4].contains(&ran.code), "{args:?}: {}", ran.stderr);
        ran
    };
    ann(&["run", "lab/wait", "--no-wait"]);
    let waits = newest(&project);
    let launched = &entries(&project, "run.launch")[0];
    assert_eq!((&launched["actor"], &launched["target"]), (&"ann".into(), &waits.as_str().into()));
    assert_eq!((&launched["source"], &launched["organisation"]), (&"cli".into(), &"platform".into()));
    assert_eq!(launched["after"]["workflow"], "lab/wait");
    ann(&["runs", "signal", &waits, "go", "--payload", "{\"secret\":1}", "--id", "one"]);
    let signal = &entries(&project, "run.signal")[0];
    assert_eq!((&signal["target"], &signal["after"]["name"]), (&waits.as_str().into(), &"go".into()));
    assert_eq!(signal["before"]["state"], "waiting");
    assert!(!signal.to_string().contains("secret"), "a payload may be one: {signal}");
    ann(&["runs", "cancel", &waits, "--reason", "enough"]);
    assert_eq!(entries(&project, "run.cancel")[0]["after"]["reason"], "enough");

    project.workflow("lab/free", "", r#"approve(#{ title: "May I?", allow_self: true }).approved"#);
    for (verb, approved) in [("approve", true), ("deny", false)] {
        ann(&["run", "lab/free", "--no-wait"]);
        ann(&["runs", verb, &newest(&project), "-m", "why"]);
        let decided = entries(&project, "approval.decide").pop().unwrap();
        assert_eq!((&decided["after"]["approved"], &decided["after"]["comment"]), (&approved.into(), &"why".into()));
    }

    ann(&["run", "lab/stuck"]);
    let stuck = newest(&project);
    ann(&["runs", "unstick", &stuck, "--skip"]);
    assert_eq!(entries(&project, "run.unstick")[0]["after"]["action"], "skip");
    ann(&["runs", "retry", &stuck]);
    let retried = &entries(&project, "run.retry")[0];
    assert_eq!((&retried["after"]["again"], &retried["target"]), (&stuck.as_str().into(), &newest(&project).into()));
    ann(&["runs", "bulk", "cancel", "--workflow", "lab/free", "--state", "waiting"]);
    let verified = project.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn what_is_refused_and_what_only_looks_leave_no_entry() {
    let project = Project::new();
    project.run(&["run", "lab/count"]);
    let run = newest(&project);
    let before = entries(&project, "").len();
    for refused in [
        &["runs", "cancel", &run][..],
        &["runs", "restart", &run],
        &["runs", "stick", &run],
        &["runs", "unstick", &run, "--retry"],
        &["runs", "cancel", "zzz"],
        &["secrets", "rm", "nothing"],
        &["users", "disable", "nobody"],
    ] {
        assert_ne!(project.run(refused).code, 0, "{refused:?}");
    }
    for looks in [&["runs", "ls"][..], &["runs", "show", &run], &["secrets", "ls"], &["runs", "prune"]] {
        assert_eq!(project.run(looks).code, 0, "{looks:?}");
    }
    assert_eq!(entries(&project, "").len(), before);
}

#[test]
fn runs_that_are_removed_before_their_time_leave_an_entry() {
    let project = Project::new();
    project.write("windlass.toml", "[engine]\nretention = \"1s\"\n");
    assert_eq!(project.run(&["run", "lab/count"]).code, 0);
    windlass_tests::wait_until("the run to be old enough", super::support::SOON, || {
        project.run(&["--as", "ann", "--json", "runs", "prune"]).json()["removed"] == 1
    });
    let noted = entries(&project, "run.prune");
    assert_eq!((noted.len(), &noted[0]["actor"]), (1, &"ann".into()), "{noted:?}");
}

#[test]
fn secrets_are_noted_without_their_values() {
    let project = Project::new();
    let set =
        |to: &str| project.run_with_input(&["--as", "ann", "secrets", "set", "token", "--to", to], "hunter2-value");
    assert_eq!(set("exec:*").code, 0);
    assert_eq!(set("file:/etc/app").code, 0);
    assert_eq!(project.run(&["--as", "bob", "secrets", "rotate"]).code, 0);
    assert_eq!(project.run(&["--as", "bob", "secrets", "rm", "token"]).code, 0);
    let all = entries(&project, "secret.");
    let told: Vec<_> = all.iter().map(|entry| (entry["actor"].as_str(), entry["action"].as_str())).collect();
    let (ann, bob) = (Some("ann"), Some("bob"));
    let expected = [(ann, "secret.put"), (ann, "secret.put"), (bob, "secret.rotate"), (bob, "secret.delete")]
        .map(|(who, what)| (who, Some(what)));
    assert_eq!(told, expected);
    assert_eq!(all[1]["before"]["to"][0], "exec:*");
    assert_eq!(all[1]["after"]["to"][0], "file:/etc/app");
    assert!(all.iter().all(|entry| entry["target"] == "token" && entry["source"] == "cli"), "{all:?}");
    assert!(!format!("{all:?}").contains("hunter2"));
}

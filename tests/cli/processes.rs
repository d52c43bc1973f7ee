//! Several processes on one data folder: who executes, who joins, who takes over, and what a crash leaves.

use nix::sys::signal::Signal;
use windlass_tests::wait_until;

use super::support::{Project, SOON, assert_gapless};

fn run_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_process_joins_the_first() {
    let project = Project::new();
    let mut first = project.start(&["run", "lab/wait", "--json"]);
    let run = run_of(&first.wait_for_line("output.log", SOON));
    // This run is launched by the second process, and executed by the first.
    let joined = project.run(&["run", "lab/count", "--json"]);
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    assert!(joined.stderr.contains(&format!("process {}", first.id())), "{}", joined.stderr);
    assert_gapless(&joined.events());
    let signalled = project.run(&["runs", "signal", &run, "go", "--payload", "7", "--json"]);
    assert_eq!(signalled.json()["executed"], true);
    assert_eq!(first.wait(SOON).code(), Some(0), "{}", first.output());
    let finished = project.runs().into_iter().find(|record| record["id"] == run.as_str()).unwrap();
    assert_eq!(finished["output"], 7);
}

#[test]
fn a_follower_takes_over_when_the_executor_is_killed() {
    let project = Project::new();
    let mut first = project.start(&["run", "lab/wait", "--json"]);
    let run = run_of(&first.wait_for_line("output.log", SOON));
    let mut second = project.start(&["run", "--resume", &run, "--json"]);
    second.wait_for_line("run.launched", SOON);
    first.kill();
    second.wait_for_line("goes on with it", SOON);
    assert_eq!(project.run(&["runs", "signal", &run, "go"]).code, 0);
    assert_eq!(second.wait(SOON).code(), Some(0), "{}", second.output());
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let project = Project::new();
    project.workflow(
        "lab/steps",
        "",
        r#"let all = []; for n in 0..40 { all.push(random()); log(`step ${n}`); sleep(20); } all"#,
    );
    let mut first = project.start(&["run", "lab/steps", "--json"]);
    let run = run_of(&first.wait_for_line("step 10", SOON));
    first.kill();
    let before = project.newest();
    assert!(matches!(before["state"].as_str(), Some("running" | "waiting")), "{before}");
    let resumed = project.run(&["run", "--resume", "--json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let events = resumed.events();
    assert_gapless(&events);
    let logs: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "output.log")
        .map(|event| event["data"]["message"].as_str().unwrap())
        .collect();
    assert_eq!(logs, (0..40).map(|n| format!("step {n}")).collect::<Vec<_>>(), "every line once, in order");
    let output = project.newest()["output"].clone();
    assert_eq!(output.as_array().unwrap().len(), 40);
    let drawn = events.iter().filter(|event| event["kind"] == "step.succeeded" && event["data"]["op"] == "random");
    let results: Vec<serde_json::Value> = drawn.map(|event| event["data"]["result"].clone()).collect();
    assert_eq!(serde_json::Value::from(results), output, "no number was drawn twice");
    assert_eq!(project.newest()["id"], run.as_str());
}

#[test]
fn ctrl_c_lets_go_and_the_run_stays_open() {
    let project = Project::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut process = project.start(&["run", "lab/nap", "--json"]);
        let run = run_of(&process.wait_for_line("step.waiting", SOON));
        process.signal(signal);
        assert_eq!(process.wait(SOON).code(), Some(code), "{}", process.output());
        assert!(process.output().contains(&format!("windlass run --resume {run}")), "{}", process.output());
        assert_eq!(project.newest()["state"], "waiting");
        assert_eq!(project.run(&["runs", "cancel", &run]).code, 0);
        assert_eq!(project.run(&["run", "--resume", &run]).code, 1);
        assert_eq!(project.newest()["state"], "cancelled");
    }
}

#[test]
fn a_detached_run_goes_on_in_the_background() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/count", "--detach", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.json()["run"].is_string());
    wait_until("the run in the background", SOON, || project.newest()["state"] == "succeeded");
    wait_until("the end of the process in the background", SOON, || {
        let doctor = project.run(&["doctor", "--json"]).json();
        let folder =
            doctor.as_array().unwrap().iter().find(|finding| finding["name"] == "data folder").unwrap().clone();
        folder["found"].as_str().unwrap().contains("nobody executes")
    });
}

#[test]
fn a_detached_run_outlives_the_run_that_executed_it() {
    let project = Project::new();
    project.workflow("lab/short", "", r#"log("begun"); sleep("2s")"#);
    let mut foreground = project.start(&["run", "lab/short", "--json"]);
    foreground.wait_for_line("begun", SOON);
    let detached = project.run(&["run", "lab/wait", "--detach", "--json"]).json()["run"].as_str().unwrap().to_owned();
    let state = || project.runs().into_iter().find(|run| run["id"] == detached.as_str()).unwrap()["state"].clone();
    wait_until("the run in the background to wait", SOON, || state() == "waiting");
    assert_eq!(foreground.wait(SOON).code(), Some(0), "{}", foreground.output());
    assert_eq!(project.run(&["runs", "signal", &detached, "go"]).code, 0);
    wait_until("the run in the background", SOON, || state() == "succeeded");
}

#[test]
fn commands_only_write_when_nobody_executes() {
    let project = Project::new();
    assert_eq!(project.run(&["run", "lab/wait", "--no-wait"]).code, 3);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    let signalled = project.run(&["runs", "signal", &run, "go"]);
    assert_eq!(signalled.code, 0);
    assert!(signalled.stderr.contains("nobody executes"), "{}", signalled.stderr);
    assert_eq!(project.newest()["state"], "waiting");
    assert_eq!(project.run(&["run", "--resume"]).code, 0);
    assert_eq!(project.newest()["state"], "succeeded");
}

#[test]
fn two_folders_on_one_database_file_have_one_executor() {
    let project = Project::new();
    let witness = project.path("witness");
    project.workflow(
        "lab/witness",
        "\"exec.run:*\"",
        &format!(
            r#"let n = exec::run(["sh", "-c", "echo x >> {}; sleep 1; echo done"]); wait_signal("go"); n.code"#,
            witness.display()
        ),
    );
    let database = project.path("shared.db");
    let settings = format!(
        "database = \"sqlite:{}\"\n[policy]\n\"lab/*\" = [\"exec.run:*\"]\n[hosts.exec]\nprograms = [\"sh\"]\n",
        database.display()
    );
    project.write("windlass.toml", &settings);
    let mut first = project.start(&["run", "lab/witness", "--json", "--data", "a"]);
    let run = run_of(&first.wait_for_line("step.started", SOON));
    // By another path, from another folder.
    std::os::unix::fs::symlink(&database, project.path("link.db")).unwrap();
    project.write("windlass.toml", &settings.replace("shared.db", "link.db"));
    let mut second = project.start(&["run", "--resume", &run, "--json", "--data", "b"]);
    second.wait_for_line(&format!("process {}", first.id()), SOON);
    first.wait_for_line("step.waiting", SOON);
    assert_eq!(project.run(&["runs", "signal", &run, "go", "--data", "b"]).code, 0);
    assert_eq!(first.wait(SOON).code(), Some(0), "{}", first.output());
    assert_eq!(second.wait(SOON).code(), Some(0), "{}", second.output());
    assert_eq!(std::fs::read_to_string(&witness).unwrap(), "x\n", "performed once");
}

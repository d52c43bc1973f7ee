//! Restart from the failed step, retry, diff, export, prune.

use serde_json::json;
use windlass_engine::Verdict;
use windlass_model::{Code, RunState};
use windlass_tests::World;

const BROKEN: &str = r#"fn run(input) {
    probe::make("a");
    probe::refuse("b");
    probe::make("c");
    "done"
}"#;

#[test]
fn a_failed_run_is_restarted_from_its_failed_step_on_its_own_scripts() {
    let world = World::new();
    world.script("t/again", r#"rollback: "none""#, BROKEN);
    let run = world.launch("t/again", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    world.witness.saw("allow b ");
    let restarted = world.engine().restart(&run, false, false, "operator").unwrap();
    assert_eq!(restarted.dropped.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1"]);
    let record = world.ended_as(&run, RunState::Succeeded);
    assert_eq!(record.output, Some(json!("done")));
    assert_eq!((world.witness.count("make", "a"), world.witness.count("refuse", "b")), (1, 2));
}

#[test]
fn a_failed_run_is_restarted_on_the_current_scripts_unless_they_diverge() {
    let world = World::new();
    world.script("t/fix", r#"rollback: "none""#, BROKEN);
    let run = world.launch("t/fix", json!({}));
    world.end(&run);
    world.script("t/fix", r#"rollback: "none""#, &BROKEN.replace(r#"make("a")"#, r#"make("other")"#));
    let refused = world.engine().restart(&run, true, false, "operator").unwrap();
    assert!(matches!(refused.verdict, Verdict::Diverges { .. }), "{refused:?}");
    assert_eq!(world.engine().run(&run).unwrap().unwrap().state, RunState::Failed, "nothing ran");
    world.script("t/fix", r#"rollback: "none""#, &BROKEN.replace(r#"refuse("b")"#, r#"touch("b")"#));
    let dry = world.engine().restart(&run, true, true, "operator").unwrap();
    assert!(dry.verdict.is_compatible(), "{dry:?}");
    world.engine().restart(&run, true, false, "operator").unwrap();
    world.ended_as(&run, RunState::Succeeded);
    assert_eq!((world.witness.count("make", "a"), world.witness.count("touch", "b")), (1, 1));
}

#[test]
fn a_run_that_was_undone_is_not_restarted_but_retried() {
    let world = World::new();
    world.script("t/undone", "", BROKEN);
    let run = world.launch("t/undone", json!({}));
    assert_eq!(world.end(&run).state, RunState::RolledBack);
    let problem = world.engine().restart(&run, false, false, "operator").unwrap_err();
    assert!(problem.code == Code::IllegalTransition && problem.help.unwrap().contains("runs retry"));
    world.witness.saw("allow b ");
    let retried = world.engine().retry(&run, "operator").unwrap();
    assert_eq!(world.end(&retried.run).state, RunState::Succeeded);
    let diff = world.engine().diff(&run, &retried.run).unwrap();
    assert_eq!(diff.states, (RunState::RolledBack, RunState::Succeeded));
    assert!(diff.steps.iter().any(|step| step.path == "1"), "{diff:?}");
}

#[test]
fn an_export_holds_everything_and_pruning_removes_what_is_old() {
    let world = World::virtual_time();
    world.script("t/kept", r#"retention: "1d""#, r#"fn run(input) { artifact("note", "hello"); sleep("1h"); 5 }"#);
    let run = world.launch("t/kept", json!({}));
    world.end(&run);
    let export = world.engine().export(&run).unwrap();
    assert_eq!(export["run"]["output"], json!(5));
    assert!(export["sources"]["files"]["t/kept"].as_str().unwrap().contains("artifact"));
    assert_eq!(world.engine().artifact(&run, "note").unwrap().unwrap(), b"hello");
    assert_eq!(world.engine().prune().unwrap(), 0);
    world.advance("2d");
    assert_eq!(world.engine().prune().unwrap(), 1);
    assert!(world.engine().run(&run).unwrap().is_none());
}

#[test]
fn a_restarted_run_waits_for_its_locks_again() {
    let world = World::new();
    world.script(
        "t/locked",
        r#"rollback: "none""#,
        r#"fn run(input) { lock("L"); probe::touch("in"); probe::refuse("b"); probe::touch("still in"); }"#,
    );
    world.script("t/other", "", r#"fn run(input) { lock("L"); wait_signal("leave"); }"#);
    let run = world.launch("t/locked", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let other = world.launch("t/other", json!({}));
    world.waits(&other);
    world.witness.saw("allow b ");
    world.engine().restart(&run, false, false, "operator").unwrap();
    assert_eq!(world.waits(&run).waiting_on, vec![windlass_model::WaitReason::Lock]);
    assert_eq!(world.witness.count("refuse", "b"), 1, "it isn't inside while another run is");
    world.engine().signal(&other, "leave", json!(null), "test", None).unwrap();
    world.ended_as(&run, RunState::Succeeded);
    assert_eq!((world.witness.count("touch", "in"), world.witness.count("refuse", "b")), (1, 2));
}

#[test]
fn a_restart_with_other_arguments_keeps_the_undo_of_the_first_attempt() {
    let world = World::new();
    world.script("t/half", r#"rollback: "none""#, r#"fn run(input) { probe::half("old"); wait_signal("never") }"#);
    let run = world.launch("t/half", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    world.script("t/half", r#"rollback: "none""#, r#"fn run(input) { probe::make("new"); fail("late") }"#);
    world.engine().restart(&run, true, false, "operator").unwrap();
    world.ended_as(&run, RunState::Failed);
    assert_eq!(world.witness.standing(), ["old", "new"]);
    world.engine().cancel(&run, "operator", None).unwrap();
    world.ended_as(&run, RunState::Cancelled);
    assert!(world.witness.standing().is_empty(), "{:?}", world.witness.standing());
}

//! Restart from the failed step, retry, diff, export, prune.

use serde_json::json;
use windlass_engine::{Terms, Verdict};
use windlass_model::{Code, EventKind, ResourceState, RunState, StepPath, WaitReason};
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
fn all_branches_that_failed_are_repeated_by_one_restart() {
    let world = World::new();
    let script = r#"fn run(input) {
        let all = #{ on_error: "wait_all" };
        probe::touch("before");
        parallel([
            || { probe::touch("one"); parallel([|| probe::refuse("a"), || { probe::touch("two"); probe::refuse("b") }], all) },
            || with_lock("x", || { probe::touch("three"); probe::refuse("c") }),
            || { try { probe::refuse("never") } catch {}; probe::touch("four") },
            || parallel_map(["d", "e"], |name| probe::refuse(name), all),
        ], all);
        "done"
    }"#;
    world.script("t/several", r#"rollback: "none""#, script);
    let run = world.launch("t/several", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    for name in ["a", "b", "c", "d", "e"] {
        world.witness.saw(&format!("allow {name} "));
    }
    let restarted = world.engine().restart(&run, false, false, "operator").unwrap();
    let mut dropped: Vec<String> = restarted.dropped.iter().map(ToString::to_string).collect();
    dropped.sort();
    let failed = ["1", "1/b0/1", "1/b0/1/b0/0", "1/b0/1/b1/1", "1/b1/2", "1/b3/0", "1/b3/0/b0/0", "1/b3/0/b1/0"];
    assert!(failed.iter().all(|path| dropped.iter().any(|one| one == path)), "{dropped:?}");
    assert!(!dropped.iter().any(|path| path.starts_with("1/b2/")), "it caught what failed, and went on: {dropped:?}");
    assert_eq!(world.ended_as(&run, RunState::Succeeded).output, Some(json!("done")));
    let repeated: Vec<usize> = ["a", "b", "c", "d", "e"].map(|name| world.witness.count("refuse", name)).to_vec();
    assert_eq!((repeated, world.witness.count("refuse", "never")), (vec![2; 5], 1));
    for name in ["before", "one", "two", "three", "four"] {
        assert_eq!(world.witness.count("touch", name), 1, "{name}");
    }
    assert!(world.engine().locks().unwrap().is_empty());
}

#[test]
fn a_restart_that_was_decided_before_another_one_is_refused() {
    let world = World::new();
    let script = r#"fn run(input) { probe::make("a"); probe::refuse("b"); probe::refuse("c"); "done" }"#;
    world.script("t/two", r#"rollback: "none""#, script);
    let run = world.launch("t/two", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    world.witness.saw("allow b ");
    let at: StepPath = "1".parse().unwrap();
    let terms = Terms { from: Some(&at), ..Terms::default() };
    // While one operator's restart is looked at, another one's takes it further, and it fails again: what failed then is done now.
    let other = |_: &_| {
        world.engine().restart(&run, false, false, "other").unwrap();
        let failed = world.end(&run).problem.unwrap();
        assert_eq!(failed.step.as_deref(), Some("2"), "{failed}");
        Ok(())
    };
    let problem = world.engine().restart_if(&run, terms, "operator", other).unwrap_err();
    assert_eq!(problem.code, Code::Conflict, "{problem}");
    assert_eq!(world.engine().run(&run).unwrap().unwrap().state, RunState::Failed);
    world.witness.saw("allow c ");
    world.engine().restart(&run, false, false, "operator").unwrap();
    assert_eq!(world.ended_as(&run, RunState::Succeeded).output, Some(json!("done")));
    let count = |what: &str, name: &str| world.witness.count(what, name);
    assert_eq!((count("make", "a"), count("refuse", "b"), count("refuse", "c")), (1, 2, 2));
}

#[test]
fn a_run_that_failed_inside_of_with_lock_goes_on_inside() {
    let world = World::new();
    let script = |name: &str, inside: &str| {
        let text = format!(r#"fn run(input) {{ with_lock("x", || {{ {inside} }}); "done" }}"#);
        world.script(name, r#"rollback: "none""#, &text);
    };
    script("t/in", r#"probe::touch("in"); parallel([|| probe::refuse("b")]); probe::touch("more")"#);
    script("t/other", r#"wait_signal("go")"#);
    let run = world.launch("t/in", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let other = world.launch("t/other", json!({}));
    world.waits(&other);
    world.witness.saw("allow b ");
    world.engine().restart(&run, false, false, "operator").unwrap();
    assert_eq!(world.waits(&run).waiting_on, vec![WaitReason::Lock], "another run has it");
    assert_eq!(world.witness.count("refuse", "b"), 1);
    world.engine().signal(&other, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.ended_as(&run, RunState::Succeeded).output, Some(json!("done")));
    let count = |what: &str, name: &str| world.witness.count(what, name);
    assert_eq!((count("touch", "in"), count("refuse", "b"), count("touch", "more")), (1, 2, 1));
    assert!(world.engine().locks().unwrap().is_empty());
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
fn a_restarted_run_is_inside_the_locks_that_its_branches_took() {
    let world = World::new();
    world.script(
        "t/locked",
        r#"rollback: "none""#,
        r#"fn run(input) { parallel([|| lock("L")]); probe::touch("in"); probe::refuse("b"); probe::touch("still in"); }"#,
    );
    world.script("t/other", "", r#"fn run(input) { lock("L"); wait_signal("leave"); }"#);
    let run = world.launch("t/locked", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let other = world.launch("t/other", json!({}));
    world.waits(&other);
    world.witness.saw("allow b ");
    let problem = world.engine().restart(&run, false, false, "operator").unwrap_err();
    assert!(problem.code == Code::Conflict && problem.message.contains(&format!("`{other}`")), "{problem}");
    assert_eq!(world.engine().run(&run).unwrap().unwrap().state, RunState::Failed);
    world.engine().signal(&other, "leave", json!(null), "test", None).unwrap();
    world.end(&other);
    world.engine().restart(&run, false, false, "operator").unwrap();
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

#[test]
fn what_the_first_attempt_has_made_is_undone_though_the_restarted_one_was_refused() {
    let world = World::new();
    world.script("t/half", r#"rollback: "none""#, r#"fn run(input) { probe::half("thing") }"#);
    let run = world.launch("t/half", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    // Twice: the second refusal is one more that says nothing of the first attempt.
    world.witness.saw("refuse thing now");
    for _ in 0..2 {
        world.engine().restart(&run, false, false, "operator").unwrap();
        assert!(world.ended_as(&run, RunState::Failed).problem.unwrap().message.contains("isn't tried"));
    }
    let states = |all| world.engine().resources(Some(&run), all).unwrap().into_iter().map(|resource| resource.state);
    assert_eq!(states(true).collect::<Vec<_>>(), [ResourceState::Creating]);
    world.engine().cancel(&run, "operator", None).unwrap();
    world.ended_as(&run, RunState::Cancelled);
    assert!(world.witness.standing().is_empty(), "{:?}", world.witness.standing());
    assert_eq!(states(false).collect::<Vec<_>>(), [ResourceState::Gone]);
}

const LATER: &str = r#"fn run(input) {
    let n = probe::touch("first");
    probe::make("thing");
    parallel([|| probe::touch("left"), || probe::touch("right")]);
    probe::refuse("b");
    "done"
}"#;

#[test]
fn a_run_is_restarted_from_an_earlier_step_and_does_all_that_came_after_it_again() {
    let world = World::new();
    world.script("t/later", r#"rollback: "none""#, LATER);
    let run = world.launch("t/later", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let from: StepPath = "1".parse().unwrap();
    let dry = world.engine().restart_from(&run, Some(&from), false, true, "operator").unwrap();
    let dropped: Vec<String> = dry.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(dropped, ["3", "1", "2", "2/b0/0", "2/b1/0"]);
    let again: Vec<String> = dry.again.iter().map(|step| format!("{} {}", step.path, step.op)).collect();
    assert_eq!(again, ["1 probe::make", "2/b0/0 probe::touch", "2/b1/0 probe::touch"]);
    let Verdict::Compatible { replayed, next: Some(next) } = &dry.verdict else { panic!("{dry:?}") };
    assert_eq!((*replayed, &*next.op), (1, "probe::make"));
    assert_eq!(world.witness.count("make", "thing"), 1, "nothing was done");
    world.witness.saw("allow b ");
    let restarted = world.engine().restart_from(&run, Some(&from), false, false, "operator").unwrap();
    assert_eq!(restarted.dropped, dry.dropped);
    world.ended_as(&run, RunState::Succeeded);
    let count = |what, name| world.witness.count(what, name);
    assert_eq!((count("touch", "first"), count("make", "thing")), (1, 2));
    assert_eq!((count("touch", "left"), count("touch", "right")), (2, 2));
    assert_eq!(world.witness.standing(), ["thing"], "twice is the same as once");
}

#[test]
fn what_was_done_again_is_undone_once_and_wholly() {
    let world = World::new();
    let body = r#"fn run(input) { probe::make("one"); probe::make("two"); fail("late") }"#;
    world.script("t/again", r#"rollback: "none""#, body);
    let run = world.launch("t/again", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    // The current script makes something else there: what the first call has made is still to be taken back.
    world.script("t/again", r#"rollback: "none""#, &body.replace("one", "other"));
    let from: StepPath = "0".parse().unwrap();
    world.engine().restart_from(&run, Some(&from), true, false, "operator").unwrap();
    world.ended_as(&run, RunState::Failed);
    assert_eq!(world.witness.standing(), ["one", "two", "other"]);
    world.engine().cancel(&run, "operator", None).unwrap();
    world.ended_as(&run, RunState::Cancelled);
    assert!(world.witness.standing().is_empty(), "{:?}", world.witness.standing());
}

#[test]
fn a_restart_that_could_not_be_taken_back_or_would_double_something_is_refused() {
    let world = World::new();
    let body = r#"fn run(input) {
        probe::touch("a");
        on_rollback("own", || probe::touch("undone"));
        probe::keyed("k");
        parallel([|| probe::touch("x")]);
        fail("late")
    }"#;
    world.script("t/closed", r#"rollback: "none""#, body);
    let run = world.launch("t/closed", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let ask = |from: &str| world.engine().restart_from(&run, Some(&from.parse().unwrap()), false, false, "operator");
    for (from, code, words) in [
        ("0", Code::Conflict, "step 1 registered an undo"),
        ("1", Code::Conflict, "step 1 registered an undo"),
        ("2", Code::Conflict, "step 2 (probe::keyed) made something"),
        ("3/b0/0", Code::InvalidInput, "inside of a branch"),
        ("9", Code::InvalidInput, "no step 9"),
    ] {
        let problem = ask(from).unwrap_err();
        assert!(problem.code == code && problem.message.contains(words), "{from}: {problem:?}");
    }
    assert_eq!(world.engine().run(&run).unwrap().unwrap().state, RunState::Failed, "nothing was changed");
    assert_eq!(world.witness.count("touch", "x"), 1);
    ask("3").unwrap();
    world.ended_as(&run, RunState::Failed);
    assert_eq!(world.witness.count("touch", "x"), 2);
}

#[test]
fn what_is_done_again_says_again_what_it_says_and_nothing_else_does() {
    let world = World::new();
    let body = r#"fn run(input) {
        log("begin");
        probe::touch("a");
        log("a is done");
        parallel([|| log("in a branch")]);
        probe::touch("b");
        log("b is done");
        fail("late");
    }"#;
    world.script("t/says", r#"rollback: "none""#, body);
    let run = world.launch("t/says", json!({}));
    let said = || {
        world.end(&run);
        let events = world.engine().events(&run, 0, 1_000).unwrap();
        let lines = events.into_iter().filter(|event| event.kind == EventKind::Log);
        lines.map(|event| event.data["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = ["begin", "a is done", "in a branch", "b is done"];
    assert_eq!(said(), first);
    let from = |step: Option<&str>| {
        let step = step.map(|step| step.parse::<StepPath>().unwrap());
        world.engine().restart_from(&run, step.as_ref(), false, false, "operator").unwrap();
        said().split_off(first.len())
    };
    assert_eq!(from(Some("2")), ["b is done"]);
    assert_eq!(from(Some("1")), ["b is done", "in a branch", "b is done"]);
    assert_eq!(from(None), ["b is done", "in a branch", "b is done"], "nothing is said again");
    assert_eq!(from(Some("0"))[3..], ["a is done", "in a branch", "b is done"]);
    assert_eq!(from(Some("2"))[6..], ["b is done"]);
}

#[test]
fn a_restart_from_between_lock_and_unlock_waits_for_the_lock_again() {
    let world = World::new();
    let body = r#"fn run(input) { lock("L"); probe::touch("in"); unlock("L"); probe::refuse("b"); }"#;
    world.script("t/between", r#"rollback: "none""#, body);
    world.script("t/other", "", r#"fn run(input) { lock("L"); wait_signal("leave"); }"#);
    let run = world.launch("t/between", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let other = world.launch("t/other", json!({}));
    world.waits(&other);
    world.witness.saw("allow b ");
    let from: StepPath = "1".parse().unwrap();
    world.engine().restart_from(&run, Some(&from), false, false, "operator").unwrap();
    assert_eq!(world.waits(&run).waiting_on, vec![windlass_model::WaitReason::Lock]);
    assert_eq!(world.witness.count("touch", "in"), 1, "it isn't inside while another run is");
    world.engine().signal(&other, "leave", json!(null), "test", None).unwrap();
    world.ended_as(&run, RunState::Succeeded);
    assert_eq!(world.witness.count("touch", "in"), 2);
}

#[test]
fn a_time_that_no_calendar_has_is_a_long_one() {
    let world = World::new();
    world.script(
        "t/ages",
        r#"retention: "9223372036854775807ms", timeout: "9223372036854775807ms""#,
        "fn run(input) { 5 }",
    );
    let run = world.launch("t/ages", json!({}));
    let ended = world.ended_as(&run, RunState::Succeeded);
    assert!(ended.deadline_at_ms.unwrap() > ended.launched_at_ms, "{:?}", ended.deadline_at_ms);
}

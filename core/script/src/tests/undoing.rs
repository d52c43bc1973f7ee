//! Undo: ops by ops, closures found again by replaying, failures that stop it.

use windlass_model::{
    Code,
    journal::{Ending, Stop},
};

use super::fixture::Fixture;
use crate::testing;

fn labels(fixture: &Fixture) -> Vec<(String, bool)> {
    fixture.journal.undone.lock().iter().map(|(path, result)| (path.clone(), result.is_ok())).collect()
}

#[test]
fn ops_and_closures_are_undone_in_reverse() {
    let fixture = Fixture::new();
    let source = testing::source(
        &["*:*"],
        "let name = \"a\"; t::make(name); on_rollback(\"tell\", || t::echo(`undoing ${name}`)); name = \"b\";\n\
         parallel([|| { t::make(\"c\"); on_rollback(\"inner\", || helper(\"inner\")); }]); fail(\"no\")",
    ) + "fn helper(x) { t::echo(x) }";
    let Ending::Failed(problem) = fixture.run_source(&source) else { panic!() };
    assert_eq!(problem.message, "no");
    let logged = fixture.journal.outputs.lock().len();
    assert_eq!(fixture.roll_back(&source), Ending::Returned("null".into()));
    let paths: Vec<String> = labels(&fixture).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["2/b0/1", "2/b0/0", "1", "0"]);
    let steps = fixture.journal.steps.lock();
    let args = |path: &str| steps[&path.parse().unwrap()].0.args.to_string();
    assert_eq!(args("1/u2/0"), "[\"undoing a\"]", "values as they were when it was registered");
    assert_eq!(args("2/b0/1/u4/0"), "[\"inner\"]");
    assert_eq!(args("0/u1/0"), "[\"a\"]");
    assert_eq!(fixture.journal.outputs.lock().len(), logged, "finding closures is silent");
    assert_eq!(fixture.effects(), 4, "two made, two deleted");
}

#[test]
fn an_undo_that_is_done_is_not_done_again() {
    let fixture = Fixture::new();
    let source = testing::source(&["*:*"], "t::make(\"a\"); fail(\"no\")");
    fixture.run_source(&source);
    fixture.roll_back(&source);
    fixture.roll_back(&source);
    assert_eq!(fixture.effects(), 2, "made once, deleted once");
}

#[test]
fn a_failed_undo_stops_there() {
    let fixture = Fixture::new();
    let source = testing::source(&["*:*"], "t::make(\"a\"); t::make(\"stuck\"); fail(\"no\")");
    fixture.run_source(&source);
    let Ending::Failed(problem) = fixture.roll_back(&source) else { panic!() };
    assert_eq!(problem.message, "it won't go");
    assert_eq!(labels(&fixture), [("1".to_owned(), false)], "what was made before stays registered");
}

#[test]
fn a_closure_that_is_gone_is_an_error() {
    let fixture = Fixture::new();
    fixture.run_source(&testing::source(&["*:*"], "on_rollback(\"tell\", || 1); fail(\"no\")"));
    let Ending::Failed(problem) = fixture.roll_back(&testing::source(&["*:*"], "t::effect(); fail(\"no\")")) else {
        panic!()
    };
    assert_eq!(problem.code, Code::UndoFailed);
    assert_eq!(fixture.effects(), 0, "looking for closures performs nothing");
}

#[test]
fn closures_before_a_wait_that_is_open_are_found() {
    let fixture = Fixture::new();
    let source = testing::source(
        &["*:*"],
        "on_rollback(\"outer\", || { sleep(\"1s\"); t::effect() }); race([|| { on_rollback(\"in\", || t::effect()); sleep(\"1h\") }, || sleep(\"2h\")]); 1",
    );
    assert_eq!(fixture.run_source(&source), Ending::Stopped(Stop::Suspended));
    assert_eq!(fixture.roll_back(&source), Ending::Returned("null".into()));
    assert_eq!(fixture.effects(), 2);
    let waiting = testing::source(&["*:*"], "on_rollback(\"x\", || wait_signal(\"y\")); fail(\"no\")");
    let refused = Fixture::new();
    refused.run_source(&waiting);
    let Ending::Failed(problem) = refused.roll_back(&waiting) else { panic!() };
    assert!(problem.message.contains("can't wait"), "{}", problem.message);
}

#[test]
fn a_failed_closure_can_be_tried_again() {
    let fixture = Fixture::new();
    let source = testing::source(
        &["*:*"],
        "on_rollback(\"mend\", || { t::effect(); with_retry(#{ attempts: 1 }, || t::flaky()) }); fail(\"no\")",
    );
    fixture.run_source(&source);
    let Ending::Failed(problem) = fixture.roll_back(&source) else { panic!() };
    assert_eq!(problem.message, "not yet");
    assert_eq!(fixture.roll_back(&source), Ending::Returned("null".into()), "the error isn't replayed");
    assert_eq!(fixture.effects(), 3, "what was done in the first attempt isn't done again");
}

//! Locks within one run.

use windlass_model::{
    Code, Journal, Outcome,
    journal::{Ending, Stop},
    lock::LEAVE,
};

use super::fixture::Fixture;
use crate::testing;

const GIVEN: &str = "null";

/// Evaluates until nothing but other waits is left; each lock is given as soon as it is asked for.
fn run(fixture: &Fixture, body: &str) -> Ending {
    for _ in 0..20 {
        let ending = fixture.run(body);
        let waits: Vec<String> = fixture.journal.waits.lock().keys().cloned().collect();
        if ending != Ending::Stopped(Stop::Suspended) || waits.is_empty() {
            return ending;
        }
        waits.iter().for_each(|path| fixture.journal.settle(path, Outcome::Value(GIVEN.into())));
    }
    panic!("it never ends: {body}");
}

fn refusal(body: &str) -> (Code, String) {
    match run(&Fixture::new(), body) {
        Ending::Failed(problem) => (problem.code, problem.message),
        other => panic!("{other:?}\n{body}"),
    }
}

#[test]
fn a_branch_takes_a_lock_once() {
    for body in [
        "with_lock(\"x\", || with_lock(\"x\", || 1))",
        "lock(\"x\"); lock(\"x\")",
        "with_lock(\"x\", || {\nparallel([|| lock(\"x\")]) })",
    ] {
        let (code, message) = refusal(body);
        assert_eq!(code, Code::InvalidArgument, "{body}: {message}");
        assert!(message.contains("`x` already") && message.contains("test/script.rhai:3"), "{body}: {message}");
    }
}

#[test]
fn a_lock_that_was_given_back_is_free_again() {
    for body in [
        "with_lock(\"x\", || 1); with_lock(\"x\", || 1)",
        "lock(\"x\"); unlock(\"x\"); lock(\"x\"); 1",
        "with_lock(\"x\", || with_lock(\"y\", || 1))",
        "try { with_lock(\"x\", || fail(\"no\")) } catch {} with_lock(\"x\", || 1)",
        "try { parallel([|| { lock(\"x\"); fail(\"no\") }]) } catch {} with_lock(\"x\", || 1)",
        "parallel_map([1, 2, 3], |n| with_lock(\"x\", || n), #{ limit: 1 }); 1",
        "let turn = 0; wait_until(|| { lock(\"x\"); now() > 1_020_000 }, #{ every: \"10s\" }); 1",
    ] {
        let fixture = Fixture::new();
        fixture.journal.set_now_ms(1_030_000);
        assert_eq!(run(&fixture, body), Ending::Returned("1".into()), "{body}");
    }
}

#[test]
fn a_refusal_is_the_same_in_every_replay() {
    let fixture = Fixture::new();
    let body = "lock(\"x\"); let code = (); try { lock(\"x\") } catch (error) { code = error.code } t::effect(); sleep(\"1h\"); code";
    assert_eq!(run(&fixture, body), Ending::Returned("\"invalid_argument\"".into()));
    let calls = fixture.journal.calls.lock().len();
    assert_eq!(fixture.returned(body), "invalid_argument");
    assert_eq!((fixture.effects(), fixture.journal.calls.lock().len()), (1, calls), "nothing is done again");
}

/// Steps that say that a branch has left a lock, with their arguments.
fn left(fixture: &Fixture) -> Vec<(String, String)> {
    let steps = fixture.journal.steps.lock();
    let left = steps.values().filter(|(call, _)| &*call.op == LEAVE);
    let mut left: Vec<_> = left.map(|(call, _)| (call.path.to_string(), call.args.to_string())).collect();
    left.sort();
    left
}

#[test]
fn a_branch_that_is_over_says_which_locks_it_has_left() {
    let one = |path: &str, name: &str| (path.to_owned(), format!("[\"{name}\"]"));
    for (body, expected) in [
        (
            "parallel([|| { now(); lock(\"x\"); lock(\"y\"); 1 }])",
            vec![one("0/b0/1/b0/0", "x"), one("0/b0/2/b0/0", "y")],
        ),
        ("try { parallel([|| { lock(\"x\"); fail(\"no\") }]) } catch {}", vec![one("0/b0/0/b0/0", "x")]),
        ("parallel([|| { parallel([|| lock(\"x\")]); 1 }])", vec![one("0/b0/0/b0/0/b0/0", "x")]),
        ("wait_until(|| { lock(\"x\"); true })", vec![one("0/p0/0/b0/0", "x")]),
        ("parallel([|| { lock(\"x\"); unlock(\"x\") }, || with_lock(\"y\", || 1)])", vec![]),
        ("lock(\"x\"); parallel([|| 1])", vec![]),
    ] {
        let fixture = Fixture::new();
        let body = format!("{body}; sleep(\"1h\"); 1");
        assert_eq!(run(&fixture, &body), Ending::Returned("1".into()), "{body}");
        assert_eq!(left(&fixture), expected, "{body}");
        let calls = fixture.journal.calls.lock().len();
        run(&fixture, &body);
        assert_eq!(fixture.journal.calls.lock().len(), calls, "nothing is done again: {body}");
    }
}

#[test]
fn a_journal_that_was_recorded_without_what_was_left_goes_on() {
    // Two branches had the lock one after the other; the third may still come.
    let body = "parallel([|| { lock(\"x\"); 1 }, || { lock(\"x\"); 2 }, || { wait_signal(\"go\"); 3 }])";
    let fixture = Fixture::new();
    for _ in 0..4 {
        assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
        let asked = |path: &String| path != "0/b2/0";
        let waits: Vec<String> = fixture.journal.waits.lock().keys().filter(|path| asked(path)).cloned().collect();
        waits.iter().for_each(|path| fixture.journal.settle(path, Outcome::Value(GIVEN.into())));
    }
    assert_eq!(left(&fixture).len(), 2);
    fixture.journal.steps.lock().retain(|_, (call, _)| &*call.op != LEAVE);
    assert_eq!(fixture.journal.held_locks().len(), 2, "both count as inside");
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    assert!(fixture.journal.divergences.lock().is_empty());
    assert_eq!((left(&fixture).len(), fixture.journal.held_locks().len()), (2, 0));
    fixture.journal.settle("0/b2/0", Outcome::Value(GIVEN.into()));
    assert_eq!(run(&fixture, body), Ending::Returned("[1,2,3]".into()));
}

#[test]
fn a_lock_across_organisations_needs_the_grant_that_it_names() {
    let across = |name: &str| format!("lock(\"{name}\", #{{ across: \"t.write\" }}); 1");
    let granted =
        |name: &str| Fixture::new().run_source(&testing::source(&["t.write:a.*", "dns.write:*"], &across(name)));
    match granted("b.example") {
        Ending::Failed(problem) => {
            assert_eq!(problem.code, Code::PermissionDenied);
            assert!(problem.message.contains("`t.write:b.example`"), "{}", problem.message);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(granted("a.example"), Ending::Stopped(Stop::Suspended));
    for wrong in ["\"*\"", "\"dns.*\"", "\"\"", "\"dns write\"", "1", "\"dns.write:a\""] {
        let (code, message) = refusal(&format!("lock(\"x\", #{{ across: {wrong} }})"));
        assert_eq!(code, Code::InvalidArgument, "{wrong}: {message}");
    }
    // It is another lock than the organisation's own of that name.
    let fixture = Fixture::new();
    let granted = "lock(\"lab\", #{ across: \"t.write\" }); lock(\"lab\"); unlock(\"lab\"); unlock(\"lab\", #{ across: \"t.write\" }); 1";
    assert_eq!(run(&fixture, granted), Ending::Returned("1".into()));
}

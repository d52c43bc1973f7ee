//! Locks within one run.

use windlass_model::{
    Code, Outcome,
    journal::{Ending, Stop},
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

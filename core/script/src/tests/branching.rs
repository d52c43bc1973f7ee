//! Branches: isolation, failures, suspension, limits, races, and their replay.

use serde_json::json;
use windlass_model::{
    Code, Outcome,
    journal::{Ending, Stop},
};

use super::fixture::Fixture;

#[test]
fn branches_share_nothing() {
    let fixture = Fixture::new();
    let body = "let x = [1, 2, 3]; let r = parallel([|| { x.push(4); x.len() }, || { x.push(5); x.push(6); x.len() }]); [r, x]";
    assert_eq!(fixture.returned(body), json!([[4, 5], [1, 2, 3]]));
    let nested =
        "let x = 1; let fs = [|| { x += 1; x }]; parallel([|| fs[0].call(), || fs[0].call(), || { x += 10; x }])";
    assert_eq!(Fixture::new().returned(nested), json!([2, 2, 11]));
    assert_eq!(
        Fixture::new().returned("let k = 7; parallel_map([1, 2, 3], |h| h * k, #{ limit: 2 })"),
        json!([7, 14, 21])
    );
    let cyclic = "let m = #{}; let f = || m; m.f = f; parallel([|| m.len(), || 1])";
    assert_eq!(Fixture::new().problem(cyclic).code, Code::InvalidArgument);
}

#[test]
fn each_branch_has_its_own_lane() {
    let fixture = Fixture::new();
    let body = "t::effect(); parallel([|| t::echo(1), || { t::echo(2); parallel([|| t::echo(3)]) }]); t::effect()";
    fixture.returned(body);
    let mut paths: Vec<String> = fixture.journal.steps.lock().keys().map(ToString::to_string).collect();
    paths.sort();
    assert_eq!(paths, ["0", "1", "1/b0/0", "1/b1/0", "1/b1/1", "1/b1/1/b0/0", "2"]);
    let before = fixture.journal.calls.lock().len();
    fixture.returned(body);
    assert_eq!(fixture.journal.calls.lock().len(), before, "a replay performs nothing, and runs no branch");
}

#[test]
fn the_lowest_failing_branch_is_reported() {
    let fixture = Fixture::new();
    let body = "parallel([|| 1, || t::broken(), || fail(\"third\")], #{ on_error: \"wait_all\" })";
    assert_eq!(fixture.problem(body).message, "it broke");
    assert_eq!(fixture.problem(body).message, "it broke", "and again in a replay");
    let caught = Fixture::new().returned(
        "let h = (); try { parallel([|| fail(#{ message: \"no\", help: \"h\" })]) } catch (e) { h = e.help } h",
    );
    assert_eq!(caught, "h");
}

#[test]
fn a_failure_stops_the_others_unless_all_are_waited_for() {
    let fail_fast = Fixture::new();
    let problem = fail_fast.problem("parallel([|| { loop { t::echo(1); } }, || fail(\"now\")])");
    assert_eq!(problem.message, "now");
    let computing = Fixture::new().problem("parallel([|| { loop {} }, || fail(\"now\")])");
    assert_eq!(computing.message, "now");
    let waiting = Fixture::new();
    assert_eq!(waiting.problem("parallel([|| sleep(\"1h\"), || fail(\"now\")])").message, "now");
    let all = Fixture::new();
    let body = "parallel([|| sleep(\"1h\"), || fail(\"now\")], #{ on_error: \"wait_all\" })";
    assert_eq!(all.run(body), Ending::Stopped(Stop::Suspended));
    all.journal.settle("0/b0/0", Outcome::Value("null".into()));
    assert_eq!(all.problem(body).message, "now");
}

#[test]
fn a_waiting_branch_suspends_the_run_but_not_its_siblings() {
    let fixture = Fixture::new();
    let body = "parallel([|| { sleep(\"1h\"); t::effect() }, || t::effect()])";
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    assert_eq!(fixture.effects(), 1, "the other branch went on");
    fixture.journal.settle("0/b0/0", Outcome::Value("null".into()));
    assert_eq!(fixture.returned(body), json!([2, 1]));
}

#[test]
fn a_limit_counts_branches_that_wait() {
    let fixture = Fixture::new();
    let body = "parallel_map([1, 2, 3], |n| { t::effect(); sleep(\"1h\"); n }, #{ limit: 1 })";
    for (round, path) in ["0/b0/1", "0/b1/1", "0/b2/1"].iter().enumerate() {
        assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
        assert_eq!(fixture.effects() as usize, round + 1, "one at a time");
        fixture.journal.settle(path, Outcome::Value("null".into()));
    }
    assert_eq!(fixture.returned(body), json!([1, 2, 3]));
}

#[test]
fn a_race_keeps_its_winner() {
    let fixture = Fixture::new();
    let body = "race([|| { sleep(\"1h\"); 1 }, || { wait_signal(\"go\"); 2 }])";
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    fixture.journal.settle("0/b1/0", Outcome::Value("null".into()));
    assert_eq!(fixture.returned(body), json!({ "winner": 1, "value": 2 }));
    fixture.journal.settle("0/b0/0", Outcome::Value("null".into()));
    assert_eq!(fixture.returned(body), json!({ "winner": 1, "value": 2 }), "whatever happens later");
    assert_eq!(Fixture::new().problem("race([|| sleep(\"1h\"), || fail(\"first\")])").message, "first");
}

#[test]
fn branches_are_bounded() {
    let fixture = Fixture::new();
    let problem = fixture.problem("let a = []; for i in 0..300 { a.push(i) } parallel_map(a, |n| n)");
    assert!(problem.message.contains("`branches` is 256"), "{}", problem.message);
    let nested = "let a = []; for i in 0..200 { a.push(i) } parallel_map(a, |n| parallel_map([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], |m| { let k = 0; while k < 20000 { k += 1 } m }))";
    match fixture.run(nested) {
        Ending::Stopped(Stop::Limit(problem)) => assert_eq!(problem.code, Code::LimitExceeded),
        // A quick machine may never have that many at once.
        Ending::Returned(_) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_secret_can_not_leave_a_branch() {
    let problem = Fixture::new().problem("parallel([|| secret(\"x\")])");
    assert_eq!(problem.code, Code::SecretMisuse);
}

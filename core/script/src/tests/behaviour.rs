//! Steps: retries, permissions, divergences, errors as scripts see them, limits.

use serde_json::json;
use windlass_model::{
    Bounds, Code, Outcome, StepPath,
    journal::{Ending, Stop},
};

use super::fixture::Fixture;
use crate::testing;

#[test]
fn a_step_is_performed_once_and_replayed_after() {
    let fixture = Fixture::new();
    let body = "let a = t::effect(); let b = t::echo(#{ z: 1.0, a: [1, 'x', ()] }); [a, b]";
    assert_eq!(fixture.returned(body), json!([1, { "a": [1, "x", null], "z": 1.0 }]));
    assert_eq!(fixture.returned(body), json!([1, { "a": [1, "x", null], "z": 1.0 }]));
    assert_eq!(fixture.effects(), 1);
    let steps = fixture.journal.steps.lock();
    assert_eq!(&*steps[&StepPath::new("", 1)].0.args, "[{\"a\":[1,\"x\",null],\"z\":1.0}]");
}

#[test]
fn retryable_errors_are_tried_again() {
    let fixture = Fixture::new();
    assert_eq!(fixture.returned("t::flaky()"), 3);
    assert_eq!(fixture.journal.calls.lock().iter().filter(|call| call.starts_with("retry")).count(), 2);
    let once = Fixture::new();
    let problem = once.problem("with_retry(#{ attempts: 1 }, || t::flaky())");
    assert_eq!((problem.code, problem.step.as_deref()), (Code::Unavailable, Some("0")));
}

#[test]
fn a_refusal_speaks_of_its_own_attempt_only() {
    for (refused_at, no_effect) in [(1, true), (2, false), (3, false)] {
        let fixture = Fixture::new();
        assert_eq!(fixture.problem(&format!("t::half({refused_at})")).code, Code::Conflict);
        let steps = fixture.journal.steps.lock();
        let Some((_, Some(Outcome::Error(problem)))) = steps.values().next() else { panic!("{refused_at}") };
        assert_eq!(problem.no_effect, no_effect, "refused at attempt {refused_at}");
    }
}

#[test]
fn scripts_see_errors_as_maps() {
    let fixture = Fixture::new();
    let caught = fixture.returned("let c = (); try { t::broken() } catch (e) { c = e } c");
    assert_eq!(caught["code"], "system");
    assert_eq!(caught["message"], "it broke");
    assert_eq!(caught["help"], "mend it");
    assert_eq!(caught["step"], "0");
    let again = fixture.returned("let c = (); try { t::broken() } catch (e) { c = e } c");
    assert_eq!(again, caught, "a recorded error is the same");
    let problem = Fixture::new().problem("let x = 1;\n  t::broken()");
    let site = problem.site.unwrap();
    assert_eq!((&*site.file, site.line, site.column, problem.help.as_deref()), ("test/script", 4, 6, Some("mend it")));
    assert_eq!(Fixture::new().problem("t::panics()").code, Code::Internal);
    assert_eq!(Fixture::new().problem("fail(#{ message: \"no\", code: \"mine\" })").data["code"], "mine");
}

#[test]
fn wrong_arguments_name_the_parameter() {
    for (call, expected) in [
        ("t::echo()", "`t::echo` needs the argument `value`"),
        ("t::echo(1, 2)", "`t::echo` takes at most 1 arguments, not 2"),
        ("t::delete(5)", "`t::delete` needs text for `name`, not 5"),
        ("t::echo(|| 1)", "a value is a closure, which JSON can't say"),
        ("t::echo(0.0 / 0.0)", "a value is a number without a value (NaN or infinite), which JSON can't say"),
        ("let a = #{}; let f = || a; a.f = f; t::echo(a)", "a value is a closure, which JSON can't say"),
        ("t::echo(#{ \"$secret\": \"x\" })", "a map can't have the key `$secret`"),
        ("t::echo(secret(\"x\"))", "`t::echo` doesn't take a secret for `value`"),
    ] {
        let fixture = Fixture::new();
        assert_eq!(fixture.problem(call).message, expected);
        assert!(fixture.journal.steps.lock().is_empty(), "nothing is journaled: {call}");
    }
}

#[test]
fn a_denied_call_leaves_no_trace() {
    let fixture = Fixture::new();
    let source = testing::source(
        &["t.write:lab-*"],
        "let e = (); try { t::make(\"prod\") } catch (x) { e = x } t::make(\"lab-1\"); e",
    );
    let Ending::Returned(text) = fixture.run_source(&source) else { panic!() };
    let error: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(error["code"], "permission_denied");
    assert_eq!(error["data"]["grant"], "t.write:prod");
    assert_eq!(fixture.effects(), 1, "only the granted call was performed");
    assert_eq!(&*fixture.journal.steps.lock()[&StepPath::new("", 0)].0.args, "[\"lab-1\"]");

    let bare = Fixture::new();
    let Ending::Failed(problem) = bare.run_source(&testing::source(&[], "t::make(\"a\")")) else { panic!() };
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains("`t.write:a`"), "{}", problem.message);
    assert!(bare.journal.calls.lock().is_empty());
    let Ending::Failed(problem) = bare.run_source(&testing::source(&["kv.read:a/*"], "kv_get(\"b/c\")")) else {
        panic!()
    };
    assert!(problem.message.contains("`kv.read:b/c`"), "{}", problem.message);
}

#[test]
fn a_divergence_shows_both_calls() {
    let fixture = Fixture::new();
    fixture.returned("t::echo(1);\nt::echo(2)");
    let ending = fixture.run("t::echo(1);\n\n  t::echo(3); t::effect()");
    let Ending::Stopped(Stop::Diverged(divergence)) = ending else { panic!("{ending:?}") };
    assert_eq!(divergence.path.to_string(), "1");
    assert_eq!((&*divergence.recorded.args, divergence.recorded.site.line), ("[2]", 4));
    let current = divergence.current.unwrap();
    assert_eq!((&*current.args, current.site.line, current.site.column), ("[3]", 5, 6));
    assert_eq!(fixture.effects(), 0);
    assert_eq!(fixture.journal.divergences.lock().len(), 1);
}

#[test]
fn bounds_stop_a_script() {
    let bounds = Bounds { script_operations: 50_000, step_bytes: 1_000, ..Bounds::default() };
    let fixture = Fixture::with_bounds(bounds.clone());
    for body in ["loop {}", "try { loop {} } catch { t::effect() }", "parallel([|| { loop {} }])"] {
        let Ending::Stopped(Stop::Limit(problem)) = fixture.run(body) else { panic!("{body}") };
        assert_eq!(problem.data["bound"], "script_operations", "{body}");
    }
    assert_eq!(fixture.effects(), 0);
    let problem = fixture.problem("let s = \"x\"; for i in 0..12 { s += s } t::echo(s)");
    assert_eq!(problem.code, Code::LimitExceeded);
    let many = Fixture::with_bounds(bounds)
        .returned("for i in 0..2000 { log(\"x\"); if i % 100 == 0 { t::effect() } for k in 0..10 {} } 1");
    assert_eq!(many, 1, "a step starts a new count");
}

#[test]
fn waits_carry_what_they_ask() {
    let fixture = Fixture::new();
    fixture.run("approve(#{ title: \"Go?\", details: #{ n: 1 }, quorum: 2, expires: \"1h\", on_expiry: \"deny\" })");
    let waits = fixture.journal.waits.lock();
    let windlass_model::WaitSpec::Approval(request) = &waits["0"] else { panic!() };
    assert_eq!((request.quorum, request.expires_at_ms, request.allow_self), (2, Some(4_600_000), false));
    assert_eq!(request.digest.len(), 64);
}

#[test]
fn who_may_decide_on_their_own_request_is_said_in_known_words() {
    for (said, meant) in [("true", (true, false)), ("false", (false, false)), ("\"alone\"", (true, true))] {
        let fixture = Fixture::new();
        fixture.run(&format!("approve(#{{ title: \"Go?\", allow_self: {said} }})"));
        let waits = fixture.journal.waits.lock();
        let windlass_model::WaitSpec::Approval(request) = &waits["0"] else { panic!() };
        assert_eq!((request.allow_self, request.only_alone), meant, "{said}");
    }
    let Ending::Failed(problem) = Fixture::new().run("approve(#{ title: \"Go?\", allow_self: \"always\" })") else {
        panic!()
    };
    assert_eq!(problem.code, Code::InvalidArgument);
}

#[test]
fn children_locks_and_time_are_steps() {
    let fixture = Fixture::new();
    let body = "let n = with_lock(\"l\", || now()); let r = child(\"lab/x\", #{ a: 1 }); [n, r]";
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    fixture.journal.settle("0", Outcome::Value("null".into()));
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    fixture.journal.settle("4", Outcome::Value("7".into()));
    assert_eq!(fixture.returned(body), json!([1_000_000, 7]));
    let ops: Vec<String> = fixture.journal.calls.lock().clone();
    assert_eq!(ops, ["wait 0 lock", "local 1 now", "local 2 unlock", "local 3 child", "wait 4 wait_child"]);
}

#[test]
fn polling_waits_between_and_gives_up_in_time() {
    let fixture = Fixture::new();
    let body = "wait_until(|| if t::effect() >= 2 { \"ready\" } else { false }, #{ every: \"10s\", timeout: \"1m\" })";
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    assert!(fixture.journal.waits.lock().contains_key("0/p0/2"), "{:?}", fixture.journal.waits);
    fixture.journal.settle("0/p0/2", Outcome::Value("null".into()));
    assert_eq!(fixture.returned(body), "ready");
    assert_eq!(fixture.returned(body), "ready");
    assert_eq!(fixture.effects(), 2);

    let late = Fixture::new();
    let body = "wait_until(|| false, #{ every: \"10s\", timeout: \"1m\", message: \"the host\" })";
    assert_eq!(late.run(body), Ending::Stopped(Stop::Suspended));
    late.journal.settle("0/p0/1", Outcome::Value("null".into()));
    late.journal.set_now_ms(1_060_000);
    let problem = late.problem(body);
    assert_eq!((problem.code, problem.message.as_str()), (Code::WaitTimeout, "the host didn't come in time"));
}

#[test]
fn continue_as_new_carries_input_but_no_closures() {
    let fixture = Fixture::new();
    let ending = fixture.run("try { continue_as_new(#{ n: 2 }) } catch {} t::effect()");
    assert_eq!(ending, Ending::Stopped(Stop::ContinueAsNew("{\"n\":2}".into())));
    let problem = fixture.problem("on_rollback(\"x\", || 1); continue_as_new(#{ n: 2 })");
    assert!(problem.message.contains("on_rollback"), "{}", problem.message);
}

#[test]
fn output_has_its_place_and_comes_once() {
    let fixture = Fixture::new();
    for _ in 0..2 {
        fixture
            .returned("log(\"a\"); print(#{ b: 1 }); progress(50); annotate(\"k\", [1]); parallel([|| log(\"c\")]); 1");
    }
    let outputs = fixture.journal.outputs.lock();
    let places: Vec<String> = outputs.keys().map(|(lane, ordinal)| format!("{lane}#{ordinal}")).collect();
    assert_eq!(places, ["#0", "#1", "#2", "#3", "0/b0/#0"]);
    assert_eq!(outputs[&(String::new(), 0)].data["message"], "a");
}

#[test]
fn a_retry_keeps_a_worker_waiting_for_a_minute_at_most() {
    // More isn't refused: a run that is under way may have passed here when it was longer.
    let longer = "with_retry(#{ attempts: 2, delay: \"61s\", max_delay: \"2h\" }, || 5)";
    assert_eq!(Fixture::new().returned(longer), json!(5));
    let taken = "with_retry(#{ attempts: 2, delay: \"1ms\", max_delay: \"60s\" }, || 5)";
    assert_eq!(Fixture::new().returned(taken), json!(5));
}

//! Durable waits: timers, signals, approvals, locks, children, polls. Suspended runs hold no thread.

use std::time::{Duration, Instant};

use serde_json::json;
use windlass_model::{Code, RunState, WaitReason, wait::Decision};
use windlass_tests::{World, wait_until};

#[test]
fn a_sleep_of_a_week_survives_a_restart_and_ends_on_time() {
    let mut world = World::virtual_time();
    world.hold_time();
    world.script("t/week", "", r#"fn run(input) { let a = now(); sleep("7d"); let b = now(); b - a }"#);
    let run = world.launch("t/week", json!({}));
    let record = world.waits(&run);
    assert_eq!(record.waiting_on, vec![WaitReason::Timer]);
    world.restart();
    world.release_time();
    let slept = world.end(&run).output.unwrap().as_i64().unwrap();
    assert!((604_800_000..604_801_000).contains(&slept), "{slept}");
}

#[test]
fn a_suspended_run_holds_no_thread() {
    let world = World::new();
    world.script("t/wait", "", r#"fn run(input) { wait_signal("go") }"#);
    let runs: Vec<_> = (0..100).map(|_| world.launch("t/wait", json!({}))).collect();
    runs.iter().for_each(|run| drop(world.waits(run)));
    wait_until("all threads to go", Duration::from_secs(60), || world.engine().load() == (0, 0));
}

#[test]
fn signals_are_kept_in_order_until_they_are_taken_and_doubles_are_dropped() {
    let world = World::new();
    world.script(
        "t/signals",
        "",
        r#"fn run(input) {
        wait_signal("start");
        [wait_signal("n"), wait_signal("n"), wait_signal("n")]
    }"#,
    );
    let run = world.launch("t/signals", json!({}));
    for (n, id) in [(1, "a"), (2, "b"), (2, "b"), (3, "c")] {
        world.engine().signal(&run, "n", json!(n), "test", Some(id.into())).unwrap();
    }
    world.engine().signal(&run, "start", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([1, 2, 3])));
}

#[test]
fn a_wait_for_a_signal_can_time_out_and_the_script_can_catch_it() {
    let world = World::virtual_time();
    world.script(
        "t/late",
        "",
        r#"fn run(input) {
        try { wait_signal("never", #{ timeout: "1h" }) } catch (error) { return error.code; }
    }"#,
    );
    assert_eq!(world.end(&world.launch("t/late", json!({}))).output, Some(json!("wait_timeout")));
}

fn decision(world: &World, run: &windlass_model::RunId, by: &str, approved: bool) -> Decision {
    let digest = world.engine().open_approval(run, None).unwrap().request.digest;
    Decision { by: by.into(), approved, comment: None, form: json!({ "size": 3 }), digest }
}

#[test]
fn an_approval_needs_its_quorum_of_people_who_did_not_launch_the_run() {
    let world = World::new();
    world.script(
        "t/approve",
        "",
        r#"fn run(input) {
        let r = approve(#{ title: "Delete it?", details: #{ what: "all" }, quorum: 2 });
        [r.approved, r.form.size]
    }"#,
    );
    let run = world.launch("t/approve", json!({}));
    assert_eq!(world.waits(&run).waiting_on, vec![WaitReason::Approval]);
    let own = world.engine().decide(&run, None, decision(&world, &run, "test", true)).unwrap_err();
    assert_eq!(own.code, Code::PermissionDenied, "{own:?}");
    let stale = Decision { digest: "other".into(), ..decision(&world, &run, "ann", true) };
    assert_eq!(world.engine().decide(&run, None, stale).unwrap_err().code, Code::ApprovalStale);
    world.engine().decide(&run, None, decision(&world, &run, "ann", true)).unwrap();
    assert!(world.engine().decide(&run, None, decision(&world, &run, "ann", true)).is_err(), "ann has decided");
    assert!(!world.engine().run(&run).unwrap().unwrap().state.is_ended());
    world.engine().decide(&run, None, decision(&world, &run, "bob", true)).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([true, 3])));
}

#[test]
fn a_denied_approval_is_an_answer_and_an_expired_one_an_error() {
    let world = World::virtual_time();
    world.script("t/deny", "", r#"fn run(input) { approve(#{ title: "Go?" }).approved }"#);
    world.hold_time();
    let run = world.launch("t/deny", json!({}));
    world.waits(&run);
    world.engine().decide(&run, None, decision(&world, &run, "ann", false)).unwrap();
    assert_eq!(world.end(&run).output, Some(json!(false)));
    world.release_time();
    world.script("t/expire", "", r#"fn run(input) { approve(#{ title: "Go?", expires: "1d" }).approved }"#);
    assert_eq!(world.end(&world.launch("t/expire", json!({}))).problem.unwrap().code, Code::ApprovalExpired);
}

#[test]
fn a_lock_is_held_by_one_run_at_a_time_and_released_at_its_end() {
    let world = World::new();
    world.script(
        "t/lock",
        "",
        r#"fn run(input) {
        lock("shared");
        probe::touch(`in-${input.n}`);
        wait_signal("leave");
        probe::touch(`out-${input.n}`);
    }"#,
    );
    let first = world.launch("t/lock", json!({ "n": 1 }));
    world.waits(&first);
    let second = world.launch("t/lock", json!({ "n": 2 }));
    assert_eq!(world.waits(&second).waiting_on, vec![WaitReason::Lock]);
    assert_eq!(world.witness.count("touch", "in-2"), 0);
    world.engine().signal(&first, "leave", json!(null), "test", None).unwrap();
    world.end(&first);
    world.engine().signal(&second, "leave", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&second).state, RunState::Succeeded);
    let order: Vec<_> = world.witness.lines().iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(order, ["in-1", "out-1", "in-2", "out-2"]);
    assert!(world.engine().locks().unwrap().is_empty());
}

#[test]
fn with_lock_releases_its_lock_even_when_its_closure_fails() {
    let world = World::new();
    world.script(
        "t/with",
        "",
        r#"fn run(input) {
        try { with_lock("l", || { probe::refuse("x") }) } catch { }
        wait_signal("go")
    }"#,
    );
    let run = world.launch("t/with", json!({}));
    world.waits(&run);
    assert!(world.engine().locks().unwrap().is_empty());
}

#[test]
fn a_child_run_gives_its_output_or_its_failure() {
    let world = World::new();
    world.script(
        "t/child",
        "",
        r#"fn run(input) { if input.n > 1 { fail("too much"); } probe::touch("child"); input.n * 10 }"#,
    );
    world.script(
        "t/parent",
        "",
        r#"fn run(input) {
        let good = child("t/child", #{ n: 1 });
        let bad = try { child("t/child", #{ n: 2 }) } catch (error) { error.code };
        [good, bad]
    }"#
        .replace(
            "let bad = try { child(\"t/child\", #{ n: 2 }) } catch (error) { error.code };",
            "let bad = (); try { child(\"t/child\", #{ n: 2 }) } catch (error) { bad = error.code; }",
        )
        .as_str(),
    );
    let run = world.launch("t/parent", json!({}));
    assert_eq!(world.end(&run).output, Some(json!([10, "child_failed"])));
    let filter = windlass_model::query::RunFilter { parent: Some(run), ..Default::default() };
    assert_eq!(world.engine().runs(&filter).unwrap().len(), 2);
}

#[test]
fn wait_until_polls_durably_and_gives_up_in_time() {
    let world = World::virtual_time();
    world.script("t/poll", "", r#"fn run(input) {
        let n = wait_until(|| { let r = false; try { r = probe::flaky("p", 9) } catch { } r }, #{ every: "1m", timeout: "2h" });
        let late = ();
        try { wait_until(|| false, #{ every: "1m", timeout: "5m" }) } catch (error) { late = error.code; }
        [n, late]
    }"#);
    assert_eq!(world.end(&world.launch("t/poll", json!({}))).output, Some(json!([10, "wait_timeout"])));
}

#[test]
fn a_run_that_takes_too_long_is_failed_and_undone() {
    let world = World::virtual_time();
    world.script("t/deadline", r#"timeout: "1h""#, r#"fn run(input) { probe::make("a"); wait_signal("never") }"#);
    let record = world.end(&world.launch("t/deadline", json!({})));
    assert_eq!((record.state, record.problem.unwrap().code), (RunState::RolledBack, Code::RunTimeout));
    assert!(world.witness.standing().is_empty());
}

#[test]
fn a_poll_that_only_looks_keeps_a_short_journal() {
    let mut world = World::virtual_time();
    world.script(
        "t/looks",
        "",
        r#"fn run(input) {
        let start = now();
        let late = ();
        try { wait_until(|| { probe::read("p"); parallel([|| probe::read("q"), || 1]); false }, #{ every: "10s", timeout: "20m" }) }
        catch (error) { late = error.code }
        [late, now() - start]
    }"#,
    );
    world.hold_time();
    let run = world.launch("t/looks", json!({}));
    world.waits(&run);
    world.restart();
    world.release_time();
    let output = world.end(&run).output.unwrap();
    assert_eq!(output[0], "wait_timeout", "{output}");
    assert!((1_200_000..1_210_000).contains(&output[1].as_i64().unwrap()), "{output}");
    assert!(world.witness.count("read", "p") >= 120);
    let steps = world.engine().steps(&run).unwrap();
    assert!(steps.len() < 40, "{} steps", steps.len());
    // What happened can still be read.
    let slept = world.engine().events(&run, 0, 10_000).unwrap();
    let slept = slept.iter().filter(|event| event.data["op"] == "sleep" && event.kind.as_str() == "step.succeeded");
    assert!(slept.count() >= 119);
}

#[test]
fn a_poll_keeps_what_it_did_and_what_undoes_it() {
    let world = World::virtual_time();
    world.script(
        "t/acts",
        "",
        r#"fn run(input) {
        let start = now();
        wait_until(|| {
            let t = now() - start;
            if t >= 300000 && t < 310000 { probe::make("thing"); on_rollback("say so", || probe::touch("told")); }
            if t >= 500000 && t < 510000 { probe::once("paid"); }
            t > 900000
        }, #{ every: "10s" });
        fail("no")
    }"#,
    );
    let run = world.launch("t/acts", json!({}));
    assert_eq!(world.end(&run).state, RunState::RolledBack);
    assert_eq!((world.witness.count("once", "paid"), world.witness.count("touch", "told")), (1, 1));
    assert!(world.witness.standing().is_empty() && world.witness.count("unmake", "thing") == 1);
    let steps = world.engine().steps(&run).unwrap();
    assert!(steps.len() < 40, "{} steps", steps.len());
    for kept in ["probe::make", "probe::once", "on_rollback"] {
        assert!(steps.iter().any(|step| &*step.op == kept), "{kept}");
    }
}

#[test]
fn a_poll_that_says_something_is_forgotten_like_another_and_is_not_done_again() {
    let mut world = World::virtual_time();
    world.script(
        "t/says",
        "",
        r#"fn run(input) {
        let start = now();
        wait_until(|| {
            print("looking");
            if probe::read("p") != () && now() - start > 600000 { probe::once("paid"); return true; }
            false
        }, #{ every: "10s" });
        on_rollback("say so", || probe::touch("told"));
        wait_signal("go");
        fail("no")
    }"#,
    );
    let run = world.launch("t/says", json!({}));
    world.waits_on_signal(&run, "go");
    let looked = world.witness.count("read", "p");
    world.restart();
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::RolledBack);
    assert_eq!(world.witness.count("once", "paid"), 1);
    assert_eq!(world.witness.count("touch", "told"), 1);
    assert_eq!(world.witness.count("read", "p"), looked, "rounds that are over are polled again");
    assert!(looked >= 60, "{looked}");
}

#[test]
fn a_timer_that_is_due_after_the_only_worker_is_free_again_is_not_late() {
    let world = World::with(|config| (config.workers, config.poll_ms) = (1, 60_000));
    world.script("t/nap", "", "fn run(input) { sleep(100) }");
    let began = Instant::now();
    // It is told when the next one is due a moment before the worker is free.
    for _ in 0..40 {
        let nap = world.launch("t/nap", json!({}));
        world.ended_as(&nap, RunState::Succeeded);
    }
    assert!(began.elapsed() < Duration::from_secs(40), "it waited until it was looked for by itself");
}

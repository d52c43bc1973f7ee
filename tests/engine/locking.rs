//! Locks within one run: its branches keep one another out, after a replay too, and who is stopped gives back what it held.

use std::time::Duration;

use serde_json::json;
use windlass_model::{Code, RunId, RunState, lock::LEAVE};
use windlass_tests::{World, postgres, skip, wait_until};

fn names(world: &World) -> Vec<String> {
    world.witness.lines().iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
}

/// Waits until the signal was taken, and the run waits for something else.
fn has_gone_on(world: &World, run: &RunId, signal: &str) {
    let asked = format!("\"{signal}\"");
    wait_until("the signal to be taken", Duration::from_secs(30), || {
        let steps = world.engine().steps(run).expect("the run can be read");
        steps.iter().any(|step| step.outcome.is_some() && step.args.contains(&asked))
    });
    world.waits(run);
}

#[test]
fn a_branch_keeps_its_siblings_out_of_its_lock_after_a_replay_too() {
    let mut world = World::new();
    // The branch that has the lock comes to it late in a replay, the other one early.
    world.script(
        "t/inside",
        "",
        r#"fn run(input) {
        parallel([
            || { wait_signal("b"); with_lock("x", || { probe::touch("b-in"); probe::touch("b-out") }) },
            || { for n in 0..300 { now(); } with_lock("x", || { probe::touch("a-in"); wait_signal("a"); probe::touch("a-out") }) },
        ]);
    }"#,
    );
    let run = world.launch("t/inside", json!({}));
    world.waits_on_signal(&run, "a");
    world.waits_on_signal(&run, "b");
    world.restart();
    world.engine().signal(&run, "b", json!(null), "test", None).unwrap();
    has_gone_on(&world, &run, "b");
    assert_eq!(names(&world), ["a-in"], "two branches are inside of one lock");
    world.restart();
    world.waits_on_signal(&run, "a");
    world.engine().signal(&run, "a", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
    assert_eq!(names(&world), ["a-in", "a-out", "b-in", "b-out"]);
    assert!(world.engine().locks().unwrap().is_empty());
}

#[test]
fn branches_that_want_one_lock_have_it_one_after_the_other() {
    let world = World::new();
    world.script(
        "t/turns",
        "",
        r#"fn run(input) {
        parallel_map([1, 2, 3, 4, 5], |n| with_lock("x", || { probe::touch(`in-${n}`); sleep("20ms"); probe::touch(`out-${n}`); n }))
    }"#,
    );
    let run = world.launch("t/turns", json!({}));
    assert_eq!(world.end(&run).output, Some(json!([1, 2, 3, 4, 5])));
    let names = names(&world);
    assert_eq!(names.len(), 10, "{names:?}");
    for pair in names.chunks(2) {
        assert_eq!(pair[0].replace("in", "out"), pair[1], "{names:?}");
    }
}

#[test]
fn a_branch_gives_up_in_time_while_a_sibling_sleeps_in_the_lock() {
    let world = World::virtual_time();
    world.script(
        "t/late",
        "",
        r#"fn run(input) {
        parallel([
            || with_lock("x", || { let from = now(); sleep("1h"); now() - from }),
            || { sleep("1s"); let from = now(); let code = (); try { lock("x", #{ timeout: "1m" }) } catch (error) { code = error.code }
                 [code, now() - from] },
        ])
    }"#,
    );
    let output = world.end(&world.launch("t/late", json!({}))).output.unwrap();
    assert!(output[0].as_i64().unwrap() >= 3_600_000, "{output}");
    assert_eq!(output[1][0], "wait_timeout", "{output}");
    let waited_ms = output[1][1].as_i64().unwrap();
    assert!((60_000..120_000).contains(&waited_ms), "{waited_ms}");
}

#[test]
fn branches_that_wait_for_each_others_locks_are_told() {
    let world = World::new();
    world.script(
        "t/round",
        "",
        r#"fn run(input) {
        parallel([
            || with_lock("x", || { wait_signal("one"); with_lock("y", || 1) }),
            || with_lock("y", || { wait_signal("two"); with_lock("x", || 2) }),
        ], #{ on_error: "wait_all" })
    }"#,
    );
    let run = world.launch("t/round", json!({}));
    world.waits_on_signal(&run, "one");
    world.waits_on_signal(&run, "two");
    world.engine().signal(&run, "one", json!(null), "test", None).unwrap();
    has_gone_on(&world, &run, "one");
    world.engine().signal(&run, "two", json!(null), "test", None).unwrap();
    let problem = world.end(&run).problem.unwrap();
    assert_eq!(problem.code, Code::InvalidArgument, "{problem:?}");
    assert!(problem.message.contains("wait for each other"), "{problem:?}");
}

/// Waits until the race is decided, and looks who has the lock.
fn race_leaves_no_lock(loser: &str) {
    let world = World::new();
    let body = r#"fn run(input) {
        race([|| with_lock("x", || { LOSER }), || { wait_signal("go"); 1 }]);
        wait_signal("end");
    }"#;
    world.script("t/race", "", &body.replace("LOSER", loser));
    world.script("t/next", "", r#"fn run(input) { with_lock("x", || { probe::touch("next") }) }"#);
    let run = world.launch("t/race", json!({}));
    world.waits_on_signal(&run, "go");
    wait_until("the loser to have the lock", Duration::from_secs(60), || {
        world.engine().locks().unwrap().iter().any(|lock| lock.run == run)
    });
    let next = world.launch("t/next", json!({}));
    world.waits(&next);
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&next).state, RunState::Succeeded, "{loser}");
    world.waits_on_signal(&run, "end");
    assert!(world.engine().locks().unwrap().is_empty(), "{loser}: {:?}", world.engine().locks());
    world.engine().signal(&run, "end", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded, "{loser}");
}

#[test]
fn the_loser_of_a_race_gives_its_lock_back() {
    race_leaves_no_lock("wait_signal(\"never\")");
    race_leaves_no_lock("with_lock(\"y\", || wait_signal(\"never\"))");
    race_leaves_no_lock("parallel([|| wait_signal(\"never\"), || 2])");
    race_leaves_no_lock("wait_signal(\"never\"); probe::touch(\"late\")");
}

#[test]
fn a_loser_that_is_at_work_has_its_lock_until_it_has_stopped() {
    let world = World::new();
    world.script(
        "t/race",
        "",
        r#"fn run(input) {
        race([|| with_lock("x", || { probe::slow("s", 60000) }), || { probe::slow("w", 300); 1 }]);
        wait_signal("end");
    }"#,
    );
    let run = world.launch("t/race", json!({}));
    world.waits_on_signal(&run, "end");
    assert!(world.engine().locks().unwrap().is_empty());
    world.engine().signal(&run, "end", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
}

#[test]
fn what_a_loser_locked_for_the_whole_run_stays_locked() {
    let world = World::new();
    world.script(
        "t/race",
        "",
        r#"fn run(input) {
        race([|| { lock("x"); wait_signal("never") }, || { wait_signal("go"); 1 }]);
        wait_signal("end");
    }"#,
    );
    let run = world.launch("t/race", json!({}));
    world.waits_on_signal(&run, "go");
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "end");
    assert_eq!(world.engine().locks().unwrap().len(), 1);
}

#[test]
fn a_race_that_failed_is_restarted_behind_the_lock_of_its_loser() {
    let world = World::new();
    world.script(
        "t/again",
        r#"rollback: "none""#,
        r#"fn run(input) {
        race([|| with_lock("x", || { probe::touch("in"); wait_signal("never") }), || { wait_signal("go"); probe::refuse("r") }]);
    }"#,
    );
    world.script("t/next", "", r#"fn run(input) { with_lock("x", || { wait_signal("leave") }) }"#);
    let run = world.launch("t/again", json!({}));
    world.waits_on_signal(&run, "go");
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Failed);
    assert!(world.engine().locks().unwrap().is_empty());
    let next = world.launch("t/next", json!({}));
    world.waits_on_signal(&next, "leave");
    let restarted = world.engine().restart(&run, false, false, "test").unwrap();
    let dropped: Vec<String> = restarted.dropped.iter().map(ToString::to_string).collect();
    assert!(dropped.iter().any(|path| path == "0/b0/0"), "the lock is waited for again: {dropped:?}");
    assert_eq!(world.engine().locks().unwrap()[0].run, next, "it is inside");
}

fn waiting_events(world: &World, run: &RunId) -> usize {
    let events = world.engine().events(run, 0, 10_000).unwrap();
    events.iter().filter(|event| event.kind.as_str() == "run.waiting").count()
}

#[test]
fn who_waits_beside_a_sibling_waits_as_a_row_whoever_had_the_lock_when_it_asked_first() {
    let world = World::new();
    world.script("t/other", "", r#"fn run(input) { with_lock("x", || wait_signal("leave")) }"#);
    world.script(
        "t/two",
        "",
        r#"fn run(input) {
        parallel([
            || with_lock("x", || { probe::touch("a"); wait_signal("one"); 1 }),
            || with_lock("x", || { probe::touch("b"); wait_signal("one"); 2 }),
        ])
    }"#,
    );
    let other = world.launch("t/other", json!({}));
    world.waits_on_signal(&other, "leave");
    let run = world.launch("t/two", json!({}));
    world.waits(&run);
    world.engine().signal(&other, "leave", json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "one");
    std::thread::sleep(Duration::from_millis(500));
    let waited = waiting_events(&world, &run);
    assert!(waited <= 3, "the run went round {waited} times while nothing happened");
    assert_eq!(world.witness.lines().len(), 1, "{:?}", world.witness.lines());
    world.engine().signal(&run, "one", json!(null), "test", None).unwrap();
    wait_until("the other branch to be inside", Duration::from_secs(60), || world.witness.lines().len() == 2);
    world.engine().signal(&run, "one", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([1, 2])));
}

#[test]
fn who_waits_beside_a_branch_that_is_over_without_giving_back_goes_on() {
    let world = World::new();
    world.script(
        "t/over",
        "",
        r#"fn run(input) {
        parallel([
            || { race([|| { lock("x"); probe::touch("in"); wait_signal("never") }, || { wait_signal("go"); 1 }]); 1 },
            || { wait_signal("ask"); lock("x"); 2 },
        ])
    }"#,
    );
    let run = world.launch("t/over", json!({}));
    wait_until("the lock to be taken", Duration::from_secs(60), || world.witness.lines().len() == 1);
    world.waits_on_signal(&run, "ask");
    world.engine().signal(&run, "ask", json!(null), "test", None).unwrap();
    has_gone_on(&world, &run, "ask");
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([1, 2])));
}

/// Branches of which the second asks early in a replay and the third, which has the lock then, comes to its end late in it.
fn early_and_late(late: &str) -> String {
    let body = r#"fn run(input) {
        let both = parallel_map([0, 1, 2], |n| {
            if n == 0 { for i in 0..300 { now(); } 0 }
            else if n == 1 { wait_signal("ask"); lock("x"); probe::touch("asked"); 1 }
            else { LATE }
        }, #{ limit: 2 });
        wait_signal("end");
        both
    }"#;
    body.replace("LATE", late)
}

/// The second branch asks while the third one is inside, which then goes on.
fn asks_while_the_other_is_inside(world: &World, late: &str) -> RunId {
    world.script("t/late", "", &early_and_late(late));
    let run = world.launch("t/late", json!({}));
    world.waits_on_signal(&run, "go");
    world.engine().signal(&run, "ask", json!(null), "test", None).unwrap();
    has_gone_on(world, &run, "ask");
    assert!(names(world).is_empty(), "two branches are inside of one lock");
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    run
}

fn left(world: &World, run: &RunId) -> Vec<String> {
    let steps = world.engine().steps(run).unwrap();
    steps.iter().filter(|step| &*step.op == LEAVE).map(|step| step.path.to_string()).collect()
}

fn a_returned_branch_leaves_its_lock_to_who_waits(mut world: World) {
    let run = asks_while_the_other_is_inside(&world, r#"lock("x"); wait_signal("go"); 2"#);
    world.waits_on_signal(&run, "end");
    assert_eq!(names(&world), ["asked"]);
    // Each was inside, one after the other; neither gave it back, so the run has it until its end.
    assert_eq!(left(&world, &run), ["0/b1/1/b0/0", "0/b2/0/b0/0"]);
    assert_eq!(world.engine().locks().unwrap().len(), 1);
    world.restart();
    world.engine().signal(&run, "end", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([0, 1, 2])));
    assert!(world.engine().locks().unwrap().is_empty());
}

#[test]
fn who_waits_as_a_row_for_a_branch_that_returned_without_giving_back_goes_on() {
    a_returned_branch_leaves_its_lock_to_who_waits(World::new());
}

#[test]
fn who_waits_so_goes_on_with_postgresql_as_well() {
    let Some(url) = postgres::database() else { return skip("no PostgreSQL is installed") };
    windlass_engine::migrate(&url).unwrap();
    a_returned_branch_leaves_its_lock_to_who_waits(World::with(move |config| config.url.clone_from(&url)));
}

#[test]
fn who_waits_as_a_row_for_a_branch_that_failed_goes_on() {
    let world = World::new();
    let late = r#"try { parallel([|| { lock("x"); wait_signal("go"); fail("as asked") }], #{ on_error: "wait_all" }) } catch {} 2"#;
    let nested = r#"parallel([|| { lock("x"); wait_signal("go"); 3 }, || { wait_signal("more"); 4 }]); 2"#;
    let run = asks_while_the_other_is_inside(&world, late);
    world.waits_on_signal(&run, "end");
    assert_eq!(names(&world), ["asked"]);
    let world = World::new();
    // The scope around it goes on for long.
    let run = asks_while_the_other_is_inside(&world, nested);
    wait_until("the other branch to be inside", Duration::from_secs(60), || names(&world) == ["asked"]);
    world.engine().signal(&run, "more", json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "end");
}

#[test]
fn who_waits_as_a_row_for_a_poll_that_is_over_goes_on() {
    let world = World::new();
    let late = r#"wait_until(|| { lock("x"); wait_signal("go") }, #{ every: "1h" }); 2"#;
    let run = asks_while_the_other_is_inside(&world, late);
    wait_until("the other branch to be inside", Duration::from_secs(60), || names(&world) == ["asked"]);
    assert!(left(&world, &run).contains(&"0/b2/0/p0/0/b0/0".to_owned()), "{:?}", left(&world, &run));
}

#[test]
fn a_restart_waits_again_for_the_lock_that_a_branch_left() {
    let world = World::new();
    world.script(
        "t/again",
        r#"rollback: "none""#,
        r#"fn run(input) { 
        parallel([|| { lock("x"); probe::touch("in") }, || { wait_signal("go"); probe::refuse("r") }], #{ on_error: "wait_all" })
    }"#,
    );
    let run = world.launch("t/again", json!({}));
    world.waits(&run);
    assert_eq!(left(&world, &run), ["0/b0/0/b0/0"]);
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Failed);
    let restarted = world.engine().restart(&run, false, false, "test").unwrap();
    let dropped: Vec<String> = restarted.dropped.iter().map(ToString::to_string).collect();
    for path in ["0/b0/0", "0/b0/0/b0/0"] {
        assert!(dropped.iter().any(|it| it == path), "{path} is done again: {dropped:?}");
    }
    assert_eq!(world.end(&run).state, RunState::Failed, "it is refused again");
    assert_eq!(left(&world, &run), ["0/b0/0/b0/0"]);
    assert_eq!(names(&world).iter().filter(|name| *name == "in").count(), 1);
}

#[test]
fn a_restart_leaves_alone_the_lock_that_a_branch_left_and_another_one_gave_back() {
    let world = World::new();
    world.script(
        "t/given",
        r#"rollback: "none""#,
        r#"fn run(input) {
        parallel([|| { lock("x"); 1 }, || { probe::slow("b", 300); lock("x"); unlock("x"); 2 }]);
        probe::refuse("r")
    }"#,
    );
    world.script("t/other", "", r#"fn run(input) { lock("x"); wait_signal("end") }"#);
    let run = world.launch("t/given", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    let other = world.launch("t/other", json!({}));
    world.waits_on_signal(&other, "end");
    world.engine().restart(&run, false, false, "test").unwrap();
    assert_eq!(world.end(&run).state, RunState::Failed, "it is refused again, and waited for nobody");
    world.engine().signal(&other, "end", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&other).state, RunState::Succeeded);
}

#[test]
fn a_branch_that_waits_already_is_told_of_a_circle_too() {
    let world = World::new();
    world.script(
        "t/round",
        "",
        r#"fn run(input) {
        let codes = parallel([
            || with_lock("x", || { wait_signal("one"); let sum = 0; for n in 0..300000 { sum += n; } code_of("y") }),
            || with_lock("y", || { wait_signal("two"); code_of("x") }),
        ]);
        codes.filter(|code| code != "had").len()
    }
    fn code_of(name) { try { return with_lock(name, || "had") } catch (error) { return error.code } }"#,
    );
    let run = world.launch("t/round", json!({}));
    world.waits_on_signal(&run, "one");
    world.waits_on_signal(&run, "two");
    world.engine().signal(&run, "one", json!(null), "test", None).unwrap();
    has_gone_on(&world, &run, "one");
    wait_until("the first to wait for the other's lock", Duration::from_secs(60), || {
        world.engine().steps(&run).unwrap().iter().any(|step| step.outcome.is_none() && step.args.contains("\"y\""))
    });
    world.waits(&run);
    world.engine().signal(&run, "two", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!(1)), "one of the two was refused, and the other went on");
}

#[test]
fn who_gave_up_waiting_gives_nothing_back() {
    let world = World::new();
    world.script(
        "t/catch",
        "",
        r#"fn run(input) {
        parallel([
            || { lock("x"); wait_signal("end"); unlock("x") },
            || {
                wait_signal("go");
                let code = ();
                try { lock("x", #{ timeout: "50ms" }) } catch (error) { code = error.code }
                let given = unlock("x");
                wait_signal("after");
                [code, given]
            },
        ])
    }"#,
    );
    let run = world.launch("t/catch", json!({}));
    let signal = |name| world.engine().signal(&run, name, json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "end");
    signal("go");
    world.waits_on_signal(&run, "after");
    assert_eq!(world.engine().locks().unwrap().len(), 1, "the first branch is inside");
    signal("after");
    signal("end");
    let ended = world.end(&run);
    assert_eq!(ended.output, Some(json!([true, ["wait_timeout", false]])), "{ended:?}");
}

#[test]
fn who_gave_up_waiting_is_in_nobodys_way() {
    let world = World::new();
    world.script(
        "t/patience",
        "",
        r#"fn run(input) {
        parallel([
            || { lock("x"); probe::slow("a", 4000); lock("y"); unlock("y") },
            || {
                lock("y");
                probe::slow("b", 300);
                let code = ();
                try { lock("x", #{ timeout: "100ms" }) } catch (error) { code = error.code }
                probe::slow("c", 7000);
                unlock("y");
                code
            },
        ])
    }"#,
    );
    let ended = world.end(&world.launch("t/patience", json!({})));
    assert_eq!(ended.output, Some(json!([true, "wait_timeout"])), "{ended:?}");
}

#[test]
fn a_loser_whose_child_goes_on_keeps_its_lock_for_the_run() {
    let world = World::new();
    world.script("t/child", "", r#"fn run(input) { wait_signal("done") }"#);
    world.script(
        "t/race",
        "",
        r#"fn run(input) {
        race([|| with_lock("x", || child("t/child", #{})), || { wait_signal("go"); 1 }]);
        wait_signal("end");
    }"#,
    );
    let run = world.launch("t/race", json!({}));
    world.waits_on_signal(&run, "go");
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "end");
    assert_eq!(world.engine().locks().unwrap().len(), 1, "the child is still at work behind it");
    world.engine().signal(&run, "end", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
    assert!(world.engine().locks().unwrap().is_empty());
}

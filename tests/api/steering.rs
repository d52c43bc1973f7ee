//! Steering runs that got into trouble: steps in doubt, stuck undos, parked runs, other scripts. Who may, in which states, what
//! is refused, and what the audit log keeps of it.

use serde_json::{Value, json};
use windlass_api::Role;
use windlass_model::{Code, RunId, RunState, audit::AuditFilter, state::WaitReason};
use windlass_tests::World;

use super::house::{Answer, House};

/// A house with people in it: who may steer, who may look, and who sees nothing.
struct Desk {
    house: House,
    operator: String,
    viewer: String,
    stranger: String,
}

impl Desk {
    fn of(world: World) -> Self {
        let house = House::of(world);
        let operator = house.person("olga", Role::Operator, "platform", "*");
        // Who looks here steers elsewhere: what somebody may in one place says nothing of another.
        let places = json!([
            { "role": "viewer", "organisation": "platform", "folder": "*" },
            { "role": "admin", "organisation": "zeta", "folder": "*" },
            { "role": "operator", "organisation": "platform", "folder": "elsewhere" },
        ]);
        house.post("/users", json!({ "name": "vera", "bindings": places })).json(201);
        let viewer = house.token("vera", "main");
        let stranger = house.person("zoe", Role::Admin, "zeta", "*");
        Self { house, operator, viewer, stranger }
    }

    fn world(&self) -> &World {
        &self.house.world
    }

    fn launch(&self, workflow: &str) -> RunId {
        self.house.post("/runs", json!({ "workflow": workflow })).json(201)["id"].as_str().unwrap().into()
    }

    /// As who may.
    fn ask(&self, run: &RunId, command: &str, body: Value) -> Answer {
        self.house.post_as(&self.operator, &format!("/runs/{run}/{command}"), body)
    }

    /// Who only looks is refused, and for others there is no such run.
    #[track_caller]
    fn closed_to_others(&self, run: &RunId, command: &str, body: &Value) {
        let path = format!("/runs/{run}/{command}");
        assert_eq!(self.house.post_as(&self.viewer, &path, body.clone()).code(403), "permission_denied");
        assert_eq!(self.house.post_as(&self.stranger, &path, body.clone()).code(404), "run_not_found");
        assert_eq!(self.house.post_as("", &path, body.clone()).code(401), "unauthenticated");
    }

    /// What people did to the run, oldest first: action, and the state before.
    fn noted(&self, run: &RunId) -> Vec<(String, Value)> {
        let filter = AuditFilter { target: Some(run.to_string()), ..AuditFilter::default() };
        let log = self.world().engine().audit_log(&filter).unwrap();
        let steered = log.into_iter().rev().filter(|entry| entry.action != "run.launch");
        steered
            .inspect(|entry| {
                assert_eq!((entry.actor.as_str(), entry.source.as_str()), ("token:olga/main", "127.0.0.1"))
            })
            .map(|entry| (entry.action, entry.before["state"].clone()))
            .collect()
    }
}

fn entry(action: &str, state: &str) -> (String, Value) {
    (action.to_owned(), json!(state))
}

/// A run whose process died between an effect that must not be repeated and its record.
fn in_doubt() -> (Desk, RunId) {
    let mut world = World::new();
    world.script("t/doubt", "", r#"fn run(input) { let r = probe::once("pay"); probe::touch("after"); r.verb }"#);
    let run = world.crash("t/doubt", "effect.after:1");
    let desk = Desk::of(world);
    assert_eq!(desk.world().waits(&run).waiting_on, [WaitReason::InDoubt]);
    (desk, run)
}

#[test]
fn a_right_in_one_place_is_none_in_another() {
    let desk = Desk::of(World::new());
    desk.world().script("t/waits", "", r#"fn run(input) { wait_signal("go") }"#);
    let run = desk.launch("t/waits");
    desk.world().waits(&run);
    let mut asked = 0;
    for route in windlass_api::routes().all() {
        let Some(rest) = route.path.strip_prefix("/api/v1/runs/{id}/").filter(|_| !route.method.is_safe()) else {
            continue;
        };
        let path = format!("/runs/{run}/{}", rest.replace("{step*}", "0"));
        let refused = desk.house.ask(route.method.as_str(), &path, &desk.viewer, &[], Some(json!({})));
        // Some say first that the body lacks something; none does anything.
        assert!([400, 403].contains(&refused.status), "{path}: {refused:?}");
        asked += 1;
    }
    assert!(asked >= 9, "{asked}");
    desk.closed_to_others(&run, "cancel", &json!({}));
    let launch = json!({ "workflow": "t/waits", "organisation": "platform" });
    assert_eq!(desk.house.post_as(&desk.viewer, "/runs", launch).code(403), "permission_denied");
    for preview in [true, false] {
        let all = json!({ "filter": { "workflow": "t/waits" }, "action": "cancel", "preview": preview });
        let found = desk.house.post_as(&desk.viewer, "/runs/bulk", all).json(200);
        assert_eq!((&found["items"], &found["results"]), (&json!([]), &json!([])), "{found}");
    }
    assert_eq!(desk.world().engine().require(&run).unwrap().state, RunState::Waiting);
    assert_eq!(desk.noted(&run), []);
}

#[test]
fn what_became_of_a_step_in_doubt_is_said_once() {
    let (desk, run) = in_doubt();
    let happened = json!({ "step": "0", "resolution": "happened", "result": { "verb": "by hand" } });
    desk.closed_to_others(&run, "resolve", &happened);
    let wrong = |body: Value| desk.ask(&run, "resolve", body).json(400)["pointer"].clone();
    assert_eq!(wrong(json!({ "step": "x", "resolution": "fail" })), "/step");
    assert_eq!(wrong(json!({ "step": "0", "resolution": "perhaps" })), "/resolution");
    assert_eq!(wrong(json!({ "step": "0", "resolution": "perform", "result": 1 })), "/result");
    // A step that isn't in doubt.
    let other = desk.ask(&run, "resolve", json!({ "step": "7", "resolution": "fail" }));
    assert!([400, 404, 409].contains(&other.status), "{other:?}");
    assert_eq!(desk.noted(&run), [], "what was refused left an entry");
    // It is found by what it waits for.
    let found = |list: &str| {
        let page = desk.house.get(&format!("/runs?waiting_on={list}")).json(200);
        page["items"].as_array().unwrap().iter().any(|one| one["id"] == run.as_str())
    };
    assert_eq!((found("parked,in_doubt"), found("signal,timer")), (true, false));
    assert_eq!(desk.house.get("/runs?waiting_on=godot").json(400)["data"]["parameter"], "waiting_on");

    let shown = desk.ask(&run, "resolve", happened.clone()).json(200);
    assert_eq!(shown["id"], run.as_str());
    let ended = desk.world().end(&run);
    assert_eq!((ended.state, ended.output), (RunState::Succeeded, Some(json!("by hand"))));
    assert_eq!(desk.world().witness.count("once", "pay"), 1);
    assert_eq!(desk.ask(&run, "resolve", happened).status, 409);
    assert_eq!(desk.noted(&run), [entry("run.resolve", "waiting")]);
}

#[test]
fn a_step_in_doubt_is_performed_or_failed_as_an_operator_says() {
    for (word, state, times) in [("perform", RunState::Succeeded, 2), ("fail", RunState::RolledBack, 1)] {
        let (desk, run) = in_doubt();
        desk.ask(&run, "resolve", json!({ "step": "0", "resolution": word })).json(200);
        let ended = desk.world().end(&run);
        assert_eq!((ended.state, desk.world().witness.count("once", "pay")), (state, times), "{word}");
        assert_eq!(ended.problem.map(|problem| problem.code), (word == "fail").then_some(Code::FailedByOperator));
        assert_eq!(desk.noted(&run), [entry("run.resolve", "waiting")]);
    }
}

#[test]
fn a_stuck_undo_goes_on_as_an_operator_says() {
    for (action, left) in [("retry", "gone"), ("skip", "live"), ("adopt", "adopted")] {
        let desk = Desk::of(World::new());
        let body = r#"fn run(input) { probe::make("first"); probe::make("stuck"); fail("no") }"#;
        desk.world().script("t/stuck", "", body);
        let run = desk.launch("t/stuck");
        desk.world().ended_as(&run, RunState::RollbackStuck);
        let body = json!({ "action": action });
        desk.closed_to_others(&run, "unstick", &body);
        assert_eq!(desk.ask(&run, "unstick", json!({ "action": "pray" })).json(400)["pointer"], "/action");
        assert_eq!(desk.ask(&run, "unpark", json!({})).code(409), "illegal_transition");
        assert_eq!(desk.noted(&run), []);
        desk.world().witness.saw("free stuck ");
        desk.ask(&run, "unstick", body.clone()).json(200);
        desk.world().ended_as(&run, RunState::RolledBack);
        let query = format!("/resources?run={run}&state=live,adopted,gone");
        let resources = desk.house.get(&query).json(200)["items"].clone();
        let stuck = resources.as_array().unwrap().iter().find(|resource| resource["id"] == "stuck").unwrap();
        assert_eq!(stuck["state"], left, "{action}: {stuck}");
        assert_eq!(desk.ask(&run, "unstick", body).code(409), "illegal_transition");
        assert_eq!(desk.noted(&run), [entry("run.unstick", "rollback_stuck")], "{action}");
    }
}

#[test]
fn an_undo_that_comes_to_no_end_is_stopped_by_an_operator() {
    let desk = Desk::of(World::new());
    let body = r#"fn run(input) {
        probe::make("first");
        on_rollback("goes round", || { with_retry(#{ attempts: 100, delay: "1m" }, || probe::flaky("never", 1000)) });
        fail("no")
    }"#;
    desk.world().script("t/round", "", body);
    let run = desk.launch("t/round");
    desk.world().ended_as(&run, RunState::RollingBack);
    windlass_tests::wait_until("the undo to be at work", std::time::Duration::from_secs(30), || {
        desk.world().witness.count("flaky", "never") > 0
    });
    let why = json!({ "reason": "it goes round" });
    desk.closed_to_others(&run, "stick", &why);
    assert_eq!(desk.noted(&run), []);
    assert_eq!(desk.ask(&run, "unstick", json!({ "action": "skip" })).code(409), "illegal_transition");
    desk.ask(&run, "stick", why.clone()).json(200);
    let stuck = desk.world().ended_as(&run, RunState::RollbackStuck);
    assert_eq!(stuck.problem.unwrap().message, "no");
    // Whoever worked it off was told: nobody is at it any more.
    windlass_tests::wait_until("the worker to let go", std::time::Duration::from_secs(30), || {
        desk.world().engine().load() == (0, 0)
    });
    assert_eq!(desk.ask(&run, "stick", why).code(409), "illegal_transition");
    desk.ask(&run, "unstick", json!({ "action": "skip" })).json(200);
    desk.world().ended_as(&run, RunState::RolledBack);
    assert!(desk.world().witness.standing().is_empty());
    assert_eq!(desk.noted(&run), [entry("run.stick", "rolling_back"), entry("run.unstick", "rollback_stuck")]);
}

#[test]
fn a_parked_run_goes_on_when_it_is_told_to() {
    let mut world = World::with(|config| config.bounds.recoveries = 3);
    world.script("t/killer", "", r#"fn run(input) { probe::touch("a"); probe::touch("b") }"#);
    let run = world.crash("t/killer", "effect.after:1");
    for _ in 0..3 {
        world.crash_again("effect.after:1");
    }
    let desk = Desk::of(world);
    assert_eq!(desk.world().waits(&run).waiting_on, [WaitReason::Parked]);
    desk.closed_to_others(&run, "unpark", &json!({}));
    desk.ask(&run, "unpark", json!({})).json(200);
    assert_eq!(desk.world().end(&run).state, RunState::Succeeded);
    assert_eq!(desk.ask(&run, "unpark", json!({})).code(409), "illegal_transition");
    assert_eq!(desk.noted(&run), [entry("run.unpark", "waiting")]);
}

#[test]
fn an_open_run_goes_on_with_scripts_that_fit_and_with_no_others() {
    let desk = Desk::of(World::new());
    let write = |first: &str, last: &str| {
        let body = format!(r#"fn run(input) {{ probe::touch("{first}"); wait_signal("go"); "{last}" }}"#);
        desk.world().script("t/waits", "", &body);
    };
    write("a", "old");
    let run = desk.launch("t/waits");
    desk.world().waits(&run);
    desk.closed_to_others(&run, "upgrade", &json!({}));
    write("z", "other");
    let verdict = desk.ask(&run, "upgrade", json!({})).json(200);
    assert_eq!(verdict["verdict"], "diverges", "{verdict}");
    write("a", "new");
    assert_eq!(desk.ask(&run, "upgrade", json!({ "dry_run": true })).json(200)["verdict"], "compatible");
    assert_eq!(desk.noted(&run), [], "nothing was changed, so nothing is written down");
    assert_eq!(desk.ask(&run, "upgrade", json!({})).json(200)["verdict"], "compatible");
    desk.ask(&run, "signal", json!({ "name": "go" })).json(200);
    assert_eq!(desk.world().end(&run).output, Some(json!("new")));
    assert_eq!(desk.world().witness.count("touch", "z"), 0);
    assert_eq!(desk.noted(&run), [entry("run.upgrade", "waiting"), entry("run.signal", "waiting")]);
    write("a", "newest");
    assert_eq!(desk.ask(&run, "upgrade", json!({})).code(409), "illegal_transition");
    assert_eq!(desk.noted(&run).len(), 2);
}

#[test]
fn a_failed_run_is_restarted_on_scripts_that_fit() {
    let desk = Desk::of(World::new());
    let write = |last: &str| {
        let body = format!(r#"fn run(input) {{ probe::touch("a"); {last} }}"#);
        desk.world().script("t/fails", "rollback: \"none\"", &body);
    };
    write(r#"probe::refuse("b")"#);
    let run = desk.launch("t/fails");
    desk.world().ended_as(&run, RunState::Failed);
    desk.closed_to_others(&run, "restart", &json!({}));
    write(r#"probe::touch("b"); "mended""#);
    let dry = desk.ask(&run, "restart", json!({ "current": true, "dry_run": true })).json(200);
    assert_eq!((&dry["verdict"]["verdict"], &dry["dropped"]), (&json!("compatible"), &json!(["1"])));
    assert_eq!(desk.noted(&run), []);
    assert_eq!(desk.world().engine().require(&run).unwrap().state, RunState::Failed);
    desk.ask(&run, "restart", json!({ "current": true })).json(200);
    let ended = desk.world().end(&run);
    assert_eq!((ended.state, ended.output), (RunState::Succeeded, Some(json!("mended"))));
    assert_eq!(desk.world().witness.count("touch", "a"), 1, "what was done isn't done again");
    assert_eq!(desk.ask(&run, "restart", json!({})).code(409), "illegal_transition");
    assert_eq!(desk.noted(&run), [entry("run.restart", "failed")]);
}

#[test]
fn a_restart_from_an_earlier_step_says_what_is_done_again() {
    let desk = Desk::of(World::new());
    let body = r#"fn run(input) { probe::touch("a"); probe::once("b"); probe::read("c"); fail("late") }"#;
    desk.world().script("t/late", "rollback: \"none\"", body);
    let run = desk.launch("t/late");
    desk.world().ended_as(&run, RunState::Failed);
    let from = |step: &str, dry: bool| desk.ask(&run, "restart", json!({ "from": step, "dry_run": dry }));
    assert_eq!(from("first", true).json(400)["pointer"], "/from");
    assert_eq!(from("7", true).json(400)["pointer"], "/from");
    let dry = from("1", true).json(200);
    assert_eq!(dry["dropped"], json!(["1", "2"]));
    assert_eq!(dry["again"], json!([{ "path": "1", "op": "probe::once", "class": "at_most_once" }]));
    assert_eq!(dry["verdict"]["next"]["op"], "probe::once");
    assert_eq!(desk.noted(&run), []);
    from("1", false).json(200);
    desk.world().ended_as(&run, RunState::Failed);
    assert_eq!((desk.world().witness.count("touch", "a"), desk.world().witness.count("once", "b")), (1, 2));
    assert_eq!(desk.noted(&run), [entry("run.restart", "failed")]);
}

#[test]
fn a_signal_with_an_id_arrives_once_and_none_after_the_end() {
    let desk = Desk::of(World::new());
    desk.world().script("t/two", "", r#"fn run(input) { [wait_signal("go"), wait_signal("go")] }"#);
    let run = desk.launch("t/two");
    desk.world().waits(&run);
    let signal = |n: u32, id: &str| json!({ "name": "go", "payload": n, "id": id });
    desk.closed_to_others(&run, "signal", &signal(0, "x"));
    for (n, id) in [(1, "first"), (9, "first"), (2, "second")] {
        desk.ask(&run, "signal", signal(n, id)).json(200);
    }
    assert_eq!(desk.world().end(&run).output, Some(json!([1, 2])));
    assert_eq!(desk.ask(&run, "signal", signal(3, "third")).code(409), "illegal_transition");
    let told = desk.noted(&run);
    assert!(told.iter().all(|(action, _)| action == "run.signal") && (2..=3).contains(&told.len()), "{told:?}");
}

#[test]
fn a_run_is_retried_as_one_of_its_own_and_cancelled_once() {
    let desk = Desk::of(World::new());
    desk.world().script("t/waits", "", r#"fn run(input) { probe::make("thing"); wait_signal("go") }"#);
    let run = desk.launch("t/waits");
    desk.world().waits(&run);
    desk.closed_to_others(&run, "cancel", &json!({}));
    desk.closed_to_others(&run, "retry", &json!({}));
    assert_eq!(desk.ask(&run, "cancel", json!({ "reason": 7 })).json(400)["pointer"], "/reason");
    desk.ask(&run, "cancel", json!({ "reason": "enough" })).json(200);
    assert_eq!(desk.world().end(&run).state, RunState::Cancelled);
    assert!(desk.world().witness.standing().is_empty(), "what it made is undone");
    assert_eq!(desk.ask(&run, "cancel", json!({})).code(409), "illegal_transition");
    assert_eq!(desk.noted(&run), [entry("run.cancel", "waiting")]);
    let again: RunId = desk.ask(&run, "retry", json!({})).json(201)["id"].as_str().unwrap().into();
    assert_ne!(again, run);
    assert_eq!(desk.world().waits(&again).launched_by, "olga");
    // Written down where the new run is found by it.
    assert_eq!(desk.noted(&again), [entry("run.retry", "")].map(|(action, _)| (action, Value::Null)));
    assert_eq!(desk.world().engine().require(&run).unwrap().state, RunState::Cancelled);
}

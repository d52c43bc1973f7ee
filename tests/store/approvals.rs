//! Approvals: who may decide, what a decision is bound to, what expiry means.

use serde_json::{Value, json};
use windlass_model::{
    Code, RunState, WaitSpec,
    command::{Command, Lease, NewRun, Reply},
    wait::{ApprovalRequest, Decision, OnExpiry},
};

use super::world::{World, new_run, path, seen};

super::on_both!(
    a_quorum_approves,
    one_denial_denies,
    decisions_are_bound,
    nobody_approves_their_own,
    what_follows_from_ones_own_run_is_ones_own,
    expiry_has_its_outcome,
    a_dropped_question_is_gone,
);

fn request() -> ApprovalRequest {
    ApprovalRequest {
        title: "Delete it?".into(),
        details: json!({"servers": 3}),
        form: None,
        role: Some("ops".into()),
        quorum: 1,
        expires_at_ms: None,
        on_expiry: OnExpiry::Fail,
        allow_self: false,
        only_alone: false,
        digest: "d1".into(),
    }
}

fn ask(request: ApprovalRequest) -> WaitSpec {
    WaitSpec::Approval(Box::new(request))
}

fn decide(lease: &Lease, by: &str, approved: bool, digest: &str) -> Command {
    let decision = Decision {
        by: by.into(),
        approved,
        comment: Some(format!("{by} says so")),
        form: json!({"by": by}),
        digest: digest.into(),
    };
    Command::Decide { run: lease.run.clone(), path: path("0"), decision }
}

fn a_quorum_approves(w: &World) {
    let lease = w.launch_claimed("r1");
    let spec = ask(ApprovalRequest { quorum: 2, ..request() });
    w.park(&lease, "0", spec.clone());
    assert_eq!(w.store.approvals(None, true).unwrap()[0].request.title, "Delete it?");
    w.ok(decide(&lease, "zoe", true, "d1"));
    assert_eq!(w.due(&lease.run), None);
    assert_eq!(w.refused(decide(&lease, "zoe", true, "d1")), Code::Conflict);
    w.ok(decide(&lease, "bob", true, "d1"));
    assert_eq!(w.due(&lease.run), Some(w.now()));
    assert_eq!(w.refused(decide(&lease, "eve", false, "d1")), Code::IllegalTransition);
    let again = w.claim(&lease.run);
    let outcome = seen(&w.wait(&again, "0", spec));
    let expected = json!({"approved": true, "by": ["zoe", "bob"], "comment": "bob says so", "form": {"by": "bob"}});
    assert_eq!(outcome, expected);
    let record = w.store.approvals(Some(&lease.run), false).unwrap().remove(0);
    assert!(record.settled && record.decisions.len() == 2);
    assert!(w.store.approvals(None, true).unwrap().is_empty());
}

fn one_denial_denies(w: &World) {
    let lease = w.launch_claimed("r1");
    let spec = ask(ApprovalRequest { quorum: 3, ..request() });
    assert_eq!(w.wait(&lease, "0", spec.clone()), Reply::Waiting);
    w.ok(decide(&lease, "bob", true, "d1"));
    w.ok(decide(&lease, "eve", false, "d1"));
    let outcome = seen(&w.wait(&lease, "0", spec));
    assert_eq!((&outcome["approved"], &outcome["by"]), (&Value::Bool(false), &json!(["eve"])));
}

fn decisions_are_bound(w: &World) {
    let lease = w.launch_claimed("r1");
    assert_eq!(w.refused(decide(&lease, "bob", true, "d1")), Code::NotFound);
    w.park(&lease, "0", ask(ApprovalRequest { expires_at_ms: Some(w.now() + 5), ..request() }));
    assert_eq!(w.refused(decide(&lease, "bob", true, "d0")), Code::ApprovalStale);
    let nobody = Lease { run: "no".into(), epoch: 1 };
    assert_eq!(w.refused(decide(&nobody, "bob", true, "d1")), Code::RunNotFound);
    w.pass(5);
    assert_eq!(w.refused(decide(&lease, "bob", true, "d1")), Code::ApprovalExpired);
}

fn nobody_approves_their_own(w: &World) {
    let lease = w.launch_claimed("r1");
    w.wait(&lease, "0", ask(request()));
    assert_eq!(w.refused(decide(&lease, "ann", true, "d1")), Code::PermissionDenied);
    let other = w.launch_claimed("r2");
    w.wait(&other, "0", ask(ApprovalRequest { allow_self: true, ..request() }));
    w.ok(decide(&other, "ann", true, "d1"));
}

fn what_follows_from_ones_own_run_is_ones_own(w: &World) {
    let first = w.launch_claimed("r1");
    // What the engine says about who launches a continuation doesn't count: ann began it.
    let next = NewRun { launched_by: "run:r1".into(), ..new_run("r2") };
    w.ok(Command::ContinueAsNew { lease: first, run: Box::new(next) });
    assert_eq!(w.store.run(&"r2".into()).unwrap().unwrap().launched_by, "ann");
    let second = w.claim(&"r2".into());
    w.wait(&second, "0", ask(request()));
    assert_eq!(w.refused(decide(&second, "ann", true, "d1")), Code::PermissionDenied);
    let child = NewRun { launched_by: "run:r2".into(), ..new_run("r3") };
    w.ok(Command::Launch { run: Box::new(child), claim: None });
    let third = w.claim(&"r3".into());
    w.wait(&third, "0", ask(request()));
    assert_eq!(w.refused(decide(&third, "ann", true, "d1")), Code::PermissionDenied);
    w.ok(decide(&third, "bob", true, "d1"));
}

fn expiry_has_its_outcome(w: &World) {
    let lease = w.launch_claimed("r1");
    let at = w.now() + 5;
    let cases = [OnExpiry::Fail, OnExpiry::Deny, OnExpiry::Approve];
    let specs = cases.map(|on_expiry| ask(ApprovalRequest { expires_at_ms: Some(at), on_expiry, ..request() }));
    for (index, spec) in specs.iter().enumerate() {
        assert_eq!(w.wait(&lease, &index.to_string(), spec.clone()), Reply::Waiting);
    }
    w.ok(Command::Suspend { lease: lease.clone() });
    assert_eq!(w.due(&lease.run), Some(at));
    w.pass(5);
    let again = w.claim(&lease.run);
    let outcomes: Vec<Value> =
        specs.into_iter().enumerate().map(|(index, spec)| seen(&w.wait(&again, &index.to_string(), spec))).collect();
    assert_eq!(outcomes[0], json!({"error": "approval_expired"}));
    assert_eq!((&outcomes[1]["approved"], &outcomes[2]["approved"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(w.store.approvals(None, true).unwrap().is_empty());
}

fn a_dropped_question_is_gone(w: &World) {
    let lease = w.launch_claimed("r1");
    w.park(&lease, "0", ask(request()));
    w.ok(super::world::cancel(&lease.run));
    assert_eq!(w.refused(decide(&lease, "bob", true, "d1")), Code::IllegalTransition);
    let again = w.claim(&lease.run);
    w.ok(Command::BeginRollback { lease: again });
    assert_eq!(w.state(&lease.run), RunState::RollingBack);
    assert!(w.store.approvals(None, false).unwrap().is_empty());
    assert!(w.store.steps(&lease.run).unwrap().is_empty());
}

//! What several nodes share: turns, priorities, rates, and the list of nodes.

use std::sync::atomic::{AtomicBool, Ordering};

use windlass_model::{
    Code, RunState,
    command::{Beat, Command, Lease, NewRun, Rate, Reply},
    workflow::Priority,
};

use windlass_store::Store;

use super::world::{START_MS, World, new_run, node};

super::on_both!(
    organisations_and_workflows_take_turns,
    priorities_go_first,
    nobody_takes_turns_while_there_is_room,
    a_rate_spreads_what_begins,
    a_rate_holds_for_what_really_began,
    a_rate_refuses,
    what_never_began_gives_its_time_back,
    a_beat_says_which_claims_are_left,
    nodes_are_listed_drained_and_leave,
    a_node_that_says_it_is_there_stays_drained,
    a_claim_that_its_node_knows_nothing_of_ends,
);

fn launch(w: &World, id: &str, organisation: &str, workflow: &str, priority: Priority) {
    let (organisation, workflow) = (organisation.to_owned(), workflow.to_owned());
    let run = NewRun { organisation, workflow, priority, ..new_run(id) };
    w.ok(Command::Launch { run: Box::new(run), claim: None });
    w.pass(1);
}

/// Takes so many as there are workers for.
fn claim(w: &World, limit: u32) -> String {
    let expires_at_ms = w.now() + 1_000_000;
    match w.ok(Command::Claim { node: node("n1"), limit, expires_at_ms, max_recoveries: 3 }) {
        Reply::Claimed(taken) => taken.iter().map(|one| one.lease.run.as_str()).collect::<Vec<_>>().join(" "),
        other => panic!("{other:?}"),
    }
}

fn organisations_and_workflows_take_turns(w: &World) {
    for id in ["a1", "a2", "a3", "a4"] {
        launch(w, id, "acme", "lab/x", Priority::Normal);
    }
    launch(w, "b1", "acme", "lab/y", Priority::Normal);
    launch(w, "z1", "zeta", "lab/x", Priority::Normal);
    launch(w, "z2", "zeta", "lab/x", Priority::Normal);
    let taken: Vec<String> = (0..6).map(|_| claim(w, 1)).collect();
    assert_eq!(taken, ["a1", "z1", "b1", "z2", "a2", "a3"]);
    // All that acme has under way counts, on whichever node.
    launch(w, "z3", "zeta", "lab/x", Priority::Normal);
    assert_eq!(claim(w, 1), "z3");
    assert_eq!(claim(w, 1), "a4");
}

fn priorities_go_first(w: &World) {
    launch(w, "low", "acme", "lab/x", Priority::Low);
    launch(w, "normal", "acme", "lab/x", Priority::Normal);
    launch(w, "high", "acme", "lab/x", Priority::High);
    launch(w, "rest", "acme", "lab/x", Priority::Normal);
    assert_eq!([claim(w, 1), claim(w, 1)], ["high", "normal"]);
    w.pass(300_000);
    launch(w, "late", "acme", "lab/x", Priority::Normal);
    assert_eq!(claim(w, 2), "rest low", "they have risen meanwhile");
    assert_eq!(claim(w, 1), "late");
}

fn nobody_takes_turns_while_there_is_room(w: &World) {
    for (id, priority) in [("a", Priority::Low), ("b", Priority::High), ("c", Priority::Normal)] {
        launch(w, id, "acme", "lab/x", priority);
    }
    assert_eq!(claim(w, 3), "a b c");
}

fn rated(id: &str, reject: bool) -> NewRun {
    NewRun { rate: Some(Rate { key: "k".into(), limit: 2, per_ms: 1_000, reject }), ..new_run(id) }
}

fn at_rate(w: &World, id: &str) {
    w.ok(Command::Launch { run: Box::new(rated(id, false)), claim: None });
}

fn a_rate_spreads_what_begins(w: &World) {
    let began = w.now();
    for id in ["r1", "r2", "r3", "r4", "r5"] {
        at_rate(w, id);
    }
    let elsewhere = NewRun { organisation: "zeta".into(), ..rated("z1", false) };
    w.ok(Command::Launch { run: Box::new(elsewhere), claim: None });
    let due = |id: &str| w.due(&id.into()).unwrap() - began;
    assert_eq!([due("r1"), due("r2"), due("r3"), due("r4"), due("r5"), due("z1")], [0, 0, 1_000, 1_000, 2_000, 0]);
    assert_eq!(claim(w, 10), "r1 r2 z1");
    w.pass(999);
    assert_eq!(claim(w, 10), "");
    w.pass(1);
    assert_eq!(claim(w, 10), "r3 r4");
    // A run that a worker would take at once doesn't go before the others.
    assert_eq!(w.launch_as(rated("r6", false)), None);
    assert_eq!(due("r6"), 2_000);
}

fn a_rate_holds_for_what_really_began(w: &World) {
    let began = w.now();
    ["r1", "r2", "r3", "r4"].iter().for_each(|id| at_rate(w, id));
    assert_eq!(claim(w, 1), "r1");
    w.pass(900);
    assert_eq!(claim(w, 1), "r2", "no worker was free before");
    w.pass(100);
    assert_eq!(claim(w, 10), "r3", "r2 began 100 ms ago");
    assert_eq!(w.due(&"r4".into()).unwrap() - began, 1_900);
    w.pass(900);
    assert_eq!(claim(w, 10), "r4");
}

fn a_rate_refuses(w: &World) {
    assert!(w.launch_as(rated("r1", true)).is_some());
    assert!(w.launch_as(rated("r2", true)).is_some());
    let third = || Command::Launch { run: Box::new(rated("r3", true)), claim: None };
    assert_eq!(w.refused(third()), Code::TooManyRequests);
    assert_eq!(w.store.run(&"r3".into()).unwrap(), None);
    w.pass(1_000);
    w.ok(third());
}

fn what_never_began_gives_its_time_back(w: &World) {
    let began = w.now();
    ["r1", "r2", "r3"].iter().for_each(|id| at_rate(w, id));
    assert_eq!(claim(w, 10), "r1 r2");
    w.ok(super::world::cancel(&"r3".into()));
    let lease = w.claim(&"r3".into());
    w.ok(Command::BeginRollback { lease: lease.clone() });
    w.ok(Command::FinishRollback { lease });
    assert_eq!(w.state(&"r3".into()), RunState::Cancelled);
    at_rate(w, "r4");
    assert_eq!(w.due(&"r4".into()).unwrap() - began, 1_000);
}

/// What a node tells.
pub fn beat(name: &str, started_at_ms: i64) -> Beat {
    Beat {
        node: node(name),
        started_at_ms,
        version: "1".into(),
        workers: 4,
        runs: vec![Lease { run: "r1".into(), epoch: 1 }],
    }
}

fn a_claim_that_its_node_knows_nothing_of_ends(w: &World) {
    w.launch_claimed("r1");
    w.launch_claimed("r2");
    // The answer to the claim of r2 was lost: the node tells of r1 alone.
    w.ok(Command::Beat { beat: beat("n1", 0), expires_at_ms: w.now() + 100_000 });
    w.pass(60_000);
    let taken: Vec<_> = w.claim_all("n2").into_iter().map(|taken| taken.lease.run).collect();
    assert_eq!(taken, ["r2".into()]);
}

fn a_beat_says_which_claims_are_left(w: &World) {
    let (first, second) = (w.launch_claimed("r1"), w.launch_claimed("r2"));
    let tell = |runs: Vec<Lease>, until_ms: i64| {
        let beat = Beat { runs, ..beat("n1", 0) };
        match w.ok(Command::Beat { beat, expires_at_ms: w.now() + until_ms }) {
            Reply::Beat { held, .. } => held,
            other => panic!("{other:?}"),
        }
    };
    let both = vec![first.clone(), second.clone()];
    assert_eq!(tell(both.clone(), 100), both);
    w.pass(101);
    // Both are over; this node takes one again, another node the other.
    let again = w.claim(&first.run);
    assert_eq!(w.claim_all("n2").len(), 1);
    assert_eq!(tell(both, 100), [], "an old claim isn't the new one");
    assert_eq!(tell(vec![again.clone(), second], 100), [again]);
}

fn a_node_that_says_it_is_there_stays_drained(w: &World) {
    let tell = |store: &Store| store.commit(Command::Beat { beat: beat("n1", 5), expires_at_ms: START_MS + 10 });
    tell(&w.store).unwrap();
    let (other, done) = (w.second(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                tell(&other).unwrap();
            }
        });
        for n in 0..300 {
            let draining = n % 2 == 0;
            w.ok(Command::Drain { node: node("n1"), draining });
            let listed: Vec<bool> = w.store.nodes().unwrap().iter().map(|node| node.draining).collect();
            if listed != [draining] {
                done.store(true, Ordering::Relaxed);
                panic!("drained {n} times: {listed:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn nodes_are_listed_drained_and_leave(w: &World) {
    let tell = |name: &str, started_at_ms: i64| {
        w.ok(Command::Beat { beat: beat(name, started_at_ms), expires_at_ms: w.now() + 10 })
    };
    let answer = |draining: bool| Reply::Beat { draining, held: Vec::new() };
    assert_eq!(tell("n2", 5), answer(false));
    assert_eq!(tell("n1", 6), answer(false));
    w.pass(3);
    assert_eq!(w.refused(Command::Drain { node: node("n3"), draining: true }), Code::NotFound);
    w.ok(Command::Drain { node: node("n2"), draining: true });
    assert_eq!(tell("n2", 5), answer(true));
    let seen = || -> Vec<(String, i64, bool)> {
        let nodes = w.store.nodes().unwrap().into_iter();
        nodes.map(|node| (node.id.to_string(), w.now() - node.seen_at_ms, node.draining)).collect()
    };
    assert_eq!(seen(), [("n1".into(), 3, false), ("n2".into(), 0, true)]);
    // A node that was started anew takes part again.
    assert_eq!(tell("n2", 9), answer(false));
    w.ok(Command::Leave { node: node("n2") });
    assert_eq!(seen().len(), 1);
    w.pass(86_400_001);
    tell("n4", 1);
    assert_eq!(seen(), [("n4".into(), 0, false)]);
}

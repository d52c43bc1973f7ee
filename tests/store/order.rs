//! Two nodes whose transactions concern the same runs, in opposite orders: none waits for the other in a circle.

use std::sync::{Arc, Barrier, mpsc};

use windlass_model::{
    EffectClass, LockName, StepCall, WaitSpec,
    command::{Beat, Command, Given, Lease, Reply},
    journal::LocalEffect,
};
use windlass_store::Store;

use super::world::{World, call, wait_command};

/// Runs of a round.
const RUNS: usize = 6;
const ROUNDS: usize = 15;

/// Commands that stand in a store's queue together, begun when the other store's do too.
fn submit(store: &Store, both: &Arc<Barrier>, commands: Vec<Command>) -> mpsc::Receiver<Reply> {
    let (began, begun) = mpsc::channel();
    let gate = both.clone();
    let hold = Box::new(move |_| {
        began.send(()).unwrap();
        gate.wait();
    });
    store.submit(Command::DeleteSecret { name: "none".into() }, hold);
    begun.recv().unwrap();
    let (send, answers) = mpsc::channel();
    for command in commands {
        let send = send.clone();
        store.submit(command, Box::new(move |answer| send.send(answer.unwrap()).unwrap()));
    }
    answers
}

/// Rounds of what two nodes do at once; how often the database had to break a circle.
fn circles(round: impl Fn(&World, &str) -> [Vec<Command>; 2]) -> Option<i64> {
    let mut w = World::postgres()?;
    let other = w.second();
    for number in 0..ROUNDS {
        let [ours, theirs] = round(&w, &number.to_string());
        let count = [ours.len(), theirs.len()];
        let both = Arc::new(Barrier::new(3));
        let answers = [submit(&w.store, &both, ours), submit(&other, &both, theirs)];
        both.wait();
        for (answers, count) in answers.iter().zip(count) {
            (0..count).for_each(|_| drop(answers.recv().unwrap()));
        }
    }
    // What a session counts is told when it ends.
    w.store.close();
    other.close();
    w.store = w.second();
    let broken = || {
        windlass_tests::postgres::sql(
            &w.url,
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        )
    };
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    Some(broken().parse().unwrap())
}

fn claimed(w: &World, names: [&str; 2]) -> [Vec<Lease>; 2] {
    names.map(|name| (0..RUNS).map(|n| w.launch_claimed(&format!("{name}-{n}"))).collect())
}

fn child(lease: &Lease) -> WaitSpec {
    WaitSpec::Child { run: lease.run.clone() }
}

#[test]
fn children_end_as_their_parents_begin_to_wait_and_suspend() {
    let broken = circles(|w, round| {
        let [parents, children] = claimed(w, [&format!("p{round}"), &format!("c{round}")]);
        let pairs = || parents.iter().zip(&children);
        for (parent, of) in pairs().step_by(2) {
            w.wait(parent, "0", child(of));
        }
        let ours = pairs().enumerate().rev().map(|(n, (parent, of))| match n % 2 {
            0 => Command::Suspend { lease: parent.clone() },
            _ => wait_command(parent, "0", child(of)),
        });
        let ends = |(n, lease): (usize, &Lease)| match n % 2 {
            0 => Command::Succeed { lease: lease.clone(), output: "1".into() },
            _ => Command::Fail { lease: lease.clone(), problem: super::world::problem(), undo: false },
        };
        [ours.collect(), children.iter().enumerate().map(ends).collect()]
    });
    assert_eq!(broken.unwrap_or(0), 0);
}

#[test]
fn locks_are_given_back_as_others_ask_for_them() {
    let broken = circles(|w, round| {
        let [holders, askers] = claimed(w, [&format!("h{round}"), &format!("a{round}")]);
        let lock = |n: usize| WaitSpec::Lock {
            lock: LockName::new(format!("{round}-{n}"), None),
            expires_at_ms: None,
            from_stuck: false,
            scoped: false,
            beside: false,
        };
        for (n, holder) in holders.iter().enumerate() {
            w.wait(holder, "0", lock(n));
        }
        let unlock = |n: usize, lease: &Lease| {
            let effect = LocalEffect::Unlock { lock: LockName::new(format!("{round}-{n}"), None) };
            let step: Arc<StepCall> = Arc::new(call("1", "unlock", EffectClass::Idempotent));
            match n % 2 {
                0 => Command::Local { lease: lease.clone(), call: step, effect, given: Given::Nothing },
                _ => Command::Succeed { lease: lease.clone(), output: "1".into() },
            }
        };
        let ours = holders.iter().enumerate().map(|(n, lease)| unlock(n, lease)).collect();
        let theirs = askers.iter().enumerate().rev().map(|(n, lease)| wait_command(lease, "0", lock(n))).collect();
        [ours, theirs]
    });
    assert_eq!(broken.unwrap_or(0), 0);
}

#[test]
fn signals_cross() {
    let broken = circles(|w, round| {
        let [ours, theirs] = claimed(w, [&format!("o{round}"), &format!("t{round}")]);
        let all: Vec<&Lease> = ours.iter().chain(&theirs).collect();
        let signal = |lease: &&Lease| super::world::signal(&lease.run, "go", serde_json::json!(1));
        let beat = Beat {
            node: super::world::node("n1"),
            started_at_ms: w.now(),
            version: "1".into(),
            workers: 1,
            runs: all.iter().rev().map(|lease| (*lease).clone()).collect(),
        };
        let beat = Command::Beat { beat, expires_at_ms: w.now() + 60_000 };
        [all.iter().map(signal).collect(), all.iter().rev().map(signal).chain([beat]).collect()]
    });
    assert_eq!(broken.unwrap_or(0), 0);
}

#[test]
fn what_is_cancelled_waits_for_a_lock_that_is_given_back() {
    let broken = circles(|w, round| {
        let [holders, askers] = claimed(w, [&format!("h{round}"), &format!("a{round}")]);
        let lock = |n: usize| WaitSpec::Lock {
            lock: LockName::new(format!("{round}-{n}"), None),
            expires_at_ms: None,
            from_stuck: false,
            scoped: false,
            beside: false,
        };
        for (n, (holder, asker)) in holders.iter().zip(&askers).enumerate() {
            w.wait(holder, "0", lock(n));
            w.park(asker, "0", lock(n));
        }
        let ends = |lease: &Lease| Command::Succeed { lease: lease.clone(), output: "1".into() };
        let cancels = askers.iter().rev().map(|lease| super::world::cancel(&lease.run));
        [holders.iter().map(ends).collect(), cancels.collect()]
    });
    assert_eq!(broken.unwrap_or(0), 0);
}

#[test]
fn a_parent_works_in_one_branch_and_waits_in_another() {
    let broken = circles(|w, round| {
        let [parents, children] = claimed(w, [&format!("p{round}"), &format!("c{round}")]);
        for (parent, of) in parents.iter().zip(&children) {
            w.wait(parent, "0/b0/0", child(of));
        }
        let step = |parent: &Lease| {
            let step = call("0/b1/0", "x", EffectClass::Idempotent);
            super::world::finish(parent, &step, super::world::value(1.into()), w.now())
        };
        let ends = |lease: &Lease| Command::Succeed { lease: lease.clone(), output: "1".into() };
        let ours = parents.iter().zip(&children).flat_map(|(parent, child)| [step(parent), ends(child)]);
        let signals = parents.iter().rev().map(|lease| super::world::signal(&lease.run, "go", serde_json::json!(1)));
        [ours.collect(), signals.collect()]
    });
    assert_eq!(broken.unwrap_or(0), 0);
}

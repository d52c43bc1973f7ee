//! The same random commands on both databases get the same answers and leave the same rows.

use std::sync::{Arc, atomic::Ordering};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::json;
use windlass_model::{
    EffectClass, EventKind, LockName, RunId, StepCall, WaitSpec,
    audit::NewAudit,
    command::{Command, Given, Lease, Rate, Reply},
    document::{Change, Expected},
    event::NewEvent,
    journal::LocalEffect,
    query::FeedFilter,
    undo::StuckAction,
    wait::{ApprovalRequest, Decision, OnExpiry, Resolution},
    workflow::{OnConflict, Priority},
};
use windlass_store::Store;

use super::{
    group::in_one_batch,
    world::{
        World, begin, call, cancel, creates, destroys, error, finish, new_run, node, path, problem, signal, value,
        wait_command,
    },
};

const RUNS: [&str; 5] = ["r0", "r1", "r2", "r3", "r4"];
const PATHS: [&str; 7] = ["0", "1", "2", "2/b0/0", "2/b1/0", "3", "10"];

/// Draws commands that mostly make sense: leases are those that were given out, newest most often.
struct Source {
    random: StdRng,
    leases: Vec<Lease>,
    /// Leases of runs that were being undone, and runs whose undo was stuck, last.
    undone: Vec<Lease>,
    /// Of the database that is asked how far runs are.
    store: Store,
    stuck: Vec<RunId>,
}

impl Source {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.random).copied().unwrap_or_default()
    }

    fn run(&mut self) -> RunId {
        self.pick(&RUNS).into()
    }

    fn lease(&mut self) -> Lease {
        let back = self.random.random_range(0..6).min(self.leases.len().saturating_sub(1));
        let index = self.leases.len().checked_sub(1 + back);
        index.map_or(Lease { run: "r0".into(), epoch: 1 }, |index| self.leases[index].clone())
    }

    fn step(&mut self) -> StepCall {
        let at = self.pick(&PATHS);
        let id = self.pick(&["ns1", "ns2"]);
        match self.random.random_range(0..4) {
            0 => creates(at, id),
            1 => destroys(at, id),
            2 => call(at, "race", EffectClass::Scope),
            _ => call(at, "x", EffectClass::AtMostOnce),
        }
    }

    fn wait(&mut self, now_ms: i64) -> WaitSpec {
        let soon = now_ms + self.random.random_range(0..40);
        let expires_at_ms = self.random.random_bool(0.5).then_some(soon);
        match self.random.random_range(0..6) {
            0 => WaitSpec::Timer { due_at_ms: soon },
            1 => WaitSpec::Signal { name: self.pick(&["a", "b"]).into(), expires_at_ms },
            2 | 5 => {
                let from_stuck = self.random.random_bool(0.6);
                let (scoped, beside) = (self.random.random_bool(0.5), self.random.random_bool(0.2));
                WaitSpec::Lock { lock: self.lock(), expires_at_ms, from_stuck, scoped, beside }
            }
            3 => WaitSpec::Child { run: self.run() },
            _ => WaitSpec::Approval(Box::new(ApprovalRequest {
                title: "t".into(),
                details: json!({}),
                form: None,
                role: None,
                quorum: self.random.random_range(1..3),
                expires_at_ms,
                on_expiry: OnExpiry::Deny,
                allow_self: false,
                only_alone: false,
                digest: "d".into(),
            })),
        }
    }

    /// One of an organisation's own, or one over all of them.
    fn lock(&mut self) -> LockName {
        let name = self.pick(&["l", "m"]);
        LockName::new(name, (name == "l").then(|| "dns.write".into()))
    }

    fn local(&mut self) -> LocalEffect {
        match self.random.random_range(0..8) {
            5 => LocalEffect::Random,
            6 => LocalEffect::KvGet { key: "k/a".into() },
            0 => LocalEffect::KvSet { key: self.pick(&["k/a", "k/B", "K/a"]).into(), value: json!([1]) },
            1 => LocalEffect::KvDelete { key: "k/a".into() },
            2 => LocalEffect::KvList { prefix: "k/".into() },
            3 => LocalEffect::Unlock { lock: self.lock() },
            _ => LocalEffect::Inventory { provider: "net".into(), prefix: "ns".into() },
        }
    }

    fn launch(&mut self) -> Command {
        let mut run = new_run(self.pick(&RUNS));
        run.organisation = self.pick(&["platform", "acme"]).to_owned();
        run.idempotency_key = self.random.random_bool(0.1).then(|| "key".to_owned());
        let on_conflict = [OnConflict::Queue, OnConflict::Reject, OnConflict::CancelPrevious];
        let on_conflict = on_conflict[self.random.random_range(0..3)];
        run.concurrency = self.random.random_bool(0.4).then(|| ("key".to_owned(), 2, on_conflict));
        run.priority = [Priority::Low, Priority::Normal, Priority::High][self.random.random_range(0..3)];
        let reject = self.random.random_bool(0.3);
        run.rate = self.random.random_bool(0.3).then(|| Rate { key: "rate".to_owned(), limit: 2, per_ms: 20, reject });
        let claim = self.random.random_bool(0.5).then(|| (node("n1"), i64::MAX));
        Command::Launch { run: Box::new(run), claim }
    }

    fn outside(&mut self) -> Command {
        let (run, at, by) = (self.run(), path(self.pick(&PATHS)), self.pick(&["bob", "eve"]).to_owned());
        match self.random.random_range(0..12) {
            0 => cancel(&run),
            1 | 2 => signal(&run, self.pick(&["a", "b"]), json!({"x": 1})),
            3 | 4 => {
                let approved = self.random.random_bool(0.8);
                let decision = Decision { by, approved, comment: None, form: json!(null), digest: "d".into() };
                Command::Decide { run, path: at, decision }
            }
            5 => {
                let resolution = match self.random.random_range(0..3) {
                    0 => Resolution::Happened { result: json!(1) },
                    1 => Resolution::Perform,
                    _ => Resolution::Fail,
                };
                Command::Resolve { run, path: at, resolution, by }
            }
            6 => {
                let action = [StuckAction::Retry, StuckAction::Skip, StuckAction::Adopt];
                Command::Unstick { run, action: action[self.random.random_range(0..3)], by }
            }
            7 => {
                let run = self.stuck.last().cloned().unwrap_or(run);
                Command::Unstick { run, action: StuckAction::Retry, by }
            }
            8 => Command::Unpark { run, by },
            9 => {
                let judged = self.store.next_event(&run).unwrap_or(0) - i64::from(self.random.random_bool(0.2));
                let (bundle, drop, retake) = ("b1".into(), vec![at], Vec::new());
                Command::Restart { run, bundle, drop, retake, from: None, judged, by }
            }
            // As far as a run may have come.
            _ => Command::Upgrade { run, bundle: "b1".into(), judged: i64::from(at.ordinal) + 4, by },
        }
    }

    fn change(&mut self, now_ms: i64) -> Change {
        let (kind, id) = (self.pick(&["user", "token"]).to_owned(), self.pick(&["a", "B", "b", "ä"]).to_owned());
        let expected = match self.random.random_range(0..6) {
            0 => Expected::Absent,
            1 => Expected::Present,
            2 => Expected::Version(self.random.random_range(1..3)),
            _ => Expected::Any,
        };
        if self.random.random_bool(0.2) {
            return Change::Delete { kind, id, expected };
        }
        let keys = (0..self.random.random_range(0..3)).map(|_| self.pick(&["k", "K", "l", "m", "n"]).to_owned());
        let mut keys: Vec<String> = keys.collect();
        keys.dedup();
        let expires_at_ms = self.random.random_bool(0.4).then(|| now_ms + self.random.random_range(0..60));
        let body = json!({ "n": self.random.random_range(0..9), "run": null, "text": "\u{0}ä" });
        let organisation = self.pick(&["platform", "acme"]).to_owned();
        Change::Put { kind, id, organisation, body, keys, expires_at_ms, expected }
    }

    /// What people set up, and what is noted of who did it.
    fn people(&mut self, now_ms: i64) -> Command {
        match self.random.random_range(0..10) {
            0 => Command::Audit(Box::new(self.entry())),
            1 => {
                let kind = [EventKind::WorkflowActivated, EventKind::WorkflowRejected, EventKind::WorkflowRemoved];
                let kind = kind[self.random.random_range(0..3)];
                Command::Announce { kind, data: json!({ "workflow": "lab/x", "version": now_ms }) }
            }
            _ => Command::Change((0..self.random.random_range(1..4)).map(|_| self.change(now_ms)).collect()),
        }
    }

    fn entry(&mut self) -> NewAudit {
        NewAudit {
            actor: self.pick(&["user:ann", "token:c\u{0}i"]).to_owned(),
            organisation: self.pick(&["platform", "acme"]).to_owned(),
            action: self.pick(&["run.launch", "user.create"]).to_owned(),
            target: self.pick(&["", "t"]).to_owned(),
            source: "cli".into(),
            before: json!(null),
            after: json!({ "z": 1.5, "a": ["ä", "\u{0}"] }),
        }
    }

    /// Any command, and of some of them an entry in the audit log.
    fn any(&mut self, now_ms: i64) -> Command {
        let command = if self.random.random_bool(0.15) { self.people(now_ms) } else { self.command(now_ms) };
        let command = match self.random.random_bool(0.05) {
            true => {
                let data = json!({ "workflow": "lab/y" });
                Command::Announced { command: Box::new(command), kind: EventKind::WorkflowRemoved, data }
            }
            false => command,
        };
        let command = match self.random.random_bool(0.05) {
            true => Command::With { command: Box::new(command), changes: vec![self.change(now_ms)] },
            false => command,
        };
        if self.random.random_bool(0.2) {
            return Command::Audited { command: Box::new(command), entry: Box::new(self.entry()) };
        }
        command
    }

    fn command(&mut self, now_ms: i64) -> Command {
        let (lease, step) = (self.lease(), self.step());
        match self.random.random_range(0..100) {
            0..8 => self.launch(),
            8..20 => Command::Claim { node: node("n1"), limit: 2, expires_at_ms: now_ms + 60, max_recoveries: 2 },
            20..30 => begin(&lease, &step),
            30..42 => {
                let outcome = match self.random.random_range(0..4) {
                    0 => error(problem()),
                    1 => error(problem().no_effect()),
                    _ => value(json!({"id": 1})),
                };
                match step.class {
                    EffectClass::Scope if self.random.random_bool(0.5) => {
                        let unlock = call(self.pick(&PATHS), "unlock", EffectClass::Idempotent);
                        let given_back = vec![(self.lock(), unlock)];
                        Command::FinishScope { lease, call: Arc::new(step), outcome, started_at_ms: now_ms, given_back }
                    }
                    _ => finish(&lease, &step, outcome, now_ms),
                }
            }
            42..54 => wait_command(&lease, self.pick(&PATHS), self.wait(now_ms)),
            54..62 => Command::Suspend { lease },
            62..66 => {
                let call = Arc::new(call(self.pick(&PATHS), "local", EffectClass::Idempotent));
                Command::Local { lease, call, effect: self.local(), given: Given::Value("0.5".into()) }
            }
            66..68 => Command::Emit { lease, events: vec![NewEvent::run(EventKind::Log, json!("m"))] },
            68..70 => Command::InDoubt { lease, path: step.path },
            70..72 => Command::Succeed { lease, output: "1".into() },
            72..76 => Command::Fail { lease, problem: problem(), undo: self.random.random_bool(0.7) },
            76..78 => Command::BeginRollback { lease },
            78..80 => Command::UndoBegin { lease, seq: self.random.random_range(1..4) },
            80..84 => {
                let failed = self.random.random_bool(0.3).then(problem);
                Command::UndoFinish { lease, seq: self.random.random_range(1..4), problem: failed }
            }
            84..85 => Command::FinishRollback { lease },
            85..88 => {
                let lease = self.undone.last().cloned().unwrap_or(lease);
                Command::StickRollback { lease, problem: problem() }
            }
            88..89 => Command::ContinueAsNew { lease, run: Box::new(new_run(self.pick(&RUNS))) },
            89..90 => Command::Release(lease),
            90..91 => Command::ExpireLeases { node: None },
            91..92 if self.random.random_bool(0.5) => {
                let paths = PATHS.iter().take(self.random.random_range(0..4)).map(|at| path(at)).collect();
                Command::ForgetSteps { lease, paths }
            }
            92..93 => {
                let run = self.undone.last().unwrap_or(&lease).run.clone();
                Command::Stick { run, by: "ann".into(), reason: None }
            }
            91..92 => Command::Prune { default_retention_ms: 100, limit: 1 },
            _ => self.outside(),
        }
    }

    fn learn(&mut self, command: &Command, reply: &Reply) {
        match command {
            Command::Fail { lease, undo: true, .. } => self.undone.push(lease.clone()),
            Command::StickRollback { lease, .. } => self.stuck.push(lease.run.clone()),
            Command::Stick { run, .. } => self.stuck.push(run.clone()),
            _ => {}
        }
        match reply {
            Reply::Claimed(taken) => self.leases.extend(taken.iter().map(|claimed| claimed.lease.clone())),
            Reply::Launched { claimed: Some(claimed), .. } => self.leases.push(claimed.lease.clone()),
            _ => {}
        }
    }
}

/// Entries in the audit log that a command makes which was answered so: what has removed nothing is none.
fn entries(command: &Command, reply: &Reply) -> i64 {
    match command {
        Command::Audited { command, .. } => i64::from(*reply != Reply::Count(0)) + entries(command, reply),
        Command::Announced { command, .. } | Command::With { command, .. } => entries(command, reply),
        other => i64::from(matches!(other, Command::Audit(_))),
    }
}

/// Events of no run that a command makes.
fn announcements(command: &Command) -> usize {
    match command {
        Command::Audited { command, .. } | Command::With { command, .. } => announcements(command),
        Command::Announced { command, .. } => 1 + announcements(command),
        other => usize::from(matches!(other, Command::Announce { .. })),
    }
}

/// Run, number and kind of everything in the feed, in its order. What runs in other databases of the same server may hold
/// the feed back for a while.
fn feed(world: &World, at_least: usize) -> Vec<(String, i64, String)> {
    for _ in 0..600 {
        let (mut found, mut page) = (Vec::new(), world.store.feed(None, &FeedFilter::default(), 100).unwrap());
        loop {
            let told = page.events.into_iter().map(|told| told.event);
            found.extend(told.map(|event| (event.run.to_string(), event.seq, event.kind.as_str().to_owned())));
            if !page.more {
                break;
            }
            page = world.store.feed(Some(&page.next), &FeedFilter::default(), 100).unwrap();
        }
        if found.len() >= at_least {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the feed doesn't get to its end");
}

#[test]
fn both_databases_do_the_same() {
    // Fixed seeds: what fails once fails again.
    compare(0..6, 1);
}

/// PostgreSQL shares statements among the commands of a batch; SQLite doesn't.
#[test]
fn both_databases_do_the_same_with_batches() {
    compare(6..12, 12);
}

fn compare(seeds: std::ops::Range<u64>, most: usize) {
    let (mut stuck, mut unstuck, mut lost) = (0, 0, 0);
    for seed in seeds {
        let Some(postgres) = World::postgres() else { return };
        let sqlite = World::sqlite();
        let mut source = Source {
            random: StdRng::seed_from_u64(seed),
            store: sqlite.store.clone(),
            leases: Vec::new(),
            undone: Vec::new(),
            stuck: Vec::new(),
        };
        let mut applied = 0;
        let (mut noted, mut told) = (0, 0);
        for number in 0..if most == 1 { 500 } else { 200 } {
            let pass_ms = source.random.random_range(0..12);
            for world in [&sqlite, &postgres] {
                world.clock.0.fetch_add(pass_ms, Ordering::SeqCst);
            }
            let commands: Vec<Command> =
                (0..source.random.random_range(1..=most)).map(|_| source.any(sqlite.now())).collect();
            let [ones, others] = [&sqlite, &postgres].map(|world| match most {
                1 => vec![world.store.commit(commands[0].clone())],
                _ => in_one_batch(world, commands.clone()),
            });
            for (command, (one, other)) in commands.iter().zip(ones.into_iter().zip(others)) {
                assert_eq!(one, other, "seed {seed}, commands {number}: {command:?} of {commands:#?}");
                if let Ok(reply) = &one {
                    applied += 1;
                    noted += entries(command, reply);
                    told += announcements(command);
                    source.learn(command, reply);
                    stuck += i32::from(matches!(command, Command::StickRollback { .. } | Command::Stick { .. }));
                    unstuck += i32::from(matches!(command, Command::Unstick { .. }));
                } else if let Err(windlass_store::StoreError::Failed(problem)) = &one {
                    panic!("seed {seed}, commands {number}: {command:?}: {}", problem.message);
                }
            }
        }
        assert!(applied > 80, "seed {seed}: most commands made no sense, only {applied} did");
        let dump = sqlite.store.dump().unwrap();
        assert_eq!(dump, postgres.store.dump().unwrap(), "seed {seed}");
        lost += dump.lines().filter(|line| line.starts_with("lost_locks ")).count();
        let audit = sqlite.store.audit_after(0, 100_000).unwrap();
        assert_eq!(audit.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=noted).collect::<Vec<_>>());
        assert!(noted > 20 && told > 1, "seed {seed}: {noted} entries, {told} announcements");
        let heard = feed(&sqlite, 0);
        assert_eq!(heard, feed(&postgres, heard.len()), "seed {seed}");
        assert_eq!(heard.iter().filter(|(_, _, kind)| kind.starts_with("workflow.")).count(), told, "seed {seed}");
        for run in RUNS {
            sqlite.events(&run.into());
        }
    }
    eprintln!("{stuck} stuck, {unstuck} unstuck, {lost} lost");
    assert!(stuck > 2 && unstuck > 0, "{stuck} undos were stuck, {unstuck} went on, {lost} locks were taken from them");
}

//! One run of the harness: acts and faults as planned, then everything is made whole, and what is left has time to end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_model::{RunState, StepState, query::RunRecord};
use windlass_store::{Store, StoreOptions};

use super::{
    Options, Report,
    cluster::{Cluster, LEASE},
    customers::Customers,
    follower::Following,
    judge,
    plan::{Fault, Plan},
    stage::Stage,
    witness,
};

/// So long runs may take to end once everything is whole.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(options: &Options) -> Report {
    let plan = Plan::new(options);
    let mut stage = Stage::new(options.nodes);
    let mut cluster = Cluster::new(&stage, options);
    (0..cluster.count()).for_each(|node| drop(cluster.caller.insist(node, "GET", "version", &Value::Null, None)));
    let following = Following::start(cluster.caller.addresses().to_vec(), cluster.caller.token().to_owned());
    let mut scene = Scene { options, heal: Vec::new(), doubts: 0 };
    let mut customers = Customers::new(&cluster.caller);
    let began_ms = windlass_model::time::Clock::now_ms(&windlass_engine::SystemClock::default());
    scene.play(&plan, &mut stage, &mut cluster, &mut customers);
    scene.make_whole(&mut stage, &mut cluster);
    let (launched, complaints) = customers.finish();
    let ended = scene.wait_for_ends(&stage, &mut cluster);
    let store = open(&cluster.url(&stage));
    let wanted: usize = judge::events(&store).values().map(Vec::len).sum();
    let until = Instant::now() + Duration::from_secs(20);
    while following.count() < wanted && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let seen = witness::ask(stage.witness());
    let mut report = judge::judge(&store, &launched, &seen, &following.end(), options.nodes > 1);
    report.violations.extend(ended.err());
    report.violations.extend(complaints);
    (report.faults, report.doubts) = (plan.faults.len(), scene.doubts);
    let accused = judge::stories(&store, &report.violations);
    store.close();
    cluster.stop();
    if options.verbose || !report.violations.is_empty() {
        let file = std::env::temp_dir().join(format!("windlass-soak-{}.log", options.seed));
        let story = serde_json::to_string_pretty(&seen).unwrap_or_default();
        let plan = plan.faults.iter().map(|fault| format!("{:>6} ms: {:?}", fault.at.as_millis(), fault.what));
        let plan = plan.collect::<Vec<_>>().join("\n");
        let accused = accused.join("\n");
        let text = format!(
            "{}\n──── faults, from {began_ms}\n{plan}\n──── accused\n{accused}\n──── witness\n{story}\n",
            cluster.logs()
        );
        let _ = std::fs::write(&file, text);
        eprintln!("what the nodes and the witness say: {}", file.display());
    }
    report
}

/// Looks at a database as another process does.
fn open(url: &str) -> Store {
    let clock = std::sync::Arc::new(windlass_engine::SystemClock::default());
    Store::open(url, StoreOptions::new(clock)).expect("the database can be opened")
}

struct Scene<'a> {
    options: &'a Options,
    /// What has to be made whole, and when.
    heal: Vec<(Instant, Fault)>,
    doubts: usize,
}

impl Scene<'_> {
    fn play(&mut self, plan: &Plan, stage: &mut Stage, cluster: &mut Cluster, customers: &mut Customers) {
        let began = Instant::now();
        let mut looked = Instant::now();
        let (mut acts, mut faults) = (plan.acts.iter().peekable(), plan.faults.iter().peekable());
        while acts.peek().is_some() || faults.peek().is_some() || !self.heal.is_empty() {
            let now = began.elapsed();
            cluster.stutter(now);
            if looked.elapsed() > Duration::from_millis(500) {
                looked = Instant::now();
                cluster.revive(stage);
            }
            let due: Vec<Fault> =
                self.heal.iter().filter(|(at, _)| *at <= Instant::now()).map(|(_, fault)| *fault).collect();
            self.heal.retain(|(at, _)| *at > Instant::now());
            due.into_iter().for_each(|fault| self.end(fault, stage, cluster));
            if let Some(fault) = faults.next_if(|fault| fault.at <= now) {
                let (what, lasts) = fault.what;
                self.say(&format!("{:>6} ms: {what:?} for {} ms", now.as_millis(), lasts.as_millis()));
                self.begin(what, stage, cluster);
                self.heal.push((Instant::now() + lasts, what));
            }
            if let Some(act) = acts.next_if(|act| act.at <= now) {
                customers.act(&act.what, act.at.as_millis() as usize % cluster.count());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn say(&self, text: &str) {
        if self.options.verbose {
            eprintln!("{text}");
        }
    }

    fn begin(&self, fault: Fault, stage: &mut Stage, cluster: &mut Cluster) {
        match fault {
            Fault::Kill(node) => cluster.kill(node),
            Fault::Pause(node) => cluster.pause(node, true),
            Fault::Cut(node) => stage.link(node, false),
            Fault::Slow(node) => cluster.slow(node, true),
            Fault::SlowWitness => witness::slow(stage.witness(), 400),
            Fault::Database => stage.crash_database(),
            Fault::FullDisk => stage.fill(true),
        }
    }

    fn end(&self, fault: Fault, stage: &mut Stage, cluster: &mut Cluster) {
        match fault {
            Fault::Kill(node) => cluster.start(stage, node),
            Fault::Pause(node) => cluster.pause(node, false),
            Fault::Cut(node) => stage.link(node, true),
            Fault::Slow(node) => cluster.slow(node, false),
            Fault::SlowWitness => witness::slow(stage.witness(), 0),
            // It needs room to come back, and does when there is some.
            Fault::Database if stage.is_full() => {}
            Fault::Database => stage.start_database(),
            Fault::FullDisk => {
                stage.fill(false);
                stage.start_database();
            }
        }
    }

    fn make_whole(&self, stage: &mut Stage, cluster: &mut Cluster) {
        self.say("everything is made whole");
        for node in 0..cluster.count() {
            cluster.slow(node, false);
            cluster.pause(node, false);
            stage.link(node, true);
            cluster.start(stage, node);
        }
        witness::slow(stage.witness(), 0);
        stage.fill(false);
        stage.start_database();
    }

    /// Waits until all runs have ended, and does what an operator would: looks at the world for steps that are in doubt,
    /// has undos tried again, lets runs go on that were parked.
    fn wait_for_ends(&mut self, stage: &Stage, cluster: &mut Cluster) -> Result<(), String> {
        let store = open(&cluster.url(stage));
        // What was broken on purpose needn't be waited for.
        let until = Instant::now() + if self.options.broken.is_some() { PATIENCE / 4 } else { PATIENCE };
        // Whatever was on its way when things were made whole has arrived, or never will.
        std::thread::sleep(LEASE * 2);
        loop {
            let runs = store.runs(&windlass_model::query::RunFilter { limit: 100_000, ..Default::default() });
            let runs = runs.map_err(|error| format!("the runs can't be read: {error}"))?;
            let open: Vec<&RunRecord> = runs.iter().filter(|run| !run.state.is_ended()).collect();
            if open.is_empty() {
                store.close();
                return Ok(());
            }
            cluster.revive(stage);
            for run in &open {
                self.operate(&store, stage, cluster, run);
            }
            if Instant::now() > until {
                let stuck: Vec<String> = open
                    .iter()
                    .map(|run| {
                        format!(
                            "{} {} {} {:?} due {:?}",
                            run.id, run.input["name"], run.state, run.waiting_on, run.due_at_ms
                        )
                    })
                    .collect();
                store.close();
                return Err(format!("runs that don't end: {}", stuck.join("; ")));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn operate(&mut self, store: &Store, stage: &Stage, cluster: &Cluster, run: &RunRecord) {
        let path = |what: &str| format!("runs/{}/{what}", run.id);
        if run.state == RunState::RollbackStuck {
            cluster.caller.insist(0, "POST", &path("unstick"), &json!({ "action": "retry" }), None);
        }
        if run.state != RunState::Waiting {
            return;
        }
        if run.waiting_on.contains(&windlass_model::WaitReason::Parked) {
            cluster.caller.insist(0, "POST", &path("unpark"), &json!({}), None);
        }
        if cluster.any_paused() {
            return;
        }
        let steps = store.journal(&run.id).map(|journal| journal.steps).unwrap_or_default();
        for step in steps.iter().filter(|step| step.state == StepState::InDoubt) {
            // Its arguments name what it posted.
            let seen = witness::ask(stage.witness());
            let args: &str = &step.args;
            let happened = seen
                .iter()
                .any(|seen| seen.kind == "post" && args.contains(&format!("/post/{}/{}\"", seen.run, seen.name)));
            let resolution = match happened {
                true => json!({ "step": step.path, "resolution": "happened", "result": { "status": 200 } }),
                false => json!({ "step": step.path, "resolution": "perform" }),
            };
            self.doubts += 1;
            cluster.caller.insist(0, "POST", &path("resolve"), &resolution, None);
        }
    }
}

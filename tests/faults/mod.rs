//! The fault harness: a seed decides what is launched and what breaks; nodes run in network namespaces of their own, an
//! independent witness writes down what reaches the world, and afterwards both stories have to agree. The same seed makes
//! the same plan.

mod cluster;
mod customers;
mod follower;
mod judge;
pub mod plan;
mod run;
mod stage;
pub mod witness;
mod workflows;

use std::time::Duration;

/// What a run of the harness is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that is random.
    pub seed: u64,
    /// Nodes; one: SQLite instead of PostgreSQL.
    pub nodes: usize,
    /// How long things break.
    pub time: Duration,
    /// Names of the faults that are made; empty: all.
    pub faults: Vec<String>,
    /// A promise that is taken away, to see that the judge notices: `epoch`, `intent`, `lease`.
    pub broken: Option<String>,
    /// Print what happens.
    pub verbose: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was promised and not kept.
    pub violations: Vec<String>,
    /// Runs that were launched and ended.
    pub runs: usize,
    /// Effects that the witness saw.
    pub effects: usize,
    /// Events of those runs.
    pub events: usize,
    /// Faults that were made.
    pub faults: usize,
    /// Claims of runs whose worker was lost.
    pub recoveries: usize,
    /// Steps that were in doubt, and that the harness resolved by what the witness saw.
    pub doubts: usize,
}

impl Report {
    /// One line for people.
    pub fn line(&self, options: &Options) -> String {
        let verdict = match self.violations.len() {
            0 => "holds".to_owned(),
            count => format!("{count} VIOLATIONS"),
        };
        format!(
            "seed {:>5}, {} nodes: {verdict}; {} runs, {} effects, {} events, {} faults, {} recoveries, {} in doubt",
            options.seed,
            options.nodes,
            self.runs,
            self.effects,
            self.events,
            self.faults,
            self.recoveries,
            self.doubts
        )
    }
}

/// Whether the harness can work here: it needs network namespaces and, for several nodes, PostgreSQL.
pub fn missing(nodes: usize) -> Option<String> {
    if !crate::is_root() || crate::can_make_namespaces().is_err() {
        return Some("the fault harness makes network namespaces, which needs root".to_owned());
    }
    (nodes > 1 && crate::postgres::binaries().is_none())
        .then(|| "no PostgreSQL is installed under /usr/lib/postgresql".to_owned())
}

/// Runs it. Everything that it starts is in namespaces and folders of its own, and gone afterwards.
pub fn run(options: &Options) -> Report {
    // A provider that is installed already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = options.clone();
    let work = move || {
        // The thread's children and sockets live in this namespace.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace can be made");
        run::run(&options)
    };
    std::thread::Builder::new().name("faults".into()).spawn(work).expect("a thread").join().expect("the harness works")
}

//! Host modules as scripts see them: through the sandbox, with permissions, arguments, secrets and undo.

mod docker;
mod exec;
mod file;
mod guacamole;
mod hetzner;
mod http;
mod net;
mod net_capture;
mod net_live;
pub(crate) mod net_outside;
mod net_twin;
mod net_watch;
mod notify;
mod notify_targets;
mod qemu;
mod undoing;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use windlass_hosts::{HOSTS, HostConfig, modules, modules_in, owner::Always, rehearsal_modules, services::Services};
use windlass_model::{
    Bounds, Problem,
    journal::{Ending, Job, Runner},
    undo::UndoRecord,
};
use windlass_script::{
    NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig, SecretSource,
    host::{HostModule, Permission, Rehearse, Undo},
    testing::{MemoryJournal, job, source},
};

/// A sandbox with all modules, real ones or those for rehearsals.
pub(crate) struct Shop {
    sandbox: Sandbox,
    // Ops of this sandbox use it.
    _runtime: tokio::runtime::Runtime,
}

/// All modules for runs of this organisation.
pub(crate) fn modules_of(config: &HostConfig, organisation: &'static str) -> Vec<HostModule> {
    let services = Services { organisations: Arc::new(Always(organisation)), ..Services::default() };
    modules_in(config, &services).expect("the configuration fits this machine")
}

impl Shop {
    pub(crate) fn real(config: &HostConfig) -> Self {
        Self::of(modules_of(config, "platform"), false)
    }

    pub(crate) fn rehearsal(config: &HostConfig) -> Self {
        Self::of(rehearsal_modules(config), true)
    }

    pub(crate) fn of(modules: Vec<HostModule>, rehearsal: bool) -> Self {
        Self::with_secrets(modules, rehearsal, Arc::new(NoSecrets))
    }

    pub(crate) fn with_secrets(modules: Vec<HostModule>, rehearsal: bool, secrets: Arc<dyn SecretSource>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let sandbox = Sandbox::new(SandboxConfig {
            bounds: Bounds::default(),
            modules,
            secrets,
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "test".into(),
            rehearsal,
            interceptor: None,
        });
        Self { sandbox, _runtime: runtime }
    }

    /// Evaluates a workflow with this body; the journal that it has left behind tells the rest.
    pub(crate) fn run(&self, grants: &[&str], body: &str) -> (Result<Value, Problem>, Arc<MemoryJournal>, Job) {
        let journal = MemoryJournal::new();
        // A run of its own: what another one has left carries another key.
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = format!("01testrun{:017}", RUNS.fetch_add(1, Ordering::Relaxed)).as_str().into();
        let job = Job { run, ..job(&source(grants, body)) };
        let result = self.resume(&job, &journal);
        (result, journal, job)
    }

    /// Evaluates a job with what its journal has of it already.
    pub(crate) fn resume(&self, job: &Job, journal: &Arc<MemoryJournal>) -> Result<Value, Problem> {
        match on_a_script_thread(|| self.sandbox.evaluate(job, journal.clone())) {
            Ending::Returned(text) => Ok(serde_json::from_str(&text).expect("a result is JSON")),
            Ending::Failed(problem) => Err(*problem),
            Ending::Stopped(stop) => panic!("{stop:?}"),
        }
    }

    /// The script's result, or its error.
    pub(crate) fn result(&self, grants: &[&str], body: &str) -> Result<Value, Problem> {
        self.run(grants, body).0
    }

    /// Undoes what a run has done, last first; why it can't be.
    pub(crate) fn try_roll_back(&self, job: &mut Job, journal: &Arc<MemoryJournal>) -> Result<(), Problem> {
        list_undo(job, journal);
        journal.undone.lock().clear();
        on_a_script_thread(|| self.sandbox.roll_back(job, journal.clone()));
        journal.undone.lock().iter().try_for_each(|(_, result)| result.clone())
    }

    /// Undoes what a run has done, last first.
    pub(crate) fn roll_back(&self, mut job: Job, journal: &Arc<MemoryJournal>) {
        list_undo(&mut job, journal);
        let ending = on_a_script_thread(|| self.sandbox.roll_back(&job, journal.clone()));
        assert!(matches!(ending, Ending::Returned(_)), "{ending:?}");
        let undone = journal.undone.lock();
        assert!(undone.len() == job.undo.len() && undone.iter().all(|(_, result)| result.is_ok()), "{undone:?}");
    }
}

/// What a run has registered, last first.
fn list_undo(job: &mut Job, journal: &MemoryJournal) {
    let own = |entry: &UndoRecord| UndoRecord { origin: job.run.clone(), ..entry.clone() };
    job.undo = journal.undo.lock().iter().rev().map(own).collect();
}

/// Scripts need more stack than a test's thread has.
fn on_a_script_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).expect("a thread");
        thread.join().expect("the sandbox doesn't panic")
    })
}

/// What the examples of the reference take for granted.
fn example_config() -> HostConfig {
    serde_json::from_value(json!({ "file": { "folders": ["/srv/site"] }, "net": { "devices": ["eth1"], "vxlan_remotes": ["192.0.2.0/24"] } })).expect("a configuration")
}

#[test]
fn every_example_runs_in_a_rehearsal() {
    let mut count = 0;
    for module in rehearsal_modules(&example_config()) {
        let (name, verbs) = (module.name, verbs(&module));
        // Examples name secrets, which a rehearsal doesn't look for; a lab's plan is about what `net` makes.
        let grants: Vec<String> =
            verbs.iter().chain(&["secret.use", "net.read", "net.write"]).map(|verb| format!("{verb}:*")).collect();
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        for op in &module.ops {
            // A world of its own for each: what one example makes is in no other's way.
            let shop = Shop::rehearsal(&example_config());
            assert!(
                op.example.contains(&format!("{name}::{}", op.name)),
                "the example of {name}::{} doesn't call it",
                op.name
            );
            if let Err(problem) = shop.result(&grants, op.example) {
                panic!("the example of {name}::{}: {problem:#?}\n{}", op.name, op.example);
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count} examples");
}

fn verbs(module: &HostModule) -> Vec<&'static str> {
    let verb = |permission: &Permission| match permission {
        Permission::Needs { verb, .. } => Some(*verb),
        Permission::Free => None,
    };
    let mut verbs: Vec<&str> = module.ops.iter().filter_map(|op| verb(&op.permission)).collect();
    // `file::copy` asks for a second one by itself.
    verbs.sort_unstable();
    verbs.dedup();
    verbs
}

#[test]
fn every_op_says_all_about_itself() {
    for module in rehearsal_modules(&HostConfig::default()) {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        assert!(!module.doc.is_empty(), "{}", module.name);
        for op in &module.ops {
            let full = format!("{}::{}", module.name, op.name);
            *names.entry(op.name).or_default() += 1;
            assert!(op.doc.len() > 10 && !op.returns.is_empty() && !op.example.is_empty(), "{full} isn't documented");
            assert!(op.params.iter().all(|param| !param.doc.is_empty()), "a parameter of {full} isn't documented");
            let optional = op.params.iter().map(|param| param.optional);
            assert!(optional.is_sorted(), "{full} has an optional parameter before one that isn't");
            assert!((1..=86_400_000).contains(&op.timeout_ms), "{full}");
            assert_eq!(op.class == windlass_model::EffectClass::Keyed, op.lookup.is_some(), "{full}");
            if let Undo::Op { name, .. } = op.undo {
                assert!(
                    module.ops.iter().any(|other| other.name == name),
                    "{full} is undone by {name}, which isn't there"
                );
            }
            if let Permission::Needs { verb, words, .. } = op.permission {
                assert!(verb.starts_with(&format!("{}.", module.name)) && !words.is_empty(), "{full}: {verb}");
            }
            if module.name == "exec" || module.name == "http" {
                assert!(matches!(op.rehearse, Rehearse::Assume(_)), "{full} would act in a rehearsal");
            }
        }
        assert!(names.values().all(|count| *count == 1), "an op of {} stands there twice", module.name);
    }
}

#[test]
fn the_table_lists_every_module_once_and_in_order() {
    let names: Vec<&str> = HOSTS.iter().map(|host| host.name).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let config = example_config();
    let made = |modules: Vec<HostModule>| modules.iter().map(|module| module.name).collect::<Vec<_>>();
    assert_eq!(made(modules(&config).expect("the example fits")), names);
    assert_eq!(made(rehearsal_modules(&config)), names);
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    for (text, word) in [
        ("[exec]\nprograms = [\"bin/x\"]", "bin/x"),
        ("[file]\nfolders = [\"srv\"]", "srv"),
        ("[http]\nallow_addresses = [\"localhost\"]", "localhost"),
        ("[http]\nca_file = \"/none.pem\"", "/none.pem"),
        ("[exec]\nfolders = [\"/none\"]", "/none"),
        ("[qemu]\nimages = [\"srv\"]", "srv"),
    ] {
        let config: HostConfig = toml::from_str(text).expect("it has the right form");
        let problem = modules(&config).err().expect("it can't be meant");
        assert_eq!(problem.code, windlass_model::Code::Configuration);
        assert!(problem.message.contains(word) && problem.message.contains("hosts."), "{}", problem.message);
    }
    for text in ["[exec]\nprogram = []", "[shell]", "[file]\nfolders = \"/srv\""] {
        assert!(toml::from_str::<HostConfig>(text).is_err(), "{text}");
    }
}

//! The one place that makes an engine for scripts, and the sandbox that everything else hangs on.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use rhai::{
    Engine, OptimizationLevel,
    packages::{Package, StandardPackage},
};
use serde_json::Value;
use windlass_model::{Bounds, Bundle, BundleDigest, Problem};

use crate::{
    builtin, catalog::Catalog, host::HostModule, meter, permission::Policy, program::Program, resolver,
    scrub::Scrubbers, secret::SecretSource,
};

/// The stack that a thread needs to evaluate scripts. Only touched pages count.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 16 << 20 } else { 4 << 20 };

/// Deepest nesting of expressions: at a file's top level, and in its functions.
const EXPRESSION_DEPTHS: (usize, usize) = (64, 32);

/// Compiled bundles that are kept.
const PROGRAMS_KEPT: usize = 256;

/// What a sandbox is made of.
pub struct SandboxConfig {
    /// Limits.
    pub bounds: Bounds,
    /// What scripts can do.
    pub modules: Vec<HostModule>,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// What workflows may declare.
    pub policy: Policy,
    /// Where ops' futures run.
    pub runtime: tokio::runtime::Handle,
    /// This machine's instance id.
    pub instance: Arc<str>,
    /// Whether nothing is to happen for real.
    pub rehearsal: bool,
    /// Asked instead of performing, in scenarios.
    pub interceptor: Option<Arc<dyn Interceptor>>,
}

/// Answers for ops in scenarios.
pub trait Interceptor: Send + Sync {
    /// The answer to the `nth` performed call (from 1) of this op; `None` lets the op run. `args` is an array.
    fn intercept(&self, op: &str, args: &Value, nth: u32) -> Option<Result<Value, Problem>>;
}

/// Evaluates scripts within their bounds. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shell: Arc<Shell>,
}

pub(crate) struct Shell {
    pub config: SandboxConfig,
    pub catalog: Arc<Catalog>,
    pub scrubbers: Arc<Scrubbers>,
    standard: StandardPackage,
    programs: Mutex<Programs>,
    calls: Mutex<HashMap<Arc<str>, u32>>,
}

#[derive(Default)]
struct Programs {
    by_digest: HashMap<BundleDigest, (Arc<Program>, u64)>,
    clock: u64,
}

impl Sandbox {
    /// A sandbox; one for each process, or for each scenario.
    pub fn new(mut config: SandboxConfig) -> Self {
        let catalog = Arc::new(Catalog::new(std::mem::take(&mut config.modules)));
        let scrubbers = Arc::new(Scrubbers::default());
        let standard = StandardPackage::new();
        let (programs, calls) = (Mutex::default(), Mutex::default());
        let sandbox = Self { shell: Arc::new(Shell { config, catalog, scrubbers, standard, programs, calls }) };
        sandbox.learn_secrets();
        sandbox
    }

    /// Asks the source for all values that it holds, so that none is stored or shown: at the start, because an earlier
    /// process may have written one into a file, and again whenever secrets change. The latest of those that were removed
    /// from the source stay known.
    pub fn learn_secrets(&self) {
        self.shell.scrubbers.hold(&self.shell.config.secrets.all());
    }

    /// Everything that scripts can call.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.shell.catalog
    }

    /// Takes secrets out of a text of an organisation; for whatever is stored or shown on another way than by a run.
    pub fn clean(&self, organisation: &str, text: &str) -> String {
        self.shell.scrubbers.text(organisation, text)
    }

    /// The limits.
    pub fn bounds(&self) -> &Bounds {
        &self.shell.config.bounds
    }

    /// What workflows may declare.
    pub fn policy(&self) -> &Policy {
        &self.shell.config.policy
    }
}

impl Shell {
    /// An engine that can do nothing but compute within the bounds, call the catalog and import from the bundle.
    pub fn engine(&self) -> Engine {
        let mut engine = bare_engine(&self.config.bounds, &self.standard);
        self.catalog.register(&mut engine);
        let bounds = self.config.bounds.clone();
        engine.on_progress(move |_| meter::tick(&bounds));
        engine.on_print(|text| builtin::printed("info", text));
        engine.on_debug(|text, _, _| builtin::printed("debug", text));
        engine.set_module_resolver(resolver::BundleResolver);
        engine
    }

    /// The compiled bundle; kept for the next run of the same one.
    pub fn program(&self, digest: &BundleDigest, bundle: &Arc<Bundle>) -> Result<Arc<Program>, Problem> {
        if let Some(program) = self.programs.lock().get(digest) {
            return Ok(program);
        }
        let engine = self.engine();
        let program = Arc::new(Program::compile(bundle.clone(), &self.catalog, &self.config.policy, &engine)?);
        self.programs.lock().put(digest.clone(), program.clone());
        Ok(program)
    }

    /// How often this op was performed in this sandbox, this time included.
    pub fn count_call(&self, op: &Arc<str>) -> u32 {
        let mut calls = self.calls.lock();
        let count = calls.entry(op.clone()).or_default();
        *count += 1;
        *count
    }
}

impl Programs {
    fn get(&mut self, digest: &BundleDigest) -> Option<Arc<Program>> {
        self.clock += 1;
        let (program, used) = self.by_digest.get_mut(digest)?;
        *used = self.clock;
        Some(program.clone())
    }

    fn put(&mut self, digest: BundleDigest, program: Arc<Program>) {
        if self.by_digest.len() >= PROGRAMS_KEPT
            && let Some(oldest) = self.by_digest.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            self.by_digest.remove(&oldest);
        }
        self.clock += 1;
        self.by_digest.insert(digest, (program, self.clock));
    }
}

/// An engine with limits and the standard package, and nothing else: no host function, no import.
pub(crate) fn bare_engine(bounds: &Bounds, standard: &StandardPackage) -> Engine {
    let mut engine = Engine::new_raw();
    standard.register_into_engine(&mut engine);
    engine
        // The optimizer is quadratic in places, and drops a `try` around an `import`.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_max_expr_depths(EXPRESSION_DEPTHS.0, EXPRESSION_DEPTHS.1)
        .set_max_call_levels(bounds.script_call_levels)
        // Operations are counted by the meter, between host calls and over all branches' engines alike.
        .set_max_operations(0)
        .set_max_string_size(bounds.script_string_bytes)
        .set_max_array_size(bounds.script_array_items)
        .set_max_map_size(bounds.script_map_items)
        .set_max_modules(64)
        .set_max_variables(512)
        .set_max_functions(512)
        .set_max_strings_interned(256);
    for symbol in ["eval", "is_shared"] {
        engine.disable_symbol(symbol);
    }
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    engine
}

//! Serves imports from the pinned bundle, and from nowhere else.

use std::cell::RefCell;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use windlass_model::{Code, Problem};

use crate::{
    branch,
    throw::{Halt, raise},
};

/// Deepest chain of imports.
pub(crate) const MAX_IMPORT_DEPTH: usize = 8;

thread_local! {
    /// Modules that are being evaluated on this thread, outermost first.
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Whether the name is one that a file of a library can have: `lib/lab`, `area/two-routers`.
pub fn is_valid_name(name: &str) -> bool {
    name.len() <= 200
        && name.split('/').all(|part| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            !part.is_empty() && part.bytes().all(known) && part.as_bytes()[0].is_ascii_alphanumeric()
        })
}

/// Finds modules in the bundle of the run that this thread evaluates.
pub(crate) struct BundleResolver;

impl ModuleResolver for BundleResolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        name: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let run = branch::run().map_err(|halt| raise(halt, position))?;
        if let Some(module) = run.program.modules.lock().get(name) {
            return Ok(module.clone());
        }
        let source = run.program.bundle.files.get(name).filter(|_| is_valid_name(name)).ok_or_else(|| {
            let problem = Problem::new(Code::ScriptError, format!("there is no module `{name}` in this run's bundle"))
                .help(
                    "Import with a literal name: `import \"lib/lab\" as lab;`. Only those files are pinned at launch.",
                );
            raise(Halt::from(problem), position)
        })?;
        let _guard = Loading::enter(name).map_err(|problem| raise(problem.into(), position))?;
        let in_module =
            |error: Box<EvalAltResult>| Box::new(EvalAltResult::ErrorInModule(name.into(), error, position));
        let mut ast = engine.compile(source).map_err(|error| in_module(error.into()))?;
        ast.set_source(name);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(in_module)?;
        let module: Shared<Module> = module.into();
        run.program.modules.lock().insert(name.to_owned(), module.clone());
        Ok(module)
    }
}

struct Loading;

impl Loading {
    fn enter(name: &str) -> Result<Self, Problem> {
        LOADING.with_borrow_mut(|loading| {
            if loading.iter().any(|other| other == name) {
                let chain = format!("{} → {name}", loading.join(" → "));
                return Err(Problem::new(
                    Code::WorkflowInvalid,
                    format!("modules import each other in a circle: {chain}"),
                ));
            }
            if loading.len() >= MAX_IMPORT_DEPTH {
                let message = format!("imports are nested deeper than {MAX_IMPORT_DEPTH}");
                return Err(Problem::new(Code::LimitExceeded, message));
            }
            loading.push(name.to_owned());
            Ok(Self)
        })
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        LOADING.with_borrow_mut(|loading| loading.pop());
    }
}

/// Whether this thread evaluates a module's top level, where host functions may not be used: modules are evaluated once
/// for many runs.
pub(crate) fn is_loading() -> bool {
    LOADING.with_borrow(|loading| !loading.is_empty())
}

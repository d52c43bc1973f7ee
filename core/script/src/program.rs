//! A bundle, compiled: its syntax tree, its header, what it may do, and the modules it imports.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use rhai::{AST, Module, Shared};
use windlass_model::{Bundle, Code, Problem, Workflow};

use crate::{catalog::Catalog, header, permission, permission::Policy};

pub(crate) struct Program {
    pub bundle: Arc<Bundle>,
    pub entry: Arc<str>,
    pub ast: AST,
    /// Effective grants: declared, within the policy.
    pub grants: Arc<[String]>,
    allowed: Vec<Allowed>,
    /// Modules that were evaluated already; they hold functions and constants only.
    pub modules: Mutex<HashMap<String, Shared<Module>>>,
}

/// What a program's grants say of an op, whatever its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// No grant has its verb.
    Never,
    /// It needs none, or has it for every scope.
    Always,
    /// It depends on the scope.
    ByScope,
}

impl Program {
    pub fn compile(
        bundle: Arc<Bundle>,
        catalog: &Catalog,
        policy: &Policy,
        engine: &rhai::Engine,
    ) -> Result<Self, Problem> {
        let workflow = header::read(&bundle)?;
        let source = header::entry_source(&bundle)?;
        let mut ast = engine.compile(source).map_err(|error| {
            Problem::new(Code::WorkflowInvalid, format!("{}: {error}", bundle.entry))
                .help("`windlass workflows check` shows the place.")
        })?;
        ast.set_source(bundle.entry.as_str());
        Ok(Self::new(bundle, ast, &workflow, catalog, policy))
    }

    fn new(bundle: Arc<Bundle>, ast: AST, workflow: &Workflow, catalog: &Catalog, policy: &Policy) -> Self {
        let grants: Arc<[String]> = policy.effective(&workflow.name, &workflow.permissions).into();
        let allowed = catalog.verbs().iter().map(|verb| allowed(*verb, &grants)).collect();
        let entry = bundle.entry.as_str().into();
        Self { bundle, entry, ast, grants, allowed, modules: Mutex::default() }
    }

    pub fn allowed(&self, index: usize) -> Allowed {
        self.allowed.get(index).copied().unwrap_or(Allowed::Never)
    }

    pub fn covers(&self, verb: &str, scope: &str) -> bool {
        self.grants.iter().any(|grant| permission::covers(grant, verb, scope))
    }
}

fn allowed(verb: Option<&str>, grants: &[String]) -> Allowed {
    let Some(verb) = verb else { return Allowed::Always };
    let mut state = Allowed::Never;
    for (granted, scope) in grants.iter().filter_map(|grant| grant.split_once(':')) {
        if permission::glob(granted, verb) {
            if scope == "*" {
                return Allowed::Always;
            }
            state = Allowed::ByScope;
        }
    }
    state
}

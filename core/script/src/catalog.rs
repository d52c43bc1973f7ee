//! Everything a script can call: host ops and built-in functions, registered from their declarations.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use rhai::{Dynamic, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use crate::{
    builtin::{self, Builtin, Call},
    dispatch,
    host::{HostModule, Kind, Op, Param, Permission},
    meter, overrides, secret,
    throw::{Halt, Returned, raise},
};

/// All modules and functions of one sandbox.
pub struct Catalog {
    pub(crate) modules: Vec<ModuleEntry>,
    pub(crate) builtins: Vec<Arc<BuiltinEntry>>,
    ops: HashMap<Arc<str>, Arc<OpEntry>>,
    global: Vec<Shared<Module>>,
    verbs: Vec<Option<&'static str>>,
    common: OnceLock<Arities>,
}

/// Names of functions with the numbers of arguments that they take.
pub(crate) type Arities = BTreeMap<String, BTreeSet<usize>>;

pub(crate) struct ModuleEntry {
    pub name: &'static str,
    pub doc: &'static str,
    pub ops: Vec<Arc<OpEntry>>,
    namespace: Shared<Module>,
}

pub(crate) struct OpEntry {
    /// `net::create_namespace`.
    pub full: Arc<str>,
    pub module: &'static str,
    pub op: Op,
    /// Its place in a program's table of what is allowed.
    pub index: usize,
}

pub(crate) struct BuiltinEntry {
    pub name: Arc<str>,
    pub builtin: Builtin,
    pub index: usize,
}

type RawArgs<'a, 'b> = &'a mut [&'b mut Dynamic];

impl Catalog {
    pub(crate) fn new(modules: Vec<HostModule>) -> Self {
        let mut verbs = Vec::new();
        let modules: Vec<ModuleEntry> = modules.into_iter().map(|module| module_entry(module, &mut verbs)).collect();
        let builtins: Vec<Arc<BuiltinEntry>> = builtin::all()
            .into_iter()
            .map(|builtin| {
                verbs.push(verb_of(&builtin.permission));
                Arc::new(BuiltinEntry { name: builtin.name.into(), builtin, index: verbs.len() - 1 })
            })
            .collect();
        let ops =
            modules.iter().flat_map(|module| &module.ops).map(|entry| (entry.full.clone(), entry.clone())).collect();
        let global = vec![overrides::module().into(), core_module(&builtins).into()];
        Self { modules, builtins, ops, global, verbs, common: OnceLock::new() }
    }

    /// Whether there is a host module of this name.
    pub(crate) fn has_module(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.name == name)
    }

    pub(crate) fn op(&self, full: &str) -> Option<&Arc<OpEntry>> {
        self.ops.get(full)
    }

    pub(crate) fn builtins_named(&self, name: &str) -> impl Iterator<Item = &Arc<BuiltinEntry>> {
        self.builtins.iter().filter(move |entry| &*entry.name == name)
    }

    /// The verbs that ops and functions need, by their index.
    pub(crate) fn verbs(&self) -> &[Option<&'static str>] {
        &self.verbs
    }

    /// Functions without a module: asked of the engine once, which takes a while.
    pub(crate) fn common(&self, ask: impl FnOnce() -> Arities) -> &Arities {
        self.common.get_or_init(ask)
    }

    /// The verbs that calls of an op (`net::destroy`) or a built-in function (`kv_set`) need.
    pub fn verbs_of<'a>(&'a self, call: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        let op = self.op(call).map(|entry| entry.index);
        let indices = op.into_iter().chain(self.builtins_named(call).map(|entry| entry.index));
        indices.filter_map(|index| self.verbs.get(index).copied().flatten())
    }

    /// What a verb means in plain words, for launch forms.
    pub fn verb_words(&self, verb: &str) -> Option<&'static str> {
        let ops = self.modules.iter().flat_map(|module| module.ops.iter().map(|entry| &entry.op.permission));
        ops.chain(self.builtins.iter().map(|entry| &entry.builtin.permission)).find_map(|permission| match permission {
            Permission::Needs { verb: known, words, .. } if *known == verb => Some(*words),
            _ => None,
        })
    }

    pub(crate) fn register(&self, engine: &mut rhai::Engine) {
        for module in &self.global {
            engine.register_global_module(module.clone());
        }
        for module in &self.modules {
            engine.register_static_module(module.name, module.namespace.clone());
        }
    }
}

fn verb_of(permission: &Permission) -> Option<&'static str> {
    match permission {
        Permission::Free => None,
        Permission::Needs { verb, .. } => Some(verb),
    }
}

fn module_entry(module: HostModule, verbs: &mut Vec<Option<&'static str>>) -> ModuleEntry {
    let mut namespace = Module::new();
    namespace.set_id(module.name);
    let ops = module.ops.into_iter().map(|op| {
        verbs.push(verb_of(&op.permission));
        let full = format!("{}::{}", module.name, op.name).into();
        Arc::new(OpEntry { full, module: module.name, op, index: verbs.len() - 1 })
    });
    let ops: Vec<Arc<OpEntry>> = ops.collect();
    for entry in &ops {
        // Every number of arguments is registered, so that a wrong one gets an error that names the parameters.
        for count in 0..=entry.op.params.len() + 1 {
            let entry = entry.clone();
            set(&mut namespace, entry.op.name, count, entry.op.params, move |context, args| {
                meter::host_call(|| dispatch::call_op(&entry, context, args))
            });
        }
    }
    namespace.build_index();
    ModuleEntry { name: module.name, doc: module.doc, ops, namespace: namespace.into() }
}

fn core_module(builtins: &[Arc<BuiltinEntry>]) -> Module {
    let mut module = Module::new();
    secret::register(&mut module);
    for entry in builtins {
        let params = entry.builtin.params;
        let required = params.iter().filter(|param| !param.optional).count();
        for count in required..=params.len() {
            let entry = entry.clone();
            set(&mut module, entry.builtin.name, count, params, move |context, args| {
                call_builtin(&entry, context, args)
            });
        }
    }
    // The built-in `sleep` of the standard package has these signatures and would win: it blocks the thread.
    for entry in builtins.iter().filter(|entry| &*entry.name == "sleep") {
        for kind in [TypeId::of::<i64>(), TypeId::of::<f64>()] {
            let entry = entry.clone();
            set_typed(&mut module, "sleep", &[kind], entry.builtin.params, move |context, args| {
                call_builtin(&entry, context, args)
            });
        }
    }
    module
}

fn call_builtin(entry: &BuiltinEntry, context: &NativeCallContext, args: RawArgs<'_, '_>) -> Result<Dynamic, Halt> {
    let runs_closures = ["parallel", "race"].contains(&entry.builtin.name)
        || entry.builtin.params.iter().any(|param| param.kind == Kind::Closure);
    let work = || (entry.builtin.run)(&Call { context, entry, args });
    if runs_closures { work() } else { meter::host_call(work) }
}

fn set(
    module: &mut Module,
    name: &'static str,
    count: usize,
    params: &'static [Param],
    body: impl Fn(&NativeCallContext, RawArgs<'_, '_>) -> Result<Dynamic, Halt> + Send + Sync + 'static,
) {
    set_typed(module, name, &vec![TypeId::of::<Dynamic>(); count], params, body);
}

fn set_typed(
    module: &mut Module,
    name: &'static str,
    types: &[TypeId],
    params: &'static [Param],
    body: impl Fn(&NativeCallContext, RawArgs<'_, '_>) -> Result<Dynamic, Halt> + Send + Sync + 'static,
) {
    let function = move |context: Option<NativeCallContext>, args: RawArgs<'_, '_>| -> Returned {
        let context = context.ok_or_else(|| Box::<rhai::EvalAltResult>::from("called outside a script"))?;
        body(&context, args).map_err(|halt| raise(halt, context.call_position()))
    };
    let info = params.iter().map(|param| format!("{}: {:?}", param.name, param.kind));
    FuncRegistration::new(name).with_params_info(info.collect::<Vec<_>>()).set_into_module_raw(
        module,
        types,
        RhaiFunc::Pure { func: Shared::new(function), has_context: true, is_pure: false, is_volatile: true },
    );
}

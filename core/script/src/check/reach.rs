//! What functions of imported modules need, seen from the workflow that calls them: they run with its grants.

use std::collections::{HashMap, HashSet};

use rhai::{AST, ASTNode, Engine, Expr, Position, Stmt};
use windlass_model::Workflow;

use super::{Diagnostic, calls, names};
use crate::{catalog::Catalog, host::Permission, resolver::is_valid_name};

pub(super) struct Reach<'a> {
    engine: &'a Engine,
    catalog: &'a Catalog,
    find: &'a dyn Fn(&str) -> Option<String>,
    modules: HashMap<String, Functions>,
}

/// What each function of a module calls.
type Functions = HashMap<String, Vec<Use>>;

#[derive(Clone)]
enum Use {
    /// Another function, of this or of another module.
    Function { module: String, name: String },
    /// Something that needs a grant.
    Grant { call: String, verb: &'static str, place: String },
}

impl<'a> Reach<'a> {
    pub fn new(engine: &'a Engine, catalog: &'a Catalog, find: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { engine, catalog, find, modules: HashMap::new() }
    }

    /// Grants that the header lacks for what the file's calls of imported functions do. A warning: whether the function
    /// gets there may depend on its arguments.
    pub fn check(&mut self, ast: &AST, workflow: &Workflow) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let aliases = aliases(ast);
        for call in calls_of(ast) {
            let Some(module) = call.alias.as_ref().and_then(|alias| aliases.get(alias)) else { continue };
            let mut reported = HashSet::new();
            for (inner, verb, place) in self.needs(module, &call.name) {
                if calls::is_granted(workflow, verb) || !reported.insert(verb) {
                    continue;
                }
                let message = format!(
                    "`{}` calls `{inner}` ({place}), which needs a grant for `{verb}`, and the header declares none",
                    call.shown()
                );
                let help = format!("If it gets there with these arguments, add it: permissions: [\"{verb}:…\"].");
                found.push(Diagnostic::warning("undeclared_permission", call.position, message).help(help));
            }
        }
        found
    }

    /// Everything that a function comes to, whichever way: the call, its verb, and its place.
    fn needs(&mut self, module: &str, function: &str) -> Vec<(String, &'static str, String)> {
        let mut needs = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![(module.to_owned(), function.to_owned())];
        while let Some((module, function)) = open.pop() {
            if !seen.insert((module.clone(), function.clone())) {
                continue;
            }
            for used in self.functions(&module).get(&function).cloned().unwrap_or_default() {
                match used {
                    Use::Function { module, name } => open.push((module, name)),
                    Use::Grant { call, verb, place } => needs.push((call, verb, place)),
                }
            }
        }
        needs
    }

    fn functions(&mut self, module: &str) -> &Functions {
        if !self.modules.contains_key(module) {
            let source = if is_valid_name(module) { (self.find)(module) } else { None };
            let functions = source.map(|source| self.read(module, &source)).unwrap_or_default();
            self.modules.insert(module.to_owned(), functions);
        }
        &self.modules[module]
    }

    fn read(&self, module: &str, source: &str) -> Functions {
        let mut functions = Functions::new();
        // A module that doesn't compile has diagnostics of its own.
        let Ok(ast) = self.engine.compile(source) else { return functions };
        let aliases = aliases(&ast);
        let starts = starts(source);
        for call in calls_of(&ast) {
            let line = call.position.line().unwrap_or(0);
            let Some((_, function)) = starts.iter().rev().find(|(start, _)| *start <= line) else { continue };
            let used = self.used(module, &call, line, &aliases, starts.iter().any(|(_, name)| *name == call.name));
            functions.entry(function.clone()).or_default().extend(used);
        }
        functions
    }

    fn used(
        &self,
        module: &str,
        call: &Found,
        line: usize,
        aliases: &HashMap<String, String>,
        is_own: bool,
    ) -> Option<Use> {
        let name = call.name.clone();
        let permission = match &call.alias {
            None if is_own => return Some(Use::Function { module: module.to_owned(), name }),
            None => &self.catalog.builtins_named(&name).next()?.builtin.permission,
            Some(alias) => match aliases.get(alias) {
                Some(other) => return Some(Use::Function { module: other.clone(), name }),
                None => &self.catalog.op(&format!("{alias}::{name}"))?.op.permission,
            },
        };
        let Permission::Needs { verb, .. } = permission else { return None };
        Some(Use::Grant { call: call.shown(), verb, place: format!("{module}.rhai:{line}") })
    }
}

/// A call by its name, and where it stands.
struct Found {
    alias: Option<String>,
    name: String,
    position: Position,
}

impl Found {
    fn shown(&self) -> String {
        self.alias.as_ref().map_or_else(|| self.name.clone(), |alias| format!("{alias}::{}", self.name))
    }
}

fn calls_of(ast: &AST) -> Vec<Found> {
    let mut calls = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        let (call, position) = match nodes.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position))) => {
                (call, *position)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => (call, *position),
            _ => return true,
        };
        if call.op_token.is_none() {
            let alias = call.namespace.path.first().map(|first| first.name.to_string());
            calls.push(Found { alias, name: call.name.to_string(), position });
        }
        true
    });
    calls
}

/// Imported modules by the names that they have in the file.
fn aliases(ast: &AST) -> HashMap<String, String> {
    names::imports(ast, &mut Vec::new()).into_iter().map(|(module, alias, _)| (alias, module)).collect()
}

/// Where each function of a source begins. The syntax tree keeps only its body's place.
fn starts(source: &str) -> Vec<(usize, String)> {
    let name_of = |line: &str| {
        let rest = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?.trim_start().to_owned();
        rest.split_once('(').map(|(name, _)| name.trim_end().to_owned())
    };
    source.lines().enumerate().filter_map(|(index, line)| Some((index + 1, name_of(line)?))).collect()
}

//! Calls of functions that aren't there, with wrong arguments, or without the grant that they need.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use windlass_model::Workflow;

use super::{Diagnostic, names::Known};
use crate::{arguments::signature, catalog::Arities, host::Permission, nearest::nearest, permission};

pub(super) fn check(ast: &AST, known: &Known, workflow: Option<&Workflow>, blanked: &[Position]) -> Vec<Diagnostic> {
    let checker = Checker { known, workflow };
    let mut found = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        let (call, position, method) = match nodes.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position))) => {
                (call, *position, false)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => (call, *position, true),
            _ => return true,
        };
        let is_name = call.name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        if call.op_token.is_none() && is_name && !call.name.starts_with("anon$") && !blanked.contains(&position) {
            found.extend(checker.call(call, position, method));
        }
        true
    });
    found
}

struct Checker<'a> {
    known: &'a Known<'a>,
    workflow: Option<&'a Workflow>,
}

impl Checker<'_> {
    fn call(&self, call: &FnCallExpr, position: Position, method: bool) -> Vec<Diagnostic> {
        let count = call.args.len() + usize::from(method);
        match call.namespace.path.first() {
            None => self.plain(call, count, method, position),
            Some(first) if call.namespace.path.len() == 1 => self.qualified(&first.name, call, count, position),
            Some(_) => Vec::new(),
        }
    }

    fn plain(&self, call: &FnCallExpr, count: usize, method: bool, position: Position) -> Vec<Diagnostic> {
        let name = call.name.as_str();
        // A script's own function may be called on a value, which is `this` there and no argument.
        if let Some(own) = self.known.own.get(name)
            && (own.contains(&count) || method && own.contains(&(count - 1)))
        {
            return Vec::new();
        }
        if self.known.common.get(name).is_some_and(|counts| counts.contains(&count)) {
            let builtins = self.known.catalog().builtins_named(name);
            return builtins
                .take(1)
                .filter_map(|entry| self.grant(name, &entry.builtin.permission, position))
                .collect();
        }
        let given = call.args.len();
        let counts = self.known.own.get(name).or_else(|| self.known.common.get(name));
        if let Some(counts) = counts {
            let forms = self.known.catalog().builtins_named(name).map(|entry| signature(name, entry.builtin.params));
            let forms: Vec<String> = forms.collect();
            let receiver = usize::from(method);
            let takes: Vec<usize> =
                counts.iter().filter(|count| **count >= receiver).map(|count| count - receiver).collect();
            return vec![wrong_count(name, given, &takes, position, &forms)];
        }
        let candidates = self.known.own.keys().chain(self.known.common.keys()).map(String::as_str);
        let near = nearest(name, candidates.filter(|other| !other.contains('$'))).map(str::to_owned);
        let in_module = || {
            let modules = self.known.catalog().modules.iter();
            modules
                .flat_map(|module| &module.ops)
                .find(|entry| entry.op.name == name)
                .map(|entry| entry.full.to_string())
        };
        vec![unknown(name, position, near.or_else(in_module))]
    }

    fn qualified(&self, module: &str, call: &FnCallExpr, count: usize, position: Position) -> Vec<Diagnostic> {
        let name = call.name.as_str();
        let full = format!("{module}::{name}");
        if let Some(functions) = self.known.module(module) {
            return functions
                .map(|functions| self.imported(&full, name, functions, count, position))
                .unwrap_or_default();
        }
        let Some(host) = self.known.catalog().modules.iter().find(|host| host.name == module) else {
            return Vec::new();
        };
        let Some(entry) = self.known.op(module, name) else {
            let near =
                nearest(name, host.ops.iter().map(|entry| entry.op.name)).map(|near| format!("{module}::{near}"));
            return vec![unknown(&full, position, near)];
        };
        let required = entry.op.params.iter().filter(|param| !param.optional).count();
        if !(required..=entry.op.params.len()).contains(&count) {
            let takes: Vec<usize> = (required..=entry.op.params.len()).collect();
            return vec![wrong_count(&full, count, &takes, position, &[signature(&full, entry.op.params)])];
        }
        self.grant(&full, &entry.op.permission, position).into_iter().collect()
    }

    fn imported(
        &self,
        full: &str,
        name: &str,
        functions: &Arities,
        count: usize,
        position: Position,
    ) -> Vec<Diagnostic> {
        match functions.get(name) {
            Some(counts) if counts.contains(&count) => Vec::new(),
            Some(counts) => vec![wrong_count(full, count, &counts.iter().copied().collect::<Vec<_>>(), position, &[])],
            None => {
                let prefix = full.strip_suffix(name).unwrap_or_default();
                let near = nearest(name, functions.keys().map(String::as_str)).map(|near| format!("{prefix}{near}"));
                vec![unknown(full, position, near)]
            }
        }
    }

    /// A call whose verb the header doesn't grant for any scope can only fail.
    fn grant(&self, name: &str, permission: &Permission, position: Position) -> Option<Diagnostic> {
        let Permission::Needs { verb, .. } = permission else { return None };
        if is_granted(self.workflow?, verb) {
            return None;
        }
        let message = format!("`{name}` needs a grant for `{verb}`, and the header declares none");
        let help = format!("Add it to the header: permissions: [\"{verb}:…\"].");
        Some(Diagnostic::error("undeclared_permission", position, message).help(help))
    }
}

/// Whether the header declares the verb, for whatever scope.
pub(super) fn is_granted(workflow: &Workflow, verb: &str) -> bool {
    let granted = |grant: &String| grant.split_once(':').is_some_and(|(of, _)| permission::glob(of, verb));
    workflow.permissions.iter().any(granted)
}

fn unknown(name: &str, position: Position, near: Option<String>) -> Diagnostic {
    Diagnostic::error("unknown_function", position, format!("there is no function `{name}`")).meant(near)
}

fn wrong_count(name: &str, given: usize, takes: &[usize], position: Position, forms: &[String]) -> Diagnostic {
    let takes = match takes {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [first, .., last] if last - first + 1 == takes.len() => format!("{first} to {last}"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(usize::to_string).collect();
            format!("{} or {last}", rest.join(", "))
        }
    };
    let diagnostic =
        Diagnostic::error("wrong_arguments", position, format!("`{name}` takes {takes} arguments, not {given}"));
    if forms.is_empty() { diagnostic } else { diagnostic.help(format!("It is called as `{}`.", forms.join("` or `"))) }
}

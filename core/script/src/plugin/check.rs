//! Checks a plugin's script: it compiles, imports nothing, calls what there is, and has its functions.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Expr, Position, Stmt};
use serde_json::json;
use windlass_model::{Bounds, CallSite, Code, Problem};

use super::engine::{self, TOOLS};
use crate::{
    catalog::Arities,
    check::{own_functions, standard_functions},
    nearest::nearest,
};

fn invalid(file: &str, position: Position, message: &str) -> Problem {
    let (line, column) = (position.line().unwrap_or(1) as u32, position.position().unwrap_or(1).max(1) as u32);
    let site = CallSite { file: file.into(), line, column };
    Problem::new(Code::WorkflowInvalid, format!("{file}:{line}:{column}: {message}")).at(site)
}

/// The script of plugin `name`, compiled.
pub(super) fn compile(name: &str, source: &str, capabilities: &[String]) -> Result<AST, Problem> {
    let file = format!("{name}/main.rhai");
    let limit = Bounds::default().source_bytes;
    if source.len() > limit {
        return Err(Problem::new(Code::LimitExceeded, format!("{file} has more than {limit} bytes")));
    }
    let engine = engine::checking();
    let mut ast =
        engine.compile(source).map_err(|error| invalid(&file, error.position(), &error.err_type().to_string()))?;
    ast.set_source(file.as_str());
    let own = own_functions(&ast);
    let common = standard_functions(&engine);
    let mut mistakes = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        mistakes.extend(mistake(nodes, &own, &common));
        true
    });
    if let Some((position, message, help)) = mistakes.first() {
        let shown: Vec<_> = mistakes
            .iter()
            .map(|(position, message, help)| {
                json!({ "line": position.line(), "column": position.position(), "message": message, "help": help })
            })
            .collect();
        let problem = invalid(&file, *position, message).data(json!({ "diagnostics": shown }));
        return Err(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }
    for capability in capabilities {
        if !own.get(capability).is_some_and(|counts| counts.contains(&1)) {
            let message = format!("it says that it can `{capability}`, and has no `fn {capability}(request)`");
            return Err(invalid(&file, Position::new(1, 1), &message));
        }
    }
    Ok(ast)
}

type Mistake = (Position, String, Option<String>);

fn mistake(nodes: &[ASTNode], own: &Arities, common: &Arities) -> Option<Mistake> {
    let (call, position, method) = match nodes.last()? {
        ASTNode::Stmt(Stmt::Import(_, position)) => {
            return Some((*position, "it imports something; a plugin is whole by itself".into(), None));
        }
        ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position)) => {
            (call, *position, false)
        }
        ASTNode::Expr(Expr::MethodCall(call, position)) => (call, *position, true),
        _ => return None,
    };
    let name = call.name.as_str();
    let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    if call.op_token.is_some() || !is_name || name.starts_with("anon$") {
        return None;
    }
    let count = call.args.len() + usize::from(method);
    let unknown = |shown: &str, near: Option<String>| {
        let help = near.map(|near| format!("Did you mean `{near}`?"));
        Some((position, format!("there is no function `{shown}` for plugins"), help))
    };
    let counts = |shown: &str| Some((position, format!("`{shown}` doesn't take {} arguments", call.args.len()), None));
    let Some(module) = call.namespace.path.first() else {
        let takes = |known: &Arities, count: usize| known.get(name).is_some_and(|all| all.contains(&count));
        if takes(own, count) || method && takes(own, count - 1) || takes(common, count) {
            return None;
        }
        if own.contains_key(name) || common.contains_key(name) {
            return counts(name);
        }
        let near = nearest(name, own.keys().chain(common.keys()).map(String::as_str).filter(|one| !one.contains('$')));
        return unknown(name, near.map(str::to_owned));
    };
    let shown = format!("{}::{name}", module.name);
    let tools: BTreeMap<&str, &[(&str, &[usize])]> = TOOLS.iter().copied().collect();
    match tools.get(module.name.as_str()).map(|tools| tools.iter().find(|(tool, _)| *tool == name)) {
        Some(Some((_, takes))) if takes.contains(&count) => None,
        Some(Some(_)) => counts(&shown),
        Some(None) => {
            let near = tools.get(module.name.as_str()).and_then(|all| nearest(name, all.iter().map(|(one, _)| *one)));
            unknown(&shown, near.map(|near| format!("{}::{near}", module.name)))
        }
        None => unknown(&shown, None),
    }
}

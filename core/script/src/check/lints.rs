//! Code that is right by the language's rules and hardly ever meant.

use rhai::{AST, ASTNode, Expr, Stmt};

use super::Diagnostic;

/// Methods and functions that keep a closure for later.
const KEEPING: &[&str] = &["push", "insert", "append", "set", "+="];

pub(super) fn check(ast: &AST) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Share(captured))) = nodes.last() {
            for (identifier, _) in captured.iter() {
                if is_kept_loop_variable(nodes, &identifier.name) {
                    let name = &identifier.name;
                    let message = format!(
                        "all of these closures will see the last `{name}`: the loop has one variable for all rounds"
                    );
                    found.push(Diagnostic::warning("loop_capture", identifier.pos, message).help(format!(
                        "Use `parallel_map(items, |{name}| …)`, or copy it first: `let own = {name};`."
                    )));
                }
            }
        }
        true
    });
    found
}

/// Whether a closure that uses this variable of an enclosing loop is put somewhere for later.
fn is_kept_loop_variable(nodes: &[ASTNode], name: &str) -> bool {
    let looping = nodes.iter().rposition(|node| match node {
        ASTNode::Stmt(Stmt::For(header, _)) => {
            header.0.name == name || header.1.as_ref().is_some_and(|count| count.name == name)
        }
        _ => false,
    });
    looping.is_some_and(|at| {
        nodes[at..].iter().any(|node| match node {
            ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => {
                KEEPING.contains(&call.name.as_str())
            }
            ASTNode::Stmt(Stmt::Assignment(_)) => true,
            _ => false,
        })
    })
}

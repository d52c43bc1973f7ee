//! Which modules a source imports.

use rhai::{ASTNode, Expr, Stmt};
use windlass_model::{CallSite, Code, Problem};

use crate::sandbox::Sandbox;

pub(crate) struct Import {
    pub module: String,
    pub site: CallSite,
}

/// Every import of the source, in order. Names have to be literals: otherwise nobody knows what to pin.
pub(crate) fn of_source(sandbox: &Sandbox, name: &str, source: &str) -> Result<Vec<Import>, Problem> {
    let ast = sandbox.shell.engine().compile(source).map_err(|error| {
        let site = site(name, error.position());
        Problem::new(Code::WorkflowInvalid, format!("{name}.rhai: {}", error.err_type()))
            .at(site)
            .help(format!("`windlass workflows check {name}` shows the place."))
    })?;
    let mut imports = Vec::new();
    let mut fault = None;
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = nodes.last() {
            let site = site(name, *position);
            match &import.0 {
                Expr::StringConstant(module, _) => imports.push(Import { module: module.to_string(), site }),
                _ => {
                    fault.get_or_insert_with(|| {
                        Problem::new(Code::WorkflowInvalid, "an import needs a literal name".to_owned())
                            .at(site)
                            .help("`import \"lib/lab\" as lab;`: what is imported is pinned at launch.")
                    });
                }
            }
        }
        true
    });
    match fault {
        Some(problem) => Err(problem),
        None => Ok(imports),
    }
}

fn site(name: &str, position: rhai::Position) -> CallSite {
    CallSite {
        file: name.into(),
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(0) as u32,
    }
}

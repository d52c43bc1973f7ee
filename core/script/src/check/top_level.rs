//! What may stand at a file's top level, and what a workflow has to have there.

use rhai::{AST, ASTFlags, Position, Stmt};

use super::{Diagnostic, names::Known};

pub(super) fn check(source: &str, ast: &AST, known: &Known, is_module: bool, complete: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for statement in ast.statements() {
        let allowed = match statement {
            Stmt::Noop(_) | Stmt::Import(..) | Stmt::Share(_) => true,
            Stmt::Var(_, flags, _) => flags.contains(ASTFlags::CONSTANT),
            _ => false,
        };
        if !allowed {
            found.push(
                Diagnostic::error(
                    "top_level",
                    statement.position(),
                    "only constants, functions and imports may stand here",
                )
                .help("Move it into `fn run(input) { … }`."),
            );
        }
    }
    for (name, counts) in &known.own {
        let builtin =
            known.catalog().builtins_named(name).next().is_some() || ["print", "debug"].contains(&name.as_str());
        let position = || position_of(source, name);
        if builtin {
            let message = format!("`{name}` is a built-in function; another one of that name would hide it");
            found.push(Diagnostic::error("shadows", position(), message).help("Give the function another name."));
        } else if known.catalog().modules.iter().any(|module| module.name == name) {
            let message = format!("`{name}` is a host module's name");
            found.push(Diagnostic::error("shadows", position(), message).help("Give the function another name."));
        } else if counts.iter().any(|count| known.common.get(name).is_some_and(|common| common.contains(count))) {
            let message = format!("`{name}` is a standard function; in this file yours takes its place");
            found.push(Diagnostic::warning("shadows", position(), message));
        }
    }
    if !is_module && complete {
        match known.own.get("run") {
            Some(counts) if counts.contains(&1) => {}
            Some(_) => found.push(
                Diagnostic::error("no_run", position_of(source, "run"), "`run` takes one parameter: the input")
                    .help("fn run(input) { … }"),
            ),
            None => found.push(
                Diagnostic::error("no_run", Position::new(1, 1), "a workflow has a function `run(input)`")
                    .help("fn run(input) { … }"),
            ),
        }
    }
    found
}

/// Where the function is defined. The syntax tree keeps only its body's place.
fn position_of(source: &str, name: &str) -> Position {
    let defines = |line: &str| {
        let rest = line.trim_start().trim_start_matches("private ").strip_prefix("fn ")?.trim_start();
        rest.strip_prefix(name).filter(|rest| rest.trim_start().starts_with('('))?;
        line.find(name)
    };
    let found = source.lines().enumerate().find_map(|(index, line)| Some((index, defines(line)?)));
    found.map_or(Position::new(1, 1), |(index, column)| Position::new(index as u16 + 1, column as u16 + 1))
}

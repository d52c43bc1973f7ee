//! The header of a workflow: `const WORKFLOW = #{ … }`, read without running anything.

use std::sync::LazyLock;

use rhai::{AST, Dynamic, EvalAltResult, Module, ModuleResolver, Position, Shared, Stmt, packages::StandardPackage};
use serde_json::Value;
use windlass_model::{Bounds, Bundle, CallSite, Code, Problem, Workflow, time::parse_duration_ms};

use crate::{canonical, canonical::Secrets, meter, permission, sandbox::bare_engine};

static STANDARD: LazyLock<StandardPackage> = LazyLock::new(StandardPackage::new);

/// The source of a bundle's workflow.
pub(crate) fn entry_source(bundle: &Bundle) -> Result<&str, Problem> {
    bundle
        .files
        .get(&bundle.entry)
        .map(String::as_str)
        .ok_or_else(|| Problem::new(Code::WorkflowInvalid, format!("the bundle has no file `{}`", bundle.entry)))
}

/// The header of a bundle's workflow.
pub fn read(bundle: &Bundle) -> Result<Workflow, Problem> {
    of_source(&bundle.entry, entry_source(bundle)?)
}

/// The header in a workflow's source; `name` is its file's, without `.rhai`.
pub fn of_source(name: &str, source: &str) -> Result<Workflow, Problem> {
    let ast = header_engine().compile(source).map_err(|error| {
        invalid(name, error.position(), error.err_type().to_string())
            .help("`windlass workflows check` shows the place.")
    })?;
    of_ast(name, &ast)
}

/// The header in a compiled workflow.
pub(crate) fn of_ast(name: &str, ast: &AST) -> Result<Workflow, Problem> {
    let (value, position) = literal(ast).or_else(|| evaluated(ast)).ok_or_else(|| missing(name))?;
    let text = canonical::text(&value, Secrets::Refused, Bounds::default().step_bytes)
        .map_err(|problem| invalid(name, position, problem.message))?;
    let workflow: Workflow = serde_json::from_str(&text).map_err(|error| {
        let words = error.to_string();
        let words = words.rfind(" at line ").map_or(words.as_str(), |at| &words[..at]).to_owned();
        let position = key_in(&words).and_then(|key| key_position(ast, &key)).unwrap_or(position);
        invalid(name, position, format!("WORKFLOW: {words}"))
            .help("Keys: name, title, description, inputs, wizard, permissions, rollback, timeout, concurrency, rate, priority, retention, tags.")
    })?;
    validate(name, &workflow).map_err(|(key, what)| {
        invalid(name, key_position(ast, key).unwrap_or(position), format!("WORKFLOW.{key}: {what}"))
    })?;
    Ok(workflow)
}

/// Knows no host module: names in functions' bodies are `check`'s concern.
fn header_engine() -> rhai::Engine {
    let mut engine = bare_engine(&Bounds::default(), &STANDARD);
    engine.set_strict_variables(false);
    let bounds = Bounds { script_operations: 1_000_000, ..Bounds::default() };
    engine.on_progress(move |_| meter::tick(&bounds));
    engine.set_module_resolver(EmptyModules);
    engine
}

/// A header may stand behind imports, which aren't there while it is read: nothing in it comes from them.
struct EmptyModules;

impl ModuleResolver for EmptyModules {
    fn resolve(
        &self,
        _: &rhai::Engine,
        _: Option<&str>,
        _: &str,
        _: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        Ok(Module::new().into())
    }
}

fn missing(name: &str) -> Problem {
    invalid(name, Position::new(1, 1), "there is no `const WORKFLOW = #{ … }`".into())
        .help(format!("Begin the file with: const WORKFLOW = #{{ name: \"{name}\", title: \"…\" }};"))
}

fn invalid(name: &str, position: Position, message: String) -> Problem {
    let site = CallSite {
        file: name.into(),
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(0) as u32,
    };
    Problem::new(Code::WorkflowInvalid, format!("{name}.rhai: {message}")).at(site)
}

/// The header if it consists of literals only, which needs no evaluation.
fn literal(ast: &AST) -> Option<(Dynamic, Position)> {
    let value =
        ast.iter_literal_variables(true, false).find(|(name, ..)| *name == "WORKFLOW").map(|(_, _, value)| value)?;
    Some((value, header_position(ast)))
}

/// The header computed by an engine without any host function; only constants are evaluated.
fn evaluated(ast: &AST) -> Option<(Dynamic, Position)> {
    let mut scope = rhai::Scope::new();
    let engine = header_engine();
    let constants = ast.clone_statements_only();
    meter::start();
    // Later statements may fail without the host (imports): the header is in the scope by then.
    let _ = engine.run_ast_with_scope(&mut scope, &constants);
    scope.get_value::<Dynamic>("WORKFLOW").map(|value| (value, header_position(ast)))
}

fn header_position(ast: &AST) -> Position {
    let statement = ast.statements().iter().find(|statement| match statement {
        Stmt::Var(variable, ..) => variable.0.name == "WORKFLOW",
        _ => false,
    });
    statement.map_or(Position::NONE, Stmt::position)
}

/// Where a key of the header stands.
pub(crate) fn key_position(ast: &AST, key: &str) -> Option<Position> {
    ast.statements().iter().find_map(|statement| match statement {
        Stmt::Var(variable, ..) if variable.0.name == "WORKFLOW" => match &variable.1 {
            rhai::Expr::Map(map, _) => map.0.iter().find(|(name, _)| name.name == key).map(|(name, _)| name.pos),
            _ => None,
        },
        _ => None,
    })
}

fn key_in(words: &str) -> Option<String> {
    let (_, rest) = words.split_once('`')?;
    rest.split_once('`').map(|(key, _)| key.to_owned())
}

/// What serde can't see. The key, and what is wrong with it.
fn validate(name: &str, workflow: &Workflow) -> Result<(), (&'static str, String)> {
    if workflow.name != name {
        return Err(("name", format!("it says \"{}\", but the file is `{name}.rhai`", workflow.name)));
    }
    if workflow.title.trim().is_empty() {
        return Err(("title", "it is empty".into()));
    }
    if let Some(grant) = workflow.permissions.iter().find(|grant| !permission::is_well_formed(grant)) {
        return Err((
            "permissions",
            format!("\"{grant}\" isn't a grant; grants are written `module.verb:scope`, such as \"net.write:lab\""),
        ));
    }
    for (key, value) in [("timeout", &workflow.timeout), ("retention", &workflow.retention)] {
        if let Some(text) = value {
            parse_duration_ms(text).map_err(|error| (key, error.to_string()))?;
        }
    }
    if workflow.concurrency.as_ref().is_some_and(|concurrency| concurrency.limit == 0) {
        return Err(("concurrency", "its `limit` is 0: nothing would ever run".into()));
    }
    if let Some(rate) = &workflow.rate {
        if rate.limit == 0 {
            return Err(("rate", "its `limit` is 0: nothing would ever run".into()));
        }
        parse_duration_ms(&rate.per).map_err(|error| ("rate", error.to_string()))?;
    }
    if workflow.inputs.get("type").and_then(Value::as_str) != Some("object") {
        return Err(("inputs", "it has to be a JSON Schema with `type: \"object\"`".into()));
    }
    compile_schema(&workflow.inputs)
}

/// Only the schema itself may be referred to.
fn compile_schema(schema: &Value) -> Result<(), (&'static str, String)> {
    let built = jsonschema::draft202012::options().build(schema);
    built.map(drop).map_err(|error| match error.instance_path().to_string() {
        at if at.is_empty() => ("inputs", error.to_string()),
        at => ("inputs", format!("at {at}: {error}")),
    })
}

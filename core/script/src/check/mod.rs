//! Finds mistakes in workflows before a run does: each with its place, and with what to do about it.

mod calls;
mod items;
mod lints;
mod names;
mod reach;
mod render;
mod salvage;
mod top_level;

pub(crate) use names::{own_functions, standard as standard_functions};
pub use render::render;

use serde::Serialize;
use windlass_model::{Bundle, CallSite, Code, Problem, Workflow};

use crate::{Library, Sandbox, header, is_valid_name};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file can't be launched.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// A mistake, or something that looks like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for its kind: `syntax`, `unknown_function`, `undeclared_permission`, …
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The file's name, without `.rhai`.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    fn new(severity: Severity, code: &'static str, position: rhai::Position, message: impl Into<String>) -> Self {
        let line = position.line().unwrap_or(1) as u32;
        let column = position.position().unwrap_or(1).max(1) as u32;
        Self { severity, code, message: message.into(), file: String::new(), line, column, help: None }
    }

    fn error(code: &'static str, position: rhai::Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, position, message)
    }

    fn warning(code: &'static str, position: rhai::Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, position, message)
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn meant(self, near: Option<String>) -> Self {
        match near {
            Some(near) => self.help(format!("Did you mean `{near}`?")),
            None => self,
        }
    }
}

impl Library {
    /// Everything that is wrong with a workflow and with what it imports; empty if nothing is.
    pub fn check(&self, name: &str) -> Result<Vec<Diagnostic>, Problem> {
        let source = self.source(name)?.ok_or_else(|| {
            Problem::new(Code::WorkflowNotFound, format!("there is no file `{name}.rhai`"))
                .help("`windlass workflows ls` shows all of them.")
        })?;
        let find = |module: &str| self.source(module).ok().flatten();
        let mut found = Vec::new();
        let mut seen = vec![name.to_owned()];
        let mut next = 0;
        // Modules are checked once each, in the order in which they are met.
        while let Some(module) = seen.get(next).cloned() {
            next += 1;
            let text = if module == name { Some(source.clone()) } else { find(&module) };
            let Some(text) = text else { continue };
            let checked = self::source(&self.sandbox, &module, &text, &find);
            found.extend(checked.diagnostics);
            for import in checked.imports {
                let may = windlass_model::workflow::may_import(name, &import);
                if may && !seen.contains(&import) && seen.len() < 100 {
                    seen.push(import);
                }
            }
        }
        Ok(found)
    }
}

/// What was found in one file.
pub struct Checked {
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Modules that it imports.
    pub imports: Vec<String>,
    /// What its header says, if it can be read.
    pub workflow: Option<Workflow>,
}

/// Checks one source. `find` gives the sources of modules that it may import. Files of `lib/` need no header and no `run`.
pub fn source(sandbox: &Sandbox, name: &str, source: &str, find: &dyn Fn(&str) -> Option<String>) -> Checked {
    let limit = sandbox.bounds().source_bytes;
    if source.len() > limit {
        let message = format!("the file has {} bytes; at most {limit} are read", source.len());
        let mut diagnostic = Diagnostic::error("too_large", rhai::Position::new(1, 1), message);
        diagnostic.file = name.to_owned();
        return Checked { diagnostics: vec![diagnostic], imports: Vec::new(), workflow: None };
    }
    // What it can't import, it isn't shown either.
    let find = &|module: &str| windlass_model::workflow::may_import(name, module).then(|| find(module)).flatten();
    let engine = sandbox.shell.engine();
    let healthy = items::compile(&engine, &sandbox.shell.catalog, source);
    let mut diagnostics = healthy.diagnostics;
    let is_module = name.starts_with("lib/");
    let workflow = if is_module { None } else { header_of(name, source, &healthy.ast, &mut diagnostics) };
    let known = names::Known::new(&sandbox.shell, &engine, &healthy.ast, find, &mut diagnostics);
    diagnostics.extend(top_level::check(source, &healthy.ast, &known, is_module, healthy.complete));
    diagnostics.extend(calls::check(&healthy.ast, &known, workflow.as_ref(), &healthy.blanked));
    diagnostics.extend(lints::check(&healthy.ast));
    if let Some(workflow) = &workflow {
        let mut reach = reach::Reach::new(&engine, &sandbox.shell.catalog, find);
        diagnostics.extend(reach.check(&healthy.ast, workflow));
        for grant in sandbox.policy().exceeding(name, &workflow.permissions) {
            let position = header::key_position(&healthy.ast, "permissions").unwrap_or(rhai::Position::new(1, 1));
            let message = format!("the server's policy doesn't allow this workflow \"{grant}\"");
            diagnostics.push(
                Diagnostic::error("policy", position, message)
                    .help("Narrow the grant, or ask an admin to widen the policy."),
            );
        }
    }
    for diagnostic in &mut diagnostics {
        name.clone_into(&mut diagnostic.file);
    }
    diagnostics
        .sort_by(|a, b| (a.line, a.column, a.severity, &a.message).cmp(&(b.line, b.column, b.severity, &b.message)));
    diagnostics.dedup();
    let imports = known.imports();
    Checked { diagnostics, imports, workflow }
}

/// The header if it can be read. A file that has other mistakes is read without them.
fn header_of(name: &str, source: &str, ast: &rhai::AST, found: &mut Vec<Diagnostic>) -> Option<Workflow> {
    let whole = header::of_source(name, source);
    let result = if whole.as_ref().is_err_and(|_| !found.is_empty()) { header::of_ast(name, ast) } else { whole };
    match result {
        Ok(workflow) => Some(workflow),
        Err(problem) => {
            let site = problem.site.unwrap_or_default();
            let position = rhai::Position::new(site.line.max(1) as u16, site.column.max(1) as u16);
            let message =
                problem.message.strip_prefix(&format!("{name}.rhai: ")).unwrap_or(&problem.message).to_owned();
            let diagnostic = Diagnostic::error("header", position, message);
            found.push(match problem.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            None
        }
    }
}

/// The first error in a bundle, as the problem that a launch ends with.
pub(crate) fn refuse_errors(sandbox: &Sandbox, bundle: &Bundle) -> Result<(), Problem> {
    let find = |module: &str| bundle.files.get(module).filter(|_| is_valid_name(module)).cloned();
    let mut errors: Vec<Diagnostic> = Vec::new();
    for (name, text) in &bundle.files {
        // What is imported is a module here, wherever it stands.
        let checked = source(sandbox, name, text, &find).diagnostics.into_iter();
        let as_module = |code: &str| {
            *name != bundle.entry && ["header", "no_run", "undeclared_permission", "policy"].contains(&code)
        };
        errors.extend(checked.filter(|found| found.severity == Severity::Error && !as_module(found.code)));
    }
    let Some(first) = errors.first() else { return Ok(()) };
    let more = match errors.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let message = format!("{}.rhai:{}:{}: {}{more}", first.file, first.line, first.column, first.message);
    let site = CallSite { file: first.file.as_str().into(), line: first.line, column: first.column };
    let help =
        first.help.clone().unwrap_or_else(|| format!("`windlass workflows check {}` shows everything.", bundle.entry));
    Err(Problem::new(Code::WorkflowInvalid, message)
        .at(site)
        .help(help)
        .data(serde_json::to_value(&errors).unwrap_or_default()))
}

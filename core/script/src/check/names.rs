//! Every function that a file may call, with the numbers of arguments that it takes.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{AST, ASTNode, Engine, Expr, Position, Stmt};
use serde_json::Value;

use super::Diagnostic;
use crate::{
    catalog::{Arities, Catalog, OpEntry},
    resolver::is_valid_name,
    sandbox::Shell,
};

/// Functions that the language itself understands; they are in no package.
const LANGUAGE: &[(&str, &[usize])] = &[
    ("Fn", &[1]),
    ("call", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("curry", &[2, 3, 4, 5, 6, 7, 8, 9]),
    ("print", &[0, 1]),
    ("debug", &[0, 1]),
    ("type_of", &[1]),
    ("is_def_fn", &[2, 3]),
    ("is_def_var", &[1]),
];

pub(super) struct Known<'a> {
    pub shell: &'a Shell,
    /// The file's own functions.
    pub own: Arities,
    /// Built-in functions and the standard package.
    pub common: &'a Arities,
    /// Imported modules by the names they have here.
    imported: BTreeMap<String, (String, Option<Arities>)>,
}

impl<'a> Known<'a> {
    pub fn new(
        shell: &'a Shell,
        engine: &Engine,
        ast: &AST,
        find: &dyn Fn(&str) -> Option<String>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let common = shell.catalog.common(|| standard(engine));
        let mut known = Self { shell, own: own_functions(ast), common, imported: BTreeMap::new() };
        for (module, alias, position) in imports(ast, found) {
            if shell.catalog.modules.iter().any(|host| host.name == alias) {
                let message =
                    format!("`{alias}` is a host module's name; importing another one under it would hide it");
                found.push(Diagnostic::error("shadows", position, message).help("Import it under another name."));
            }
            let source = if is_valid_name(&module) { find(&module) } else { None };
            if source.is_none() {
                let message = format!("there is no module `{module}`");
                let help =
                    "Modules are named from the workflows' folder, without `.rhai`: `import \"lib/lab\" as lab;`.";
                found.push(Diagnostic::error("unknown_module", position, message).help(help));
            }
            let functions = source.and_then(|source| engine.compile(source).ok()).map(|ast| own_functions(&ast));
            known.imported.insert(alias, (module, functions));
        }
        known
    }

    pub fn catalog(&self) -> &Catalog {
        &self.shell.catalog
    }

    /// The functions of an imported module; `Some(None)` if it is there but can't be read.
    pub fn module(&self, alias: &str) -> Option<Option<&Arities>> {
        self.imported.get(alias).map(|(_, functions)| functions.as_ref())
    }

    pub fn imports(&self) -> Vec<String> {
        self.imported.values().map(|(module, _)| module.clone()).collect()
    }

    /// A host module's op.
    pub fn op(&self, module: &str, name: &str) -> Option<&Arc<OpEntry>> {
        self.catalog().op(&format!("{module}::{name}"))
    }
}

pub(crate) fn own_functions(ast: &AST) -> Arities {
    let mut own = Arities::new();
    for function in ast.iter_functions().filter(|function| !function.name.starts_with("anon$")) {
        own.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    own
}

pub(crate) fn standard(engine: &Engine) -> Arities {
    let text = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    let metadata: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut arities = Arities::new();
    for function in metadata["functions"].as_array().into_iter().flatten() {
        let (Some(name), Some(count)) = (function["name"].as_str(), function["numParams"].as_u64()) else { continue };
        arities.entry(name.to_owned()).or_default().insert(count as usize);
    }
    for (name, counts) in LANGUAGE {
        arities.entry((*name).to_owned()).or_default().extend(counts.iter());
    }
    arities
}

pub(super) fn imports(ast: &AST, found: &mut Vec<Diagnostic>) -> Vec<(String, String, Position)> {
    let mut imports = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = nodes.last() {
            match &import.0 {
                Expr::StringConstant(module, _) => {
                    imports.push((module.to_string(), import.1.name.to_string(), *position));
                }
                _ => found.push(
                    Diagnostic::error("import", *position, "an import needs a literal name")
                        .help("What is imported is pinned at launch: `import \"lib/lab\" as lab;`."),
                ),
            }
        }
        true
    });
    imports
}

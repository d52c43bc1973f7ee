//! What scripts can call, for people and editors: Rhai definitions, JSON, and reference pages. All of it follows from the
//! declarations.

use std::fmt::Write;

use serde_json::{Value, json};
use windlass_model::EffectClass;

use crate::{
    arguments::signature,
    catalog::{BuiltinEntry, Catalog, OpEntry},
    host::{Kind, Param, Permission, Undo},
};

/// The name of the built-in functions' page and group.
pub const CORE: &str = "core";

const CORE_DOC: &str = "Functions that every workflow can call without a module name.";

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Bool => "bool",
        Kind::Duration => "string|int",
        Kind::Map => "map",
        Kind::Array => "array",
        Kind::Secret => "Secret|string",
        Kind::Any => "?",
        Kind::Closure => "Fn",
    }
}

/// A `.d.rhai` text with everything in it.
pub fn rhai(catalog: &Catalog) -> String {
    let mut out = String::from("module static;\n");
    for entry in &catalog.builtins {
        definition(&mut out, "", &entry.name, entry.builtin.doc, entry.builtin.params, entry.builtin.returns);
    }
    for module in &catalog.modules {
        let _ = write!(out, "\n/// {}\nmodule {} {{\n", module.doc.replace('\n', "\n/// "), module.name);
        for entry in &module.ops {
            definition(&mut out, "    ", entry.op.name, entry.op.doc, entry.op.params, entry.op.returns);
        }
        out.push_str("}\n");
    }
    out
}

/// One function: a definition for each number of arguments, because definitions know no optional ones.
fn definition(out: &mut String, indent: &str, name: &str, doc: &str, params: &[Param], returns: &str) {
    let required = params.iter().filter(|param| !param.optional).count();
    for count in required..=params.len() {
        out.push('\n');
        for line in doc.lines() {
            let _ = writeln!(out, "{indent}/// {line}");
        }
        for param in &params[..count] {
            let _ = writeln!(out, "{indent}/// - `{}`: {}", param.name, param.doc);
        }
        let typed: Vec<String> =
            params[..count].iter().map(|param| format!("{}: {}", param.name, kind_name(param.kind))).collect();
        let _ = writeln!(out, "{indent}fn {name}({}) -> {returns};", typed.join(", "));
    }
}

/// Everything as JSON, for editors: `{ modules: [{ name, doc, functions: [{ name, full, signature, doc, params, returns,
/// permission, class, undo, timeout_ms, example }] }] }`.
pub fn json(catalog: &Catalog) -> Value {
    let core: Vec<Value> = catalog.builtins.iter().map(|entry| builtin_json(entry)).collect();
    let mut modules = vec![json!({ "name": CORE, "doc": CORE_DOC, "functions": core })];
    modules.extend(catalog.modules.iter().map(|module| {
        let functions: Vec<Value> = module.ops.iter().map(|entry| op_json(entry)).collect();
        json!({ "name": module.name, "doc": module.doc, "functions": functions })
    }));
    json!({ "modules": modules })
}

fn params_json(params: &[Param]) -> Value {
    let each = |param: &Param| json!({ "name": param.name, "kind": kind_name(param.kind), "optional": param.optional, "doc": param.doc });
    params.iter().map(each).collect()
}

fn permission_json(permission: &Permission) -> Value {
    match permission {
        Permission::Free => Value::Null,
        Permission::Needs { verb, words, .. } => json!({ "verb": verb, "words": words }),
    }
}

fn builtin_json(entry: &BuiltinEntry) -> Value {
    let builtin = &entry.builtin;
    json!({
        "name": builtin.name, "full": builtin.name, "signature": signature(builtin.name, builtin.params), "doc": builtin.doc,
        "params": params_json(builtin.params), "returns": builtin.returns,
        "permission": permission_json(&builtin.permission), "example": builtin.example,
    })
}

fn op_json(entry: &OpEntry) -> Value {
    let op = &entry.op;
    let undo = match &op.undo {
        Undo::Op { name, .. } => json!({ "op": format!("{}::{name}", entry.module) }),
        Undo::None(reason) => json!({ "none": reason }),
    };
    json!({
        "name": op.name, "full": &*entry.full, "signature": signature(&entry.full, op.params), "doc": op.doc,
        "params": params_json(op.params), "returns": op.returns, "permission": permission_json(&op.permission),
        "class": op.class, "undo": undo, "timeout_ms": op.timeout_ms, "example": op.example,
    })
}

/// Names and texts of the reference pages: one for the built-in functions, one for each module.
pub fn pages(catalog: &Catalog) -> Vec<(String, String)> {
    let mut core = format!("# Built-in functions\n\n{CORE_DOC}\n");
    for entry in &catalog.builtins {
        let builtin = &entry.builtin;
        section(&mut core, &signature(builtin.name, builtin.params), builtin.doc, builtin.params, builtin.returns);
        permission_line(&mut core, &builtin.permission);
        example(&mut core, builtin.example);
    }
    let mut pages = vec![(CORE.to_owned(), core)];
    for module in &catalog.modules {
        let mut page = format!("# Module `{}`\n\n{}\n", module.name, module.doc);
        for entry in &module.ops {
            let op = &entry.op;
            section(&mut page, &signature(&entry.full, op.params), op.doc, op.params, op.returns);
            permission_line(&mut page, &op.permission);
            let _ = writeln!(page, "- After a crash: {}", class_words(op.class));
            let _ = match &op.undo {
                Undo::Op { name, .. } => writeln!(page, "- Undo: `{}::{name}`", module.name),
                Undo::None(reason) => writeln!(page, "- Undo: none; {reason}"),
            };
            let _ = writeln!(page, "- Time limit: {}", windlass_model::time::format_duration_ms(op.timeout_ms as i64));
            if op.retry.attempts > 1 {
                let _ =
                    writeln!(page, "- Attempts: {} when the error says that trying again may help", op.retry.attempts);
            }
            example(&mut page, op.example);
        }
        pages.push((module.name.to_owned(), page));
    }
    pages
}

fn section(out: &mut String, signature: &str, doc: &str, params: &[Param], returns: &str) {
    let _ = write!(out, "\n## `{signature}`\n\n{doc}\n");
    if !params.is_empty() {
        out.push_str("\n| Parameter | Kind | Meaning |\n|---|---|---|\n");
    }
    for param in params {
        let optional = if param.optional { ", optional" } else { "" };
        let kind = kind_name(param.kind).replace('|', " or ").replace('?', "any");
        let _ = writeln!(out, "| `{}` | {kind}{optional} | {} |", param.name, param.doc.replace('|', "\\|"));
    }
    let _ = write!(out, "\n- Result: `{returns}`\n");
}

fn permission_line(out: &mut String, permission: &Permission) {
    let _ = match permission {
        Permission::Free => writeln!(out, "- Grant: none needed"),
        Permission::Needs { verb, words, .. } => writeln!(out, "- Grant: `{verb}:…` ({words} …)"),
    };
}

fn example(out: &mut String, example: &str) {
    if !example.is_empty() {
        let _ = write!(out, "\n```rhai\n{}\n```\n", example.trim());
    }
}

fn class_words(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Read => "reads again",
        EffectClass::Idempotent => "repeats; twice is the same as once",
        EffectClass::Keyed => "looks for what it made under the step's key, and adopts it",
        EffectClass::AtMostOnce => "the step is in doubt, and an operator decides",
        EffectClass::Wait => "waits on",
        EffectClass::Scope => "goes on with its branches",
    }
}

//! What is wrong with a document: all of it at once, each with a stable code and its place.

use serde::Serialize;
use serde_json::json;
use windlass_model::{Code, Problem};

use super::text::Read;

/// At most so many are told.
const TOLD: usize = 50;

/// A mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What kind of mistake: `unknown_node`, `duplicate_interface`, …; never renamed.
    pub code: &'static str,
    /// Where, as a JSON pointer into the document as it was written.
    pub pointer: String,
    /// What and why.
    pub message: String,
}

impl Fault {
    pub(super) fn new(code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, pointer: pointer.into(), message: message.into() }
    }
}

/// One problem of all mistakes. With the text that was read, they say their lines.
pub(super) fn problem(what: &str, faults: &[Fault], read: Option<&Read>) -> Problem {
    let place = |fault: &Fault| read.and_then(|read| read.place(&fault.pointer));
    let line = |fault: &Fault| match (place(fault), fault.pointer.as_str()) {
        (Some(place), _) => format!("{what}:{}:{}: {}", place.line, place.column, fault.message),
        (None, "") => fault.message.clone(),
        (None, pointer) => format!("{pointer}: {}", fault.message),
    };
    let listed = |fault: &Fault| {
        let mut told = json!({ "code": fault.code, "pointer": fault.pointer, "message": fault.message });
        if let Some(place) = place(fault) {
            (told["line"], told["column"]) = (place.line.into(), place.column.into());
        }
        told
    };
    let told = faults.iter().take(TOLD);
    let lines: Vec<String> = told.clone().map(line).collect();
    let more = match faults.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("\n… and {more} more"),
    };
    let pointer = faults.first().map(|fault| fault.pointer.clone()).unwrap_or_default();
    Problem::new(Code::InvalidInput, format!("{}{more}", lines.join("\n")))
        .help("`windlass lab schema` prints what a lab's document may say; `windlass lab check FILE` checks one")
        .data(json!({ "pointer": pointer, "faults": told.map(listed).collect::<Vec<_>>() }))
        .no_effect()
}

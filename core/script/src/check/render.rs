//! Diagnostics for people: the line, a caret, and what to do.

use std::fmt::Write;

use super::{Diagnostic, Severity};

/// One diagnostic with an excerpt of its source.
pub fn render(diagnostic: &Diagnostic, source: &str) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = format!("{severity}[{}]: {}\n", diagnostic.code, diagnostic.message);
    let number = diagnostic.line.to_string();
    let gutter = " ".repeat(number.len());
    let _ = writeln!(out, "{gutter}--> {}.rhai:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
    if let Some(line) = source.lines().nth(diagnostic.line.saturating_sub(1) as usize) {
        let before: Vec<char> = line.chars().take(diagnostic.column.saturating_sub(1) as usize).collect();
        // A tab stays a tab, so that the caret stands under its letter.
        let space: String = before.iter().map(|letter| if *letter == '\t' { '\t' } else { ' ' }).collect();
        let rest: String = line.chars().skip(before.len()).collect();
        let word =
            rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_' || *letter == ':').count();
        let _ = writeln!(out, "{gutter} |\n{number} | {line}\n{gutter} | {space}{}", "^".repeat(word.clamp(1, 80)));
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{gutter} = help: {help}");
    }
    out
}

//! Reads `windlass.toml`, and finds for every key the line it stands on.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use windlass_model::{Code, Problem};

use super::settings::Config;

/// A configuration file: its values, and where each stands.
pub(super) struct File {
    /// The values that the file sets.
    pub values: Value,
    /// Line of each key (`engine.workers`), from 1.
    pub lines: BTreeMap<String, usize>,
}

/// Reads and checks a file by itself: syntax, keys, types.
pub(super) fn read(path: &Path) -> Result<File, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::new(Code::Configuration, format!("{} can't be read: {error}", path.display()))
            .help("name another file with --config, or leave it out: the defaults are enough for the labs")
    })?;
    parse(path, &text)
}

/// As `read`, from text.
pub(super) fn parse(path: &Path, text: &str) -> Result<File, Problem> {
    let table = DeTable::parse(text).map_err(|error| located(path, text, "", error.span(), error.message()))?;
    let mut places = Vec::new();
    walk(table.get_ref(), "", &mut places);
    toml::from_str::<Config>(text).map_err(|error| {
        let span = error.span();
        let key = span.as_ref().and_then(|span| innermost(&places, span.start)).unwrap_or_default();
        located(path, text, key, span, error.message())
    })?;
    let values: toml::Value =
        toml::from_str(text).map_err(|error| located(path, text, "", error.span(), error.message()))?;
    let lines = places.iter().map(|place| (place.key.clone(), line_of(text, place.start))).collect();
    Ok(File { values: json!(values), lines })
}

struct Place {
    key: String,
    start: usize,
    end: usize,
}

fn walk(table: &DeTable, prefix: &str, places: &mut Vec<Place>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        places.push(Place { key: key.clone(), start: name.span().start, end: end_of(name, value) });
        if let DeValue::Table(inner) = value.get_ref() {
            walk(inner, &key, places);
        }
    }
}

// A table's own span may be its header only: it ends where its last value ends.
fn end_of(name: &Spanned<impl Sized>, value: &Spanned<DeValue>) -> usize {
    let inner = match value.get_ref() {
        DeValue::Table(table) => table.iter().map(|(name, value)| end_of(name, value)).max().unwrap_or(0),
        _ => 0,
    };
    value.span().end.max(name.span().end).max(inner)
}

/// The longest key whose text covers the place.
fn innermost(places: &[Place], at: usize) -> Option<&str> {
    let covering = places.iter().filter(|place| place.start <= at && at <= place.end);
    covering.max_by_key(|place| place.key.len()).map(|place| place.key.as_str())
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
}

fn located(path: &Path, text: &str, key: &str, span: Option<std::ops::Range<usize>>, message: &str) -> Problem {
    let at = span.map_or(0, |span| span.start);
    let line = line_of(text, at);
    let column = at - text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1) + 1;
    let message = message.trim().replace('\n', " ");
    let of_key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
    Problem::new(Code::Configuration, format!("{}:{line}: {of_key}{message}", path.display()))
        .help("`windlass config show --docs` lists every key with its meaning")
        .data(json!({ "file": path, "line": line, "column": column, "key": key }))
}

//! What a run is found by besides its columns: tags, fields of its input, folders, words. Written with the launch.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{Problem, RunId, command::NewRun};

use crate::{apply::Cx, dialect, error::Applied, schema::run_terms};

/// Fields of an input that a run is found by.
const FIELDS: usize = 32;
/// Different words of a launch, and again of an error.
const WORDS: usize = 64;
/// Characters of a tag or a value; of longer ones the rest stands as a digest.
const VALUE_CHARS: usize = 100;
/// Characters of a word; the rest of a longer one doesn't count.
const WORD_CHARS: usize = 64;
/// How deep words are looked for in an input.
const DEPTH: usize = 4;

pub(crate) fn tag(tag: &str) -> String {
    format!("t:{}", short(tag))
}

pub(crate) fn input(field: &str, value: &str) -> String {
    // A separator that names don't have: `a=b` with `c` isn't `a` with `b=c`.
    format!("i:{}\u{1f}{}", short(field), short(value))
}

pub(crate) fn folder(folder: &str) -> String {
    format!("f:{}", short(folder))
}

pub(crate) fn word(word: &str) -> String {
    format!("w:{word}")
}

/// The words of a text, in lower case. Single characters are none.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .map(|word| word.chars().take(WORD_CHARS).flat_map(char::to_lowercase).collect::<String>())
        .filter(|word| word.chars().nth(1).is_some())
}

fn short(text: &str) -> String {
    // PostgreSQL keeps no NUL in texts.
    let text = text.replace('\0', "\u{fffd}");
    match text.char_indices().nth(VALUE_CHARS) {
        None => text,
        Some((cut, _)) => format!("{}#{}", &text[..cut], &blake3::hash(text.as_bytes()).to_hex()[..16]),
    }
}

/// A scalar as people write it in a filter.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// Terms of a launch. Fields that the schema calls secret are left out, and what refers to a secret anywhere.
pub(crate) fn of_launch(run: &NewRun, given: &Value) -> BTreeSet<String> {
    let mut terms: BTreeSet<String> = run.tags.iter().map(|text| tag(text)).collect();
    terms.extend(run.workflow.match_indices('/').map(|(at, _)| folder(&run.workflow[..at])));
    let mut found = Words::default();
    found.take(&run.workflow);
    run.tags.iter().for_each(|text| found.take(text));
    found.take(&run.launched_by);
    match given {
        Value::Object(fields) => {
            let open = || fields.iter().filter(|(name, _)| !run.unindexed.contains(name));
            let scalars = open().filter_map(|(name, value)| Some((name, scalar(value)?)));
            terms.extend(scalars.take(FIELDS).map(|(name, value)| input(name, &value)));
            open().for_each(|(_, value)| found.walk(value, 1));
        }
        other if run.unindexed.is_empty() => found.walk(other, 1),
        _ => {}
    }
    terms.extend(found.0.iter().map(|text| word(text)));
    terms
}

/// Terms of an error.
pub(crate) fn of_problem(problem: &Problem) -> BTreeSet<String> {
    let mut found = Words::default();
    found.take(problem.code.as_str());
    found.take(&problem.message);
    found.0.iter().map(|text| word(text)).collect()
}

#[derive(Default)]
struct Words(BTreeSet<String>);

impl Words {
    fn take(&mut self, text: &str) {
        for word in words(text) {
            if self.0.len() >= WORDS {
                break;
            }
            self.0.insert(word);
        }
    }

    fn walk(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH || self.0.len() >= WORDS {
            return;
        }
        match value {
            Value::String(text) => self.take(text),
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, depth + 1)),
            Value::Object(fields) if fields.contains_key("$secret") => {}
            Value::Object(fields) => fields.values().for_each(|item| self.walk(item, depth + 1)),
            _ => {}
        }
    }
}

/// Adds terms to a run; those that it has stay.
pub(crate) fn add(cx: &mut Cx, run: &RunId, terms: &BTreeSet<String>) -> Applied<()> {
    if cx.batch.is_open() {
        cx.batch.add_terms(run, terms);
        return Ok(());
    }
    Ok(dialect::put_terms(cx.conn, run.as_str(), terms)?)
}

/// Removes a run's terms.
pub(crate) fn remove(cx: &mut Cx, run: &str) -> Applied<()> {
    diesel::delete(run_terms::table.filter(run_terms::run_id.eq(run))).execute(cx.conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_longer_than_one_character() {
        let found: Vec<String> = words("Lab-7/Grid_x, ÄRGER a 42 x'yz").collect();
        assert_eq!(found, ["lab", "grid", "ärger", "42", "yz"]);
    }

    #[test]
    fn long_values_differ_by_what_is_cut_off() {
        let (one, other) = ("x".repeat(150) + "a", "x".repeat(150) + "b");
        assert_ne!(input("f", &one), input("f", &other));
        assert!(input("f", &one).chars().count() < 130);
        assert_eq!(short("a\0b"), "a\u{fffd}b");
    }
}

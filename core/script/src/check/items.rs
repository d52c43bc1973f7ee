//! Compiles a file piece by piece. The compiler stops at its first mistake; each function on its own has one of its own.

use std::ops::Range;

use rhai::{AST, Engine, LexError, ParseError, ParseErrorType, Position};

use super::{Diagnostic, salvage::salvage};
use crate::{catalog::Catalog, nearest::nearest};

/// Mistakes of one function that are looked for one behind the other.
const ROUNDS: usize = 12;

pub(super) struct Healthy {
    /// All that compiles.
    pub ast: AST,
    pub diagnostics: Vec<Diagnostic>,
    /// Places where a module's name was taken out to go on: calls there are reported already.
    pub blanked: Vec<Position>,
    /// Whether nothing had to be left out.
    pub complete: bool,
}

pub(super) fn compile(engine: &Engine, catalog: &Catalog, source: &str) -> Healthy {
    let lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    let mut healthy = Healthy { ast: AST::empty(), diagnostics: Vec::new(), blanked: Vec::new(), complete: true };
    if let Ok(ast) = engine.compile(source) {
        healthy.ast = ast;
        return healthy;
    }
    let items = split(&lines);
    let is_shared = |item: &Range<usize>| !is_function(&lines[item.start]);
    let mut kept = lines.clone();
    // Constants and imports first: functions need them around.
    let (shared, functions): (Vec<_>, Vec<_>) = items.into_iter().partition(is_shared);
    for item in shared.iter().chain(&functions) {
        let mut text = blank_but(&kept, &shared, item);
        let mut whole = false;
        for _ in 0..ROUNDS {
            match engine.compile(text.join("\n")) {
                Ok(_) => {
                    whole = true;
                    break;
                }
                Err(error) => {
                    healthy.complete = false;
                    let position = inside(error.position(), item, &lines);
                    healthy.diagnostics.push(diagnose(&error, position, catalog, source));
                    if patch(&mut text, &error, &mut healthy.blanked) {
                        continue;
                    }
                    let salvaged =
                        if is_function(&lines[item.start]) { salvage(engine, &text, &error, item) } else { None };
                    let Some(salvaged) = salvaged else { break };
                    for error in &salvaged.errors {
                        let position = inside(error.position(), item, &lines);
                        healthy.diagnostics.push(diagnose(error, position, catalog, source));
                    }
                    text = salvaged.text;
                }
            }
        }
        for line in item.clone() {
            kept[line] = if whole { text[line].clone() } else { String::new() };
        }
    }
    if let Ok(ast) = engine.compile(kept.join("\n")) {
        healthy.ast = ast;
    } else if healthy.diagnostics.is_empty()
        && let Err(error) = engine.compile(source)
    {
        // Only all pieces together don't compile: two functions with one name.
        healthy.complete = false;
        healthy.diagnostics.push(diagnose(&error, error.position(), catalog, source));
    }
    healthy
}

fn is_function(line: &str) -> bool {
    line.starts_with("fn ") || line.starts_with("private fn ")
}

/// Lines of each top-level item. A file that is written the usual way begins each at the left edge.
fn split(lines: &[String]) -> Vec<Range<usize>> {
    let begins =
        |line: &String| is_function(line) || ["const ", "import ", "let "].iter().any(|word| line.starts_with(word));
    let mut starts: Vec<usize> = (0..lines.len()).filter(|&index| begins(&lines[index])).collect();
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    starts.push(lines.len());
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// The file with nothing but the item and what all share; places stay as they are.
fn blank_but(lines: &[String], shared: &[Range<usize>], item: &Range<usize>) -> Vec<String> {
    let keep = |index: usize| {
        item.contains(&index) || shared.iter().any(|other| other.start < item.start && other.contains(&index))
    };
    lines.iter().enumerate().map(|(index, line)| if keep(index) { line.clone() } else { String::new() }).collect()
}

/// A missing brace is noticed only at the end of the file: the item's last line stands for it.
fn inside(position: Position, item: &Range<usize>, lines: &[String]) -> Position {
    match position.line() {
        Some(line) if item.contains(&(line - 1)) => position,
        _ => {
            let last = item.clone().rev().find(|&index| !lines[index].trim().is_empty()).unwrap_or(item.start);
            Position::new(last as u16 + 1, lines[last].chars().count().max(1) as u16)
        }
    }
}

/// Takes out the name that was reported, so that the next mistake can be found.
fn patch(text: &mut [String], error: &ParseError, blanked: &mut Vec<Position>) -> bool {
    let (name, put) = match error.err_type() {
        ParseErrorType::VariableUndefined(name) => (name.clone(), "()"),
        ParseErrorType::ModuleUndefined(name) => (name.clone(), ""),
        _ => return false,
    };
    let position = error.position();
    let (Some(line), Some(column)) = (position.line(), position.position()) else { return false };
    let Some(old) = text.get(line - 1).cloned() else { return false };
    let letters: Vec<char> = old.chars().collect();
    let width = name.chars().count() + if put.is_empty() { 2 } else { 0 };
    let (from, to) = (column - 1, column - 1 + width);
    if to > letters.len() || letters[from..].iter().take(name.chars().count()).collect::<String>() != name {
        return false;
    }
    let head: String = letters[..from].iter().collect();
    let tail: String = letters[to..].iter().collect();
    if put.is_empty() {
        blanked.push(Position::new(line as u16, to as u16 + 1));
    }
    // One letter names are shorter than what stands in for them: then columns move, which costs only a place.
    text[line - 1] = format!("{head}{put:width$}{tail}");
    true
}

fn diagnose(error: &ParseError, position: Position, catalog: &Catalog, source: &str) -> Diagnostic {
    match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            let near = nearest(name, identifiers(source).filter(|other| *other != name)).map(str::to_owned);
            Diagnostic::error("undefined_variable", position, format!("there is no variable `{name}`")).meant(near).or_help(
                "Functions see their parameters and their own variables; a constant of the file is `global::NAME` inside functions.",
            )
        }
        ParseErrorType::ModuleUndefined(name) => {
            let near = nearest(name, catalog.modules.iter().map(|module| module.name)).map(str::to_owned);
            Diagnostic::error("unknown_module", position, format!("there is no module `{name}`"))
                .meant(near)
                .or_help("Import shared code with `import \"lib/name\" as name;`.")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) if symbol == "eval" => {
            Diagnostic::error("eval", position, "`eval` isn't available")
                .help("What a workflow does stands in its file: write a function instead.")
        }
        other => Diagnostic::error("syntax", position, other.to_string()),
    }
}

impl Diagnostic {
    fn or_help(self, help: &str) -> Self {
        if self.help.is_some() { self } else { self.help(help) }
    }
}

fn identifiers(source: &str) -> impl Iterator<Item = &str> {
    let words = source.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_'))
}

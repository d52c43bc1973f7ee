//! What can still be read of a function that has a syntax error: the compiler gives up there, and would hide everything
//! else that is wrong with it.

use std::ops::Range;

use rhai::{Engine, ParseError, ParseErrorType, Position};

/// Lines that are taken out of one function, one behind the other.
const LINES_OUT: usize = 4;

/// Places where a function is cut off on trial. The error stands near the statement that it is in.
const CUTS: usize = 60;

/// A text in which the function has no syntax error any more, and the other syntax errors that were met on the way.
pub(super) struct Salvaged {
    pub text: Vec<String>,
    pub errors: Vec<ParseError>,
}

/// Takes out the lines with syntax errors; or, if what follows makes no sense without them, cuts the function off before
/// the first. `None` if nothing of it compiles.
pub(super) fn salvage(engine: &Engine, text: &[String], error: &ParseError, item: &Range<usize>) -> Option<Salvaged> {
    let line = line_in(error.position(), item);
    if let Some(salvaged) = line.and_then(|line| without_lines(engine, text, line, item)) {
        return Some(salvaged);
    }
    // A missing brace is noticed at the end only: then the whole function is there.
    let last = line.unwrap_or(item.end);
    (item.start + 1..=last).rev().take(CUTS).find_map(|end| {
        let text = cut(text, item, end);
        is_readable(engine, &text).then(|| Salvaged { text, errors: Vec::new() })
    })
}

/// Compiles, or names only something that isn't there: that is found and reported by the caller.
fn is_readable(engine: &Engine, text: &[String]) -> bool {
    match engine.compile(text.join("\n")) {
        Ok(_) => true,
        Err(error) => is_name(&error),
    }
}

fn is_name(error: &ParseError) -> bool {
    matches!(error.err_type(), ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_))
}

/// The line's index, if it is in the body.
fn line_in(position: Position, item: &Range<usize>) -> Option<usize> {
    position.line().map(|line| line - 1).filter(|line| (item.start + 1..item.end).contains(line))
}

fn without_lines(engine: &Engine, text: &[String], first: usize, item: &Range<usize>) -> Option<Salvaged> {
    let mut text = text.to_vec();
    let mut errors = Vec::new();
    let mut line = first;
    for _ in 0..LINES_OUT {
        // Taking out a line that opens or closes a block would tear the rest apart.
        if !open_brackets(&text[line])?.is_empty() {
            return None;
        }
        text[line] = stand_in(&text[line]);
        match engine.compile(text.join("\n")) {
            Ok(_) => return Some(Salvaged { text, errors }),
            Err(error) if is_name(&error) => return Some(Salvaged { text, errors }),
            Err(error) => {
                line = line_in(error.position(), item).filter(|next| *next > line)?;
                errors.push(error);
            }
        }
    }
    None
}

/// A variable stays defined: that nobody knows its value isn't the fault of those who use it.
fn stand_in(line: &str) -> String {
    let trimmed = line.trim_start();
    let name = ["let ", "const "].iter().find_map(|word| trimmed.strip_prefix(word)).map(|rest| {
        rest.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>()
    });
    name.filter(|name| !name.is_empty()).map(|name| format!("let {name} = ();")).unwrap_or_default()
}

/// The item up to a line, with its brackets closed; places stay as they are.
fn cut(text: &[String], item: &Range<usize>, end: usize) -> Vec<String> {
    let closers: String = open_brackets(&text[item.start..end].join("\n")).unwrap_or_default().iter().rev().collect();
    let mut text = text.to_vec();
    text[end..item.end].iter_mut().for_each(String::clear);
    // On a line of its own if there is one: the last may end in a comment.
    match end < item.end {
        true => text[end] = closers,
        false => text[end - 1].push_str(&closers),
    }
    text
}

/// The brackets that would close those that are open, outermost first; `None` if one closes that wasn't opened.
fn open_brackets(text: &str) -> Option<Vec<char>> {
    let mut open = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => {
                open.pop().filter(|expected| *expected == letter)?;
            }
            '"' | '`' | '\'' => {
                while let Some(inner) = letters.next() {
                    if inner == '\\' && letter != '`' {
                        letters.next();
                    } else if inner == letter {
                        break;
                    }
                }
            }
            '/' if letters.peek() == Some(&'/') => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '/' if letters.peek() == Some(&'*') => {
                let mut before = ' ';
                for inner in letters.by_ref() {
                    if before == '*' && inner == '/' {
                        break;
                    }
                    before = inner;
                }
            }
            _ => {}
        }
    }
    Some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_and_comments_do_not_count() {
        let open = |text: &str| open_brackets(text).map(|open| open.into_iter().collect::<String>());
        assert_eq!(open("fn a() { if x[0] == \"}\\\"\" { // }"), Some("}}".into()));
        assert_eq!(open("call(#{ a: `)${1}`, b: '(' /* ] */, "), Some(")}".into()));
        assert_eq!(open("} else {"), None);
    }
}

//! Errors for people: title and code, where, why, what to do, and the page that says more.

use std::fmt::Write as _;

use console::style;
use windlass_model::{Bundle, Problem};

/// The error in full. `sources` are the scripts it may point into.
pub fn problem(problem: &Problem, sources: Option<&Bundle>) -> String {
    verbose(problem, |file| sources.and_then(|bundle| bundle.files.get(file).cloned()))
}

/// As `problem`, with sources from anywhere.
pub fn verbose(problem: &Problem, source_of: impl Fn(&str) -> Option<String>) -> String {
    let colours = console::colors_enabled_stderr();
    let paint = |text: String, bold: bool| {
        let styled = style(text).force_styling(colours);
        if bold { styled.red().bold().to_string() } else { styled.cyan().to_string() }
    };
    let mut text = format!("{}: {}\n", paint(format!("error[{}]", problem.code), true), problem.message);
    // Writing into a String can't fail.
    if let Some(site) = &problem.site {
        let _ = writeln!(text, "  {} {site}", paint("-->".into(), false));
        if let Some(source) = source_of(&site.file) {
            text.push_str(&excerpt(&source, site.line as usize, site.column as usize));
        }
    } else if let (Some(file), Some(line)) = (problem.data["file"].as_str(), problem.data["line"].as_u64())
        && let Ok(source) = std::fs::read_to_string(file)
    {
        let column = problem.data["column"].as_u64().unwrap_or(0);
        let _ = writeln!(text, "  {} {file}:{line}", paint("-->".into(), false));
        text.push_str(&excerpt(&source, line as usize, column as usize));
    }
    if let Some(step) = &problem.step {
        let _ = writeln!(text, "  {} step {step}", paint("in".into(), false));
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(text, "  {} {}", paint("help:".into(), false), super::as_called(help));
    }
    let _ = writeln!(text, "  {} docs/errors/{}.md", paint("more:".into(), false), problem.code);
    text
}

/// The line with its neighbours, and a caret under the column.
fn excerpt(source: &str, line: usize, column: usize) -> String {
    let mut text = String::new();
    if line == 0 {
        return text;
    }
    let first = line.saturating_sub(1).max(1);
    for (number, content) in (1..).zip(source.lines()).skip(first - 1).take(line + 1 - first + 1) {
        let _ = writeln!(text, "{number:>5} | {}", content.replace('\t', " "));
        if number == line && column > 0 {
            let _ = writeln!(text, "      | {}^", " ".repeat(column - 1));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use windlass_model::{CallSite, Code};

    use super::*;

    #[test]
    fn the_place_is_shown_with_a_caret() {
        let site = CallSite { file: "lab/x".into(), line: 2, column: 5 };
        let error = Problem::new(Code::ScriptError, "no").at(site).help("do this");
        let shown = verbose(&error, |file| (file == "lab/x").then(|| "fn run(input) {\n    boom();\n}\n".to_owned()));
        let plain = console::strip_ansi_codes(&shown).into_owned();
        assert_eq!(
            plain,
            "error[script_error]: no\n  --> lab/x.rhai:2:5\n    1 | fn run(input) {\n    2 |     boom();\n      |     ^\n    3 | }\n\
             \x20 help: do this\n  more: docs/errors/script_error.md\n"
        );
    }

    #[test]
    fn places_beyond_the_source_do_no_harm() {
        assert_eq!(excerpt("a", 9, 1), "");
        assert_eq!(excerpt("", 1, 1), "");
        assert!(excerpt("a", 1, 400).contains('^'));
    }
}

//! How Rust sources look: a line of purpose at the top, no calls that end the process, output only from the binary.

use crate::tree::{File, Tree, demand, sample};

/// Ends the process when it is wrong about something.
const ABRUPT: &[&str] = &[".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("];

/// Writes to the terminal.
const OUTPUT: &[&str] = &["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!("];

fn without_purpose(tree: &Tree) -> Vec<String> {
    let rust = tree.files.iter().filter(|file| file.is_rust());
    rust.filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|purpose| purpose.trim().len() < 10)
    })
    .map(|file| format!("{}: its first line must be `//! what it is for`", file.path))
    .collect()
}

fn abrupt(tree: &Tree) -> Vec<String> {
    let files =
        tree.files.iter().filter(|file| file.is_rust() && file.path.starts_with("core/") && !is_test_file(file));
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in production_lines(&file.text) {
            if let Some(call) = found(line, ABRUPT)
                && !explained(&file.text, number)
            {
                complaints
                    .push(format!("{}:{number}: `{call}` without a comment that says why it can't fail", file.path));
            }
        }
    }
    complaints
}

fn loud(tree: &Tree) -> Vec<String> {
    let files = tree.files.iter().filter(|file| {
        file.is_rust()
            && file.path.starts_with("core/")
            && !file.path.starts_with("core/server/")
            && !is_test_file(file)
    });
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in production_lines(&file.text) {
            if let Some(call) = found(line, OUTPUT) {
                complaints
                    .push(format!("{}:{number}: `{call}` outside core/server: use tracing, or return it", file.path));
            }
        }
    }
    complaints
}

fn is_test_file(file: &File) -> bool {
    ["tests.rs", "testing.rs", "build.rs"].contains(&file.name())
        || ["/tests/", "/benches/", "/examples/"].iter().any(|folder| file.path.contains(folder))
}

/// Numbered lines, from 1, without what only tests compile and without comments.
fn production_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut skipped_to: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        match skipped_to {
            // The item after `#[cfg(test)]` ends at its own closing brace, or is a single line.
            Some(level) => {
                let ends = trimmed == "}" || (trimmed.ends_with(';') && !trimmed.starts_with("#["));
                if indent == level && ends {
                    skipped_to = None;
                }
            }
            None if trimmed.starts_with("#[cfg(test)]") => skipped_to = Some(indent),
            None if trimmed.starts_with("//") => {}
            None => lines.push((index + 1, line)),
        }
    }
    lines
}

/// The first of `calls` that stands in the line, outside string literals and comments.
fn found<'a>(line: &str, calls: &[&'a str]) -> Option<&'a str> {
    let code = without_literals(line);
    let preceded_by_name = |start: usize| {
        code[..start].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_')
    };
    calls
        .iter()
        .copied()
        .find(|call| code.match_indices(call).any(|(start, _)| call.starts_with('.') || !preceded_by_name(start)))
}

fn without_literals(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => {
                characters.next();
            }
            // `'"'` is a character, not the start of a string.
            '\'' if !quoted && characters.peek() == Some(&'"') => {
                characters.next();
            }
            '"' => quoted = !quoted,
            '/' if !quoted && characters.peek() == Some(&'/') => break,
            _ if !quoted => code.push(character),
            _ => {}
        }
    }
    code
}

/// Whether the line, or the one above its statement, has a comment.
fn explained(text: &str, number: usize) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let commented = |line: &str| line.trim_start().starts_with("//") || line.contains(" // ");
    let mut index = number - 1;
    loop {
        if commented(lines[index]) {
            return true;
        }
        if index == 0 {
            return false;
        }
        let above = lines[index - 1].trim_end();
        let statement_ends = above.ends_with([';', '{', '}']) || above.is_empty();
        if statement_ends || number - index > 8 {
            return false;
        }
        index -= 1;
    }
}

#[test]
fn files_say_what_they_are_for() {
    demand("Every Rust file opens with its purpose:", without_purpose(&Tree::repository()));
}

#[test]
fn nothing_ends_abruptly_without_a_reason() {
    demand("A runtime must not fall over for one run:", abrupt(&Tree::repository()));
}

#[test]
fn only_the_binary_writes_to_the_terminal() {
    demand("Libraries are silent:", loud(&Tree::repository()));
}

#[test]
fn a_missing_purpose_is_found() {
    let (_folder, tree) = sample(&[
        ("core/a.rs", "//! Says what it is for.\n"),
        ("core/b.rs", "use std::fmt;\n"),
        ("core/c.rs", "//!\n"),
        ("core/d.rs", ""),
    ]);
    let complaints = without_purpose(&tree);
    assert_eq!(complaints.len(), 3, "{complaints:?}");
}

#[test]
fn abrupt_calls_are_found_where_they_count() {
    let (_folder, tree) = sample(&[
        (
            "core/engine/src/a.rs",
            "fn a() {\n    x.unwrap();\n    y.unwrap(); // y was set above\n    // z is checked\n    z.expect(\"z\");\n    \
             w.unwrap_or(1);\n    say(\"panic!(\");\n    // never panic!(\n    fine();\n    core::panic!(\"no\");\n}\n",
        ),
        (
            "core/engine/src/b.rs",
            "#[cfg(test)]\nmod tests {\n    fn t() {\n        x.unwrap();\n    }\n}\nfn after() {\n    todo!()\n}\n",
        ),
        (
            "core/engine/src/c.rs",
            "fn c() {\n    // the lock can't be poisoned\n    let x = self\n        .lock()\n        .unwrap();\n    self\n        .b()\n        .unwrap();\n}\n",
        ),
        ("core/engine/src/tests.rs", "fn t() { x.unwrap(); }\n"),
        ("tests/engine/mod.rs", "fn t() { x.unwrap(); }\n"),
    ]);
    let places: Vec<String> =
        abrupt(&tree).iter().map(|complaint| complaint.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(
        places,
        ["core/engine/src/a.rs:2", "core/engine/src/a.rs:10", "core/engine/src/b.rs:8", "core/engine/src/c.rs:8"]
    );
}

#[test]
fn output_is_found_outside_the_binary() {
    let (_folder, tree) = sample(&[
        (
            "core/engine/src/a.rs",
            "fn a() {\n    println!(\"x\");\n    my_println!(1);\n}\n#[cfg(test)]\nuse b;\nfn c() {\n    dbg!(1);\n}\n",
        ),
        ("core/server/src/a.rs", "fn a() {\n    println!(\"x\");\n}\n"),
    ]);
    let complaints = loud(&tree);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].starts_with("core/engine/src/a.rs:2") && complaints[1].starts_with("core/engine/src/a.rs:8"));
}

//! How the interface's sources look: a line of purpose at the top, small files, and nothing that the
//! Content-Security-Policy would refuse.

use crate::tree::{File, Tree, demand, sample};

const LIMIT: usize = 500;
/// Written by `npm run generate`.
const GENERATED: &str = "ui/src/lib/api/schema.ts";
/// What ends up inline in a page, or runs text as code.
const REFUSED: &[(&str, &str)] = &[
    ("{@html", "markup from a text: a value in it could be a script"),
    (" style=\"", "an inline style: `style:width={…}` or a class"),
    ("innerHTML", "markup from a text: a value in it could be a script"),
    ("eval(", "text as code"),
    ("new Function(", "text as code"),
];

fn is_source(file: &File) -> bool {
    (file.path.starts_with("ui/") || file.path.starts_with("tests/ui/"))
        && [".ts", ".svelte", ".mjs", ".css"].iter().any(|end| file.path.ends_with(end))
}

fn without_purpose(file: &File) -> bool {
    let first = file.text.lines().next().unwrap_or_default();
    let begin = match file.path.rsplit_once('.').map_or("", |(_, end)| end) {
        "svelte" => "<!-- ",
        "css" => "/* ",
        _ => "// ",
    };
    first.strip_prefix(begin).is_none_or(|purpose| purpose.trim().len() < 10)
}

fn complaints(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| is_source(file)) {
        if without_purpose(file) {
            complaints.push(format!("{}: its first line must be a comment that says what it is for", file.path));
        }
        let lines = file.text.lines().count();
        if lines > LIMIT && file.path != GENERATED {
            complaints.push(format!("{} has {lines} lines, over {LIMIT}: split it by what it is about", file.path));
        }
        if file.path.starts_with("ui/src/") && !file.path.ends_with(".test.ts") {
            for (index, line) in file.text.lines().enumerate() {
                for (word, why) in REFUSED.iter().filter(|(word, _)| line.contains(word)) {
                    complaints.push(format!("{}:{}: `{}`: {why}", file.path, index + 1, word.trim()));
                }
            }
        }
    }
    complaints
}

#[test]
fn sources_are_small_explained_and_within_the_policy() {
    demand("The interface's sources:", complaints(&Tree::repository()));
}

#[test]
fn what_breaks_the_rules_is_found() {
    let long = format!("// what it is for\n{}", "\n".repeat(600));
    let (_folder, tree) = sample(&[
        ("ui/src/a.ts", "export const a = 1;\n"),
        ("ui/src/long.ts", &long),
        ("ui/src/b.svelte", "<!-- what it is for -->\n<p style=\"color: red\">{@html text}</p>\n"),
        ("ui/src/good.svelte", "<!-- what it is for -->\n<p style:width=\"3px\">x</p>\n"),
        (GENERATED, &long),
    ]);
    let found = complaints(&tree);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found[0].starts_with("ui/src/a.ts: its first line") && found[3].starts_with("ui/src/long.ts has 601 lines")
    );
}

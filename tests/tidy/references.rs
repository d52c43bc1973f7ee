//! Pages name only what exists: paths in backticks, links, workflows, make targets.

use crate::tree::{File, Tree, demand, sample};

/// What begins so in backticks is a path of this repository.
const FOLDERS: &[&str] =
    &["core/", "workflows/", "plugins/", "migrations/", "ui/", "docs/", "tests/", ".ci/", ".config/"];

/// Where a placeholder begins in a path: what stands before it has to exist.
const PLACEHOLDERS: &[char] = &['<', '*', '{', '…', '$'];

/// Texts in backticks of a page, outside fenced blocks, with their line (from 1).
pub fn backticks(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(|code| (index + 1, code)));
        }
    }
    found
}

/// Lines inside fenced blocks of a page, with their number (from 1) and the block's language.
pub fn fenced(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut language = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), language) {
            (Some(name), None) => language = Some(name.trim()),
            (Some(_), Some(_)) => language = None,
            (None, Some(name)) => found.push((index + 1, name, line)),
            (None, None) => {}
        }
    }
    found
}

fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        if in_fence {
            continue;
        }
        let markdown = line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        let pictures = line.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"').map(|(target, _)| target));
        found.extend(markdown.chain(pictures).map(|target| (index + 1, target)));
    }
    found
}

fn dangling(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for page in tree.files.iter().filter(|file| file.is_page()) {
        for (line, target) in links(&page.text) {
            if !link_exists(tree, page, target) {
                complaints.push(format!("{}:{line}: the link `{target}` leads nowhere", page.path));
            }
        }
        for (line, code) in backticks(&page.text) {
            if let Some(missing) = missing(tree, page, code) {
                complaints.push(format!("{}:{line}: `{code}` names {missing}, which isn't there", page.path));
            }
        }
    }
    complaints
}

fn link_exists(tree: &Tree, page: &File, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, _anchor) = target.split_once('#').unwrap_or((target, ""));
    path.is_empty() || tree.has(&format!("{}/{path}", if page.folder().is_empty() { "." } else { page.folder() }))
}

/// What a text in backticks names in this repository and isn't there.
fn missing(tree: &Tree, page: &File, code: &str) -> Option<String> {
    if let Some(target) = code.strip_prefix("make ") {
        let target = target.split_whitespace().next().unwrap_or_default();
        let makefile = tree.get("Makefile").map_or("", |file| file.text.as_str());
        let known = makefile.lines().any(|line| line.split(':').next() == Some(target));
        return (!known).then(|| format!("the make target {target}"));
    }
    if code.contains(char::is_whitespace) || code.contains("://") {
        return None;
    }
    let code = code.trim_end_matches(['.', ',', '/']);
    // `path:line` and `path#anchor` point into a file.
    let path = code.split([':', '#']).next().unwrap_or(code);
    if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        let known = match path.find(PLACEHOLDERS) {
            Some(start) => path[..start].rsplit_once('/').is_some_and(|(folder, _)| tree.has(folder)),
            None => tree.has(path),
        };
        return (!known).then(|| format!("the path {path}"));
    }
    let is_source = path.ends_with(".rs") && !path.contains(PLACEHOLDERS);
    if is_source {
        // A README speaks of its own folder, a page in docs/ of any.
        let below = if page.path.starts_with("docs/") { "" } else { page.folder() };
        let suffix = format!("/{path}");
        let known = tree
            .files
            .iter()
            .any(|file| file.path.starts_with(below) && (file.path.ends_with(&suffix) || file.path == path));
        return (!known).then(|| format!("the source {path}"));
    }
    let is_workflow = path.split_once('/').is_some_and(|(area, name)| {
        !name.is_empty() && !area.is_empty() && tree.has(&format!("workflows/{area}")) && !path.contains(PLACEHOLDERS)
    });
    let plain = path.chars().all(|character| character.is_ascii_alphanumeric() || "/-_.".contains(character));
    if is_workflow && plain {
        let known = tree.has(&format!("workflows/{path}.rhai")) || tree.has(&format!("workflows/{path}"));
        return (!known).then(|| format!("the workflow {path}"));
    }
    None
}

#[test]
fn pages_name_what_exists() {
    demand("These pages name what isn't there (any more):", dangling(&Tree::repository()));
}

#[test]
fn dangling_names_are_found() {
    let (_folder, tree) = sample(&[
        ("Makefile", "run: build\n"),
        ("workflows/lab/two-routers.rhai", ""),
        ("core/hosts/src/net/ops.rs", ""),
        ("core/hosts/src/net/README.md", "See `ops.rs`, not `client.rs`.\n"),
        (
            "docs/good.md",
            "`core/hosts` `core/hosts/src/<module>/x.rs` `lab/two-routers` `make run` [x](good.md#y) `net::x` `ops.rs`\n```\n`core/none`\n```\n",
        ),
        (
            "docs/bad.md",
            "`core/none/x.rs`\n`lab/gone`\n`make dinner`\n[x](gone.md)\n`workflows/none/*.rhai`\n<img src=\"no.svg\">\n",
        ),
    ]);
    let places: Vec<String> = dangling(&tree).iter().map(|text| text.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(
        places,
        [
            "core/hosts/src/net/README.md:1",
            "docs/bad.md:4",
            "docs/bad.md:6",
            "docs/bad.md:1",
            "docs/bad.md:2",
            "docs/bad.md:3",
            "docs/bad.md:5"
        ]
    );
}

#[test]
fn fenced_blocks_are_told_from_text() {
    let text = "a `b` c\n```sh\nwindlass run\n```\n`d`\n";
    assert_eq!(backticks(text), [(1, "b"), (5, "d")]);
    assert_eq!(fenced(text), [(3, "sh", "windlass run")]);
}

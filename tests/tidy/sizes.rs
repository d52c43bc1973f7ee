//! Files stay small. The ones that aren't are listed with their size, which may only shrink.

use std::collections::BTreeMap;

use crate::tree::{Tree, demand, sample};

const LIMIT: usize = 500;
const LIST: &str = "tests/tidy/large-files.txt";

/// The list's entries: `path lines`, comments with `#`.
fn listed(tree: &Tree) -> BTreeMap<&str, usize> {
    let text = tree.get(LIST).map_or("", |file| file.text.as_str());
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let (path, lines) = line.split_once(' ')?;
            Some((path, lines.trim().parse().ok()?))
        })
        .collect()
}

fn grown(tree: &Tree) -> Vec<String> {
    let listed = listed(tree);
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust() || file.path.ends_with(".rhai")) {
        let lines = file.text.lines().count();
        match listed.get(file.path.as_str()) {
            None if lines > LIMIT => {
                complaints.push(format!("{} has {lines} lines, over {LIMIT}: split it by what it is about", file.path))
            }
            Some(&size) if lines > size => {
                complaints.push(format!("{} grew from {size} to {lines} lines: split it instead", file.path))
            }
            Some(&size) if lines <= LIMIT => {
                complaints.push(format!("{} has only {lines} lines now (was {size}): take it off {LIST}", file.path));
            }
            Some(&size) if lines < size => complaints
                .push(format!("{} shrank to {lines} lines: write that instead of {size} in {LIST}", file.path)),
            _ => {}
        }
    }
    let gone = listed.keys().filter(|path| !tree.has(path));
    complaints.extend(gone.map(|path| format!("{path} is gone: take it off {LIST}")));
    complaints
}

#[test]
fn files_stay_small() {
    demand("Small files are read, big ones are feared:", grown(&Tree::repository()));
}

#[test]
fn growth_is_found_and_shrinking_is_kept() {
    let big = "\n".repeat(600);
    let complaints = |list: &str| {
        let (_folder, tree) = sample(&[("core/a.rs", &big), ("core/b.rs", "//!\n"), (LIST, list)]);
        grown(&tree).join("; ")
    };
    assert!(complaints("").contains("core/a.rs has 600 lines, over 500"));
    assert!(complaints("core/a.rs 550\n").contains("grew from 550 to 600"));
    assert!(complaints("core/a.rs 700\n").contains("shrank to 600"));
    assert!(complaints("core/a.rs 600\ncore/b.rs 510\n").contains("take it off"));
    assert!(complaints("core/a.rs 600\ncore/gone.rs 510\n").contains("core/gone.rs is gone"));
    assert_eq!(complaints("# why\ncore/a.rs 600\n"), "");
}

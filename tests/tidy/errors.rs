//! Every error code has a page that helps, and every page a code.

use windlass_model::Code;

use crate::tree::{Tree, demand, sample};

const FOLDER: &str = "docs/errors/";

/// What every page has, in this order.
const SECTIONS: &[&str] = &["## What it means", "## Usual causes", "## What to do", "## Example"];

fn pages_against(tree: &Tree, codes: &[&str]) -> Vec<String> {
    let pages =
        tree.files.iter().filter(|file| file.path.starts_with(FOLDER) && file.is_page() && file.name() != "README.md");
    let mut complaints = Vec::new();
    for page in pages {
        let code = page.name().trim_end_matches(".md");
        if !codes.contains(&code) {
            complaints.push(format!("{}: there is no error code `{code}` in core/model/src/error.rs", page.path));
        }
        if page.text.lines().next() != Some(&format!("# `{code}`")) {
            complaints.push(format!("{}: its title must be: # `{code}`", page.path));
        }
        let places: Vec<Option<usize>> = SECTIONS.iter().map(|section| page.text.find(section)).collect();
        if places.iter().any(Option::is_none) || !places.is_sorted() {
            complaints.push(format!("{}: its sections must be {SECTIONS:?}", page.path));
        }
    }
    for code in codes {
        if tree.get(&format!("{FOLDER}{code}.md")).is_none() {
            complaints
                .push(format!("{FOLDER}{code}.md is missing: say what `{code}` means, what causes it, what to do"));
        }
    }
    complaints
}

#[test]
fn every_error_has_a_page() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    demand("Error codes and their pages:", pages_against(&Tree::repository(), &codes));
}

#[test]
fn missing_and_odd_pages_are_found() {
    let good = "# `usage`\n\n## What it means\n## Usual causes\n## What to do\n## Example\n";
    let (_folder, tree) = sample(&[
        ("docs/errors/usage.md", good),
        ("docs/errors/odd.md", "# Odd\n## Example\n"),
        ("docs/errors/README.md", ""),
    ]);
    assert!(pages_against(&tree, &["usage", "odd"]).iter().all(|complaint| complaint.contains("odd.md")));
    let complaints = pages_against(&tree, &["usage", "storage"]);
    assert_eq!(complaints.len(), 4, "{complaints:?}");
    assert!(
        complaints[0].contains("no error code `odd`") && complaints[3].contains("docs/errors/storage.md is missing")
    );
}

//! What stands at the top level, and words that belong to nobody's repository.

use std::fs;

use crate::tree::{Tree, demand, sample};

const FOLDERS: &[&str] = &["core", "workflows", "plugins", "migrations", "ui", "docs", "tests"];
const FILES: &[&str] = &["Cargo.toml", "README.md", "LICENSE", "Makefile"];
/// Made by builds; never checked in.
const LEFTOVERS: &[&str] = &["target", "node_modules"];

fn strangers(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(&tree.root).expect("the root can be read").filter_map(Result::ok);
    let mut names: Vec<(String, bool)> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir())).collect();
    names.sort();
    let welcome = |name: &str, folder: bool| {
        name.starts_with('.')
            || (folder && (FOLDERS.contains(&name) || LEFTOVERS.contains(&name)))
            || (!folder && (FILES.contains(&name) || name.ends_with(".lock") || name.ends_with(".toml")))
    };
    names
        .iter()
        .filter(|(name, folder)| !welcome(name, *folder))
        .map(|(name, _)| {
            format!("{name}: the top level holds {FOLDERS:?}, {FILES:?}, dotfiles, lock files and tool configuration")
        })
        .collect()
}

/// Words that must not stand in any file, and why. Written in pieces, so that this file doesn't hold them.
const WORDS: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/tmp/tar", "get-"), "a path of one machine"),
    (concat!("index.crates", ".io"), "a registry's host belongs into lock files"),
    (concat!("static.crates", ".io"), "a registry's host belongs into lock files"),
    (concat!("registry.npmjs", ".org"), "a registry's host belongs into lock files"),
    (concat!("py", "pi.org"), "a registry's host belongs into lock files"),
    (concat!("proxy.golang", ".org"), "a registry's host belongs into lock files"),
];

fn misplaced(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with(".lock") && file.name() != "package-lock.json") {
        for (index, line) in file.text.lines().enumerate() {
            for (word, why) in WORDS {
                // A path counts only from its beginning: `src/ro…` is another folder's business.
                let stands = line.match_indices(word).any(|(start, _)| {
                    let before = line[..start].chars().next_back();
                    !word.starts_with('/')
                        || !before.is_some_and(|before| before.is_alphanumeric() || "_-.}~".contains(before))
                });
                if stands {
                    complaints.push(format!("{}:{}: `{word}`: {why}", file.path, index + 1));
                }
            }
        }
    }
    complaints
}

fn unexplained_folders(tree: &Tree) -> Vec<String> {
    let folders = FOLDERS.iter().filter(|folder| tree.has(folder));
    folders
        .filter(|folder| !tree.files.iter().any(|file| file.path.starts_with(&format!("{folder}/"))))
        .map(|folder| format!("{folder}/ is empty: a README.md there says what will come"))
        .collect()
}

#[test]
fn the_top_level_stays_small() {
    demand("These don't belong to the top level:", strangers(&Tree::repository()));
}

#[test]
fn no_folder_is_empty() {
    demand("Empty folders puzzle:", unexplained_folders(&Tree::repository()));
}

#[test]
fn nothing_names_the_place_where_it_was_written() {
    demand("These words don't belong into the repository:", misplaced(&Tree::repository()));
}

#[test]
fn strangers_are_found() {
    let (folder, tree) = sample(&[
        ("core/a.rs", ""),
        ("notes.txt", ""),
        ("bench/x", ""),
        (".ci/run", ""),
        ("deny.toml", ""),
        ("Cargo.lock", ""),
    ]);
    fs::create_dir(folder.path().join("ui")).unwrap();
    let names: Vec<String> = strangers(&tree).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["bench", "notes.txt"]);
    assert_eq!(unexplained_folders(&tree).len(), 1);
}

#[test]
fn misplaced_words_are_found() {
    let text = format!("see {}x\nsrc{}x\nhttps://{}/y\n", WORDS[0].0, WORDS[0].0, WORDS[3].0);
    let (_folder, tree) = sample(&[("docs/a.md", text.as_str()), ("Cargo.lock", text.as_str())]);
    let complaints = misplaced(&tree);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].starts_with("docs/a.md:1") && complaints[1].starts_with("docs/a.md:3"));
}

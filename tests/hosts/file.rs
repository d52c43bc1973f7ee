//! `file` from scripts: grants, and the undo of a whole run.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_hosts::HostConfig;
use windlass_model::Code;

use super::Shop;

fn config(folder: &TempDir) -> HostConfig {
    serde_json::from_value(json!({ "file": { "folders": [folder.path()] } })).expect("a configuration")
}

/// The script with `@` standing for the folder, and everything in there granted.
fn run(folder: &TempDir, body: &str) -> (Shop, String, [String; 2]) {
    let shown = folder.path().display().to_string();
    let grants = ["file.read", "file.write"].map(|verb| format!("{verb}:{shown}/*"));
    (Shop::real(&config(folder)), body.replace('@', &shown), grants)
}

const RELEASE: &str = r#"
    file::write("@/releases-8", "eight");
    file::render("@/conf", "{% for port in ports %}listen {{ port }}\n{% endfor %}", #{ ports: [80, 443] }, #{ mode: 0o640 });
    file::link("@/current", "releases-8");
    file::remove("@/old");
    file::write("@/conf", "again");
    file::read("@/current")
"#;

fn tree(folder: &TempDir) -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder.path()).expect("the folder is there").map(|entry| entry.expect("an entry"));
    let mut tree: Vec<(String, Value)> = entries
        .map(|entry| {
            let target = fs::read_link(entry.path()).map(|target| json!({ "link": target }));
            let content = || json!(fs::read_to_string(entry.path()).expect("a file"));
            (entry.file_name().to_string_lossy().into_owned(), target.unwrap_or_else(|_| content()))
        })
        .collect();
    tree.sort_by(|one, other| one.0.cmp(&other.0));
    tree
}

#[test]
fn a_run_that_is_rolled_back_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [("releases-7", "seven"), ("conf", "listen 8080\n"), ("old", "old")] {
        fs::write(folder.path().join(name), content).expect("the file can be written");
    }
    symlink("releases-7", folder.path().join("current")).expect("a link");
    let before = tree(&folder);
    let (shop, body, grants) = run(&folder, RELEASE);
    let (result, journal, job) = shop.run(&[&grants[0], &grants[1]], &body);
    assert_eq!(result.expect("it is granted"), "eight");
    assert_eq!(fs::read_to_string(folder.path().join("conf")).expect("a file"), "again");
    assert_ne!(tree(&folder), before);
    shop.roll_back(job, &journal);
    assert_eq!(tree(&folder), before, "no backup is left either");
}

#[test]
fn the_same_run_rehearsed_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("old"), "old").expect("the file can be written");
    let before = tree(&folder);
    let (_, body, grants) = run(&folder, &RELEASE.replace("file::read(\"@/current\")", "file::read(\"@/conf\")"));
    let shop = Shop::rehearsal(&config(&folder));
    assert_eq!(shop.result(&[&grants[0], &grants[1]], &body).expect("it is granted"), "again");
    assert_eq!(tree(&folder), before);
}

#[test]
fn grants_are_by_path_and_verb() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a"), "a").expect("the file can be written");
    let (shop, _, grants) = run(&folder, "");
    let shown = folder.path().display();
    for (grant, body) in [
        (grants[0].as_str(), format!(r#"file::write("{shown}/a", "x")"#)),
        (grants[1].as_str(), format!(r#"file::read("{shown}/a")"#)),
        (grants[1].as_str(), format!(r#"file::copy("{shown}/a", "{shown}/b")"#)),
        (&format!("file.read:{shown}/b"), format!(r#"file::read("{shown}/a")"#)),
        ("file.*:/etc/*", format!(r#"file::read("{shown}/a")"#)),
        ("file.*:*", r#"file::read("/etc/passwd")"#.to_owned()),
        (grants[0].as_str(), format!(r#"file::read("{shown}/../../etc/passwd")"#)),
    ] {
        let problem = shop.result(&[grant], &body).unwrap_err();
        let refused = matches!(problem.code, Code::PermissionDenied | Code::InvalidArgument);
        assert!(refused, "{grant}: {body}: {problem:?}");
    }
    assert_eq!(tree(&folder), [("a".to_owned(), json!("a"))]);
}

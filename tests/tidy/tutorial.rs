//! The workflows that pages show are workflows that work: they are put together as the page says, checked, tested and
//! rehearsed by the binary.

use std::{fs, path::Path, process::Command};

use windlass_tests::windlass_binary;

use crate::{references::fenced, tree::Tree};

/// The Rhai blocks of a page, in order.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut last = 0;
    for (number, _, line) in fenced(text).into_iter().filter(|(_, language, _)| *language == "rhai") {
        match blocks.last_mut() {
            Some(block) if number == last + 1 => *block += &format!("{line}\n"),
            _ => blocks.push(format!("{line}\n")),
        }
        last = number;
    }
    blocks
}

/// A workflow with its `run` replaced by a later one.
fn with_run(workflow: &str, run: &str) -> String {
    let header = workflow.split("fn run(").next().unwrap_or_default();
    format!("{header}{run}")
}

fn page(path: &str) -> String {
    Tree::repository().get(path).unwrap_or_else(|| panic!("{path} is there")).text.clone()
}

fn windlass(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(windlass_binary())
        .current_dir(folder)
        .env_remove("WINDLASS_CONFIG")
        .args(["--data", "data"])
        .args(arguments)
        .output()
        .expect("the binary runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "windlass {}:\n{text}", arguments.join(" "));
    text
}

fn folder_with(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::create_dir_all(folder.path().join("workflows/lab")).expect("folders can be made");
    for (name, text) in files {
        fs::write(folder.path().join("workflows/lab").join(name), text).expect("files can be written");
    }
    folder
}

#[test]
fn the_tutorial_works() {
    let blocks = blocks(&page("docs/how-to/write-a-workflow.md"));
    let [first, run, scenarios] = blocks.as_slice() else {
        panic!("the tutorial has {} Rhai blocks, not 3", blocks.len())
    };
    let folder = folder_with(&[("hello.rhai", first.clone())]);
    windlass(folder.path(), &["workflows", "check"]);

    let folder = folder_with(&[("hello.rhai", with_run(first, run)), ("hello.test.rhai", scenarios.clone())]);
    windlass(folder.path(), &["workflows", "check"]);
    let plan = windlass(folder.path(), &["run", "lab/hello", "--set", "lab=hello", "--rehearse"]);
    assert!(plan.contains("net::connect"), "{plan}");
    let tests = windlass(folder.path(), &["workflows", "test"]);
    for name in scenarios.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next()) {
        assert!(tests.contains(&format!("✓ lab/hello {name}")), "{name}: {tests}");
    }
}

#[test]
fn the_example_of_the_readme_works() {
    let blocks = blocks(&page("README.md"));
    let folder = folder_with(&[("hello.rhai", blocks.first().expect("the README shows a workflow").clone())]);
    windlass(folder.path(), &["workflows", "check"]);
}

#[test]
fn blocks_are_put_together() {
    let text = "x\n```rhai\nconst A = 1;\nfn run(a) {}\n```\n```sh\nls\n```\n```rhai\nfn run(b) {}\n```\n";
    let found = blocks(text);
    assert_eq!(found, ["const A = 1;\nfn run(a) {}\n", "fn run(b) {}\n"]);
    assert_eq!(with_run(&found[0], &found[1]), "const A = 1;\nfn run(b) {}\n");
}

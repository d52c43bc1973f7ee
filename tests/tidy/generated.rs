//! Pages that are generated from the code are what the code says now. `make docs` writes them.

use std::{env, fs, path::Path, process::Command};

use windlass_model::state;
use windlass_tests::windlass_binary;

use crate::tree::{Tree, demand, sample};

const REFERENCE: &str = "docs/reference";
const OPENAPI: &str = "docs/reference/openapi.json";
const CONFIGURATION: &str = "docs/reference/configuration.md";
const STATES: &str = "docs/reference/run-states.md";

/// With this variable set, pages are written instead of compared.
const WRITE: &str = "WINDLASS_WRITE_DOCS";

fn states_page() -> String {
    format!(
        "# States of a run\n\nGenerated from the transition table in `core/model/src/state.rs` by `make docs`.\n\n```mermaid\n{}```\n",
        state::diagram()
    )
}

/// Pages in `fresh` that aren't the same in `kept`.
fn outdated(fresh: &Path, kept: &Path) -> Vec<String> {
    let fresh = Tree::read(fresh);
    let outdated =
        fresh.files.iter().filter(|page| fs::read_to_string(kept.join(&page.path)).ok().as_ref() != Some(&page.text));
    outdated.map(|page| format!("{REFERENCE}/{}: isn't what the code says; run `make docs`", page.path)).collect()
}

#[test]
fn generated_states_are_current() {
    let page = Tree::repository().root.join(STATES);
    if env::var_os(WRITE).is_some() {
        fs::write(&page, states_page()).expect("the page can be written");
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(kept, states_page(), "{STATES} isn't what the code says; run `make docs`");
}

#[test]
fn generated_configuration_is_current() {
    let output = Command::new(windlass_binary()).args(["config", "show", "--docs"]).output().expect("the binary runs");
    assert!(output.status.success(), "windlass config show --docs: {}", String::from_utf8_lossy(&output.stderr));
    let fresh = format!(
        "# Configuration\n\nGenerated from `core/server/src/config/keys.rs` by `make docs`: `windlass.toml` with every key, what it means, the \
         variable that\nsets it, and its default. `windlass config show` prints what holds, and where each value comes from.\n\n\
         ```toml\n{}\n```\n",
        String::from_utf8_lossy(&output.stdout).trim_end()
    );
    let page = Tree::repository().root.join(CONFIGURATION);
    if env::var_os(WRITE).is_some() {
        fs::write(&page, &fresh).expect("the page can be written");
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(kept, fresh, "{CONFIGURATION} isn't what the code says; run `make docs`");
}

#[test]
fn generated_openapi_is_current() {
    let document = windlass_api::openapi::document(windlass_api::routes().all());
    let fresh = serde_json::to_string_pretty(&document).expect("a document is JSON") + "\n";
    let page = Tree::repository().root.join(OPENAPI);
    if env::var_os(WRITE).is_some() {
        fs::write(&page, &fresh).expect("the document can be written");
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    let changed = fresh.lines().zip(kept.lines()).find(|(fresh, kept)| fresh != kept);
    assert!(kept == fresh, "{OPENAPI} isn't what the code says, first at {changed:?}; run `make docs`");
}

#[test]
fn generated_host_modules_are_current() {
    let tree = Tree::repository();
    let fresh = tempfile::tempdir().expect("a temporary folder can be made");
    let output = Command::new(windlass_binary())
        .args(["hosts", "--markdown"])
        .arg(fresh.path())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "windlass hosts --markdown: {}", String::from_utf8_lossy(&output.stderr));
    assert!(
        fs::read_dir(fresh.path()).expect("it is a folder").next().is_some(),
        "windlass hosts --markdown wrote nothing"
    );
    demand("Reference pages:", outdated(fresh.path(), &tree.root.join(REFERENCE)));
}

#[test]
fn outdated_pages_are_found() {
    let (fresh, _) = sample(&[("net.md", "new\n"), ("core.md", "same\n"), ("gone.md", "x\n")]);
    let (kept, _) = sample(&[("net.md", "old\n"), ("core.md", "same\n"), ("README.md", "by hand\n")]);
    let complaints = outdated(fresh.path(), kept.path());
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].contains("gone.md") && complaints[1].contains("net.md"));
}

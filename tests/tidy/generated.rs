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

/// The table of registrars: what each plugin's manifest says of it.
fn registrars_page(root: &Path) -> String {
    let mut page = "# Registrars\n\nGenerated from the manifests in `plugins/registrars` by `make docs`. \
                    [Add a registrar](../how-to/registrar-plugin.md) says how another one comes along.\n\n\
                    | plugin | registrar | can | needs | reaches | to know |\n|---|---|---|---|---|---|\n"
        .to_owned();
    let folders = fs::read_dir(root.join("plugins/registrars")).expect("the plugins that come along");
    let mut ids: Vec<String> = folders.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.sort();
    for id in ids {
        let text = fs::read_to_string(root.join(format!("plugins/registrars/{id}/plugin.toml"))).expect("a manifest");
        let manifest =
            windlass_script::plugin::Manifest::read(&format!("registrars/{id}"), &text).expect("a sound one");
        let needs = manifest.credentials.iter().map(|(name, field)| match (field.secret, field.optional) {
            (true, false) => format!("`{name}` (secret)"),
            (true, true) => format!("`{name}` (secret, optional)"),
            (false, true) => format!("`{name}` (optional)"),
            (false, false) => format!("`{name}`"),
        });
        let needs: Vec<String> = needs.collect();
        let hosts: Vec<String> = manifest.hosts.iter().map(|host| format!("`{}`", host.host)).collect();
        let can: Vec<String> = manifest.capabilities.iter().map(|one| format!("`{one}`")).collect();
        let (title, notes) = (&manifest.title, &manifest.notes);
        let columns = [can.join(", "), needs.join(", "), hosts.join(", ")].join(" | ");
        page.push_str(&format!("| `{id}` | {title} | {columns} | {notes} |\n"));
    }
    page
}

#[test]
fn generated_registrars_are_current() {
    const REGISTRARS: &str = "docs/reference/registrars.md";
    let root = Tree::repository().root;
    let fresh = registrars_page(&root);
    if env::var_os(WRITE).is_some() {
        fs::write(root.join(REGISTRARS), &fresh).expect("the page can be written");
    }
    let kept = fs::read_to_string(root.join(REGISTRARS)).unwrap_or_default();
    assert_eq!(kept, fresh, "{REGISTRARS} isn't what the manifests say; run `make docs`");
}

//! Who may depend on whom. The two arms of the house meet only in `server`.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::tree::{Tree, demand, sample};

/// Crates by name, each with the names of what it depends on (for builds, tests and itself alike).
type Edges = BTreeMap<String, Vec<String>>;

/// Which of ours each of ours may know.
const OURS: &[(&str, &[&str])] = &[
    ("windlass-model", &[]),
    ("windlass-store", &["windlass-model"]),
    ("windlass-engine", &["windlass-model", "windlass-store"]),
    ("windlass-api", &["windlass-model", "windlass-engine"]),
    ("windlass-script", &["windlass-model"]),
    ("windlass-hosts", &["windlass-model", "windlass-script"]),
    ("windlass-sim", &["windlass-model"]),
    (
        "windlass-server",
        &[
            "windlass-model",
            "windlass-store",
            "windlass-engine",
            "windlass-api",
            "windlass-script",
            "windlass-hosts",
            "windlass-sim",
        ],
    ),
    (
        "windlass-tests",
        &[
            "windlass-model",
            "windlass-store",
            "windlass-engine",
            "windlass-api",
            "windlass-script",
            "windlass-hosts",
            "windlass-sim",
            "windlass-server",
        ],
    ),
];

/// Crates of others that only some of ours may know, and why.
const KEPT: &[(&[&str], &[&str], &str)] = &[
    (
        &["diesel", "diesel_migrations", "libsqlite3-sys", "pq-sys", "openssl-sys"],
        &["windlass-store"],
        "one crate knows the database, so that the other is a matter of that crate",
    ),
    (
        &["rhai"],
        &["windlass-script", "windlass-hosts"],
        "the engine must not care what language a procedure is written in",
    ),
    (&["clap", "indicatif", "comfy-table"], &["windlass-server"], "only the binary talks to a terminal"),
    (&["rtnetlink", "netlink-packet-route"], &["windlass-hosts"], "only host modules touch the world"),
    (
        &["reqwest"],
        &["windlass-hosts", "windlass-api", "windlass-server", "windlass-tests"],
        "host modules touch the world; the API asks OpenID providers, the command line asks servers",
    ),
    (&["warp"], &["windlass-api", "windlass-server"], "only the API speaks HTTP to callers"),
    (
        &["hyper", "hyper-util"],
        &["windlass-api", "windlass-server", "windlass-sim"],
        "only the API speaks HTTP to callers; a simulator is somebody else's server",
    ),
];

/// All that `model` may know: it is what everything else is rebuilt for.
const MODEL: &[&str] = &["serde", "serde_json", "thiserror"];

fn forbidden(edges: &Edges) -> Vec<String> {
    let mut complaints = Vec::new();
    for (from, targets) in edges {
        let Some((_, allowed)) = OURS.iter().find(|(name, _)| name == from) else {
            complaints.push(format!(
                "{from} has no place in the layers: add it to tests/tidy/layers.rs and to docs/architecture.md"
            ));
            continue;
        };
        for target in targets {
            if target.starts_with("windlass-") && !allowed.contains(&target.as_str()) {
                complaints.push(format!("{from} → {target}: {from} may know only {allowed:?} of ours"));
            }
            if from == "windlass-model" && !target.starts_with("windlass-") && !MODEL.contains(&target.as_str()) {
                complaints.push(format!("{from} → {target}: the model may know only {MODEL:?}"));
            }
            for (kept, owners, why) in KEPT {
                if kept.contains(&target.as_str()) && !owners.contains(&from.as_str()) {
                    complaints.push(format!("{from} → {target}: only {owners:?} may, because {why}"));
                }
            }
        }
    }
    complaints
}

/// Host modules (folders with `ops.rs`) that name another host module.
fn modules_that_know_one_another(tree: &Tree) -> Vec<String> {
    const HOSTS: &str = "core/hosts/src/";
    let modules: Vec<&str> = tree
        .files
        .iter()
        .filter_map(|file| {
            let path = file.path.strip_prefix(HOSTS)?;
            path.strip_suffix("/ops.rs").or_else(|| path.strip_suffix("/ops/mod.rs"))
        })
        .filter(|module| !module.contains('/'))
        .collect();
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let Some((own, _)) = file.path.strip_prefix(HOSTS).and_then(|path| path.split_once('/')) else { continue };
        for (index, line) in file.text.lines().enumerate() {
            let other = modules.iter().find(|module| **module != own && line.contains(&format!("crate::{module}::")));
            if let Some(other) = other {
                complaints.push(format!(
                    "{}:{}: host module `{own}` knows `{other}`; share through the script",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    complaints
}

#[test]
fn dependencies_follow_the_layers() {
    let tree = Tree::repository();
    let metadata = MetadataCommand::new()
        .manifest_path(tree.root.join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata works");
    let edges: Edges = metadata
        .packages
        .iter()
        .map(|package| {
            // Anybody's own tests may talk to a simulator; what is shipped knows it only where the table says so.
            let of_tests = |dependency: &cargo_metadata::Dependency| {
                dependency.kind == DependencyKind::Development && dependency.name == "windlass-sim"
            };
            let targets = package.dependencies.iter().filter(|dependency| !of_tests(dependency));
            let targets = targets.map(|dependency| dependency.name.clone()).collect();
            (package.name.to_string(), targets)
        })
        .collect();
    assert_eq!(edges.len(), OURS.len(), "every crate of the layers is a member: {:?}", edges.keys());
    demand("These dependencies are against the layers (docs/architecture.md):", forbidden(&edges));
}

#[test]
fn host_modules_do_not_know_one_another() {
    demand("Host modules meet in scripts, not in Rust:", modules_that_know_one_another(&Tree::repository()));
}

#[test]
fn each_forbidden_edge_is_found() {
    let breaks = [
        ("windlass-model", "tokio", "the model may know only"),
        ("windlass-model", "windlass-store", "of ours"),
        ("windlass-engine", "windlass-script", "of ours"),
        ("windlass-engine", "windlass-hosts", "of ours"),
        ("windlass-engine", "diesel", "because"),
        ("windlass-server", "rhai", "because"),
        ("windlass-sim", "warp", "because"),
        ("windlass-sim", "windlass-hosts", "of ours"),
        ("windlass-script", "windlass-store", "of ours"),
        ("windlass-surprise", "serde", "no place in the layers"),
    ];
    for (from, to, reason) in breaks {
        let complaints = forbidden(&Edges::from([(from.into(), vec![to.into()])]));
        assert!(complaints.iter().any(|complaint| complaint.contains(reason)), "{from} → {to}: {complaints:?}");
    }
    assert!(
        forbidden(&Edges::from([("windlass-engine".into(), vec!["windlass-store".into(), "tokio".into()])])).is_empty()
    );
}

#[test]
fn host_modules_that_know_one_another_are_found() {
    let (_folder, tree) = sample(&[
        ("core/hosts/src/net/ops.rs", "use crate::docker::ops;\n"),
        ("core/hosts/src/docker/ops.rs", "use crate::shared;\nuse crate::docker::client;\nuse crate::net_names::of;\n"),
    ]);
    let complaints = modules_that_know_one_another(&tree);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(
        complaints[0].starts_with("core/hosts/src/net/ops.rs:1: host module `net` knows `docker`"),
        "{complaints:?}"
    );
}

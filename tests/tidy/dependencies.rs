//! What others' crates may be: their licences, where they come from, and which aren't wanted, as `deny.toml` says. Read
//! with nothing but cargo, so that it is looked at wherever tests run.

use std::fs;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::tree::{Tree, demand};

struct Rules {
    licences: Vec<String>,
    /// Licences of one crate: its name, and what is allowed for it besides.
    exceptions: Vec<(String, Vec<String>)>,
    banned: Vec<String>,
    registries: Vec<String>,
}

/// A crate, as far as the rules look at it.
struct Crate {
    name: String,
    licence: String,
    /// None: it is ours.
    source: Option<String>,
    /// Dependencies of ours that any version fits.
    wildcards: Vec<String>,
}

fn texts(value: &toml::Value) -> Vec<String> {
    let items = value.as_array().expect("deny.toml: a list");
    items.iter().map(|item| item.as_str().expect("deny.toml: a text").to_owned()).collect()
}

fn rules(text: &str) -> Rules {
    let file: toml::Value = toml::from_str(text).expect("deny.toml is TOML");
    let name = |entry: &toml::Value| entry["crate"].as_str().expect("deny.toml: a crate's name").to_owned();
    let tables = |value: &toml::Value| value.as_array().expect("deny.toml: a list of tables").clone();
    Rules {
        licences: texts(&file["licenses"]["allow"]),
        exceptions: tables(&file["licenses"]["exceptions"])
            .iter()
            .map(|entry| (name(entry), texts(&entry["allow"])))
            .collect(),
        banned: tables(&file["bans"]["deny"]).iter().map(name).collect(),
        registries: texts(&file["sources"]["allow-registry"]),
    }
}

/// Whether an SPDX expression can be satisfied by licences that are allowed.
fn is_allowed(expression: &str, allows: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let holds = either(&words, &mut at, allows);
    holds && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = both(words, at, allows);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= both(words, at, allows);
    }
    holds
}

fn both(words: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = one(words, at, allows);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allows);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, allows: &dyn Fn(&str) -> bool) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let holds = either(words, at, allows);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return holds && closed;
    }
    match (words.get(*at), words.get(*at + 1)) {
        (Some(&"WITH"), Some(exception)) => {
            *at += 2;
            allows(&format!("{word} WITH {exception}"))
        }
        // `MPL-2.0+` is allowed where `MPL-2.0` is.
        _ => allows(word.trim_end_matches('+')),
    }
}

fn complaints(crates: &[Crate], rules: &Rules) -> Vec<String> {
    let mut complaints = Vec::new();
    for found in crates {
        let name = &found.name;
        let besides = rules.exceptions.iter().filter(|(known, _)| known == name).flat_map(|(_, licences)| licences);
        let besides: Vec<&String> = besides.collect();
        let allows = |licence: &str| rules.licences.iter().chain(besides.iter().copied()).any(|known| known == licence);
        if !is_allowed(&found.licence, &allows) {
            complaints.push(format!("{name}: its licence `{}` isn't among those of deny.toml", found.licence));
        }
        if rules.banned.contains(name) {
            complaints.push(format!("{name}: deny.toml bans it"));
        }
        let from = |source: &String| {
            let place = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"));
            place.is_some_and(|place| rules.registries.iter().any(|known| known == place))
        };
        if found.source.as_ref().is_some_and(|source| !from(source)) {
            complaints.push(format!("{name}: comes from {:?}", found.source));
        }
        complaints.extend(found.wildcards.iter().map(|wild| format!("{name} → {wild}: any version would do")));
    }
    for (name, _) in rules.exceptions.iter().filter(|(name, _)| !crates.iter().any(|found| found.name == *name)) {
        complaints.push(format!("{name}: deny.toml has an exception for it, and nobody depends on it"));
    }
    complaints
}

fn crates(metadata: &Metadata) -> Vec<Crate> {
    let of = |package: &cargo_metadata::Package| Crate {
        name: package.name.to_string(),
        licence: package.license.clone().unwrap_or_default(),
        source: package.source.as_ref().map(|source| source.repr.clone()),
        wildcards: match package.source {
            Some(_) => Vec::new(),
            None => {
                let any = package.dependencies.iter().filter(|one| one.path.is_none() && one.req.to_string() == "*");
                any.map(|one| one.name.clone()).collect()
            }
        },
    };
    metadata.packages.iter().map(of).collect()
}

#[test]
fn dependencies_are_as_agreed() {
    let root = Tree::repository().root;
    let rules = rules(&fs::read_to_string(root.join("deny.toml")).expect("deny.toml is there"));
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--offline".to_owned(), "--filter-platform".to_owned(), platform])
        .exec()
        .expect("cargo metadata works");
    let crates = crates(&metadata);
    assert!(crates.len() > 100, "these can't be all: {}", crates.len());
    demand("Dependencies against deny.toml:", complaints(&crates, &rules));
}

#[test]
fn dependencies_against_the_rules_are_found() {
    let rules = rules(
        "[licenses]\nallow = [\"MIT\", \"ISC\", \"Apache-2.0 WITH LLVM-exception\"]\n\
         exceptions = [{ crate = \"odd\", allow = [\"MPL-2.0\"] }, { crate = \"left\", allow = [] }]\n\
         [bans]\ndeny = [{ crate = \"openssl\" }]\n[sources]\nallow-registry = [\"https://here\"]\n",
    );
    let made = |name: &str, licence: &str| Crate {
        name: name.into(),
        licence: licence.into(),
        source: Some("registry+https://here".into()),
        wildcards: Vec::new(),
    };
    let good = ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR (MIT AND ISC)", "Apache-2.0 WITH LLVM-exception"];
    let mut crates: Vec<Crate> = good.into_iter().map(|licence| made("good", licence)).collect();
    crates.push(made("odd", "MPL-2.0+"));
    let left = "left: deny.toml has an exception for it, and nobody depends on it";
    assert_eq!(complaints(&crates, &rules), [left]);
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0", "MPL-2.0+", "Apache-2.0", "MIT MIT"] {
        assert_eq!(complaints(&[made("left", bad)], &rules).len(), 2, "`{bad}` passed");
    }
    let others = [
        made("openssl", "MIT"),
        Crate { source: Some("git+https://here/x".into()), ..made("forked", "MIT") },
        Crate { source: None, wildcards: vec!["serde".into()], ..made("ours", "MIT") },
    ];
    assert_eq!(complaints(&others, &rules).len(), 5);
}

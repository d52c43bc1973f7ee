//! Configuration: what is refused, and what is laid over what.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;
use windlass_model::Code;

use super::{
    Config, Flags, file,
    keys::{KEYS, OPEN},
    layers::{self, Origin, leaves},
};

fn fault(text: &str) -> (String, serde_json::Value) {
    let problem = match file::parse(Path::new("windlass.toml"), text) {
        Err(problem) => problem,
        Ok(_) => panic!("{text} was accepted"),
    };
    assert_eq!(problem.code, Code::Configuration);
    (problem.message, problem.data)
}

#[test]
fn mistakes_are_named_with_line_and_key() {
    for (text, line, key) in [
        ("data = 1\n", 1, "data"),
        ("\n[engine]\nworkers = \"many\"\n", 3, "engine.workers"),
        ("[engine]\n\nworker = 3\n", 3, "engine.worker"),
        ("[bounds]\ninput_bytes = -1\n", 2, "bounds.input_bytes"),
        ("[log]\nformat = \"xml\"\n", 2, "log.format"),
        ("[policy]\n\"lab/*\" = \"net.read:*\"\n", 2, "policy.lab/*"),
        ("[hosts.exec]\nprogramms = []\n", 2, "hosts.exec.programms"),
        ("a = \n", 1, ""),
    ] {
        let (message, data) = fault(text);
        assert_eq!((&data["line"], &data["key"]), (&json!(line), &json!(key)), "{text}: {message}");
        assert!(message.starts_with(&format!("windlass.toml:{line}: ")), "{message}");
    }
}

#[test]
fn every_key_is_documented_and_no_other() {
    let defaults = json!(Config::default());
    let mut actual: Vec<String> = leaves(&defaults).into_iter().map(|(key, _)| key).collect();
    let mut documented: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    actual.sort();
    documented.sort();
    assert_eq!(actual, documented);
    assert!(OPEN.iter().all(|open| documented.iter().any(|key| key == open)));
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("windlass.toml"), "data = \"a\"\n[engine]\nworkers = 2\npoll_ms = 7\n").unwrap();
    let variables = BTreeMap::from([
        ("WINDLASS_DATA".to_owned(), "b".to_owned()),
        ("WINDLASS_ENGINE_WORKERS".to_owned(), "3".to_owned()),
        ("WINDLASS_HOSTS_EXEC_PROGRAMS".to_owned(), "ping, ip".to_owned()),
        ("WINDLASS_ENGINE_WORKRS".to_owned(), "3".to_owned()),
    ]);
    let flags = Flags { data: Some("c".into()), ..Flags::default() };
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let loaded = layers::load(&flags, &variables, &inner).unwrap();
    assert_eq!(loaded.config.data, inner.join("c"));
    assert_eq!(loaded.config.workflows, folder.path().join("workflows"));
    assert_eq!((loaded.config.engine.workers, loaded.config.engine.poll_ms), (3, 7));
    assert_eq!(loaded.config.hosts.exec.programs, ["ping", "ip"]);
    assert_eq!(loaded.origins["data"], Origin::Flag("--data"));
    assert_eq!(loaded.origins["engine.poll_ms"], Origin::File(folder.path().join("windlass.toml"), 4));
    assert_eq!(loaded.unknown_variables, ["WINDLASS_ENGINE_WORKRS"]);
}

#[test]
fn values_out_of_range_say_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let problem = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(folder.path().join("windlass.toml"), text).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        layers::load(&Flags::default(), &variables, folder.path()).unwrap_err().message
    };
    assert!(problem("\n[engine]\nretention = \"soon\"\n", &[]).contains("windlass.toml:3: `engine.retention`"));
    assert!(problem("", &[("WINDLASS_ENGINE_WORKERS", "0")]).starts_with("WINDLASS_ENGINE_WORKERS: `engine.workers`"));
    assert!(problem("", &[("WINDLASS_ENGINE_WORKERS", "x")]).contains("has to be a whole number"));
    assert!(problem("[policy]\n\"lab/*\" = [\"nonsense\"]\n", &[]).contains("windlass.toml:2: `policy.lab/*`"));
    assert!(problem("[secrets]\na = { from = \"hunter2\", to = [] }\n", &[]).contains("windlass.toml:2: `secrets.a`"));
    let own = "[secrets]\n\"windlass.document-key\" = { from = \"env:X\", to = [] }\n";
    assert!(problem(own, &[]).contains("kept for the server itself"));
    assert!(problem("database = \"mysql://x\"\n", &[]).contains("windlass.toml:1: `database`"));
}

#[test]
fn the_policy_of_a_file_replaces_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("windlass.toml"), "[policy]\n\"drill/*\" = [\"net.read:*\"]\n").unwrap();
    let loaded = layers::load(&Flags::default(), &BTreeMap::new(), folder.path()).unwrap();
    assert_eq!(loaded.config.policy.keys().collect::<Vec<_>>(), ["drill/*"]);
}

#[test]
fn the_documented_file_is_a_valid_one() {
    let commented = super::document();
    file::parse(Path::new("windlass.toml"), &commented).unwrap();
    // Text stands after `# `, a setting after `#`.
    let lines = commented.lines().filter(|line| !line.starts_with("# "));
    let live: String = lines.map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect();
    let parsed =
        file::parse(Path::new("windlass.toml"), &live).unwrap_or_else(|problem| panic!("{}\n{live}", problem.message));
    assert_eq!(parsed.values["engine"]["workers"], json!(Config::default().engine.workers));
}

//! The plugins that come along pass the conformance kit, and pass it because of what they do: on what was recorded, and asked
//! live, as `windlass plugin test` does, at their simulators.

use std::{collections::BTreeSet, path::Path, process::Command, sync::Arc};

use serde_json::Value;
use windlass_hosts::registrar::conform;
use windlass_tests::windlass_binary;

use super::{registrars, source};

const IDS: [&str; 7] = ["cloudflare", "dynadot", "godaddy", "inwx", "namecheap", "ovh", "porkbun"];
/// What each is asked at its simulator: questions that every registrar answers, name servers, glue, and DS records.
const READS: [&str; 5] = ["validate", "list", "get", "get-two-part-ending", "get-other-script"];
const SETS: [&str; 8] = [
    "set-ours.example",
    "set-ours.example-again",
    "set-ours.co.uk",
    "set-ours.co.uk-again",
    "set-xn--mnchen-3ya.example",
    "set-xn--mnchen-3ya.example-again",
    "set-read-only",
    "set-closed",
];
const GLUE: [&str; 5] = ["glue-none", "glue-set", "glue-change", "glue-get", "glue-remove"];
const DS: [&str; 5] = ["ds-none", "ds-set", "ds-change", "ds-get", "ds-remove"];

/// What `windlass plugin test` says of a plugin in a folder of plugins: its exit code, how many checks there were, those at
/// the simulator, and those that failed.
fn tested(plugins: &Path, id: &str) -> (i32, usize, BTreeSet<String>, Vec<String>) {
    let project = tempfile::tempdir().unwrap();
    let mut command = Command::new(windlass_binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        command.env_remove(name);
    }
    command.current_dir(project.path()).env("WINDLASS_PLUGINS", plugins).args(["--json", "plugin", "test", id]);
    let output = command.output().unwrap();
    let code = output.status.code().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{id}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(
        (told["plugin"].as_str(), told["passed"] == true),
        (Some(format!("registrars/{id}").as_str()), code == 0),
        "{told:#}"
    );
    let checks = told["checks"].as_array().unwrap();
    let name = |check: &Value| check["name"].as_str().unwrap().to_owned();
    let asked = checks.iter().filter_map(|check| Some(name(check).strip_prefix("simulator: ")?.to_owned()));
    let failed = checks
        .iter()
        .filter(|check| check["passed"] != true)
        .map(|check| format!("{}: {}", name(check), check["found"]));
    (code, checks.len(), asked.collect(), failed.collect())
}

#[test]
fn the_seven_pass_at_their_simulators() {
    // All checks, and how many of them at the simulator.
    for (id, all, live) in [
        ("cloudflare", 32, 9),
        ("dynadot", 53, 17),
        ("godaddy", 53, 17),
        ("inwx", 53, 17),
        ("namecheap", 67, 24),
        ("ovh", 63, 22),
        ("porkbun", 73, 27),
    ] {
        let (code, checks, asked, failed) = tested(registrars().parent().unwrap(), id);
        assert_eq!((code, checks, asked.len()), (0, all, live), "{id}: {failed:?} {asked:?}");
        let manifest = source(id).manifest;
        let kinds: [(&str, &[&str]); 4] =
            [("get_nameservers", &READS), ("set_nameservers", &SETS), ("glue", &GLUE), ("ds", &DS)];
        for (capability, names) in kinds {
            let can = manifest.capabilities.iter().any(|one| one == capability);
            assert!(names.iter().all(|name| asked.contains(*name) == can), "{id} {capability}: {asked:?}");
        }
        let refused = |kind: &str| asked.contains(&format!("validate-{kind}"));
        assert!(refused("invalid_credentials") && asked.contains("get-foreign"), "{id}: {asked:?}");
    }
}

#[test]
fn a_plugin_that_gets_something_wrong_does_not_pass_at_its_simulator() {
    for (id, from, to, check) in [
        // The old key's record stays beside the new one's.
        (
            "porkbun",
            "!request.records.some(|wanted| wanted.key_tag == old.key_tag)",
            "request.records.len() == 0",
            "ds-get",
        ),
        ("porkbun", "ns: request.nameservers", "ns: []", "set-xn--mnchen-3ya.example"),
        ("namecheap", "domains.ns.update", "domains.ns.create", "glue-change"),
        (
            "godaddy",
            "401 => refuse(\"invalid_credentials\"",
            "401 => refuse(\"rejected\"",
            "validate-invalid_credentials",
        ),
    ] {
        let plugins = tempfile::tempdir().unwrap();
        let place = plugins.path().join("registrars").join(id);
        super::lifecycle::copy(&registrars().join(id), &place);
        let script = std::fs::read_to_string(place.join("main.rhai")).unwrap();
        assert!(script.contains(from), "{id}: {from}");
        std::fs::write(place.join("main.rhai"), script.replace(from, to)).unwrap();
        let (code, _, _, failed) = tested(plugins.path(), id);
        assert_eq!(code, 1, "{id}: {failed:?}");
        let wanted = format!("simulator: {check}:");
        assert!(failed.iter().any(|one| one.starts_with(&wanted)), "{id}: {failed:?}");
    }
}

fn report(source: windlass_hosts::registrar::Source) -> conform::Report {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    conform::run(&Arc::new(source), runtime.handle(), None, false).unwrap()
}

#[test]
fn the_seven_pass_on_what_was_recorded() {
    for id in IDS {
        let report = report(source(id));
        let failed: Vec<_> = report.checks.iter().filter(|check| !check.passed).collect();
        assert!(report.checks.len() > 10 && failed.is_empty(), "{id}: {failed:?}");
    }
}

#[test]
fn a_plugin_that_gets_something_wrong_does_not_pass() {
    for (id, from, to, check) in [
        (
            "godaddy",
            "401 => refuse(\"invalid_credentials\"",
            "401 => refuse(\"insufficient_rights\"",
            "validate-invalid_credentials",
        ),
        ("porkbun", "ns: request.nameservers", "ns: []", "set-ours.example"),
        ("namecheap", "\"1011150\" | ", "", "validate-ip_not_allowed"),
        (
            "dynadot",
            "type_of(told.ResponseCode) == \"i64\" && told.ResponseCode == 0",
            "true",
            "validate-invalid_credentials",
        ),
    ] {
        let mut broken = source(id);
        assert!(broken.script.contains(from), "{id}: {from}");
        broken.script = broken.script.replace(from, to);
        let report = report(broken);
        let failed: Vec<&str> =
            report.checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        assert!(failed.iter().any(|name| name.contains(check)), "{id}: {failed:?}");
    }
}

//! The plugins that come along pass the conformance kit, and pass it because of what they do.

use std::sync::Arc;

use windlass_hosts::registrar::conform;

use super::source;

const IDS: [&str; 7] = ["cloudflare", "dynadot", "godaddy", "inwx", "namecheap", "ovh", "porkbun"];

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

//! What a plugin is asked at a simulator; the same calls are what `--record` writes down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Check, Fixture, Simulated,
    bench::{Bench, Wire},
    fixture::{Outcome, outcome},
};
use crate::registrar::names;

/// What a call should come to.
enum Expect {
    /// Some value.
    Something,
    /// These names.
    Names(Vec<&'static str>),
    /// A list with this name in it.
    Contains(&'static str),
    /// Exactly this.
    Exactly(Value),
    /// A refusal.
    Refused(String),
}

struct Walk<'a> {
    bench: &'a Bench<'a>,
    simulated: &'a Simulated<'a>,
    checks: &'a mut Vec<Check>,
    recorded: &'a mut BTreeMap<String, Fixture>,
}

const NEW: [&str; 2] = ["ns1.example.org", "ns2.example.org"];
const OLD: [&str; 2] = ["dns1.registrar.example", "dns2.registrar.example"];
/// As people write it; plugins see one form.
const IDN: &str = "MÜNCHEN.Example.";

pub(super) fn run(
    bench: &Bench<'_>,
    simulated: &Simulated<'_>,
    checks: &mut Vec<Check>,
    recorded: &mut BTreeMap<String, Fixture>,
) {
    let can = |capability: &str| bench.source.manifest.capabilities.iter().any(|one| one == capability);
    let tells = |kind: &str| bench.source.manifest.refusals.iter().any(|one| one == kind);
    let mut walk = Walk { bench, simulated, checks, recorded };
    let of = |domain: &str| json!({ "domain": names::ascii(domain).unwrap_or_default() });
    if can("validate") {
        walk.call("validate", "validate", json!({}), None, &Expect::Something);
        for (kind, key) in &simulated.refused {
            if tells(kind) {
                let name = format!("validate-{kind}");
                walk.call(&name, "validate", json!({}), Some(key), &Expect::Refused(kind.clone()));
            }
        }
    }
    if can("list_domains") {
        walk.call("list", "list_domains", json!({}), None, &Expect::Contains("ours.example"));
    }
    if can("get_nameservers") {
        let old = || Expect::Names(OLD.to_vec());
        walk.call("get", "get_nameservers", of("ours.example"), None, &old());
        walk.call("get-two-part-ending", "get_nameservers", of("ours.co.uk"), None, &old());
        walk.call("get-other-script", "get_nameservers", of(IDN), None, &old());
        let missing = Expect::Refused("domain_not_in_account".into());
        walk.call("get-foreign", "get_nameservers", of("theirs.example"), None, &missing);
        for (kind, arrange) in &simulated.provoke {
            if tells(kind) {
                arrange();
                let name = format!("get-{kind}");
                walk.call(&name, "get_nameservers", of("ours.example"), None, &Expect::Refused(kind.clone()));
                (simulated.calm)();
            }
        }
    }
    if can("set_nameservers") {
        let set = |domain: &str, servers: &[&str]| {
            let servers = names::servers(&json!(servers)).unwrap_or_default();
            json!({ "domain": names::ascii(domain).unwrap_or_default(), "nameservers": servers })
        };
        let dotted = ["NS1.Example.ORG.", "ns2.example.org."];
        for domain in ["ours.example", "ours.co.uk", IDN] {
            let name = names::ascii(domain).unwrap_or_default();
            walk.call(&format!("set-{name}"), "set_nameservers", set(domain, &dotted), None, &Expect::Something);
            walk.quietly("get_nameservers", of(domain), &Expect::Names(NEW.to_vec()));
            walk.call(&format!("set-{name}-again"), "set_nameservers", set(domain, &NEW), None, &Expect::Something);
            walk.quietly("get_nameservers", of(domain), &Expect::Names(NEW.to_vec()));
        }
        if tells("insufficient_rights") {
            let key = simulated.read_only.clone();
            let denied = Expect::Refused("insufficient_rights".into());
            walk.call("set-read-only", "set_nameservers", set("ours.example", &OLD), Some(&key), &denied);
        }
        let rejected = Expect::Refused("rejected".into());
        walk.call("set-closed", "set_nameservers", set("closed.example", &NEW), None, &rejected);
        walk.quietly("set_nameservers", set("ours.example", &OLD), &Expect::Something);
        walk.quietly("get_nameservers", of("ours.example"), &Expect::Names(OLD.to_vec()));
    }
    if can("glue") {
        let glue = |action: &str, addresses: &[&str]| json!({ "domain": "ours.example", "host": "ns1.ours.example", "action": action, "addresses": addresses });
        walk.call("glue-none", "glue", glue("get", &[]), None, &Expect::Exactly(json!([])));
        for (name, address) in [("set", "192.0.2.1"), ("change", "192.0.2.2")] {
            walk.call(&format!("glue-{name}"), "glue", glue("set", &[address]), None, &Expect::Something);
            walk.quietly("glue", glue("get", &[]), &Expect::Exactly(json!([address])));
        }
        walk.call("glue-get", "glue", glue("get", &[]), None, &Expect::Exactly(json!(["192.0.2.2"])));
        walk.call("glue-remove", "glue", glue("set", &[]), None, &Expect::Something);
        walk.quietly("glue", glue("get", &[]), &Expect::Exactly(json!([])));
    }
    if can("ds") {
        let of =
            |action: &str, records: Value| json!({ "domain": "ours.example", "action": action, "records": records });
        let one = json!([{ "key_tag": 2371, "algorithm": 13, "digest_type": 2, "digest": "AB".repeat(32) }]);
        let two = json!([{ "key_tag": 60485, "algorithm": 13, "digest_type": 2, "digest": "CD".repeat(32) }]);
        walk.call("ds-none", "ds", of("get", json!([])), None, &Expect::Exactly(json!([])));
        for (name, records) in [("set", &one), ("change", &two)] {
            walk.call(&format!("ds-{name}"), "ds", of("set", records.clone()), None, &Expect::Something);
            walk.quietly("ds", of("get", json!([])), &Expect::Exactly(records.clone()));
        }
        walk.call("ds-get", "ds", of("get", json!([])), None, &Expect::Exactly(two));
        walk.call("ds-remove", "ds", of("set", json!([])), None, &Expect::Something);
    }
}

impl Walk<'_> {
    /// Calls, compares, and records; with another key in the field that tells what may be done.
    fn call(&mut self, name: &str, function: &str, request: Value, key: Option<&str>, expect: &Expect) {
        let called = self.ask(function, &request, key);
        let found = outcome(&called.result);
        let result = found.clone().and_then(|found| compare(&found, expect));
        self.checks.push(Check::of(format!("simulator: {name}"), result));
        if let Ok(outcome) = found {
            let manifest = &self.bench.source.manifest;
            let plain = |name: &String| manifest.credentials.get(name).is_some_and(|field| !field.secret);
            let credentials = self.simulated.credentials.clone().into_iter().filter(|(name, _)| plain(name)).collect();
            let call = function.to_owned();
            let fixture = Fixture { call, request, credentials, exchanges: called.exchanges, outcome };
            self.recorded.insert(format!("{name}.json"), fixture);
        }
    }

    /// Looks whether a call has had its effect; only a failure is told.
    fn quietly(&mut self, function: &str, request: Value, expect: &Expect) {
        let called = self.ask(function, &request, None);
        if let Err(found) = outcome(&called.result).and_then(|found| compare(&found, expect)) {
            self.checks.push(Check::of(format!("simulator: what {function} has to see then"), Err(found)));
        }
    }

    fn ask(&self, function: &str, request: &Value, key: Option<&str>) -> super::bench::Called {
        let mut credentials = self.simulated.credentials.clone();
        if let Some(key) = key {
            credentials.insert(self.simulated.key.clone(), key.to_owned());
        }
        self.bench.call(&credentials, function, request, Wire::Live)
    }
}

fn compare(found: &Outcome, expect: &Expect) -> Result<String, String> {
    let fits = match (found, expect) {
        (Outcome::Returns(_), Expect::Something) => true,
        (Outcome::Returns(value), Expect::Names(names)) => json!(names::listed(value)) == json!(names),
        (Outcome::Returns(value), Expect::Contains(name)) => names::listed(value).iter().any(|one| one == name),
        (Outcome::Returns(value), Expect::Exactly(wanted)) => value == wanted,
        (Outcome::Refused(kind), Expect::Refused(wanted)) => kind == wanted,
        _ => false,
    };
    let wanted = match expect {
        Expect::Something => "a value".to_owned(),
        Expect::Names(names) => format!("the names {}", names.join(", ")),
        Expect::Contains(name) => format!("a list with {name}"),
        Expect::Exactly(value) => value.to_string(),
        Expect::Refused(kind) => format!("the refusal `{kind}`"),
    };
    if fits { Ok(String::new()) } else { Err(format!("it should come to {wanted}, and came to {}", json!(found))) }
}

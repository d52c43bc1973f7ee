//! What becomes of a message before anything is sent. The conversations are in `tests/hosts/notify_targets.rs`.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, Problem, RunId};

use super::{Config, Courier, Target, Targets, Way, module};
use crate::{testing::Bench, web};

struct Own;

impl Targets for Own {
    fn find(&self, _: &RunId, name: &str) -> Result<Option<Target>, Problem> {
        let url = match name {
            "inside" => "https://127.0.0.1:1/hooks/hush",
            "metadata" => "http://169.254.169.254/hooks/hush",
            _ => return Ok(None),
        };
        Ok(Some(Target {
            name: name.into(),
            way: Way::Slack,
            url: url.to_owned().into(),
            secret: String::new().into(),
            to: Vec::new(),
            private: false,
        }))
    }

    fn organisation(&self, _: &RunId) -> Result<String, Problem> {
        Ok("acme".into())
    }
}

fn config(targets: Value) -> Config {
    serde_json::from_value(json!({ "targets": targets })).unwrap()
}

fn bench(targets: Value) -> Bench {
    let module = module(&config(targets), &web::Config::default(), Arc::new(Own)).unwrap();
    Bench::new(module, &["notify.*:*"])
}

fn reason(bench: &Bench, op: &str, message: Value) -> String {
    let answer = bench.call(op, json!([message])).unwrap();
    assert_eq!(answer["delivered"], false);
    answer["reason"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_not_public_is_not_reached_unless_the_target_is_configured_so() {
    let bench = bench(json!({
        "near": { "way": "ntfy", "url": "https://127.0.0.1:1/alarms", "organisations": ["acme"] },
        "private": { "way": "ntfy", "url": "http://127.0.0.1:1/alarms", "organisations": ["*"], "private": true },
    }));
    for (op, target) in [("slack", "inside"), ("slack", "metadata"), ("ntfy", "near")] {
        let reason = reason(&bench, op, json!({ "target": target, "title": "x" }));
        assert!(reason.contains("requests may not go to"), "{target}: {reason}");
        assert!(!reason.contains("hush"), "{reason}");
    }
    let reason = reason(&bench, "ntfy", json!({ "target": "private", "title": "x" }));
    assert!(reason.contains("refused") && !reason.contains("may not go"), "it was tried: {reason}");
}

#[test]
fn a_target_is_found_by_its_name_its_way_and_its_organisation() {
    let bench = bench(json!({
        "theirs": { "way": "slack", "url": "env:NOBODY_HAS_SET_THIS", "organisations": ["other"] },
        "unset": { "way": "slack", "url": "env:NOBODY_HAS_SET_THIS", "organisations": ["acme"] },
    }));
    let told = |op: &str, target: &str| reason(&bench, op, json!({ "target": target, "title": "x" }));
    assert_eq!(told("slack", "theirs"), "there is no target `theirs`");
    assert_eq!(told("slack", "unset"), "NOBODY_HAS_SET_THIS isn't set");
    assert_eq!(told("discord", "inside"), "`inside` is a target of slack");
    assert_eq!(told("slack", "no such"), "`target` is the name of a target");
    for message in [
        json!({ "target": "inside" }),
        json!({ "target": "inside", "title": "a\nb" }),
        json!({ "target": "inside", "title": "x", "link": "javascript:alert(1)" }),
        json!({ "target": "inside", "title": "x", "colour": "red" }),
        json!({ "target": "inside", "title": "x", "text": "x".repeat(70_000) }),
    ] {
        assert!(!reason(&bench, "slack", message.clone()).contains("may not go"), "{message}");
    }
    let secret = json!([{ "target": "inside", "title": "x", "data": { "$secret": "a" } }]);
    assert_eq!(bench.call("webhook", secret).unwrap_err().code, Code::SecretMisuse);
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    for entry in [
        json!({ "way": "slack", "url": "https://hooks.slack.test/services/hush" }),
        json!({ "way": "ntfy", "url": "https://ntfy.test/" }),
        json!({ "way": "ntfy", "url": "http://ntfy.test/alarms" }),
        json!({ "way": "ntfy", "url": "https://a:b@ntfy.test/alarms" }),
        json!({ "way": "webhook", "url": "https://shop.test/hooks", "secret": "whsec_hush" }),
        json!({ "way": "email", "to": ["nobody"] }),
        json!({ "way": "email" }),
    ] {
        let problem = Courier::new(&config(json!({ "t": entry })), &web::Config::default()).err().unwrap();
        assert_eq!(problem.code, Code::Configuration, "{entry}");
        assert!(!problem.message.contains("hush"), "{problem:?}");
    }
}

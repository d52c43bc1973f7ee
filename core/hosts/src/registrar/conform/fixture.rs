//! Recorded exchanges: a call, what it sent and was answered, and what came of it. One JSON file each in `fixtures/`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::Problem;
use windlass_script::plugin::Refusal;

use super::{
    Check,
    bench::{Bench, Wire, placeholder},
};

/// Headers of answers that are recorded: plugins read no others.
const HEADERS: [&str; 2] = ["content-type", "retry-after"];

/// A recorded call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    /// The function.
    pub call: String,
    /// What it was told.
    pub request: Value,
    /// Fields of the credentials that aren't secret; secret ones are `recorded-<field>`.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// What went over the wire.
    pub exchanges: Vec<Exchange>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned this.
    Returns(Value),
    /// It refused, with this kind.
    Refused(String),
}

/// A request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// `GET`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// The request's body; left out, it isn't compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The answer's status.
    pub status: u64,
    /// The answer's headers that plugins read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The answer's body.
    pub answer: String,
}

impl Exchange {
    pub(super) fn fits(&self, sent: &Self) -> bool {
        let body = self.body.is_none() || self.body == sent.body;
        self.method == sent.method && self.url == sent.url && body
    }

    pub(super) fn line(&self) -> String {
        format!("{} {} {}", self.method, self.url, self.body.as_deref().unwrap_or_default())
    }

    pub(super) fn reply(&self) -> Value {
        json!({ "status": self.status, "headers": self.headers, "body": self.answer, "json": null })
    }

    pub(super) fn take(&mut self, answer: &Value, hide: &dyn Fn(&str) -> String) {
        self.status = answer["status"].as_u64().unwrap_or_default();
        self.answer = hide(answer["body"].as_str().unwrap_or_default());
        for name in HEADERS {
            if let Some(value) = answer["headers"][name].as_str() {
                self.headers.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// The outcome in words.
pub(super) fn outcome(result: &Result<Value, Problem>) -> Result<Outcome, String> {
    match result {
        Ok(value) => Ok(Outcome::Returns(value.clone())),
        Err(problem) => match Refusal::of(problem) {
            Some(kind) => Ok(Outcome::Refused(kind.as_str().to_owned())),
            None => Err(format!("{}: {}", problem.code, problem.message)),
        },
    }
}

/// Replays all fixtures, and says which are missing.
pub(super) fn run(bench: &Bench<'_>) -> Vec<Check> {
    let manifest = &bench.source.manifest;
    let (mut checks, mut returned, mut refused) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (file, text) in &bench.source.fixtures {
        let name = format!("fixture {file}");
        let fixture = match serde_json::from_str::<Fixture>(text) {
            Ok(fixture) => fixture,
            Err(error) => {
                checks.push(Check::of(name, Err(format!("it can't be read: {error}"))));
                continue;
            }
        };
        match &fixture.outcome {
            Outcome::Returns(_) => returned.insert(fixture.call.clone()),
            Outcome::Refused(kind) => refused.insert(kind.clone()),
        };
        checks.push(Check::of(name, replay(bench, &fixture)));
    }
    for capability in manifest.capabilities.iter().filter(|one| !returned.contains(*one)) {
        let missing = "fixtures/ has no recorded exchange in which it succeeds".to_owned();
        checks.push(Check::of(format!("`{capability}` is recorded"), Err(missing)));
    }
    for kind in manifest.refusals.iter().filter(|one| !refused.contains(*one)) {
        let missing =
            "`refusals` in plugin.toml lists it, and fixtures/ has no recorded exchange that ends so".to_owned();
        checks.push(Check::of(format!("`{kind}` is recorded"), Err(missing)));
    }
    let others = ["insufficient_rights", "ip_not_allowed", "account_not_eligible"];
    let apart = refused.contains("invalid_credentials") && others.iter().any(|kind| refused.contains(*kind));
    let result = match apart {
        true => Ok(String::new()),
        false => Err(format!(
            "fixtures/ needs one that ends with `invalid_credentials`, and one with {}",
            others.join(" or ")
        )),
    };
    checks.push(Check::of("a wrong credential is told apart from a missing right", result));
    checks
}

fn replay(bench: &Bench<'_>, fixture: &Fixture) -> Result<String, String> {
    let mut values = bench.placeholders();
    values.extend(fixture.credentials.clone());
    for (name, field) in &bench.source.manifest.credentials {
        if field.secret && values.contains_key(name) {
            values.insert(name.clone(), placeholder(name));
        }
    }
    let wire = Wire::Replay(fixture.exchanges.clone().into());
    let called = bench.call(&values, &fixture.call, &fixture.request, wire);
    let found = outcome(&called.result)?;
    if found != fixture.outcome {
        return Err(format!("it should come to {}, and came to {}", json!(fixture.outcome), json!(found)));
    }
    let (sent, recorded) = (called.exchanges.len(), fixture.exchanges.len());
    match sent == recorded {
        true => Ok(String::new()),
        false => Err(format!("{recorded} requests were recorded, and {sent} are sent")),
    }
}

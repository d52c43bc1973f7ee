//! What every plugin has to do right without anybody having recorded it.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::plugin::Refusal;

use super::{
    Check,
    bench::{Bench, Wire},
    fixture::{Fixture, Outcome},
};
use crate::registrar::Source;

const PROBE: &str = "windlass_probe";

pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Check>, Problem> {
    let reads: Vec<&String> =
        bench.source.manifest.capabilities.iter().filter(|one| !matches!(one.as_str(), "glue" | "ds")).collect();
    let mut checks = vec![Check::of("an undeclared host is refused", undeclared(bench))];
    for function in reads {
        let busy = answer(429, "text/plain", "slow down", Some("7"));
        checks.push(Check::of(
            format!("{function}: 429 is honoured with its Retry-After"),
            busy_for(bench, function, busy),
        ));
        for (name, wire) in [
            ("500 isn't mistaken for an answer", answer(500, "text/plain", "oops", None)),
            ("a page of HTML isn't mistaken for an answer", answer(200, "text/html", "<html><body>Maintenance", None)),
            ("an empty answer isn't mistaken for one", answer(200, "application/json", "", None)),
        ] {
            let result = told(bench, function, wire, Refusal::ProviderUnavailable);
            checks.push(Check::of(format!("{function}: {name}"), result.map(|_| String::new())));
        }
    }
    checks.extend(again(bench));
    Ok(checks)
}

fn answer(status: u16, kind: &str, body: &str, retry_after: Option<&str>) -> Value {
    let mut answer = json!({ "status": status, "headers": { "content-type": kind }, "body": body, "json": null });
    if let Some(seconds) = retry_after {
        answer["headers"]["retry-after"] = seconds.into();
    }
    answer
}

fn request() -> Value {
    json!({ "domain": "xn--mnchen-3ya.example", "nameservers": ["ns1.example.org", "ns2.example.org"] })
}

/// The refusal that a function comes to when everything is answered so.
fn told(bench: &Bench<'_>, function: &str, answer: Value, wanted: Refusal) -> Result<Problem, String> {
    let called = bench.call(&bench.placeholders(), function, &request(), Wire::Always(answer));
    match called.result {
        Ok(value) => Err(format!("it returned {value}")),
        Err(problem) if Refusal::of(&problem) == Some(wanted) => Ok(problem),
        Err(problem) => Err(format!("it should be `{}`, and is: {}", wanted.as_str(), problem.message)),
    }
}

fn busy_for(bench: &Bench<'_>, function: &str, busy: Value) -> Result<String, String> {
    // A source of its own: the patience that it asks for isn't the plugin's.
    let source = named(bench, &format!("{function}-busy"));
    let called = bench.call_of(&source, &bench.placeholders(), function, &request(), Wire::Always(busy.clone()));
    let problem = called.result.err().ok_or("it returned a value")?;
    if Refusal::of(&problem) != Some(Refusal::RateLimited) {
        return Err(format!("it should be `rate_limited`, and is: {}", problem.message));
    }
    if problem.data["retry_after"] != 7 {
        return Err(format!("it should ask for 7 s, and asks for {}", problem.data["retry_after"]));
    }
    match called.exchanges.len() {
        1 => Ok(String::new()),
        more => Err(format!("it was told to wait at once, and sent {more} requests")),
    }
}

fn named(bench: &Bench<'_>, name: &str) -> Source {
    Source { name: format!("{}:{name}", bench.source.name), ..(**bench.source).clone() }
}

fn undeclared(bench: &Bench<'_>) -> Result<String, String> {
    let mut source = named(bench, PROBE);
    source.digest.push_str(PROBE);
    source.manifest.capabilities.push(PROBE.to_owned());
    source.script.push_str(&format!(
        "\nfn {PROBE}(request) {{ try {{ http::get(\"https://undeclared.invalid/\") }} catch {{}}\n\"went on\" }}\n"
    ));
    let anything = Wire::Always(answer(200, "application/json", "{}", None));
    let called = bench.call_of(&source, &bench.placeholders(), PROBE, &json!({}), anything);
    match called.result {
        Err(problem) if problem.code == Code::PermissionDenied && called.exchanges.is_empty() => Ok(String::new()),
        Err(problem) => Err(format!("{}: {}", problem.code, problem.message)),
        Ok(value) => Err(format!("it returned {value}")),
    }
}

/// A set that is sent twice comes to the same: recorded sets are played twice, as after a crash.
fn again(bench: &Bench<'_>) -> Option<Check> {
    if !bench.source.manifest.capabilities.iter().any(|one| one == "set_nameservers") {
        return None;
    }
    let fixtures = bench.source.fixtures.values().filter_map(|text| serde_json::from_str::<Fixture>(text).ok());
    let set = fixtures.filter(|fixture| fixture.call == "set_nameservers");
    let set = set.filter(|fixture| matches!(fixture.outcome, Outcome::Returns(_))).collect::<Vec<_>>();
    let same = |fixture: &Fixture| {
        let mut values = bench.placeholders();
        values.extend(fixture.credentials.clone());
        let play =
            || bench.call(&values, &fixture.call, &fixture.request, Wire::Replay(fixture.exchanges.clone().into()));
        let (first, second) = (play(), play());
        first.result == second.result && first.exchanges == second.exchanges
    };
    let result = match set.is_empty() {
        true => Err("fixtures/ has no `set_nameservers` that succeeds".to_owned()),
        false if set.iter().all(same) => Ok(String::new()),
        false => Err("the second time it does something else".to_owned()),
    };
    Some(Check::of("set_nameservers: twice is the same as once", result))
}

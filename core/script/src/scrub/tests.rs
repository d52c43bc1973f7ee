//! What is taken out of texts, and what isn't.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::json;

use windlass_model::RunId;

use super::{
    needles::{PASSED_BYTES, SOUGHT_BYTES},
    *,
};
use crate::secret::{self, Held, SecretSource};

#[test]
fn every_usual_encoding_is_found() {
    let scrubber = Scrubber::default();
    scrubber.learn("token", "hunter2 \"&/ü");
    let value = "hunter2 \"&/ü";
    let forms = [
        value.to_owned(),
        hex::encode(value),
        secret::url_encode(value),
        base64::engine::general_purpose::STANDARD.encode(value),
        base64::engine::general_purpose::STANDARD.encode(format!("user:{value}")),
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("ab{value}cd")),
        json!({ "a": value }).to_string(),
    ];
    for form in forms {
        let clean = scrubber.value(json!({ &form: ["x", format!("a {form} b")] })).to_string();
        assert!(clean.contains("[secret token]") && !clean.contains("hunter2"), "{form} -> {clean}");
        assert!(!clean.contains(&form), "{form} -> {clean}");
    }
}

#[test]
fn overlapping_values_leave_nothing_of_either() {
    let scrubber = Scrubber::default();
    scrubber.hold(&["abcdef", "defghijk", "cdefg"]);
    assert_eq!(scrubber.text("<abcdefghijk> abcd"), "<[secret]> abcd");
    scrubber.learn("long", "defghijk");
    scrubber.hold(&["defghijk"]);
    assert_eq!(scrubber.text("<abcdefghijk> defghijk"), "<[secret long]> [secret long]");
}

#[test]
fn what_was_replaced_is_forgotten_after_a_while_and_what_is_held_is_not() {
    let scrubber = Scrubber::default();
    let value = |n: usize| format!("{n:06}-").repeat(100);
    scrubber.hold(&["held-for-good".to_owned(), value(0)]);
    scrubber.hold(&["held-for-good".to_owned(), value(1)]);
    assert_eq!(scrubber.text(&value(0)), "[secret]", "it may be good for a while elsewhere");
    for n in 1..=4 {
        scrubber.learn_each("computed", &(0..50).map(|m| value(50 * n + m)).collect::<Vec<_>>());
    }
    let kept = scrubber.needles.read().len();
    assert!((50..PASSED_BYTES / 700 + 3).contains(&kept), "{kept}");
    assert_eq!(scrubber.text(&value(0)), value(0), "forgotten");
    assert_eq!(scrubber.text(&format!("{} held-for-good", value(249))), "[secret computed] [secret]");
}

#[test]
fn a_long_value_is_looked_for_by_its_beginning_and_taken_out_whole() {
    let line = |n: usize| format!("{n:05} {}\n", "ü\"&".repeat(20));
    let value: String = (0..2_000).map(line).collect();
    let other = value.replace("01999", "02999");
    let scrubber = Scrubber::default();
    scrubber.hold(&[&value]);
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("u:{value}"));
    for form in [value.clone(), hex::encode(&value), secret::url_encode(&value), encoded, json!(value).to_string()] {
        let clean = scrubber.text(&format!("<{form}> and <{form}>"));
        assert!(clean.contains("[secret]") && clean.len() < 60, "{} -> {}", &form[..40], clean.len());
    }
    assert_eq!(scrubber.text(&other), other, "another one that begins alike");
    assert_eq!(scrubber.text(&value[..value.len() - 1]), value[..value.len() - 1]);
    scrubber.learn("other", &other);
    assert_eq!(scrubber.text(&format!("{value}{other}")), "[secret][secret other]");
    let (short, longer) = ("x".repeat(SOUGHT_BYTES), "x".repeat(SOUGHT_BYTES + 1));
    scrubber.hold(&[&short, &longer]);
    assert_eq!(
        scrubber.text(&format!("{short} {longer} {}", &short[1..])),
        format!("[secret] [secret] {}", &short[1..])
    );
}

#[test]
fn a_value_takes_as_little_memory_and_time_as_another_however_long_it_is() {
    let bytes_of = |length: usize| {
        let scrubber = Scrubber::default();
        scrubber.hold(&["k3y/\"ü".repeat(length / 8 + 1)]);
        scrubber.needles.read().bytes()
    };
    let (short, long) = (bytes_of(1_000), bytes_of(1 << 20));
    assert!(short > 0 && long <= short + 1_000, "{short} and {long}");
    // A text that begins like it at each of its places.
    let value = "x".repeat(1 << 20);
    let scrubber = Scrubber::default();
    scrubber.hold(&[format!("{value}y")]);
    let began = std::time::Instant::now();
    let clean = scrubber.text(&format!("{value}{value}z"));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    let rest = clean.trim_start_matches('x');
    assert_eq!((rest, clean.len() < 200), ("[secret]", true), "what can't be compared is taken for it");
}

struct Vault;

impl SecretSource for Vault {
    fn get(&self, name: &str) -> Result<zeroize::Zeroizing<String>, Problem> {
        Err(secret::not_found(name))
    }

    fn policy(&self, name: &str) -> Result<crate::SecretPolicy, Problem> {
        Err(secret::not_found(name))
    }

    fn owner(&self, name: &str) -> String {
        name.strip_prefix("orgs/").and_then(|rest| rest.split_once('/')).map_or("platform", |(owner, _)| owner).into()
    }

    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        match run.as_str() {
            "unknown" => Err(Problem::new(windlass_model::Code::Storage, "the database is away")),
            run => Ok(run.into()),
        }
    }
}

/// A run of this organisation.
fn run_of(all: &Arc<Scrubbers>, organisation: &str) -> RunScrubber {
    RunScrubber::new(all.clone(), Arc::new(Vault), organisation.into())
}

fn held(owner: &str, value: &str) -> Held {
    Held { owner: owner.into(), value: value.to_owned().into() }
}

#[test]
fn an_organisations_name_is_no_secret_of_its_own() {
    let all = Arc::new(Scrubbers::default());
    all.hold(&[held("acme", "acme"), held("acme", "ACME"), held("acme", "acme-key"), held("beta", "acme")]);
    let acme = run_of(&all, "acme");
    acme.learn("orgs/acme/own", "Acme", false);
    assert_eq!(acme.text("acme Acme: acme-key"), "acme Acme: [secret]");
    assert_eq!(run_of(&all, "beta").text("acme"), "[secret]", "another one's name may be a value");
}

#[test]
fn a_strangers_value_is_taken_out_of_one_run_and_of_no_key() {
    let all = Arc::new(Scrubbers::default());
    all.hold(&[held("platform", "token-inside")]);
    let (run, other) = (run_of(&all, "platform"), run_of(&all, "platform"));
    let foreign = "server_type and the token-inside, too";
    run.learn("returned", foreign, true);
    let told = json!({ foreign: [foreign, "token-inside"], "token-inside": 1 });
    let clean = run.value(told.clone());
    assert_eq!(clean, json!({ "server_type and the [secret], too": ["[secret returned]", "[secret]"], "[secret]": 1 }));
    assert_eq!(run.text(foreign), "[secret returned]", "whole, although another one stands inside");
    assert_eq!(other.value(told)["server_type and the [secret], too"][0], "server_type and the [secret], too");
    assert_eq!(all.text("platform", "server_type"), "server_type");
}

#[test]
fn an_organisations_values_change_its_own_runs_alone_and_none_of_their_keys() {
    let all = Arc::new(Scrubbers::default());
    let answer = json!({ "issuer": "issuer", "status": 12345, "of": ["the-platforms"], "the-platforms": "issuer" });
    let runs = ["platform", "acme", "beta"].map(|organisation| run_of(&all, organisation));
    let before: Vec<Value> = runs.iter().map(|run| run.value(answer.clone())).collect();
    all.hold(&[
        held("acme", "issuer"),
        held("acme", "12345"),
        held("acme", "status"),
        held("platform", "the-platforms"),
    ]);
    for run in [&runs[0], &runs[2]] {
        let clean = run.value(answer.clone());
        assert_eq!(clean, json!({ "issuer": "issuer", "status": 12345, "of": ["[secret]"], "[secret]": "issuer" }));
        assert_eq!(run.text("status of the issuer"), "status of the issuer");
    }
    let clean = runs[1].value(answer.clone());
    let masked = json!({ "issuer": "[secret]", "status": "[secret]", "of": ["[secret]"], "[secret]": "[secret]" });
    assert_eq!((clean, &before[1]), (masked, &answer));
    let problem =
        runs[1].problem(Problem::new(windlass_model::Code::System, "the issuer").data(json!({ "issuer": "issuer" })));
    assert_eq!((problem.message.as_str(), problem.data), ("the [secret]", json!({ "issuer": "[secret]" })));
    // What is used is known by its name to its own organisation; what is computed, to that of the run.
    runs[1].learn("orgs/acme/word", "issuer", false);
    runs[1].learn(secret::DERIVED, "Bearer issuer", false);
    runs[1].learn("plain", "another-of-the-platform", false);
    let told = "Bearer issuer, issuer, another-of-the-platform";
    assert_eq!(runs[1].text(told), "[secret derived], [secret orgs/acme/word], [secret plain]");
    assert_eq!(runs[2].text(told), "Bearer issuer, issuer, [secret plain]");
    assert_eq!(
        (all.text("acme", "issuer"), all.text("beta", "issuer")),
        ("[secret orgs/acme/word]".into(), "issuer".into())
    );
    // Whose a run is can't be told: it shows nobody's. One that is removed is known for a while, as any is.
    assert_eq!(run_of(&all, "unknown").text("issuer"), "[secret orgs/acme/word]");
    all.hold(&[]);
    assert_eq!(
        (runs[1].text("issuer").as_str(), runs[0].text("issuer").as_str()),
        ("[secret orgs/acme/word]", "issuer")
    );
}

#[test]
fn numbers_and_errors_are_cleaned() {
    let scrubber = Scrubber::default();
    scrubber.learn("pin", "987654");
    assert_eq!(scrubber.value(json!(987_654)), json!("[secret pin]"));
    assert_eq!(scrubber.value(json!(12)), json!(12));
    let problem = Problem::new(windlass_model::Code::System, "bad 987654").help("try 987654");
    let clean = scrubber.problem(problem);
    assert_eq!((clean.message.as_str(), clean.help.as_deref()), ("bad [secret pin]", Some("try [secret pin]")));
}

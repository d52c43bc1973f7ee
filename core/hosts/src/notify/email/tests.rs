//! What is refused before a server is asked, and what stays the same for a step. The conversations themselves are in
//! `tests/hosts/notify.rs`, with a real server.

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass};
use windlass_script::host::{Args, HostModule};

use super::{Config, Tls, message, op};
use crate::testing::Bench;

fn configured() -> Config {
    Config {
        host: "127.0.0.1".into(),
        // Nobody listens there: what gets that far is answered at once.
        port: 1,
        tls: Tls::None,
        from: "Windlass <windlass@platform.test>".into(),
        timeout_ms: 100,
        ..Config::default()
    }
}

fn bench(config: &Config) -> Bench {
    Bench::new(HostModule { name: "notify", doc: "", ops: vec![op(super::post(config).unwrap())] }, &["notify.email:*"])
}

fn mail(to: Value) -> Value {
    json!([{ "to": to, "subject": "x", "text": "x" }])
}

#[test]
fn the_message_id_is_made_of_the_step() {
    let bench = bench(&configured());
    let sender = configured().check().unwrap();
    let given = Args::new(bench.op("email").params, vec![mail(json!("ann@acme.test"))[0].clone()]);
    let letter = message::read(&given, &configured()).unwrap();
    let id = |key: &str| {
        let message = letter.message(key, Some("01run"), &sender).unwrap();
        message.headers().get_raw("Message-ID").unwrap().to_owned()
    };
    assert_eq!(id("01run/1"), id("01run/1"));
    assert_ne!(id("01run/1"), id("01run/2"));
    assert!(!id("01run/1").contains("01run") && id("01run/1").ends_with("@platform.test>"));
}

#[test]
fn scopes_are_the_domains_that_mail_would_go_to() {
    let bench = bench(&configured());
    let scopes = |to: Value| {
        let args = Args::new(bench.op("email").params, vec![mail(to)[0].clone()]);
        message::domains(&args)
    };
    assert_eq!(scopes(json!("Ann <ann@ACME.test>")), ["acme.test"]);
    assert_eq!(scopes(json!(["a@b.test", "a@bücher.example", "c@b.test"])), ["b.test", "xn--bcher-kva.example"]);
    assert!(scopes(json!(["nobody", "\"a@x.test\"@y.test"])).is_empty() && scopes(json!(7)).is_empty());
}

#[test]
fn whatever_goes_wrong_is_an_answer_and_no_message_is_looked_for_again() {
    let bench = bench(&configured());
    let op = bench.op("email");
    assert_eq!((op.class, op.retry.attempts), (EffectClass::Keyed, 1));
    for (args, words) in [
        (mail(json!("ann@acme.test")), "127.0.0.1:1: "),
        (mail(json!("ann")), "isn't an address"),
        (mail(json!(vec!["a@b.test"; 21])), "1 to 20 recipients, and not 21"),
        (json!([{}]), "to"),
    ] {
        let answer = bench.call("email", args).unwrap();
        assert_eq!(answer["delivered"], false);
        assert!(answer["reason"].as_str().unwrap().contains(words), "{words}: {answer}");
    }
    let found = bench.look_up("email", mail(json!("ann@acme.test"))).unwrap().unwrap();
    assert!(found["reason"].as_str().unwrap().contains("isn't sent twice"), "{found}");
    let secret = json!([{ "to": "a@b.test", "subject": "x", "text": { "$secret": "k" } }]);
    assert_eq!(bench.call("email", secret).unwrap_err().code, Code::SecretMisuse);
}

#[test]
fn a_run_that_is_told_to_stop_stops() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bench = bench(&Config { port, timeout_ms: 10_000, ..configured() });
    *bench.cx.stop.lock() = Some(windlass_model::journal::Stop::Suspended);
    let began = std::time::Instant::now();
    let problem = bench.call("email", mail(json!("ann@acme.test"))).unwrap_err();
    assert_eq!(problem.code, Code::Cancelled);
    assert!(began.elapsed() < std::time::Duration::from_secs(9));
}

#[test]
fn a_loop_is_stopped_by_the_minute() {
    let bench = bench(&Config { per_minute: 2, ..configured() });
    let reason = || bench.call("email", mail(json!("a@b.test"))).unwrap()["reason"].to_string();
    assert!(!reason().contains("minute") && !reason().contains("minute"));
    assert!(reason().contains("more than 2 messages in a minute"));
}

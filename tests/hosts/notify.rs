//! `notify` from scripts: mail to a real server, whatever it does; and none of it fails a run.

use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_hosts::HostConfig;
use windlass_model::{Code, Problem};
use windlass_script::{SecretPolicy, SecretSource};
use windlass_tests::mail::{MailServer, PASSWORD, USER};

use super::Shop;

const ANYBODY: &[&str] = &["notify.email:*"];

/// A shop whose mail server is configured so, with further settings.
fn shop(settings: &Value, more: Value) -> Shop {
    let mut email = settings.clone();
    for (key, value) in more.as_object().expect("a map") {
        email[key.as_str()] = value.clone();
    }
    let config: HostConfig = serde_json::from_value(json!({ "notify": { "email": email } })).expect("a configuration");
    Shop::real(&config)
}

/// A mail to these, as a script sends it.
fn mail(to: &str) -> String {
    format!(r#"notify::email(#{{ to: {to}, subject: "It is there", text: "Hello" }})"#)
}

/// What a script gets that sends such a mail: never an error.
fn send(shop: &Shop, to: &str) -> Value {
    shop.result(ANYBODY, &mail(to)).expect("a message never fails a run")
}

fn undelivered(answer: &Value, words: &str) {
    assert_eq!(answer["delivered"], false, "{answer}");
    assert!(answer["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{words}: {answer}");
}

fn header<'a>(taken: &'a Value, name: &str) -> Vec<&'a str> {
    let pairs = taken["headers"].as_array().expect("headers").iter();
    let named = pairs.filter(|pair| pair[0].as_str().is_some_and(|one| one.eq_ignore_ascii_case(name)));
    named.map(|pair| pair[1].as_str().expect("text")).collect()
}

#[test]
fn a_mail_arrives_as_it_was_meant() {
    for mode in ["starttls", "tls"] {
        let Some(server) = MailServer::start(mode) else { return };
        let shop = shop(&server.settings(), json!({ "reply_to": "Käthe <help@platform.test>" }));
        let body = r#"
            notify::email(#{
                to: ["Änn Example <ann@bücher.example>", "bob@acme.test", "BOB <bob@ACME.test>"],
                subject: "Grüße 👋: it is there, and this line is longer than what a header has room for without a fold",
                text: "Zeile eins\r\n.\r\n..\nFrom here: €\nLONG\n\x1b[31mred",
                html: "<p>Grüße</p>",
            })
        "#;
        let body = body.replace("LONG", &"x".repeat(2_000));
        let (answer, _, job) = shop.run(&["notify.email:*.example", "notify.email:acme.test"], &body);
        assert_eq!(answer.unwrap(), json!({ "delivered": true, "reason": "", "refused": [] }));
        let taken = server.taken();
        assert_eq!(taken.len(), 1, "{mode}");
        let taken = &taken[0];
        assert_eq!(taken["from"], "windlass@platform.test");
        assert_eq!(taken["to"], json!(["ann@xn--bcher-kva.example", "bob@acme.test"]), "nobody twice");
        assert_eq!((&taken["encrypted"], &taken["user"]), (&json!(true), &json!(USER)), "{mode}");
        assert_eq!(header(taken, "From"), ["Windlass <windlass@platform.test>"]);
        assert_eq!(header(taken, "To"), ["Änn Example <ann@xn--bcher-kva.example>, bob@acme.test"]);
        assert_eq!(header(taken, "Reply-To"), ["Käthe <help@platform.test>"]);
        assert!(header(taken, "Subject")[0].starts_with("Grüße 👋: it is there") && header(taken, "Date").len() == 1);
        assert!(header(taken, "Subject")[0].ends_with("without a fold"), "{:?}", header(taken, "Subject"));
        assert_eq!(header(taken, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(header(taken, "X-Windlass-Run"), [&*job.run.to_string()]);
        let parts = taken["parts"].as_array().unwrap();
        assert_eq!((&parts[0][0], &parts[1][0]), (&json!("text/plain"), &json!("text/html")));
        let text = parts[0][1].as_str().unwrap();
        assert!(text.starts_with("Zeile eins\n.\n..\nFrom here: €\nxxx"), "{text:?}");
        assert!(text.trim_end().ends_with("\u{fffd}[31mred") && text.contains(&"x".repeat(2_000)), "{text:?}");
        assert_eq!(parts[1][1].as_str().unwrap().trim_end(), "<p>Grüße</p>");
        let longest = taken["raw"].as_str().unwrap().split("\r\n").map(str::len).max();
        assert!(longest.is_some_and(|bytes| bytes <= 998), "RFC 5322: {longest:?}");
        assert!(header(taken, "Message-ID")[0].ends_with("@platform.test>"));
        assert!(!taken["raw"].as_str().unwrap().contains(PASSWORD));
    }
}

#[test]
fn each_step_has_a_message_id_of_its_own() {
    let Some(server) = MailServer::start("none") else { return };
    let shop = shop(&server.settings(), json!({}));
    let twice = format!("{}; {}", mail(r#""ann@acme.test""#), mail(r#""ann@acme.test""#));
    shop.result(ANYBODY, &twice).unwrap();
    let taken = server.taken();
    let ids: Vec<&str> = taken.iter().map(|taken| header(taken, "Message-ID")[0]).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert_eq!(taken[0]["encrypted"], false);
}

#[test]
fn what_a_server_refuses_is_an_answer() {
    let Some(server) = MailServer::start("none") else { return };
    let shop = shop(&server.settings(), json!({ "recipients": 3, "bytes": 1_000 }));
    undelivered(&send(&shop, r#""refused@acme.test""#), "550 5.1.1 no such user here");
    undelivered(&send(&shop, r#""full@acme.test""#), "552 5.2.2 mailbox full");
    assert_eq!(server.taken().len(), 0);

    let answer = send(&shop, r#"["ann@acme.test", "refused@acme.test"]"#);
    undelivered(&answer, "the others have it");
    assert_eq!(answer["refused"], json!(["refused@acme.test"]));
    assert_eq!(server.taken()[0]["to"], json!(["ann@acme.test"]));

    for (busy, count) in [("later", 2), ("busy", 3)] {
        let answer = send(&shop, &format!(r#""{busy}@acme.test""#));
        assert_eq!(answer["delivered"], true, "{busy} is tried again: {answer}");
        assert_eq!(server.taken().len(), count, "{busy}");
    }

    for (body, words) in [
        (mail(r#"["a@acme.test", "b@acme.test", "c@acme.test", "d@acme.test"]"#), "1 to 3 recipients"),
        (mail("[]"), "1 to 3 recipients"),
        (mail(r#""ann@acme.test\r\nBcc: eve@evil.test""#), "line break"),
        (mail(r#"["bob@acme.test", "nobody"]"#), "isn't an address"),
        (mail("7"), "message"),
        (r#"notify::email(#{ to: "a@acme.test", subject: "x\r\nBcc: eve@evil.test", text: "x" })"#.into(), "one line"),
        (r#"notify::email(#{ to: "a@acme.test", subject: "", text: "x" })"#.into(), "one line"),
        (r#"notify::email(#{ to: "a@acme.test", subject: "x", text: "x", bcc: "eve@evil.test" })"#.into(), "bcc"),
        (r#"notify::email(#{ to: "a@acme.test", subject: "x" })"#.into(), "text"),
        (
            format!(r#"notify::email(#{{ to: "a@acme.test", subject: "x", text: "{}" }})"#, "y".repeat(1_001)),
            "at most 1000 bytes",
        ),
    ] {
        undelivered(&shop.result(ANYBODY, &body).expect(words), words);
    }
    assert_eq!(server.taken().len(), 3, "nothing of that was sent to anybody");
}

#[test]
fn whom_a_server_refuses_for_now_is_tried_again_and_the_others_get_it_once() {
    let Some(server) = MailServer::start("none") else { return };
    let shop = shop(&server.settings(), json!({}));
    let to = || -> Vec<Value> { server.taken().iter().map(|taken| taken["to"].clone()).collect() };
    let answer = send(&shop, r#"["ann@acme.test", "later@acme.test", "bob@acme.test"]"#);
    assert_eq!(answer, json!({ "delivered": true, "reason": "", "refused": [] }));
    assert_eq!(to(), [json!(["ann@acme.test", "bob@acme.test"]), json!(["later@acme.test"])]);
    assert_eq!(server.taken()[0]["headers"], server.taken()[1]["headers"], "it is the same message");

    let began = Instant::now();
    let answer = send(&shop, r#"["ann@acme.test", "never@acme.test", "refused@acme.test"]"#);
    undelivered(&answer, "the others have it");
    undelivered(&answer, "never@acme.test: ");
    undelivered(&answer, "refused@acme.test: 550");
    assert_eq!(answer["refused"], json!(["refused@acme.test", "never@acme.test"]));
    assert_eq!(to()[2..], [json!(["ann@acme.test"])], "nobody has it twice");
    assert!(began.elapsed() < Duration::from_secs(10), "it is tried so many times, and not for ten seconds");
}

#[test]
fn a_server_that_breaks_or_hangs_takes_ten_seconds_at_most() {
    let Some(server) = MailServer::start("none") else { return };
    let quick = shop(&server.settings(), json!({ "timeout_ms": 3_000 }));
    let patient = shop(&server.settings(), json!({ "timeout_ms": 10_000 }));
    undelivered(&send(&patient, r#""drop@acme.test""#), "it closed the connection");
    undelivered(&send(&quick, r#""hang@acme.test""#), "not delivered within 3000 ms");
    for taken in ["lost", "silent"] {
        let answer = send(&quick, &format!(r#""{taken}@acme.test""#));
        undelivered(&answer, "whether it arrived isn't known");
    }
    assert_eq!(server.taken().len(), 2, "each of them once: a message that was handed over isn't sent again");

    // Connected by the kernel, and nobody there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = server.settings();
    settings["port"] = json!(listener.local_addr().unwrap().port());
    let began = Instant::now();
    undelivered(&send(&shop(&settings, json!({})), r#""ann@acme.test""#), "not delivered within 10000 ms");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(9_500) && took < Duration::from_secs(20), "{took:?}");
    drop(listener);
    let answer = send(&shop(&settings, json!({ "timeout_ms": 600 })), r#""ann@acme.test""#);
    undelivered(&answer, "refused");
}

#[test]
fn nothing_is_said_readably_that_should_be_encrypted() {
    let Some(readable) = MailServer::start("none") else { return };
    let Some(server) = MailServer::start("starttls") else { return };
    let answer = send(&shop(&readable.settings(), json!({ "tls": "starttls" })), r#""ann@acme.test""#);
    undelivered(&answer, "doesn't offer STARTTLS");
    assert_eq!(readable.taken().len(), 0);

    let began = Instant::now();
    let stranger = shop(&server.settings(), json!({ "ca_file": null }));
    undelivered(&send(&stranger, r#""ann@acme.test""#), "ca_file");
    let other_name = shop(&server.settings(), json!({ "host": "127.0.0.1" }));
    undelivered(&send(&other_name, r#""ann@acme.test""#), "certificate");
    assert!(began.elapsed() < Duration::from_secs(30), "a wrong certificate isn't asked for again and again");
    assert_eq!(server.taken().len(), 0);
}

#[test]
fn passwords_come_from_files_variables_and_secrets() {
    let Some(server) = MailServer::start("tls") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        format!("file:{}", folder.path().join(name).display())
    };
    for (password, words) in [
        (file("wrong", "not-the-password"), "refuses the user name or the password (535)"),
        (format!("file:{}", folder.path().join("none").display()), "none"),
        (format!("file:{}", folder.path().display()), "isn't a file"),
        ("env:WINDLASS_TEST_NO_SUCH".into(), "WINDLASS_TEST_NO_SUCH isn't set"),
    ] {
        let answer = send(&shop(&server.settings(), json!({ "password": password })), r#""ann@acme.test""#);
        undelivered(&answer, words);
        assert!(!answer.to_string().contains("not-the-password"), "{answer}");
    }
    let by_secret = json!({ "password": "", "secret": "mail/password" });
    undelivered(&send(&shop(&server.settings(), by_secret.clone()), r#""ann@acme.test""#), "mail/password");

    let mut email = server.settings();
    email["password"] = json!("");
    email["secret"] = json!("mail/password");
    let config: HostConfig = serde_json::from_value(json!({ "notify": { "email": email } })).unwrap();
    let place = format!("smtp://localhost:{}", server.port());
    for (allowed, delivered) in [(place.as_str(), true), ("smtp://elsewhere.test:25", false)] {
        let secrets = Arc::new(Keeper(allowed.to_owned()));
        let shop = Shop::with_secrets(windlass_hosts::modules(&config).unwrap(), false, secrets);
        let answer = send(&shop, r#""ann@acme.test""#);
        assert_eq!(answer["delivered"], delivered, "{answer}");
        assert!(delivered || answer["reason"].as_str().unwrap().contains(&place), "{answer}");
    }
    assert_eq!(server.taken().len(), 1);
}

/// Has the password, for one place.
struct Keeper(String);

impl SecretSource for Keeper {
    fn get(&self, _: &str) -> Result<zeroize::Zeroizing<String>, Problem> {
        Ok(zeroize::Zeroizing::new(PASSWORD.to_owned()))
    }

    fn policy(&self, _: &str) -> Result<SecretPolicy, Problem> {
        Ok(SecretPolicy { destinations: vec![self.0.clone()] })
    }
}

#[test]
fn a_mail_needs_a_grant_for_every_domain_and_never_holds_a_secret() {
    let Some(server) = MailServer::start("none") else { return };
    let shop = shop(&server.settings(), json!({}));
    let both = mail(r#"["ann@acme.test", "Eve <eve@EVIL.test>"]"#);
    let problem = shop.result(&["notify.email:acme.test"], &both).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains("notify.email:evil.test"), "{}", problem.message);
    assert_eq!(shop.result(&[], &both).unwrap_err().code, Code::PermissionDenied);
    // An address that can't be read is at no domain; with it, nobody gets anything.
    let typo = shop.result(&["notify.email:acme.test"], &mail(r#"["ann@acme.test", "eve@evil.test\n"]"#)).unwrap();
    undelivered(&typo, "line break");
    for body in [
        r#"notify::email(#{ to: "a@acme.test", subject: "x", text: secret("k") })"#,
        r#"notify::email(#{ to: "a@acme.test", subject: "x", text: "x", html: secret("k") })"#,
    ] {
        let problem = shop.result(&["notify.email:*", "secret.use:*"], body).unwrap_err();
        assert_eq!(problem.code, Code::SecretMisuse, "{problem:?}");
    }
    assert_eq!(server.taken().len(), 0);
}

#[test]
fn without_a_mail_server_a_run_goes_on_and_a_rehearsal_sends_nothing() {
    let none = Shop::real(&HostConfig::default());
    undelivered(&send(&none, r#""ann@acme.test""#), "[hosts.notify.email]");
    let rehearsed = Shop::rehearsal(&HostConfig::default());
    assert_eq!(send(&rehearsed, r#""ann@acme.test""#)["delivered"], true);
    undelivered(&send(&rehearsed, r#""nobody""#), "isn't an address");
    let Some(server) = MailServer::start("none") else { return };
    let config: HostConfig = serde_json::from_value(json!({ "notify": { "email": server.settings() } })).unwrap();
    assert_eq!(send(&Shop::rehearsal(&config), r#""ann@acme.test""#)["delivered"], true);
    assert_eq!(server.taken().len(), 0);
}

#[test]
fn a_step_whose_process_ended_in_the_middle_is_answered_and_not_sent_again() {
    let Some(server) = MailServer::start("none") else { return };
    let shop = shop(&server.settings(), json!({}));
    let body = format!("let sent = {}; sent.reason", mail(r#""ann@acme.test""#));
    let (result, journal, job) = shop.run(ANYBODY, &body);
    assert_eq!(result.unwrap(), "");
    assert_eq!(server.taken().len(), 1);
    // The record of the step's end is lost, as in a crash right after the server's answer.
    journal.steps.lock().values_mut().for_each(|(_, outcome)| *outcome = None);
    let reason = shop.resume(&job, &journal).expect("the run goes on");
    assert!(reason.as_str().is_some_and(|reason| reason.contains("isn't sent twice")), "{reason}");
    assert_eq!(server.taken().len(), 1, "nobody got it twice");
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    let good = json!({ "host": "mail.acme.test", "from": "windlass@acme.test" });
    for (key, value, word) in [
        ("host", json!("mail.acme.test:25/x"), "host"),
        ("tls", json!("none"), "this machine"),
        ("from", json!("Windlass"), "from"),
        ("from", json!("a@acme.test\r\nBcc: b@acme.test"), "from"),
        ("reply_to", json!("x"), "reply_to"),
        ("user", json!("windlass"), "user"),
        ("secret", json!("mail"), "user"),
        ("password", json!("hunter2-in-the-open"), "password"),
        ("recipients", json!(0), "recipients"),
        ("timeout_ms", json!(10_001), "timeout_ms"),
        ("ca_file", json!("/none.pem"), "/none.pem"),
    ] {
        let mut email = good.clone();
        email[key] = value;
        let config: HostConfig = serde_json::from_value(json!({ "notify": { "email": email } })).unwrap();
        let problem = windlass_hosts::modules(&config).err().unwrap_or_else(|| panic!("{email} can't be meant"));
        assert_eq!(problem.code, Code::Configuration);
        assert!(problem.message.contains(word) && problem.message.contains("hosts.notify.email."), "{problem:?}");
        assert!(!problem.message.contains("hunter2"), "{problem:?}");
    }
    let config: HostConfig = serde_json::from_value(json!({ "notify": { "email": good } })).unwrap();
    assert!(windlass_hosts::modules(&config).is_ok());
}

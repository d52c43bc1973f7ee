//! `notify` to named targets from scripts: real HTTP servers on loopback look at what arrives, as each service documents it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_hosts::HostConfig;
use windlass_tests::{
    Receiver,
    receiver::{Says, Taken},
};

use super::Shop;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A shop with a target of this way.
fn shop(receiver: &Receiver, way: &str, path: &str) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
        format!("file:{}", folder.path().join(name).display())
    };
    let secret = match way {
        "webhook" => write("secret", KEY),
        "ntfy" => write("secret", "tk_7eevizlsiwf9yi4uxsrs83r4352o0"),
        _ => String::new(),
    };
    let url = write("url", &receiver.url(path));
    let target = json!({ "way": way, "url": url, "secret": secret, "private": true });
    let config: HostConfig = serde_json::from_value(json!({ "notify": { "targets": { "ops": target } } })).unwrap();
    (Shop::real(&config), folder)
}

const MESSAGE: &str = r#"target: "ops", title: "acme is down", text: "It broke <at> 12:00 & stays so.", severity: "critical", link: "https://x.test/runs/7?a=b&c""#;

fn sent(way: &str, path: &str, message: &str) -> Taken {
    let receiver = Receiver::start();
    let (shop, _folder) = shop(&receiver, way, path);
    let answer = shop.result(&[&format!("notify.{way}:ops")], &format!("notify::{way}(#{{ {message} }})")).unwrap();
    assert_eq!(answer, json!({ "delivered": true, "reason": "", "refused": [] }), "{way}");
    let mut taken = receiver.taken();
    assert_eq!(taken.len(), 1);
    let taken = taken.remove(0);
    assert_eq!((taken.method.as_str(), taken.header("content-type")), ("POST", "application/json"));
    assert!(taken.header("user-agent").starts_with("windlass/"));
    taken
}

#[test]
fn ntfy_gets_a_message_as_json_with_its_token() {
    let taken = sent("ntfy", "/push/alarms", MESSAGE);
    assert_eq!(taken.path, "/push/");
    assert_eq!(taken.header("authorization"), "Bearer tk_7eevizlsiwf9yi4uxsrs83r4352o0");
    let expected = json!({
        "topic": "alarms", "title": "acme is down", "message": "It broke <at> 12:00 & stays so.", "priority": 5,
        "tags": ["rotating_light"], "click": "https://x.test/runs/7?a=b&c",
    });
    assert_eq!(taken.json(), expected);
}

#[test]
fn discord_gets_an_embed_and_calls_nobody() {
    let taken = sent("discord", "/api/webhooks/12/hush", MESSAGE);
    assert_eq!(taken.path, "/api/webhooks/12/hush?wait=true");
    let expected = json!({
        "embeds": [{
            "title": "acme is down", "description": "It broke \\<at\\> 12:00 & stays so.", "color": 0x8b_00_00,
            "url": "https://x.test/runs/7?a=b&c",
        }],
        "allowed_mentions": { "parse": [] },
    });
    assert_eq!(taken.json(), expected);
}

#[test]
fn slack_gets_blocks_and_a_text_for_notifications() {
    let taken = sent("slack", "/services/T0/B0/hush", MESSAGE);
    assert_eq!(taken.path, "/services/T0/B0/hush");
    let body = taken.json();
    assert_eq!(body["text"], "acme is down");
    assert_eq!(
        body["blocks"][0],
        json!({ "type": "header", "text": { "type": "plain_text", "text": "acme is down", "emoji": false } })
    );
    assert_eq!(body["blocks"][1]["type"], "section");
    assert_eq!(body["blocks"][1]["text"]["text"], "It broke &lt;at&gt; 12:00 &amp; stays so.");
    assert_eq!(body["blocks"][2]["elements"][0]["text"], "<https://x.test/runs/7?a=b&amp;c>");
}

#[test]
fn mattermost_gets_an_attachment() {
    let body = sent("mattermost", "/hooks/hush", MESSAGE).json();
    let attachment = &body["attachments"][0];
    assert_eq!((attachment["title"].as_str(), attachment["color"].as_str()), (Some("acme is down"), Some("#8b0000")));
    assert_eq!(attachment["title_link"], "https://x.test/runs/7?a=b&c");
    assert_eq!(attachment["fallback"], "acme is down");
}

#[test]
fn a_webhook_gets_what_happened_signed() {
    let taken = sent("webhook", "/hooks/shop", r#"target: "ops", kind: "order.paid", data: #{ order: 7 }"#);
    let body = taken.json();
    assert_eq!((body["type"].as_str(), body["data"]["order"].as_i64()), (Some("order.paid"), Some(7)));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    let (id, at) = (taken.header("webhook-id"), taken.header("webhook-timestamp"));
    assert!(id.starts_with("wl_"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &taken.body].concat();
    assert_eq!(taken.header("webhook-signature"), super::super::api::signed(KEY, &signed));
}

fn answer(says: Vec<Says>) -> (Value, usize, Duration) {
    let receiver = Receiver::start();
    let (shop, _folder) = shop(&receiver, "slack", "/services/hush");
    receiver.says(says);
    let began = Instant::now();
    let answer = shop.result(&["notify.slack:ops"], r#"notify::slack(#{ target: "ops", title: "x" })"#).unwrap();
    assert!(!answer.to_string().contains("hush"), "the address is a secret: {answer}");
    (answer, receiver.taken().len(), began.elapsed())
}

#[test]
fn a_service_that_asks_for_patience_is_left_alone_that_long() {
    let (told, count, took) = answer(vec![Says::Answer(429, "Retry-After: 2\r\n", ""), Says::Answer(503, "", "")]);
    assert_eq!((told["delivered"].as_bool(), count), (Some(true), 3), "{told}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
    // Longer than there is time: it isn't waited for.
    let (told, count, took) = answer(vec![Says::Answer(429, "Retry-After: 60\r\n", "")]);
    assert_eq!((told["delivered"].as_bool(), count), (Some(false), 1), "{told}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn what_a_service_refuses_is_final_and_what_it_never_answers_takes_ten_seconds() {
    let (told, count, _) = answer(vec![Says::Answer(404, "", "no_service")]);
    assert!(told["reason"].as_str().unwrap().contains("no_service") && count == 1, "{told}");
    let (told, count, _) = answer(vec![Says::Answer(302, "Location: http://127.0.0.1:1/\r\n", "")]);
    assert_eq!((told["delivered"].as_bool(), count), (Some(false), 1), "nothing is followed");
    let (told, count, took) = answer(vec![Says::Nothing, Says::Nothing]);
    assert!(told["reason"].as_str().unwrap().contains("isn't known") && count == 1, "never twice: {told}");
    assert!((10..30).contains(&took.as_secs()), "{took:?}");
}

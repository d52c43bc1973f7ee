//! Whoever owns a Sovereign is told by mail when it is there; and it is there, whatever becomes of the mail.

use serde_json::json;
use windlass_tests::mail::MailServer;

use super::{World, sovereign::small};

#[test]
fn the_owner_gets_the_report_by_mail() {
    let Some(mail) = MailServer::start("starttls") else { return };
    let Some(world) = World::with(true, json!({ "notify": { "email": mail.settings() } })) else { return };
    let output = world.succeeds(&small());
    let taken = mail.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0]["to"], json!(["ann@acme.test"]));
    assert!(taken[0]["headers"].as_array().unwrap().contains(&json!(["Subject", "acme.pool.test is there"])));
    let text = taken[0]["parts"][0][1].as_str().unwrap();
    assert!(text.starts_with("# acme.pool.test\n") && text.contains("https://console.acme.pool.test"), "{text}");
    assert!(text.contains(output["address"].as_str().unwrap()), "{text}");
    assert!(
        text.lines().any(|line| line == "| acme-cp-1 | cx33 | fsn1 | first |") && text.lines().count() > 15,
        "{text}"
    );
}

#[test]
fn a_mail_that_cannot_be_sent_takes_nothing_back() {
    let Some(mail) = MailServer::start("none") else { return };
    let Some(world) = World::with(true, json!({ "notify": { "email": mail.settings() } })) else { return };
    let mut input = small();
    input["owner_email"] = json!("refused@acme.test");
    let run = world.launch("provision/sovereign", &input);
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let logs = world.server.get(&format!("/api/v1/runs/{run}/logs")).expect(200).text;
    assert!(logs.contains("the owner wasn't told") && logs.contains("no such user here"), "{logs}");
    assert_eq!(mail.taken().len(), 0);
    assert!(world.project.count() > 0);
}

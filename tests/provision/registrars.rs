//! What a registrar refuses inside a Sovereign: early in words, before anything is made; late with a card, and nothing is taken back.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::registrars::book;
use windlass_tests::wait_for;

use super::{flip::Registered, sovereign::small};

const SOON: Duration = Duration::from_secs(120);

impl Registered {
    /// One machine whose customer's domain is at this registrar.
    fn sovereign(&self) -> Value {
        let mut input = small();
        let account = self.account();
        (input["domain_mode"], input["domain"], input["look_every"]) =
            (json!("byo-api"), json!("Acme.Corp.Test."), json!("1s"));
        input["registrar"] = json!({ "plugin": account["plugin"], "credentials": account["secrets"] });
        input
    }

    fn keep(&self, field: &str, value: &str) {
        let to: Vec<String> = self.registrar.kind.hosts.iter().map(|host| format!("https://{host}")).collect();
        let secret = json!({ "value": value, "to": to });
        self.world.server.put(&format!("/api/v1/secrets/registrar/{field}"), &secret).expect(204);
    }

    /// The run ends, and nothing was made for it.
    fn refused(&mut self, input: &Value) -> String {
        let run = self.world.launch("provision/sovereign", input);
        let ended = self.ended(&run);
        assert_eq!(ended["state"], "rolled_back", "{ended:#}");
        let changes = self.world.control.seen();
        let changes: Vec<_> = changes.iter().filter(|seen| seen.method == "POST").collect();
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(self.world.pdns.api("GET", "/zones/acme.corp.test.?rrsets=false", Value::Null).0, 404);
        assert_eq!(self.states.len(), 1);
        ended["problem"]["message"].as_str().unwrap().to_owned()
    }

    fn card(&mut self, run: &str, not: &str) -> Value {
        self.until("a card", |all| {
            let shown = all.shown(run);
            assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
            shown["approvals"].get(0).filter(|card| card["path"] != not).cloned()
        })
    }

    fn approve(&self, run: &str, card: &Value) {
        let path = format!("/api/v1/runs/{run}/approvals/{}/decision", card["path"].as_str().unwrap());
        let body = json!({ "approved": true, "digest": card["request"]["digest"] });
        self.world.server.post(&path, &body).expect(200);
    }
}

#[test]
fn a_registrar_without_ds_finishes_a_sovereign_with_its_owners_help() {
    let Some(mut all) = Registered::at("dynadot", true) else { return };
    let run = all.world.launch("provision/sovereign", &all.sovereign());
    all.asked(&run, "dynadot has no API for this: Remove all DS records");
    assert!(all.annotated(&run, "by hand").last().unwrap().contains("its DS records"), "it was told before");
    let dark = all.annotated(&run, "goes dark").concat();
    assert!(dark.contains("acme.corp.test MX") && dark.contains("www.acme.corp.test A"), "{dark}");
    all.panel(|domain| domain.ds.clear());
    all.asked(&run, "Put this DS record");
    let words: Vec<String> = super::flip::ds(&all.world.pdns).split(' ').map(str::to_owned).collect();
    all.panel(|domain| {
        domain.ds = vec![book::Ds {
            key_tag: words[0].parse().unwrap(),
            algorithm: words[1].parse().unwrap(),
            digest_type: words[2].parse().unwrap(),
            digest: words[3].clone(),
        }];
    });
    let ended = all.ended(&run);
    assert_eq!((&ended["state"], &ended["output"]["secure"]), (&json!("succeeded"), &json!(true)), "{ended:#}");
    let chain = all.world.pdns.delv("acme.corp.test.", "console.acme.corp.test", "A");
    assert!(chain.contains("; fully validated"), "{chain}");
}

#[test]
fn an_owner_who_never_signs_has_a_sovereign_that_says_so() {
    let Some(mut all) = Registered::at("dynadot", true) else { return };
    all.panel(|domain| domain.ds.clear());
    all.publish();
    let mut input = all.sovereign();
    input["patience"] = json!("5s");
    let run = all.world.launch("provision/sovereign", &input);
    let ended = all.ended(&run);
    assert_eq!((&ended["state"], &ended["output"]["secure"]), (&json!("succeeded"), &json!(false)), "{ended:#}");
    assert!(all.annotated(&run, "todo").last().unwrap().contains("Put this DS record"));
}

#[test]
fn what_a_registrar_refuses_is_said_in_its_words_before_anything_is_made() {
    let Some(mut all) = Registered::at("porkbun", true) else { return };
    let input = all.sovereign();
    for (key, words) in [
        ("sim-wrong-key", "doesn't know these credentials"),
        (book::ELSEWHERE, "not from this address"),
        (book::INELIGIBLE, "doesn't open its interface to this account"),
    ] {
        all.keep("key", key);
        let why = all.refused(&input);
        assert!(why.contains("porkbun") && why.contains(words), "{key}: {why}");
    }
    all.keep("key", book::GOOD);
    let mut unknown = input.clone();
    unknown["registrar"]["plugin"] = json!("godaddy");
    let why = all.refused(&unknown);
    assert!(why.contains("godaddy"), "{why}");
    let mut other = input;
    other["domain"] = json!("theirs.corp.test");
    let why = all.refused(&other);
    assert!(why.contains("doesn't have this domain in this account"), "{why}");
}

#[test]
fn a_hetzner_token_that_may_only_read_is_said_before_anything_is_made() {
    let Some(mut all) = Registered::at("porkbun", true) else { return };
    let token = windlass_sim::hetzner::READ_ONLY_TOKEN;
    let to = format!("{}*", all.world.provider_url());
    all.world.server.put("/api/v1/secrets/hetzner/main", &json!({ "value": token, "to": [to] })).expect(204);
    let input = all.sovereign();
    let why = all.refused(&input);
    assert!(why.contains("the token of the Hetzner project main can't be used"), "{why}");
}

#[test]
fn a_key_that_expires_late_parks_a_sovereign_that_is_there() {
    let Some(mut all) = Registered::at("porkbun", true) else { return };
    let run = all.world.launch("provision/sovereign", &all.sovereign());
    wait_for("a server", SOON, || (!all.world.project.objects("servers").is_empty()).then_some(()));
    all.keep("key", "sim-wrong-key");
    let card = all.card(&run, "");
    let told = card.to_string();
    for words in
        ["porkbun refuses what is asked for acme.corp.test", "doesn't know these credentials", "Approve, or wait"]
    {
        assert!(told.contains(words), "{words}: {card:#}");
    }
    assert_eq!(all.world.project.objects("servers").len(), 1, "nothing is taken back");
    // Said before it is so, it is asked again.
    all.approve(&run, &card);
    let card = all.card(&run, card["path"].as_str().unwrap());
    all.keep("key", book::GOOD);
    all.approve(&run, &card);
    let ended = all.ended(&run);
    assert_eq!((&ended["state"], &ended["output"]["secure"]), (&json!("succeeded"), &json!(true)), "{ended:#}");
}

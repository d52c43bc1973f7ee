//! `provision/flip-nameservers` by a registrar's API: an old name server, ours, a registry that does what the registrar is told, and
//! an owner who does in the registrar's panel what the run asks for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_sim::registrars::{self, book};
use windlass_tests::{PowerDns, wait_for};

use super::World;

const PARENT: &str = "corp.test.";
const ZONE: &str = "acme.corp.test.";
const OLD: [&str; 2] = ["ns1.old.test", "ns2.old.test"];
const OURS: [&str; 2] = ["ns1.pool.test", "ns2.pool.test"];
const SOON: Duration = Duration::from_secs(180);

/// A domain that is signed and served by the old name server, and registered at a simulated registrar.
pub(super) struct Registered {
    pub(super) world: World,
    pub(super) registry: PowerDns,
    pub(super) old: PowerDns,
    pub(super) registrar: registrars::Running,
    /// What the parent has shown, one after the other: the name servers, and how many DS records.
    pub(super) states: Vec<(Vec<String>, usize)>,
    /// Seconds for which the parent's answers may be remembered.
    ttl: u32,
}

/// The DS of the zone's key on this server.
pub(super) fn ds(server: &PowerDns) -> String {
    let (_, keys) = server.api("GET", &format!("/zones/{ZONE}/cryptokeys"), Value::Null);
    let all = keys[0]["ds"].as_array().cloned().unwrap_or_default();
    let found = all.iter().filter_map(Value::as_str).find(|ds| ds.split(' ').nth(2) == Some("2"));
    found.unwrap_or_else(|| panic!("{keys}")).to_owned()
}

fn record(text: &str) -> book::Ds {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |index: usize| words[index].parse::<u16>().unwrap();
    book::Ds {
        key_tag: number(0),
        algorithm: number(1).try_into().unwrap(),
        digest_type: number(2).try_into().unwrap(),
        digest: words[3].into(),
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Registered {
    /// At the registrar of this plugin.
    pub(super) fn at(plugin: &str, live: bool) -> Option<Self> {
        let registrar = registrars::start(plugin, ([127, 0, 0, 1], 0).into()).unwrap().unwrap();
        let (registry, old) = (PowerDns::start()?, PowerDns::start()?);
        registry.make_zone(PARENT, &["ns0.corp.test."]);
        registry.put(PARENT, "ns0.corp.test.", "A", 300, &["127.0.0.1"]);
        old.make_zone(ZONE, &["ns1.old.test.", "ns2.old.test."]);
        old.put(ZONE, "www.acme.corp.test.", "A", 300, &["192.0.2.1"]);
        old.put(ZONE, ZONE, "MX", 300, &["10 mx.example.org."]);
        let endpoints: serde_json::Map<String, Value> =
            registrar.kind.hosts.iter().map(|host| ((*host).to_owned(), json!(registrar.server.url()))).collect();
        let more = json!({
            "registrar": { "endpoints": endpoints },
            "addresses": { "ns1.old.test": old.address(), "ns2.old.test": old.address() },
        });
        let world = World::below(Some(&registry), live, more)?;
        world.approve_plugin(plugin);
        for (field, value) in registrar.kind.credentials {
            let to: Vec<String> = registrar.kind.hosts.iter().map(|host| format!("https://{host}")).collect();
            let secret = json!({ "value": value, "to": to });
            world.server.put(&format!("/api/v1/secrets/registrar/{field}"), &secret).expect(204);
        }
        let domain = book::Domain { nameservers: owned(&OLD), ds: vec![record(&ds(&old))], ..book::Domain::default() };
        registrar.book.put("acme.corp.test", Some(domain));
        let mut registered = Self { world, registry, old, registrar, states: Vec::new(), ttl: 1 };
        registered.publish();
        Some(registered)
    }

    pub(super) fn told(&self) -> book::Domain {
        self.registrar.book.get("acme.corp.test").unwrap_or_default()
    }

    /// Does at the registry what the registrar was told.
    pub(super) fn publish(&mut self) {
        let told = self.told();
        let state = (told.nameservers.clone(), told.ds.len());
        if self.states.last() == Some(&state) {
            return;
        }
        let gone = |kind: &str| json!({ "name": ZONE, "type": kind, "changetype": "DELETE" });
        let body = json!({ "rrsets": [gone("NS"), gone("DS")] });
        assert_eq!(self.registry.api("PATCH", &format!("/zones/{PARENT}"), body).0, 204);
        let dotted: Vec<String> = told.nameservers.iter().map(|name| format!("{name}.")).collect();
        for (kind, contents) in [
            ("NS", dotted),
            (
                "DS",
                told.ds
                    .iter()
                    .map(|ds| format!("{} {} {} {}", ds.key_tag, ds.algorithm, ds.digest_type, ds.digest))
                    .collect(),
            ),
        ] {
            if !contents.is_empty() {
                self.registry.put(
                    PARENT,
                    ZONE,
                    kind,
                    self.ttl,
                    &contents.iter().map(String::as_str).collect::<Vec<_>>(),
                );
            }
        }
        self.states.push(state);
    }

    /// What the owner does in the registrar's panel.
    pub(super) fn panel(&self, change: impl FnOnce(&mut book::Domain)) {
        self.registrar.book.change("acme.corp.test", change).unwrap();
    }

    pub(super) fn account(&self) -> Value {
        let secrets: serde_json::Map<String, Value> = self
            .registrar
            .kind
            .credentials
            .iter()
            .map(|(field, _)| ((*field).to_owned(), json!(format!("registrar/{field}"))))
            .collect();
        json!({ "plugin": self.registrar.kind.name, "secrets": secrets })
    }

    /// As people write it: with capitals and dots.
    fn input(&self) -> Value {
        json!({
            "domain": "Acme.Corp.TEST.", "mode": "byo-api", "nameservers": ["NS2.Pool.test.", "ns1.POOL.test"],
            "account": self.account(), "look_every": "1s", "patience": "5m",
        })
    }

    fn launch(&self, input: &Value) -> String {
        self.world.launch("provision/flip-nameservers", input)
    }

    pub(super) fn shown(&self, run: &str) -> Value {
        self.world.server.get(&format!("/api/v1/runs/{run}")).expect(200).json()
    }

    /// Everything that the run has annotated with this key, the last one last.
    pub(super) fn annotated(&self, run: &str, key: &str) -> Vec<String> {
        let history = self.world.server.get(&format!("/api/v1/runs/{run}/history?limit=1000")).expect(200).json();
        let events = history.as_array().or(history["items"].as_array()).unwrap_or_else(|| panic!("{history:#}"));
        let of_key = events.iter().filter(|event| event["kind"] == "output.annotation" && event["data"]["key"] == key);
        of_key
            .map(|event| event["data"]["value"].as_str().map_or(event["data"]["value"].to_string(), str::to_owned))
            .collect()
    }

    /// The registry goes on until this is so.
    pub(super) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            self.publish();
            if let Some(found) = look(self) {
                return found;
            }
            assert!(since.elapsed() < SOON, "{what} doesn't come; the parent showed {:?}", self.states);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Until the run asks its owner for this.
    pub(super) fn asked(&mut self, run: &str, what: &str) {
        self.until(what, |all| {
            let shown = all.shown(run);
            assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
            all.annotated(run, "todo").last().filter(|todo| todo.contains(what)).map(drop)
        });
    }

    pub(super) fn ended(&mut self, run: &str) -> Value {
        self.until("the end", |all| Some(all.shown(run)).filter(|shown| shown["ended_at_ms"].is_i64()))
    }

    fn is_served(&self) -> bool {
        self.world.pdns.api("GET", &format!("/zones/{ZONE}?rrsets=false"), Value::Null).0 == 200
    }
}

#[test]
fn a_registrar_without_ds_moves_the_domain_and_its_owner_does_the_rest() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    let run = all.launch(&all.input());
    all.asked(&run, "dynadot has no API for this: Remove all DS records");
    all.panel(|domain| domain.ds.clear());
    all.asked(&run, "Put this DS record");
    let ours = record(&ds(&all.world.pdns));
    all.panel(|domain| domain.ds = vec![ours]);
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(ended["output"]["nameservers"], json!(OURS));
    let states = [(owned(&OLD), 1), (owned(&OLD), 0), (owned(&OURS), 0), (owned(&OURS), 1)];
    assert_eq!(all.states, states, "never a DS that doesn't fit the servers beside it");
    // What was there is there, and signed with our keys.
    let pdns = &all.world.pdns;
    assert_eq!(pdns.dig(&["acme.corp.test", "MX"]), ["10 mx.example.org."]);
    let chain = pdns.delv(ZONE, "www.acme.corp.test", "A");
    assert!(chain.contains("; fully validated") && chain.contains("192.0.2.1"), "{chain}");
    let answer = pdns.dig(&["+dnssec", "+noshort", "+comments", "www.acme.corp.test", "A"]).join("\n");
    // Whoever answers with authority signs and doesn't validate: `ad` is a resolver's word, which here is delv's.
    assert!(answer.contains("flags: qr aa") && answer.contains("RRSIG\tA 13 4"), "{answer}");
    assert!(answer.contains("flags: do") && !answer.contains(" ad"), "{answer}");
    assert!(answer.contains(&format!("{} acme.corp.test.", record(&ds(pdns)).key_tag)), "{answer}");
}

#[test]
fn a_registrar_that_can_only_be_looked_at_has_its_owner_do_everything() {
    let Some(mut all) = Registered::at("cloudflare", false) else { return };
    let run = all.launch(&all.input());
    all.asked(&run, "cloudflare has no API for this: Remove all DS records");
    assert_eq!(all.annotated(&run, "by hand"), [r#"["its name servers","its DS records"]"#]);
    all.panel(|domain| domain.ds.clear());
    all.asked(&run, "cloudflare has no API for this: Set the name servers of acme.corp.test");
    all.panel(|domain| domain.nameservers = owned(&OURS));
    all.asked(&run, "cloudflare has no API for this: Put this DS record");
    let ours = record(&ds(&all.world.pdns));
    all.panel(|domain| domain.ds = vec![ours]);
    assert_eq!(all.ended(&run)["state"], "succeeded");
    // What an undo would have had to know is forgotten.
    let noted = all.world.pdns.api("GET", &format!("/zones/{ZONE}/metadata"), Value::Null).1;
    assert!(!noted.to_string().contains("X-MOVED"), "{noted}");
}

#[test]
fn a_registrar_with_ds_does_all_of_it_and_a_move_to_where_it_is_changes_nothing() {
    let Some(mut all) = Registered::at("porkbun", false) else { return };
    let run = all.launch(&all.input());
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let states = [(owned(&OLD), 1), (owned(&OLD), 0), (owned(&OURS), 0), (owned(&OURS), 1)];
    assert_eq!(all.states, states);
    let keys = ds(&all.world.pdns);
    let again = all.launch(&all.input());
    let ended = all.ended(&again);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(all.states.len(), 4);
    assert_eq!(ds(&all.world.pdns), keys);
}

#[test]
fn what_is_given_up_after_the_name_servers_changed_returns_step_by_step() {
    let Some(mut all) = Registered::at("porkbun", false) else { return };
    let failure =
        windlass_sim::Failure { status: 400, code: "x".into(), message: Some("DNSSEC is switched off.".into()) };
    let operation = "createDnssecRecord".into();
    all.registrar.control.faults.add([windlass_sim::Fault::Fail { operation, times: 1, failure }]);
    let run = all.launch(&all.input());
    let card = all.until("a card", |all| all.shown(&run)["approvals"].get(0).cloned());
    assert!(card.to_string().contains("DNSSEC is switched off"), "{card:#}");
    assert_eq!(all.states.last().unwrap(), &(owned(&OURS), 0));
    let path = format!("/api/v1/runs/{run}/approvals/{}/decision", card["path"].as_str().unwrap());
    let body = json!({ "approved": false, "digest": card["request"]["digest"] });
    all.world.server.post(&path, &body).expect(200);
    // The registrar knows soon; as long as the registry doesn't, people are still sent to us.
    wait_for("the old servers at the registrar", SOON, || (all.told().nameservers == owned(&OLD)).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert!(all.is_served(), "the parent still names us");
    assert_eq!(all.told().ds, [], "no DS of other keys beside servers of ours");
    all.until("the old servers in the parent", |all| {
        assert!(all.is_served() || all.told().ds.len() == 1);
        (all.told().ds.len() == 1).then_some(())
    });
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    assert!(!all.is_served());
    let states = [(owned(&OLD), 1), (owned(&OLD), 0), (owned(&OURS), 0), (owned(&OLD), 0), (owned(&OLD), 1)];
    assert_eq!(all.states, states);
}

#[test]
fn an_owner_who_stops_half_way_keeps_the_zone_until_they_have_left() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    let mut input = all.input();
    (input["mode"], input["patience"]) = (json!("byo-manual"), json!("12s"));
    input.as_object_mut().unwrap().remove("account");
    all.panel(|domain| domain.ds.clear());
    all.publish();
    let run = all.launch(&input);
    all.asked(&run, "Set the name servers");
    all.panel(|domain| domain.nameservers = owned(&OURS));
    all.asked(&run, "Put this DS record");
    // Nobody does that.
    all.asked(&run, "back to [\"ns1.old.test\", \"ns2.old.test\"]");
    std::thread::sleep(Duration::from_secs(2));
    assert!(all.is_served(), "the parent still names us");
    assert_eq!(all.shown(&run)["state"], "rolling_back");
    all.panel(|domain| domain.nameservers = owned(&OLD));
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    assert!(!all.is_served());
}

#[test]
fn what_others_remember_for_long_stops_the_undo_until_somebody_lets_it_go_on() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    all.panel(|domain| domain.ds.clear());
    all.ttl = 7_200;
    all.publish();
    let run = all.launch(&all.input());
    all.asked(&run, "Put this DS record");
    all.world.server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    let stuck = |all: &mut Registered| {
        all.until("the undo to stop", |all| {
            let shown = all.shown(&run);
            assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
            (shown["state"] == "rollback_stuck").then_some(())
        });
        let undo = all.world.server.get(&format!("/api/v1/runs/{run}/undo")).expect(200).text;
        assert!(undo.contains("others may remember for another"), "{undo}");
        assert!(undo.contains("unstick RUN --retry"), "{undo}");
        assert!(all.is_served());
    };
    stuck(&mut all);
    assert_eq!(all.states.last().unwrap().0, owned(&OLD), "the registrar was told, and the registry has done it");
    let path = format!("/api/v1/runs/{run}/unstick");
    all.world.server.post(&path, &json!({ "action": "retry" })).expect(200);
    std::thread::sleep(Duration::from_secs(1));
    stuck(&mut all);
    all.world.server.post(&path, &json!({ "action": "skip" })).expect(200);
    assert_eq!(all.ended(&run)["state"], "cancelled");
    assert!(!all.is_served());
}

#[test]
fn a_parent_that_cannot_be_looked_at_is_waited_for() {
    let Some(mut all) = Registered::at("porkbun", false) else { return };
    all.registry.stop();
    let run = all.launch(&all.input());
    let told = wait_for("the reason", SOON, || {
        let told = all.annotated(&run, "problems");
        assert!(!all.shown(&run)["ended_at_ms"].is_i64());
        told.last().cloned()
    });
    assert!(told.contains("can't be looked at"), "{told}");
    assert_eq!(all.told().nameservers, owned(&OLD));
    all.registry.resume();
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let states = [(owned(&OLD), 1), (owned(&OLD), 0), (owned(&OURS), 0), (owned(&OURS), 1)];
    assert_eq!(all.states, states, "the old DS wasn't passed over");
    // Said when it changes, and not at every look.
    assert!(all.annotated(&run, "problems").len() < 15, "{:?}", all.annotated(&run, "problems"));
}

#[test]
fn every_server_of_the_parent_has_to_say_that_the_ds_is_gone() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    // A second server of the registry, which is behind.
    let late = PowerDns::start().unwrap();
    late.make_zone(PARENT, &["ns0.corp.test."]);
    let state = all.registry.records(PARENT, ZONE, "DS");
    late.put(PARENT, ZONE, "NS", 1, &["ns1.old.test.", "ns2.old.test."]);
    late.put(PARENT, ZONE, "DS", 1, &state.iter().map(String::as_str).collect::<Vec<_>>());
    all.registry.put(PARENT, PARENT, "NS", 300, &["ns0.corp.test.", "ns9.corp.test."]);
    let more = json!({
        "addresses": {
            "ns1.old.test": all.old.address(), "ns2.old.test": all.old.address(), "ns9.corp.test": late.address(),
        },
    });
    all.world = World::below(Some(&all.registry), false, more).unwrap();
    let mut input = all.input();
    input["mode"] = json!("byo-manual");
    input.as_object_mut().unwrap().remove("account");
    let run = all.launch(&input);
    all.asked(&run, "Remove all DS records");
    all.panel(|domain| domain.ds.clear());
    all.publish();
    std::thread::sleep(Duration::from_secs(4));
    assert!(all.annotated(&run, "todo").last().unwrap().contains("Remove all DS"), "one server still has it");
    let gone = json!({ "rrsets": [{ "name": ZONE, "type": "DS", "changetype": "DELETE" }] });
    assert_eq!(late.api("PATCH", &format!("/zones/{PARENT}"), gone).0, 204);
    all.asked(&run, "Set the name servers");
    all.world.server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    assert_eq!(all.ended(&run)["state"], "cancelled");
    assert!(!all.is_served());
}

#[test]
fn a_domain_that_its_customer_takes_away_is_said_or_waited_for() {
    let Some(mut all) = Registered::at("porkbun", false) else { return };
    let kept = all.told();
    all.registrar.book.put("acme.corp.test", None);
    let run = all.launch(&all.input());
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("doesn't have this domain in this account"), "{why}");
    assert!(!all.is_served(), "nothing was made");
    // In the middle: when the old DS has gone.
    all.registrar.book.put("acme.corp.test", Some(kept));
    all.publish();
    let run = all.launch(&all.input());
    all.until("the DS to go", |all| {
        let shown = all.shown(&run);
        assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
        all.told().ds.is_empty().then_some(())
    });
    let moving = all.told();
    // The parent doesn't name it any more either: else the run would wait for that, and ask the registrar for nothing.
    all.publish();
    all.registrar.book.put("acme.corp.test", None);
    let card = wait_for("a card", SOON, || {
        let shown = all.shown(&run);
        assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
        shown["approvals"].get(0).cloned()
    });
    assert!(card.to_string().contains("doesn't have this domain in this account"), "{card:#}");
    all.registrar.book.put("acme.corp.test", Some(moving));
    let path = format!("/api/v1/runs/{run}/approvals/{}/decision", card["path"].as_str().unwrap());
    let body = json!({ "approved": true, "digest": card["request"]["digest"] });
    all.world.server.post(&path, &body).expect(200);
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
}

#[test]
fn names_that_would_go_dark_are_said_before_anything_moves() {
    let Some(mut all) = Registered::at("porkbun", false) else { return };
    let mut input = all.input();
    input["contents"] = json!("prepared");
    let run = all.launch(&input);
    let ended = all.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("acme.corp.test MX") && why.contains("www.acme.corp.test A"), "{why}");
    assert_eq!(all.states.len(), 1);
    // A server that doesn't hand its zone out: a zone file does, if it is complete.
    input["contents"] = json!("zone_file");
    input["zone_file"] = json!("$TTL 300\n@ IN MX 10 mx.example.org.\n");
    let run = all.launch(&input);
    let why = all.ended(&run)["problem"]["message"].to_string();
    assert!(!why.contains("acme.corp.test MX") && why.contains("www.acme.corp.test A"), "{why}");
    input["zone_file"] = json!("$TTL 300\n@ IN MX 10 mx.example.org.\nwww IN A 192.0.2.1\n");
    let run = all.launch(&input);
    assert_eq!(all.ended(&run)["state"], "succeeded");
    assert_eq!(all.world.pdns.dig(&["www.acme.corp.test", "A"]), ["192.0.2.1"]);
}

#[test]
fn killed_at_each_stage_and_in_the_undo_it_goes_on_where_it_was() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    let run = all.launch(&all.input());
    all.asked(&run, "Remove all DS records");
    all.world.server.kill_and_restart();
    all.panel(|domain| domain.ds.clear());
    all.until("the name servers to change", |all| (all.told().nameservers == owned(&OURS)).then_some(()));
    all.world.server.kill_and_restart();
    all.asked(&run, "Put this DS record");
    all.world.server.kill_and_restart();
    all.world.server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    wait_for("the old servers at the registrar", SOON, || (all.told().nameservers == owned(&OLD)).then_some(()));
    all.world.server.kill_and_restart();
    std::thread::sleep(Duration::from_secs(1));
    assert!(all.is_served(), "the parent still names us");
    assert_eq!(all.ended(&run)["state"], "cancelled");
    assert!(!all.is_served());
    assert_eq!(all.states.last().unwrap(), &(owned(&OLD), 0));
}

#[test]
fn a_sovereign_and_a_move_keep_one_another_away() {
    let Some(mut all) = Registered::at("dynadot", false) else { return };
    let run = all.launch(&all.input());
    all.asked(&run, "Remove all DS records");
    let mut other = super::sovereign::small();
    (other["domain_mode"], other["domain"]) = (json!("byo-manual"), json!("ACME.corp.test"));
    let sovereign = all.world.launch("provision/sovereign", &other);
    let ended = all.ended(&sovereign);
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("acme.corp.test is being set up by another run"), "{why}");
    let mut second = all.input();
    second["domain"] = json!("acme.corp.test");
    let second = all.launch(&second);
    let ended = all.ended(&second);
    assert!(ended["problem"]["message"].to_string().contains("is being set up by another run"), "{ended:#}");
    all.world.server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    assert_eq!(all.ended(&run)["state"], "cancelled");
}

//! Organisations that share a provider's project, a name server and a pool: none comes by what another one has.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::wait_for;

use super::{World, sovereign::input};

impl World {
    fn organisation(&self, name: &str) {
        self.server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }

    /// What became of a run of this organisation.
    fn outcome_in(&self, organisation: &str, workflow: &str, input: &Value) -> Value {
        let body = json!({ "workflow": workflow, "input": input, "organisation": organisation });
        let launched = self.server.post("/api/v1/runs", &body).expect(201).json();
        self.ended(launched["id"].as_str().unwrap())
    }
}

#[test]
fn nobody_destroys_what_another_organisation_has() {
    let Some(world) = World::new() else { return };
    for name in ["acme", "rival"] {
        world.organisation(name);
    }
    let made = world.outcome_in("acme", "provision/sovereign", &input());
    assert_eq!(made["state"], "succeeded", "{made:#}\n{:?}", world.machines.troubles());
    let there = world.project.count();
    assert!(world.project.objects("servers").iter().all(|server| server["labels"]["windlass-org"] == "acme"));
    // Its people see the name.
    let names = world.server.get("/api/v1/pool/names").expect(200).json();
    assert_eq!(names["items"][0]["organisation"], "acme", "{names}");

    let destroy = json!({ "name": "acme", "project": "main", "domain": "acme.pool.test", "approved": true });
    let refused = world.outcome_in("rival", "provision/destroy", &destroy);
    assert_eq!(
        (&refused["state"], &refused["problem"]["code"]),
        (&json!("failed"), &json!("permission_denied")),
        "{refused:#}"
    );
    let without =
        json!({ "name": "acme", "project": "main", "domain": "acme.pool.test", "approved": true, "keep_domain": true });
    let nothing = world.outcome_in("rival", "provision/destroy", &without);
    assert_eq!(nothing["output"]["gone"], json!([]), "{nothing:#}");
    assert_eq!(world.project.count(), there, "nothing has gone");
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "NS").len(), 2);
    assert!(world.server.get("/api/v1/secrets").expect(200).text.contains("made/acme/"));

    // A name that belongs to the pool, or to a zone of somebody else, isn't taken with a zone of one's own.
    for domain in ["console.acme.pool.test", "www.pool.test"] {
        let mut shadow = input();
        shadow["name"] = "rival".into();
        shadow["domain_mode"] = "byo-manual".into();
        shadow["domain"] = domain.into();
        let refused = world.outcome_in("rival", "provision/sovereign", &shadow);
        let code = refused["problem"]["code"].as_str().unwrap_or_default();
        assert!(["permission_denied", "name_refused"].contains(&code), "{domain}: {refused:#}");
        assert_eq!(world.pdns.api("GET", &format!("/zones/{domain}.?rrsets=false"), Value::Null).0, 404);
    }

    let gone = world.outcome_in("acme", "provision/destroy", &destroy);
    assert_eq!(gone["state"], "succeeded", "{gone:#}");
    assert_eq!(world.project.count(), 0);
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "NS").len(), 0);
}

/// A workflow that uses a secret by name.
const SPY: &str = r#"const WORKFLOW = #{
    name: "provision/spy", title: "Spy",
    inputs: #{ type: "object", properties: #{ secret: #{ type: "string" } } },
    permissions: ["hetzner.*:*", "secret.use:registrar/*", "secret.use:made/*"],
};
fn run(input) { hetzner::check_token(#{ name: "own", token: secret(input.secret) }).valid }
"#;

#[test]
fn a_secret_of_another_organisation_stays_closed() {
    let Some(world) = World::with_machines(false) else { return };
    let value = json!({ "value": windlass_sim::hetzner::TOKEN, "to": ["*"] });
    for name in ["acme", "rival"] {
        world.organisation(name);
    }
    for name in ["registrar/acme/key", "registrar/key", "made/acme/key"] {
        world.server.put(&format!("/api/v1/secrets/{name}"), &value).expect(204);
    }
    world.server.write_workflow("provision/spy", SPY);
    wait_for("the workflow to be known", Duration::from_secs(60), || {
        let found = world.server.get("/api/v1/workflows/provision/spy");
        (found.status == 200).then_some(())
    });
    for (organisation, secret, opens) in [
        ("acme", "registrar/acme/key", true),
        ("acme", "made/acme/key", true),
        ("platform", "registrar/key", true),
        ("rival", "registrar/acme/key", false),
        ("rival", "made/acme/key", false),
        ("rival", "registrar/key", false),
        ("platform", "made/acme/key", false),
    ] {
        let ended = world.outcome_in(organisation, "provision/spy", &json!({ "secret": secret }));
        match opens {
            true => assert_eq!(ended["output"], true, "{organisation} {secret}: {ended:#}"),
            false => assert_eq!(ended["problem"]["code"], "secret_misuse", "{organisation} {secret}: {ended:#}"),
        }
    }
}

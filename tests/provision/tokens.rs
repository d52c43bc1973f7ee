//! The provider doesn't take the project's token any more, half-way: nothing is lost, people are told what to do, and the run
//! goes on when they have done it. So does an undo.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::wait_for;

use super::{
    World,
    sovereign::{fails, input, small},
};

const ANOTHER: &str = "another-token-of-the-project-that-was-made-later-and-is-no-secret";

impl World {
    fn shown(&self, run: &str) -> Value {
        self.server.get(&format!("/api/v1/runs/{run}")).expect(200).json()
    }

    /// Revokes the token as soon as the project holds one of these.
    fn revoke_once_there_is(&self, kind: &'static str) {
        wait_for(kind, Duration::from_secs(60), || (!self.project.objects(kind).is_empty()).then_some(()));
        self.project.set_tokens(vec![ANOTHER.into()]);
    }

    /// The only thing that the run asks.
    fn card(&self, run: &str) -> Value {
        wait_for("the run to ask for a token", Duration::from_secs(60), || {
            let shown = self.shown(run);
            assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
            shown["approvals"].get(0).cloned()
        })
    }

    fn keep_another(&self) {
        let to = format!("{}*", self.provider_url());
        self.server.put("/api/v1/secrets/hetzner/main", &json!({ "value": ANOTHER, "to": [to] })).expect(204);
    }

    fn decide(&self, run: &str, card: &Value, approved: bool) {
        let step = card["path"].as_str().unwrap_or_else(|| panic!("{card:#}")).to_owned();
        let body = json!({ "approved": approved, "digest": card["request"]["digest"] });
        self.server.post(&format!("/api/v1/runs/{run}/approvals/{step}/decision"), &body).expect(200);
    }
}

#[test]
fn a_run_whose_token_expires_asks_for_another_once_and_goes_on() {
    let Some(world) = World::new() else { return };
    let run = world.launch("provision/sovereign", &input());
    world.revoke_once_there_is("networks");
    let card = world.card(&run);
    let told = card.to_string();
    for words in ["A new token for the Hetzner project main", "windlass secrets set hetzner/main --to 'http", "revoked"]
    {
        assert!(told.contains(words), "{words}: {card:#}");
    }
    // Several branches were refused; people are asked once, and nothing is taken back meanwhile.
    std::thread::sleep(Duration::from_secs(2));
    let shown = world.shown(&run);
    assert_eq!(shown["approvals"].as_array().unwrap().len(), 1, "{shown:#}");
    assert_eq!((shown["state"].as_str(), world.project.objects("networks").len()), (Some("waiting"), 1));
    // Said before it is so, it is asked again.
    world.decide(&run, &card, true);
    let again = wait_for("the second question", Duration::from_secs(60), || {
        let now = world.card(&run);
        (now["path"] != card["path"]).then_some(now)
    });
    world.keep_another();
    world.decide(&run, &again, true);
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}\n{:?}", world.machines.troubles());
    assert_eq!(world.project.objects("servers").len(), 6);
    for kind in ["networks", "firewalls", "ssh_keys", "placement_groups", "load_balancers"] {
        assert_eq!(world.project.objects(kind).len(), 1, "{kind}");
    }
    let asked = world.server.get(&format!("/api/v1/runs/{run}/approvals")).expect(200).text;
    assert!(!asked.contains(ANOTHER), "{asked}");
}

#[test]
fn what_was_begun_when_the_token_expired_is_taken_up_and_nobody_has_to_say_so() {
    let Some(world) = World::new() else { return };
    let run = world.launch("provision/sovereign", &small());
    // While the provider works on the server, its end can't be asked for any more.
    world.revoke_once_there_is("servers");
    world.card(&run);
    world.keep_another();
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}\n{:?}", world.machines.troubles());
    assert_eq!(world.project.objects("servers").len(), 1);
    assert_eq!(ended["approvals"], json!([]), "{ended:#}");
    // The undo of both attempts removes it once.
    let run = world.launch("provision/sovereign", &{
        let mut other = small();
        (other["name"], other["label"]) = (json!("other"), json!("other"));
        other["ssh_public_key"] = json!(other["ssh_public_key"].as_str().unwrap().replace("rZ6p5E", "rZ6p7E"));
        other
    });
    world.control.faults.add([fails("actions.list", 401, "unauthorized"), fails("agent.flux", 500, "failed")]);
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("flux failed on other/other-cp-1"), "{why}");
    assert_eq!(world.project.objects("servers").len(), 1);
    assert_eq!(world.project.objects("load_balancers").len(), 1);
}

#[test]
fn an_undo_that_is_refused_waits_for_an_operator() {
    let Some(world) = World::new() else { return };
    let run = world.launch("provision/sovereign", &small());
    world.revoke_once_there_is("load_balancers");
    let card = world.card(&run);
    world.decide(&run, &card, false);
    let stuck = wait_for("the undo to be stuck", Duration::from_secs(60), || {
        let shown = world.shown(&run);
        assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
        (shown["state"] == "rollback_stuck").then_some(shown)
    });
    let why = stuck["problem"]["message"].as_str().unwrap_or_default();
    let undo = world.server.get(&format!("/api/v1/runs/{run}/undo")).expect(200).text;
    assert!(undo.contains("windlass secrets set hetzner/main"), "{why}\n{undo}");
    assert!(world.project.count() > 0);
    // With the old token it is stuck again, and nothing is forgotten.
    let unstick =
        || world.server.post(&format!("/api/v1/runs/{run}/unstick"), &json!({ "action": "retry" })).expect(200);
    unstick();
    wait_for("the undo to be stuck again", Duration::from_secs(60), || {
        (world.shown(&run)["state"] == "rollback_stuck").then_some(())
    });
    world.keep_another();
    unstick();
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("no new token for the Hetzner project main"), "{why}");
    world.demand_nothing_left();
}

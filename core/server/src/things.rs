//! What is known of things that runs have made: what their modules say, or what the script was told.

use serde_json::Value;
use windlass_api::services::Things;
use windlass_hosts::{HOSTS, facts};
use windlass_model::{Facts, Outcome, ResourceRef, step::StepRecord};

/// Host modules and scripts.
pub struct Inventory;

impl Things for Inventory {
    fn ask(&self, thing: &ResourceRef) -> bool {
        // What isn't a module's was recorded by a script.
        facts::are_known(thing) || HOSTS.iter().all(|host| *host.name != *thing.provider)
    }

    fn facts(&self, things: &[&ResourceRef], step: &StepRecord) -> Vec<Facts> {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        match &step.outcome {
            Some(Outcome::Value(result)) if things.iter().any(|thing| facts::are_known(thing)) => {
                facts::of(things, &json(&step.args), &json(result))
            }
            _ => things.iter().map(|_| windlass_script::told(&step.op, &step.args)).collect(),
        }
    }
}

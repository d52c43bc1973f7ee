//! The configuration as the API tells it: what is in effect, where it comes from, and what waits for a new start.

use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;
use windlass_api::services::{self, Setting};
use windlass_model::Problem;

use super::{
    Loaded, keys,
    layers::{Origin, leaves, variable},
    mask::masked,
};

/// Reads the sources again.
type Again = Box<dyn Fn() -> Result<Loaded, Problem> + Send + Sync>;

/// What a server runs with.
pub struct Told {
    in_effect: Arc<RwLock<Value>>,
    started: Loaded,
    /// What the sources said then: a development server sets some keys itself.
    before: Option<Loaded>,
    again: Again,
    live: &'static [&'static str],
}

impl Told {
    /// What was loaded at the start, what has become of it, and how it is read again. `live` keys take effect then.
    pub fn new(started: Loaded, in_effect: Arc<RwLock<Value>>, again: Again, live: &'static [&'static str]) -> Self {
        let before = again().ok();
        Self { in_effect, started, before, again, live }
    }
}

impl services::Settings for Told {
    fn all(&self) -> (Vec<Setting>, Option<Problem>) {
        let (again, problem) = match (self.again)() {
            Ok(loaded) => (Some(loaded), None),
            Err(problem) => (None, Some(problem)),
        };
        let in_effect = self.in_effect.read().clone();
        let now = again.as_ref().map(|loaded| leaves(&loaded.values)).unwrap_or_default();
        let before = self.before.as_ref().map(|loaded| leaves(&loaded.values)).unwrap_or_default();
        let settings = leaves(&in_effect).into_iter().map(|(key, value)| {
            let of =
                |all: &[(String, &Value)]| all.iter().find(|(one, _)| *one == key).map(|(_, other)| (*other).clone());
            let (by_now, at_start) = (of(&now), of(&before));
            let waiting =
                by_now.filter(|by_now| by_now != value && at_start.as_ref() != Some(by_now)).map(|one| masked(&one));
            let live = self.live.contains(&key.as_str());
            // Where it comes from may have changed with it, if it was taken anew.
            let sources = again.as_ref().filter(|_| live && waiting.is_none()).unwrap_or(&self.started);
            Setting {
                doc: keys::doc(&key).unwrap_or_default().to_owned(),
                value: masked(value),
                origin: sources.origins.get(&key).unwrap_or(&Origin::Default).to_string(),
                variable: variable(&key),
                live,
                waiting,
                key,
            }
        });
        (settings.collect(), problem)
    }
}

//! The inventory: everything that runs have made, and what became of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{RunId, StepPath, state::text_enum};

text_enum!(
    /// The state of a resource.
    ResourceState {
        /// Intended; perhaps there.
        Creating = "creating",
        /// There.
        Live = "live",
        /// There, and no longer this run's to remove.
        Adopted = "adopted",
        /// Its removal is intended.
        Destroying = "destroying",
        /// Removed.
        Gone = "gone",
    }
);

/// Names one thing in the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceRef {
    /// Who keeps it: `net`, `docker`, `hetzner`.
    pub provider: Arc<str>,
    /// What it is: `namespace`, `bridge`, `link`.
    pub kind: Arc<str>,
    /// Its identity at the provider.
    pub id: Arc<str>,
}

/// The organisation that is there from the start.
pub const PLATFORM: &str = "platform";

/// Whose labs these are stands beside their names: two organisations may each have a `demo/r1`.
const NAMED_BY_ORGANISATIONS: [&str; 4] = ["docker", "guacamole", "net", "qemu"];

impl ResourceRef {
    /// Whether its id says what it is within an organisation only: the same id of another organisation is another thing.
    pub fn is_named_by_organisation(&self) -> bool {
        NAMED_BY_ORGANISATIONS.contains(&&*self.provider)
    }

    /// Everything of a provider whose id begins with `prefix/`, for steps that remove whatever is there: kind `*`, id
    /// `prefix/*`.
    pub fn everything_below(provider: &str, prefix: &str) -> Self {
        Self { provider: provider.into(), kind: "*".into(), id: format!("{prefix}/*").into() }
    }

    /// What `everything_below` was asked for: the beginning of the ids, with its `/`.
    pub fn prefix(&self) -> Option<&str> {
        if &*self.kind == "*" { self.id.strip_suffix('*') } else { None }
    }
}

impl std::fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.provider, self.kind, self.id)
    }
}

/// What a step does to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceChange {
    /// The step makes it.
    Creates(ResourceRef),
    /// The step removes it.
    Destroys(ResourceRef),
}

/// A row of the inventory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// What.
    #[serde(flatten)]
    pub resource: ResourceRef,
    /// The run that it belongs to: the one that made it, or one that continues that.
    pub run: RunId,
    /// The run whose step made it.
    pub origin: RunId,
    /// The organisation of that run.
    #[serde(default = "platform")]
    pub organisation: String,
    /// The step that made it.
    pub path: StepPath,
    /// Its state.
    pub state: ResourceState,
    /// When it was first intended.
    pub created_at_ms: i64,
    /// When its state last changed.
    pub updated_at_ms: i64,
}

fn platform() -> String {
    PLATFORM.to_owned()
}

//! What modules know of things that they have made, beyond that they are there: what one costs, how to get at it.
//!
//! Nothing of it is kept: it follows from what the step recorded that made the thing.

use serde_json::Value;
use windlass_model::{Facts, ResourceRef};

use crate::net;

/// A module that knows something.
struct Knows {
    /// Whose things.
    provider: &'static str,
    /// Of which kinds.
    kinds: &'static [&'static str],
    /// From the thing, and the arguments and the result of the step that made it.
    facts: fn(&ResourceRef, &Value, &Value) -> Facts,
}

/// A module that knows nothing more of its things isn't here.
const KNOW: &[Knows] = &[Knows { provider: "net", kinds: &["namespace"], facts: net::facts }];

fn knows(thing: &ResourceRef) -> Option<&'static Knows> {
    KNOW.iter().find(|one| *one.provider == *thing.provider && one.kinds.contains(&&*thing.kind))
}

/// Whether a module knows more of such a thing.
pub fn are_known(thing: &ResourceRef) -> bool {
    knows(thing).is_some()
}

/// What its module knows of a thing, from the arguments and the result of the step that made it.
pub fn of(thing: &ResourceRef, args: &Value, result: &Value) -> Facts {
    knows(thing).map(|one| (one.facts)(thing, args, result)).unwrap_or_default()
}

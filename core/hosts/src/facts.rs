//! What modules know of things that they have made, beyond that they are there: what one costs, how to get at it.
//!
//! Nothing of it is kept: it follows from what the step recorded that made the thing.

use serde_json::Value;
use windlass_model::{Facts, ResourceRef};

use crate::{hetzner, net, qemu};

/// A module that knows something.
struct Knows {
    /// Whose things.
    provider: &'static str,
    /// Of which kinds.
    kinds: &'static [&'static str],
    /// Of each of these things, from the arguments and the result of the step that made them.
    facts: fn(&[&ResourceRef], &Value, &Value) -> Vec<Facts>,
}

/// A module that knows nothing more of its things isn't here.
const KNOW: &[Knows] = &[
    Knows { provider: "net", kinds: &["namespace"], facts: net::facts },
    Knows { provider: "qemu", kinds: &["machine"], facts: qemu::facts },
    Knows { provider: "hetzner", kinds: &["server", "load_balancer"], facts: hetzner::facts },
];

fn is_of(known: &Knows, thing: &ResourceRef) -> bool {
    *known.provider == *thing.provider && known.kinds.contains(&&*thing.kind)
}

/// Whether a module knows more of such a thing.
pub fn are_known(thing: &ResourceRef) -> bool {
    KNOW.iter().any(|known| is_of(known, thing))
}

/// What a module knows of each of these things, from the arguments and the result of the step that made them all.
pub fn of(things: &[&ResourceRef], args: &Value, result: &Value) -> Vec<Facts> {
    let mut found = vec![Facts::default(); things.len()];
    for known in KNOW {
        // A step is one module's, but not all that it makes need be known.
        let own: Vec<usize> = (0..things.len()).filter(|index| is_of(known, things[*index])).collect();
        let refs: Vec<&ResourceRef> = own.iter().map(|index| things[*index]).collect();
        if !refs.is_empty() {
            own.iter().zip((known.facts)(&refs, args, result)).for_each(|(index, facts)| found[*index] = facts);
        }
    }
    found
}

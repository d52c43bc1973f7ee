//! How to get into a namespace.

use std::collections::HashMap;

use serde_json::Value;
use windlass_model::{Facts, ResourceRef, facts::Console};

/// A shell in each namespace, under the name that the kernel knows it by: the step's result tells it.
pub fn facts(things: &[&ResourceRef], _: &Value, result: &Value) -> Vec<Facts> {
    let made: &[Value] = match (result, &result["namespaces"]) {
        (Value::Array(all), _) | (_, Value::Array(all)) => all,
        (one, _) => std::slice::from_ref(one),
    };
    let pairs = made.iter().filter_map(|one| Some((one["name"].as_str()?, one["namespace"].as_str()?)));
    let spaces: HashMap<&str, &str> = pairs.collect();
    let of = |thing: &&ResourceRef| {
        let name = thing.id.rsplit('/').next().unwrap_or_default();
        let shell = spaces
            .get(name)
            .filter(|space| is_plain(space))
            .and_then(|space| Console::command(&format!("Shell in {name}"), &format!("ip netns exec {space} sh")).ok());
        Facts { monthly_cost: None, consoles: shell.into_iter().collect() }
    };
    things.iter().map(of).collect()
}

/// It goes into a shell: an operator may have given the result by hand.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commands(result: &Value) -> Vec<String> {
        let thing = ResourceRef { provider: "net".into(), kind: "namespace".into(), id: "demo/r1".into() };
        let known = facts(&[&thing], &json!(["demo", "r1"]), result).remove(0);
        known
            .consoles
            .into_iter()
            .filter_map(|one| match one {
                Console::Command { command, .. } => Some(command),
                Console::Link { .. } => None,
            })
            .collect()
    }

    #[test]
    fn a_namespace_is_entered_by_the_name_that_its_step_told() {
        let (r1, r2) =
            (json!({ "name": "r1", "namespace": "nve12d1-r1" }), json!({ "name": "r2", "namespace": "nve12d2-r2" }));
        for result in [r1.clone(), json!([r2, r1]), json!({ "namespaces": [r2, r1], "links": [] })] {
            assert_eq!(commands(&result), ["ip netns exec nve12d1-r1 sh"], "{result}");
        }
        for result in [json!(null), json!([]), json!([r2]), json!({ "name": "r1" }), json!("r1")] {
            assert!(commands(&result).is_empty(), "{result}");
        }
    }

    #[test]
    fn a_name_that_a_shell_would_read_otherwise_is_not_offered() {
        for name in ["", "-x", "r1; reboot", "$(reboot)", "a b"] {
            assert!(commands(&json!({ "name": "r1", "namespace": name })).is_empty(), "{name}");
        }
    }
}

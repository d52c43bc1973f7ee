//! Names that the store finds things by.

use serde_json::json;
use windlass_model::Code;

use super::fixture::Fixture;

const CALLS: &[&str] = &[
    "lock(NAME)",
    "unlock(NAME)",
    "with_lock(NAME, || 1)",
    "wait_signal(NAME)",
    "kv_get(NAME)",
    "kv_set(NAME, 1)",
    "kv_delete(NAME)",
    "kv_list(NAME)",
    "artifact(NAME, \"x\")",
    "wait_child(NAME)",
    "artifact(\"a\", \"x\", NAME)",
    "inventory(NAME, \"a\")",
    "inventory(\"a\", NAME)",
];

#[test]
fn names_that_no_database_takes_are_refused() {
    for call in CALLS {
        for name in ["\"a\\x00b\"", "\"a\\nb\"", "\"\\x07\"", "long"] {
            let fixture = Fixture::new();
            let body = format!("let long = \"\"; long.pad(201, \"x\"); {}", call.replace("NAME", name));
            let problem = fixture.problem(&body);
            assert_eq!(problem.code, Code::InvalidArgument, "{body}: {problem}");
            let words = format!("{} {}", problem.message, problem.help.unwrap_or_default());
            assert!(words.contains("200 bytes"), "it names the rule: {body}: {words}");
            assert!(fixture.journal.calls.lock().is_empty(), "{body}: nothing is journaled");
        }
    }
}

#[test]
fn other_names_are_taken() {
    assert_eq!(Fixture::new().returned("kv_set(\"a/ä b\", 1); kv_get(\"a/ä b\")"), json!(1));
    assert_eq!(Fixture::new().returned("kv_list(\"\")"), json!([]));
}

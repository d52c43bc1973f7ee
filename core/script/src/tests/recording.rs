//! `resource_created` and `resource_deleted`: steps that do nothing but change the inventory.

use windlass_model::{
    Code, ResourceChange, ResourceRef,
    facts::{Console, Money},
    journal::Ending,
};

use super::fixture::Fixture;
use crate::{testing, told};

const THING: &str = r#"resource_created(#{ provider: "acme", kind: "server", id: "7", monthly_cost: "4.90 EUR", console: ["https://a.example/7", #{ title: "Shell", command: "ssh a" }] });"#;

fn thing() -> ResourceRef {
    ResourceRef { provider: "acme".into(), kind: "server".into(), id: "7".into() }
}

#[test]
fn a_step_records_the_thing_and_tells_what_is_known_of_it() {
    let fixture = Fixture::new();
    let source =
        testing::source(&["inventory.write:acme"], &format!("{THING} resource_deleted(\"acme\", \"server\", \"7\");"));
    assert!(matches!(fixture.run_source(&source), Ending::Returned(_)));
    let steps = fixture.journal.steps.lock();
    let mut calls: Vec<_> = steps.values().map(|(call, _)| call).collect();
    calls.sort_by_key(|call| call.path.ordinal);
    let changes: Vec<&ResourceChange> = calls.iter().flat_map(|call| &call.resources).collect();
    assert_eq!(changes, [&ResourceChange::Creates(thing()), &ResourceChange::Destroys(thing())]);
    assert!(calls.iter().all(|call| call.undo.is_none()), "it makes nothing");
    let facts = told(&calls[0].op, &calls[0].args);
    assert_eq!(facts.monthly_cost, Some(Money { amount: 490, currency: "EUR".into() }));
    assert_eq!(
        facts.consoles,
        [Console::link("Console", "https://a.example/7").unwrap(), Console::command("Shell", "ssh a").unwrap()]
    );
    assert_eq!(told("other", &calls[0].args), Default::default());
    assert_eq!(told("resource_created", "[{\"provider\":7}]"), Default::default());
}

#[test]
fn who_was_not_granted_it_records_nothing_whatever_the_arguments() {
    for body in [THING, "resource_created(#{ provider: 7 })", "resource_deleted(\"acme\", \"*\", \"\")"] {
        for grants in [&["t.*:*"][..], &["inventory.write:other"]] {
            let fixture = Fixture::new();
            let ending = fixture.run_source(&testing::source(grants, body));
            let Ending::Failed(problem) = ending else { panic!("{body}: {ending:?}") };
            assert_eq!(problem.code, Code::PermissionDenied, "{body}: {problem:?}");
            assert!(fixture.journal.steps.lock().is_empty(), "{body}");
        }
    }
}

#[test]
fn a_secret_is_not_recorded_and_neither_is_its_value() {
    for console in ["secret(\"k\")", "\"https://a.example/?key=hunter2-is-my-password\""] {
        let fixture = Fixture::new();
        fixture.secrets.held.lock().push("hunter2-is-my-password".into());
        fixture.sandbox.learn_secrets();
        let body =
            format!("resource_created(#{{ provider: \"acme\", kind: \"server\", id: \"7\", console: {console} }})");
        let ending = fixture.run_source(&testing::source(&["inventory.write:*", "secret.*:*"], &body));
        let Ending::Failed(problem) = ending else { panic!("{console}: {ending:?}") };
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        assert!(fixture.journal.steps.lock().is_empty(), "{console}");
    }
}

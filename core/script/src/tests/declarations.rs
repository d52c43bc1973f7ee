//! Every built-in function is documented, and its example does what it says.

use std::collections::BTreeSet;

use windlass_model::{
    Outcome,
    journal::{Ending, Stop},
};

use super::fixture::Fixture;
use crate::{check, definitions, testing};

/// Evaluates a body, and brings every wait to its end, up to a few rounds.
fn to_the_end(fixture: &Fixture, body: &str) -> Ending {
    let source = testing::source(&["*:*"], body);
    for _ in 0..20 {
        let ending = fixture.run_source(&source);
        if ending != Ending::Stopped(Stop::Suspended) {
            return ending;
        }
        let waits = fixture.journal.waits.lock().clone();
        for (path, wait) in waits {
            let outcome = match wait {
                windlass_model::WaitSpec::Signal { .. } => {
                    Outcome::Error(windlass_model::Problem::new(windlass_model::Code::WaitTimeout, "no signal").into())
                }
                windlass_model::WaitSpec::Approval(_) => {
                    Outcome::Value("{\"approved\":true,\"by\":\"ada\",\"form\":{}}".into())
                }
                _ => Outcome::Value("null".into()),
            };
            fixture.journal.settle(&path, outcome);
        }
    }
    panic!("never ends: {body}")
}

#[test]
fn every_example_runs() {
    for entry in &Fixture::new().sandbox.catalog().builtins {
        let builtin = &entry.builtin;
        assert!(
            !builtin.doc.is_empty() && !builtin.example.is_empty() && !builtin.returns.is_empty(),
            "{}",
            builtin.name
        );
        assert!(builtin.example.contains(builtin.name), "the example of {} doesn't call it", builtin.name);
        let fixture = Fixture::new();
        let source = testing::source(&["*:*"], builtin.example);
        let found = check::source(&fixture.sandbox, "test/script", &source, &|_| None).diagnostics;
        assert_eq!(found, [], "{}", builtin.name);
        match to_the_end(&fixture, builtin.example) {
            Ending::Returned(_) | Ending::Stopped(Stop::ContinueAsNew(_)) => {}
            other => panic!("{}: {other:?}", builtin.name),
        }
    }
}

#[test]
fn definitions_and_pages_name_everything() {
    let fixture = Fixture::new();
    let catalog = fixture.sandbox.catalog();
    let (rhai, json, pages) = (definitions::rhai(catalog), definitions::json(catalog), definitions::pages(catalog));
    assert_eq!(pages.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["core", "t"]);
    let names: BTreeSet<&str> = catalog.builtins.iter().map(|entry| entry.builtin.name).collect();
    for name in names {
        assert!(rhai.contains(&format!("fn {name}(")), "{name}");
        assert!(pages[0].1.contains(&format!("## `{name}(")), "{name}");
    }
    assert!(rhai.contains("module t {") && rhai.contains("    fn make(name: string) -> any;"), "{rhai}");
    assert_eq!(json["modules"][1]["functions"][5]["undo"]["op"], "t::delete");
    assert!(pages[1].1.contains("- Undo: `t::delete`"));
}

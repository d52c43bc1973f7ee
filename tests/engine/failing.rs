//! Failures: positions, retries, panics, refused grants, hostile workflows.

use serde_json::json;
use windlass_model::{Code, RunState};
use windlass_tests::World;

#[test]
fn an_error_tells_where_it_happened() {
    let world = World::new();
    world.script("t/where", "", "fn deeper(x) {\n    probe::refuse(x)\n}\nfn run(input) {\n    deeper(\"d\")\n}");
    let problem = world.end(&world.launch("t/where", json!({}))).problem.unwrap();
    let site = problem.site.unwrap();
    assert_eq!((&*site.file, site.line), ("t/where", 2 + world.header_lines()), "{site:?}");
    assert_eq!(problem.step.as_deref(), Some("0"));
}

#[test]
fn retryable_failures_are_retried_and_others_are_not() {
    let world = World::new();
    world.script("t/retry", "", r#"fn run(input) { probe::flaky("f", 2) }"#);
    assert_eq!(world.end(&world.launch("t/retry", json!({}))).output, Some(json!(3)));
    world.script("t/noretry", "", r#"fn run(input) { probe::refuse("g") }"#);
    world.end(&world.launch("t/noretry", json!({})));
    assert_eq!(world.witness.count("refuse", "g"), 1);
    world.script(
        "t/more",
        "",
        r#"fn run(input) { with_retry(#{ attempts: 9, delay: "1ms" }, || probe::flaky("h", 7)) }"#,
    );
    assert_eq!(world.end(&world.launch("t/more", json!({}))).output, Some(json!(8)));
}

#[test]
fn a_panic_in_an_op_ends_the_run_and_nothing_else() {
    let world = World::new();
    world.script("t/panic", "", r#"fn run(input) { probe::make("p"); probe::panic("x") }"#);
    let record = world.end(&world.launch("t/panic", json!({})));
    assert_eq!((record.state, record.problem.unwrap().code), (RunState::RolledBack, Code::Internal));
    world.script("t/fine", "", r#"fn run(input) { probe::touch("x").verb }"#);
    assert_eq!(world.end(&world.launch("t/fine", json!({}))).output, Some(json!("touch")));
}

#[test]
fn a_call_without_a_grant_is_refused_before_anything_happens() {
    let world = World::new();
    world.script_granted(
        "t/denied",
        &["probe.use:allowed"],
        r#"fn run(input) { probe::touch("allowed"); probe::make("denied") }"#,
    );
    let problem = world.end(&world.launch("t/denied", json!({}))).problem.unwrap();
    assert_eq!(problem.code, Code::PermissionDenied);
    let text = format!("{} {}", problem.message, problem.help.unwrap_or_default());
    assert!(text.contains("probe.use:denied"), "{text}");
    assert_eq!(world.witness.count("make", "denied"), 0);
}

#[test]
fn an_endless_script_is_stopped_and_its_neighbours_go_on() {
    let world = World::with(|config| config.bounds.script_cpu_ms = 300);
    world.script("t/loop", "", r#"fn run(input) { probe::make("z"); loop {} }"#);
    world.script("t/fine", "", r#"fn run(input) { probe::touch("x").verb }"#);
    let looping = world.launch("t/loop", json!({}));
    assert_eq!(world.end(&world.launch("t/fine", json!({}))).state, RunState::Succeeded);
    let record = world.end(&looping);
    assert_eq!((record.state, record.problem.unwrap().code), (RunState::RolledBack, Code::LimitExceeded));
    assert!(world.witness.standing().is_empty());
}

#[test]
fn bad_input_and_unknown_workflows_are_told_at_launch() {
    let world = World::new();
    world.script(
        "t/typed",
        r#"inputs: #{ type: "object", required: ["n"], properties: #{ n: #{ type: "integer" } } }"#,
        "fn run(input) { input.n }",
    );
    let launch = |workflow: &str, input| {
        world.engine().launch(windlass_engine::Launch { workflow: workflow.into(), input, ..Default::default() })
    };
    assert_eq!(launch("t/typed", json!({ "n": "x" })).unwrap_err().code, Code::InvalidInput);
    assert_eq!(launch("t/typo", json!({})).unwrap_err().code, Code::WorkflowNotFound);
    world.script("t/broken", "", "fn run(input) { let x = ; }");
    assert_eq!(launch("t/broken", json!({})).unwrap_err().code, Code::WorkflowInvalid);
    assert!(world.engine().runs(&Default::default()).unwrap().is_empty(), "nothing is half launched");
}

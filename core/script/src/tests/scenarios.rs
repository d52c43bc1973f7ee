//! Scenario files: plans are made, reports are read, failures have a place.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use windlass_model::Problem;

use crate::{
    Interceptor,
    scenario::{PlannedAnswers, ScenarioDriver, ScenarioPlan, ScenarioReport, ScenarioStep, run_scenarios},
};

#[derive(Default)]
struct Driver {
    plans: Mutex<Vec<ScenarioPlan>>,
}

impl ScenarioDriver for Driver {
    fn run(&self, plan: ScenarioPlan) -> Result<ScenarioReport, Problem> {
        self.plans.lock().push(plan.clone());
        let step = ScenarioStep {
            path: "0".into(),
            op: "t::echo".into(),
            args: json!([1]),
            state: "succeeded".into(),
            result: json!(1),
        };
        Ok(ScenarioReport {
            state: "succeeded".into(),
            output: plan.input,
            steps: vec![step],
            elapsed_ms: 3_600_000,
            ..Default::default()
        })
    }
}

const SOURCE: &str = r#"
fn test_good() {
    let s = scenario("lab/x", #{ n: 1 });
    s.answer("t::echo", #{ a: 1 });
    s.answer("t::echo", 5, 2);
    s.fail("t::make", 1, "broken");
    s.fail("t::delete", #{ code: "conflict", message: "theirs", no_effect: true });
    s.signal("go", #{ x: 1 }, #{ at: "1h" });
    s.approve("Go on", #{ by: "ada" });
    s.deny("Stop");
    s.secret("token", "v");
    s.crash_at(3);
    let r = s.run();
    assert_eq!(r.state, "succeeded");
    assert_eq!(r.output, #{ n: 1.0 });
    assert_eq!(r.steps[0].op, "t::echo");
    assert_contains(r.steps.map(|step| step.op), "t::echo");
    assert(r.elapsed_ms == 3600000, "an hour");
    assert(r.error == ());
    print("done");
}
fn test_bad() {
    let r = scenario("lab/x").run();
    assert_eq!(r.state, "failed", "the state");
}
fn test_endless() { loop {} }
fn helper() { 1 }
"#;

#[test]
fn scenario_files_are_run() {
    let driver = Arc::new(Driver::default());
    let results = run_scenarios("lab/x.test", SOURCE, driver.clone()).unwrap();
    let verdicts: Vec<(&str, bool)> = results.iter().map(|result| (result.name.as_str(), result.passed)).collect();
    assert_eq!(verdicts, [("test_good", true), ("test_bad", false), ("test_endless", false)], "{results:?}");
    assert_eq!(results[0].output, ["done"]);
    assert_eq!(results[1].message.as_deref(), Some("the state: \"succeeded\" isn't \"failed\""));
    assert_eq!(results[1].site.as_ref().map(|site| site.line), Some(24));

    let plan = &driver.plans.lock()[0];
    assert_eq!(plan.signals[0].at_ms, 3_600_000);
    assert_eq!((plan.decisions[0].by.as_str(), plan.decisions[1].approved), ("ada", false));
    assert_eq!((plan.secrets["token"].as_str(), plan.crashes.as_slice()), ("v", [3].as_slice()));
    let answers = PlannedAnswers::new(plan);
    let answer =
        |op, nth| answers.intercept(op, &json!([]), nth).map(|result| result.map_err(|problem| problem.message));
    assert_eq!(answer("t::echo", 1), Some(Ok(json!({ "a": 1 }))));
    assert_eq!(answer("t::echo", 2), Some(Ok(json!(5))));
    assert_eq!(answer("t::make", 1), Some(Err("broken".into())));
    assert_eq!(answer("t::make", 2), None);
    assert_eq!(answer("t::delete", 9), Some(Err("theirs".into())));
}

#[test]
fn a_file_without_tests_is_an_error() {
    assert!(run_scenarios("a.test", "fn helper() {}", Arc::new(Driver::default())).is_err());
    assert!(run_scenarios("a.test", "fn test_x() { let }", Arc::new(Driver::default())).is_err());
}

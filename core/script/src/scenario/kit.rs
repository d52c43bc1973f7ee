//! `scenario(…)` and what can be planned with it.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::{Dynamic, Engine, Map, Position};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{PlannedAnswer, PlannedDecision, PlannedResult, PlannedSignal, ScenarioDriver, ScenarioPlan};
use crate::{
    builtin::duration_ms,
    canonical,
    canonical::Secrets,
    meter,
    throw::{Returned, raise},
};

#[derive(Clone)]
struct Planned {
    plan: Arc<Mutex<ScenarioPlan>>,
}

pub(super) fn register(engine: &mut Engine, driver: &Arc<dyn ScenarioDriver>) {
    engine.register_type_with_name::<Planned>("Scenario");
    engine.register_fn("scenario", |workflow: &str| planned(workflow, json!({})));
    engine.register_fn("scenario", |workflow: &str, input: Map| -> Returned<Planned> {
        Ok(planned(workflow, json_of(&Dynamic::from_map(input))?))
    });
    engine.register_fn("answer", |scenario: &mut Planned, op: &str, value: Dynamic| -> Returned<()> {
        scenario.answer(op, None, PlannedResult::Value(json_of(&value)?))
    });
    engine.register_fn("answer", |scenario: &mut Planned, op: &str, value: Dynamic, nth: i64| -> Returned<()> {
        scenario.answer(op, Some(nth), PlannedResult::Value(json_of(&value)?))
    });
    engine.register_fn("fail", |scenario: &mut Planned, op: &str, reason: Dynamic| -> Returned<()> {
        scenario.answer(op, None, PlannedResult::Error(problem(&reason)?))
    });
    engine.register_fn("fail", |scenario: &mut Planned, op: &str, nth: i64, reason: Dynamic| -> Returned<()> {
        scenario.answer(op, Some(nth), PlannedResult::Error(problem(&reason)?))
    });
    engine.register_fn("signal", |scenario: &mut Planned, name: &str, payload: Dynamic| -> Returned<()> {
        scenario.signal(name, &payload, &json!({}))
    });
    engine.register_fn(
        "signal",
        |scenario: &mut Planned, name: &str, payload: Dynamic, options: Map| -> Returned<()> {
            scenario.signal(name, &payload, &json_of(&Dynamic::from_map(options))?)
        },
    );
    for (name, approved) in [("approve", true), ("deny", false)] {
        engine.register_fn(name, move |scenario: &mut Planned| scenario.decide("", approved, &json!({})));
        engine.register_fn(name, move |scenario: &mut Planned, matching: &str| {
            scenario.decide(matching, approved, &json!({}))
        });
        engine.register_fn(name, move |scenario: &mut Planned, matching: &str, options: Map| -> Returned<()> {
            scenario.decide(matching, approved, &json_of(&Dynamic::from_map(options))?)
        });
    }
    engine.register_fn("secret", |scenario: &mut Planned, name: &str, value: &str| {
        scenario.plan.lock().secrets.insert(name.to_owned(), value.to_owned());
    });
    engine.register_fn("crash_at", |scenario: &mut Planned, nth: i64| -> Returned<()> {
        scenario.plan.lock().crashes.push(from_one(nth)?);
        Ok(())
    });
    let driver = driver.clone();
    engine.register_fn("run", move |scenario: &mut Planned| -> Returned {
        let plan = scenario.plan.lock().clone();
        let report = driver.run(plan).map_err(thrown)?;
        meter::reset();
        rhai::serde::to_dynamic(&report)
    });
}

fn planned(workflow: &str, input: Value) -> Planned {
    let plan = ScenarioPlan { workflow: workflow.to_owned(), input, ..ScenarioPlan::default() };
    Planned { plan: Arc::new(Mutex::new(plan)) }
}

impl Planned {
    fn answer(&self, op: &str, nth: Option<i64>, result: PlannedResult) -> Returned<()> {
        let nth = nth.map(from_one).transpose()?;
        self.plan.lock().answers.push(PlannedAnswer { op: op.to_owned(), nth, result });
        Ok(())
    }

    fn signal(&self, name: &str, payload: &Dynamic, options: &Value) -> Returned<()> {
        only(options, &["at"])?;
        let payload = json_of(payload)?;
        let at_ms = at_ms(options)?;
        self.plan.lock().signals.push(PlannedSignal { name: name.to_owned(), payload, at_ms });
        Ok(())
    }

    fn decide(&self, matching: &str, approved: bool, options: &Value) -> Returned<()> {
        only(options, &["by", "form", "comment", "at"])?;
        let text = |key: &str| options[key].as_str().map(str::to_owned);
        self.plan.lock().decisions.push(PlannedDecision {
            matching: matching.to_owned(),
            approved,
            by: text("by").unwrap_or_else(|| "tester".into()),
            form: options["form"].clone(),
            comment: text("comment"),
            at_ms: at_ms(options)?,
        });
        Ok(())
    }
}

fn at_ms(options: &Value) -> Returned<i64> {
    match &options["at"] {
        Value::Null => Ok(0),
        given => duration_ms(given).map_err(thrown),
    }
}

fn only(options: &Value, known: &[&str]) -> Returned<()> {
    let unknown = options.as_object().and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())));
    unknown.map_or(Ok(()), |key| {
        let problem = Problem::new(Code::InvalidArgument, format!("there is no option `{key}`"));
        Err(thrown(problem.help(format!("Options: {}.", known.join(", ")))))
    })
}

fn from_one(nth: i64) -> Returned<u32> {
    u32::try_from(nth)
        .ok()
        .filter(|nth| *nth > 0)
        .ok_or_else(|| thrown(Problem::new(Code::InvalidArgument, format!("{nth} isn't a count from 1"))))
}

/// A planned error: text, or a map with `code`, `message`, `help`, `data`, `retryable`, `no_effect`.
fn problem(reason: &Dynamic) -> Returned<Problem> {
    let value = json_of(reason)?;
    let Some(map) = value.as_object() else {
        return Ok(Problem::new(Code::Unavailable, value.as_str().unwrap_or("it failed")));
    };
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let code = match text("code") {
        None => Code::Unavailable,
        Some(word) => Code::parse(word)
            .ok_or_else(|| thrown(Problem::new(Code::InvalidArgument, format!("there is no error code `{word}`"))))?,
    };
    let mut problem = Problem::new(code, text("message").unwrap_or("it failed"));
    problem.help = text("help").map(str::to_owned);
    problem.data = map.get("data").cloned().unwrap_or_default();
    (problem.retryable, problem.no_effect) = (flag("retryable"), flag("no_effect"));
    Ok(problem)
}

fn json_of(value: &Dynamic) -> Returned<Value> {
    let text = canonical::text(value, Secrets::Refused, 4 << 20).map_err(thrown)?;
    serde_json::from_str(&text).map_err(|error| error.to_string().into())
}

fn thrown(problem: Problem) -> Box<rhai::EvalAltResult> {
    raise(problem.into(), Position::NONE)
}

//! What came of a scenario's run, as its assertions see it.

use std::collections::HashMap;

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Event, EventKind, Outcome, Problem, RunState, query::RunRecord, step::StepRecord};
use windlass_script::scenario::{ScenarioReport, ScenarioStep};

/// The report of a run at rest.
pub fn of(engine: &Engine, record: &RunRecord) -> Result<ScenarioReport, Problem> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let page = engine.events(&record.id, events.last().map_or(0, |event| event.seq), 1_000)?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let text = |event: &Event, key: &str| event.data[key].as_str().map(str::to_owned);
    let of_kind = |kind: EventKind| events.iter().filter(move |event| event.kind == kind);
    let until_ms = record.ended_at_ms.unwrap_or_else(|| engine.now_ms());
    let waits = record.waiting_on.first().filter(|_| record.state == RunState::Waiting);
    Ok(ScenarioReport {
        state: record.state.to_string(),
        waiting_on: waits.map(ToString::to_string),
        output: record.output.clone().unwrap_or(Value::Null),
        error: record.problem.clone(),
        steps: steps(engine.steps(&record.id)?, &events),
        resources: engine.resources(None, true)?.iter().map(|row| format!("{} {}", row.resource, row.state)).collect(),
        undone: of_kind(EventKind::UndoDone)
            .filter_map(|event| text(event, "op").or_else(|| text(event, "label")))
            .collect(),
        logs: of_kind(EventKind::Log).filter_map(|event| text(event, "message")).collect(),
        elapsed_ms: until_ms - record.launched_at_ms,
        events: events.iter().map(|event| json!(event)).collect(),
    })
}

/// Steps in the order in which they began; those whose beginning left no event stand where their end did.
fn steps(mut records: Vec<StepRecord>, events: &[Event]) -> Vec<ScenarioStep> {
    let mut first: HashMap<&str, i64> = HashMap::new();
    for event in events.iter().filter(|event| !event.kind.is_output()) {
        if let Some(path) = &event.path {
            first.entry(path).or_insert(event.seq);
        }
    }
    records.sort_by_key(|step| first.get(step.path.to_string().as_str()).copied().unwrap_or(i64::MAX));
    records.into_iter().map(step).collect()
}

fn step(record: StepRecord) -> ScenarioStep {
    let result = match &record.outcome {
        Some(Outcome::Value(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(Outcome::Error(problem)) => json!(problem),
        None => Value::Null,
    };
    ScenarioStep {
        path: record.path.to_string(),
        op: record.op.to_string(),
        args: serde_json::from_str(&record.args).unwrap_or_default(),
        state: record.state.to_string(),
        result,
    }
}

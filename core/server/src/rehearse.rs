//! Rehearsal: the same script in virtual time, against modules that change nothing. What it would do is the plan.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use console::style;
use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_engine::{Engine, Launch, Time};
use windlass_hosts::services::Services;
use windlass_model::{
    Code, Problem, RunState, StepState,
    journal::Workflows,
    query::{RunFilter, RunRecord},
    time::format_duration_ms,
    wait::{ApprovalRequest, Decision},
};
use windlass_script::{NoSecrets, permission};

use crate::{
    claims::StandIns,
    commands::InputArgs,
    commands::workflows,
    config::Config,
    context::Context,
    desk::{Desk as _, Remote, workflow_path},
    exit::Exit,
    plan::{self, Plan, Planned, Recorder, Sign},
    render, values,
    wiring::{self, Scripts, World},
};

/// What a rehearsal may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a rehearsal denies what it can't approve.
const UNFILLED: &str = "denied in a rehearsal: it can't fill in this form";

/// What a rehearsal found.
struct Rehearsed {
    record: RunRecord,
    planned: Vec<Planned>,
    digest: String,
    grants: Vec<Value>,
    outputs: Vec<String>,
}

/// `windlass run WORKFLOW --rehearse` and `windlass workflows rehearse`
pub fn command(workflow: &str, input: &InputArgs, keep: bool, context: &Context) -> Result<Exit, Problem> {
    if keep {
        return Err(Problem::new(Code::Usage, "plans are kept at a server").help("give --server, or leave --keep out"));
    }
    let (scripts, runtime) = workflows::scripts(context)?;
    let pinned = scripts.library.pin(workflow)?;
    let input = input.read(&pinned.workflow, &context.loaded.config.workflows)?;
    let library = scripts.library.clone();
    let rehearsed = rehearse(&context.loaded.config, &scripts, library, workflow, input, &context.who())?;
    drop(runtime);
    let record = &rehearsed.record;
    if context.global.json {
        context.print_json(&document(workflow, &rehearsed));
    } else {
        context.line(&describe(workflow, &rehearsed));
        if let Some(problem) = &record.problem {
            context.hint(&render::problem(problem, Some(&pinned.bundle)));
        }
    }
    Ok(Exit::of_run(record))
}

/// The same on a server, which gives the plan as JSON.
pub fn at_server(
    remote: &Remote,
    workflow: &str,
    input: &InputArgs,
    keep: bool,
    context: &Context,
) -> Result<Exit, Problem> {
    let header = remote.workflow(workflow)?;
    let input = input.read(&header, &context.loaded.config.workflows)?;
    let answer: Value = match keep {
        true => remote.post("/plans", &json!({ "workflow": workflow, "input": input }))?,
        false => remote.post(&format!("{}/rehearse", workflow_path(workflow)?), &json!({ "input": input }))?,
    };
    let plan = if keep { &answer["plan"] } else { &answer };
    context.print(&answer, || {
        let kept = answer["id"].as_str().filter(|_| keep).map(|id| format!("\nkept as plan {id}"));
        plan["text"].as_str().unwrap_or_default().to_owned() + kept.as_deref().unwrap_or_default()
    });
    if !context.global.json
        && let Ok(Some(problem)) = serde_json::from_value::<Option<Problem>>(plan["problem"].clone())
    {
        context.hint(&render::problem(&problem, None));
    }
    let state = plan["state"].as_str().and_then(RunState::parse);
    Ok(if state == Some(RunState::Succeeded) { Exit::Success } else { Exit::Failure })
}

fn document(workflow: &str, rehearsed: &Rehearsed) -> Value {
    let record = &rehearsed.record;
    json!({
        "workflow": workflow, "state": record.state, "digest": rehearsed.digest,
        "sources": record.bundle, "run": record.id, "plan": rehearsed.planned,
        "grants": rehearsed.grants, "output": record.output, "problem": record.problem,
        "duration_ms": record.ended_at_ms.map(|ended_ms| ended_ms - record.launched_at_ms),
        "text": describe(workflow, rehearsed),
    })
}

/// The plan as JSON: what a run with this input would do, on the sources that these workflows pin.
pub fn plan(
    config: &Config,
    workflows: Arc<dyn Workflows>,
    workflow: &str,
    input: Value,
    by: &str,
) -> Result<Value, Problem> {
    let runtime = wiring::runtime()?;
    let world = World::Rehearsal(None);
    let scripts = wiring::scripts(
        config,
        runtime.handle(),
        world,
        Arc::new(StandIns(NoSecrets)),
        &Services::default(),
        "rehearsal".into(),
    )?;
    let rehearsed = rehearse(config, &scripts, workflows, workflow, input, by);
    // Dropping a runtime blocks; this thread may be one that must not.
    runtime.shutdown_background();
    Ok(document(workflow, &rehearsed?))
}

fn rehearse(
    config: &Config,
    scripts: &Scripts,
    workflows: Arc<dyn Workflows>,
    workflow: &str,
    input: Value,
    by: &str,
) -> Result<Rehearsed, Problem> {
    let folder = tempfile::tempdir()
        .map_err(|error| Problem::new(Code::System, format!("no folder for the rehearsal: {error}")))?;
    let (recorder, planned) = Recorder::new(scripts.sandbox.clone());
    let time = Time::virtual_time();
    let engine = wiring::rehearsal_engine(config, Arc::new(recorder), workflows.clone(), time.clone(), folder.path())?;
    assume_answers(&time, &engine);
    let launched = engine.launch(Launch {
        priority: None,
        workflow: workflow.to_owned(),
        input,
        by: by.to_owned(),
        idempotency_key: None,
        tags: vec!["rehearsal".into()],
        organisation: String::new(),
    });
    let ended = launched.and_then(|launched| engine.wait_ended(&launched.run, PATIENCE));
    let outputs = match &ended {
        Ok(record) => outputs(&engine, record)?,
        Err(_) => Vec::new(),
    };
    // What was rehearsed, whatever is in use by now.
    let header = match &ended {
        Ok(record) => Some(workflows.header(&*engine.sources(&record.id)?)?),
        Err(_) => None,
    };
    engine.shutdown(Duration::from_secs(1));
    let record = ended?;
    let Plan { steps: planned, used } = std::mem::take(&mut *planned.lock());
    let digest = plan::digest(record.bundle.as_str(), &record.input, &planned);
    let catalog = scripts.sandbox.catalog();
    let grants = header
        .iter()
        .flat_map(|workflow| &workflow.permissions)
        .map(|grant| {
            let module = grant.split(['.', ':']).next().unwrap_or_default();
            let used = used.iter().any(|op| catalog.verbs_of(op).any(|verb| verb.split('.').next() == Some(module)));
            let words = permission::words(grant, |verb| catalog.verb_words(verb));
            json!({ "grant": grant, "words": words, "used": used })
        })
        .collect();
    Ok(Rehearsed { record, planned, digest, grants, outputs })
}

/// Whenever nothing can happen any more, approves what is asked and sends what is waited for.
fn assume_answers(time: &Time, engine: &Engine) {
    let Time::Virtual(clock) = time else { return };
    let (engine, answered) = (engine.clone(), Mutex::new(HashSet::new()));
    let hook = OnceLock::from(engine);
    clock.on_idle(Arc::new(move |next_due_ms| {
        // An exclusive claim ends at the end of time: a run is being taken up at this moment.
        if next_due_ms == Some(i64::MAX) {
            std::thread::yield_now();
            return true;
        }
        hook.get().is_some_and(|engine| {
            answer(engine, &answered).unwrap_or_else(|problem| {
                tracing::warn!(%problem, "the rehearsal can't answer");
                false
            })
        })
    }));
}

fn answer(engine: &Engine, answered: &Mutex<HashSet<String>>) -> Result<bool, Problem> {
    for approval in engine.approvals(None, true)? {
        let by = format!("rehearsal-{}", approval.decisions.len() + 1);
        if answered.lock().insert(format!("{}/{}/{by}", approval.run, approval.path)) {
            let decision = approve(&approval.request, by);
            let denied =
                Decision { approved: false, comment: Some(UNFILLED.into()), form: Value::Null, ..decision.clone() };
            match engine.decide(&approval.run, Some(&approval.path), decision) {
                // A form that can't be guessed: the run goes on all the same, and says so.
                Err(problem) if problem.code == Code::InvalidInput => {
                    engine.decide(&approval.run, Some(&approval.path), denied)?;
                }
                other => drop(other?),
            }
            return Ok(true);
        }
    }
    let waiting = RunFilter { states: vec![RunState::Waiting], limit: 1_000, ..RunFilter::default() };
    for run in engine.runs(&waiting)? {
        for step in engine.steps(&run.id)?.into_iter().filter(|step| step.state == StepState::Waiting) {
            let args: Value = serde_json::from_str(&step.args).unwrap_or_default();
            let Some(name) = args[0].as_str().filter(|_| &*step.op == "wait_signal") else { continue };
            if answered.lock().insert(format!("{}/{}", run.id, step.path)) {
                engine.signal(&run.id, name, json!({}), "rehearsal", None)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// An approval with the form's defaults, and with something that fits where it requires more.
pub fn approve(request: &ApprovalRequest, by: String) -> Decision {
    let mut form = json!({});
    if let Some(schema) = &request.form {
        values::fill_defaults(&mut form, schema);
        values::fill_required(&mut form, schema);
    }
    Decision {
        by,
        approved: true,
        comment: Some("assumed in a rehearsal".into()),
        form,
        digest: request.digest.clone(),
    }
}

fn outputs(engine: &Engine, record: &RunRecord) -> Result<Vec<String>, Problem> {
    let events = engine.events(&record.id, 0, 100_000)?;
    let logs = events.iter().filter(|event| event.kind.is_output());
    Ok(logs.filter_map(|event| crate::follow::line(event, record.launched_at_ms)).collect())
}

fn describe(workflow: &str, rehearsed: &Rehearsed) -> String {
    let record = &rehearsed.record;
    let mut lines = vec![format!("plan of {workflow} with {}\n", record.input)];
    let mut counts = [0_usize; 3];
    for step in &rehearsed.planned {
        let (sign, count) = match step.sign {
            Sign::Create => (style("+").green(), Some(0)),
            Sign::Change => (style("~").yellow(), Some(1)),
            Sign::Remove => (style("-").red(), Some(2)),
            Sign::Wait => (style("◷").cyan(), None),
        };
        count.into_iter().for_each(|place| counts[place] += 1);
        let what = match (&step.note, step.things.is_empty()) {
            (Some(note), _) => note.clone(),
            (None, false) => step.things.join(", "),
            (None, true) => step.args.chars().take(90).collect(),
        };
        let undo = if step.undo { "undo " } else { "" };
        lines.push(format!("  {sign} {undo}{:<28} {what}", step.op));
    }
    let [made, changed, removed] = counts;
    lines.push(format!("\n{made} to make, {changed} to change, {removed} to remove"));
    if !rehearsed.outputs.is_empty() {
        lines.push(format!("\nIt says:\n{}", rehearsed.outputs.join("\n")));
    }
    if !rehearsed.grants.is_empty() {
        lines.push("\nIt may (✓ where it did):".into());
        for grant in &rehearsed.grants {
            let mark = if grant["used"] == true { "✓" } else { " " };
            let text = |key: &str| grant[key].as_str().unwrap_or_default().to_owned();
            lines.push(format!("  {mark} {} ({})", text("words"), text("grant")));
        }
    }
    let took_ms = record.ended_at_ms.map(|ended_ms| ended_ms - record.launched_at_ms);
    let waits = took_ms.filter(|ms| *ms > 0).map(|ms| format!(" after {} of waiting", format_duration_ms(ms)));
    lines.push(format!("\nends as {}{}", record.state, waits.unwrap_or_default()));
    lines.push(format!("plan digest {}", rehearsed.digest));
    lines.join("\n")
}

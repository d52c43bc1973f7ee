//! What runs have made, as answers show it, with what is known of each thing beyond that it is there.

use std::collections::HashMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use windlass_model::{
    Facts, Problem, ResourceRef, ResourceState, RunId, StepPath,
    facts::{Console, Money},
    query::RunRecord,
    resource::ResourceRecord,
};

use crate::Request;

fn resource_state(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = ResourceState::ALL.iter().map(|word| word.as_str()).collect();
    json_schema!({ "type": "string", "enum": words })
}

/// A thing that a run has made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ResourceView {
    /// Who keeps it: `net`, `docker`.
    provider: String,
    /// What it is: `namespace`, `link`.
    kind: String,
    /// Its identity at the provider.
    id: String,
    /// The run that it belongs to.
    run: String,
    /// The run whose step made it: `run`, or one that `run` continues.
    origin: String,
    /// The step that made it.
    path: String,
    /// Whose it is: the organisation of `run`.
    organisation: String,
    /// The workflow of `run`.
    workflow: String,
    /// How `run` stands. What a run that has failed left behind, nobody looks after.
    run_state: String,
    /// Its state.
    #[schemars(schema_with = "resource_state")]
    state: ResourceState,
    /// When it was first intended.
    created_at_ms: i64,
    /// When its state last changed.
    updated_at_ms: i64,
    /// What it costs in a month, if that is known and it isn't gone.
    monthly_cost: Option<CostView>,
    /// How to get at it, if that is known and it isn't gone.
    consoles: Vec<ConsoleView>,
}

/// An amount of money.
#[derive(Serialize, JsonSchema)]
struct CostView {
    /// In the currency's smallest unit: 490 is 4.90 EUR.
    amount: i64,
    /// Digits behind the point when it is written: 2 for EUR.
    digits: u32,
    /// The currency's three letters (ISO 4217).
    currency: String,
}

/// A way to get at a thing: a command for a terminal on the machine that made it, or an address for a browser.
#[derive(Serialize, JsonSchema)]
struct ConsoleView {
    /// What it opens.
    title: String,
    /// `command` or `link`.
    kind: ConsoleKind,
    /// The command: one line.
    command: Option<String>,
    /// The address: `http` or `https`.
    url: Option<String>,
}

/// How a thing is reached.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ConsoleKind {
    /// By a command.
    Command,
    /// By a browser.
    Link,
}

impl From<Money> for CostView {
    fn from(money: Money) -> Self {
        Self { amount: money.amount, digits: money.digits(), currency: money.currency }
    }
}

impl From<Console> for ConsoleView {
    fn from(console: Console) -> Self {
        match console {
            Console::Command { title, command } => {
                Self { title, kind: ConsoleKind::Command, command: Some(command), url: None }
            }
            Console::Link { title, url } => Self { title, kind: ConsoleKind::Link, command: None, url: Some(url) },
        }
    }
}

fn view(row: ResourceRecord, facts: Facts, run: Option<&RunRecord>) -> ResourceView {
    ResourceView {
        organisation: run.map(|run| run.organisation.clone()).unwrap_or_default(),
        workflow: run.map(|run| run.workflow.clone()).unwrap_or_default(),
        run_state: run.map(|run| run.state.to_string()).unwrap_or_default(),
        provider: row.resource.provider.to_string(),
        kind: row.resource.kind.to_string(),
        id: row.resource.id.to_string(),
        run: row.run.to_string(),
        origin: row.origin.to_string(),
        path: row.path.to_string(),
        state: row.state,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
        monthly_cost: facts.monthly_cost.map(CostView::from),
        consoles: facts.consoles.into_iter().map(ConsoleView::from).collect(),
    }
}

/// Steps that are read at once.
const PIECE: usize = 500;

/// Rows of the inventory with what is known of them. Each step that made some of them is read once.
pub(crate) fn shown(request: &Request, rows: Vec<ResourceRecord>) -> Result<Vec<ResourceView>, Problem> {
    let mut facts: Vec<Facts> = rows.iter().map(|_| Facts::default()).collect();
    if let Some(things) = request.api.things.as_deref() {
        let mut asked: HashMap<&RunId, HashMap<&StepPath, Vec<usize>>> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            if row.state != ResourceState::Gone && things.ask(&row.resource) {
                asked.entry(&row.origin).or_default().entry(&row.path).or_default().push(index);
            }
        }
        for (run, places) in asked {
            let paths: Vec<StepPath> = places.keys().map(|path| (*path).clone()).collect();
            for piece in paths.chunks(PIECE) {
                for step in request.api.engine.steps_at(run, piece)? {
                    let made = places.get(&step.path).map(Vec::as_slice).unwrap_or_default();
                    let refs: Vec<&ResourceRef> = made.iter().map(|index| &rows[*index].resource).collect();
                    for (index, known) in made.iter().zip(things.facts(&refs, &step)) {
                        facts[*index] = known;
                    }
                }
            }
        }
    }
    // Each run is looked up once.
    let mut runs: HashMap<RunId, Option<RunRecord>> = HashMap::new();
    for row in &rows {
        if !runs.contains_key(&row.run) {
            runs.insert(row.run.clone(), request.api.engine.run(&row.run)?);
        }
    }
    // A secret may have been stored since.
    let views = rows.into_iter().zip(facts).map(|(row, mut facts)| {
        let open = |text: &str| request.api.secrets.scrub(&row.organisation, text) == text;
        facts.consoles.retain(|console| match console {
            Console::Command { title, command: text } | Console::Link { title, url: text } => open(title) && open(text),
        });
        let run = runs.get(&row.run).and_then(Option::as_ref);
        view(row, facts, run)
    });
    Ok(views.collect())
}

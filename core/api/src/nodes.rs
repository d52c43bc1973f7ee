//! Nodes: the processes that execute runs on this database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{Code, NodeId, Problem, query::NodeRecord};

use crate::{Access, Answer, Permission, Request, Route};

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NodeView {
    /// Its name.
    pub id: String,
    /// Whether it answers this request.
    pub here: bool,
    /// What it does.
    pub state: NodeState,
    /// Since when it is there.
    pub started_at_ms: i64,
    /// When it was last heard of.
    pub seen_at_ms: i64,
    /// Its program's version.
    pub version: String,
    /// Runs that it evaluates at once, at most.
    pub workers: u32,
    /// Runs that it evaluates.
    pub running: u32,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It claims runs.
    Active,
    /// It claims nothing more, and hands over what it evaluates.
    Draining,
    /// It claims nothing, and evaluates nothing.
    Drained,
    /// It wasn't heard of for as long as a claim holds: others take its runs.
    Lost,
}

impl NodeState {
    /// As it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Lost => "lost",
        }
    }
}

/// Whether a node should claim runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DrainBody {
    /// Whether it should claim nothing more, and hand over what it evaluates.
    draining: bool,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/nodes", "operations", "The nodes that execute runs")
            .access(Access::Can(Permission::Administer))
            .answers::<Vec<NodeView>>(200)
            .handle(list),
        Route::put("/api/v1/nodes/{id}/drain", "operations", "Have a node claim nothing more, or go on")
            .describe(
                "A node that drains hands its runs over at their next host call; it goes on when it is started anew.",
            )
            .access(Access::Can(Permission::Administer))
            .body::<DrainBody>()
            .answers::<NodeView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput])
            .handle(drain),
    ]
}

/// All nodes, by name.
pub fn all(engine: &Engine) -> Result<Vec<NodeView>, Problem> {
    let (now_ms, lease_ms) = (engine.now_ms(), engine.lease_ms());
    let view = |node: NodeRecord| NodeView {
        here: node.id == *engine.node(),
        state: match (node.draining, node.running) {
            _ if now_ms - node.seen_at_ms > lease_ms => NodeState::Lost,
            (false, _) => NodeState::Active,
            (true, 0) => NodeState::Drained,
            (true, _) => NodeState::Draining,
        },
        id: node.id.to_string(),
        started_at_ms: node.started_at_ms,
        seen_at_ms: node.seen_at_ms,
        version: node.version,
        workers: node.workers,
        running: node.running,
    };
    Ok(engine.nodes()?.into_iter().map(view).collect())
}

/// One of them.
pub fn one(engine: &Engine, id: &str) -> Result<NodeView, Problem> {
    let found = all(engine)?.into_iter().find(|node| node.id == id);
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no node `{id}`")))
}

fn list(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    Answer::json(&all(&request.api.engine)?)
}

fn drain(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let body: DrainBody = request.json()?;
    let before = one(&request.api.engine, request.parameter("id"))?;
    let id = NodeId::from(before.id.as_str());
    let (was, is) = (json!({ "state": before.state }), json!({ "draining": body.draining }));
    request.audited("node.drain", "platform", id.as_str(), was, is).drain_node(&id, body.draining)?;
    Answer::json(&one(&request.api.engine, id.as_str())?)
}

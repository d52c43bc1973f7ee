//! Folds a run's events into what a person wants to see: a tree of steps, its undo, its state.

use std::collections::HashMap;

use serde_json::Value;
use windlass_model::{Event, EventKind, RunState, StepPath};

use super::words;

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Under way.
    Active,
    /// Waits.
    Waiting,
    /// Has a result.
    Done,
    /// Failed.
    Failed,
    /// Nobody knows.
    InDoubt,
    /// Left as it is.
    Skipped,
}

/// A step, an undo entry, or a line between steps.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is, in a line.
    pub label: String,
    /// How it stands.
    pub standing: Standing,
    /// What there is to say about that.
    pub detail: String,
    /// When it began.
    pub began_at_ms: i64,
    /// How long it took.
    pub elapsed_ms: Option<i64>,
    /// Attempts that failed.
    pub retries: u32,
    /// A logged line, not a step.
    pub is_note: bool,
    /// Nodes below it, by lane: `b0`, `b1`, `p3`, `u4`.
    pub lanes: Vec<(String, Vec<usize>)>,
}

/// A run as its events tell it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// `area/name`.
    pub workflow: String,
    /// Its state.
    pub state: RunState,
    /// Number of the last event.
    pub seq: i64,
    /// When it was launched.
    pub began_at_ms: i64,
    /// When the last event came.
    pub latest_at_ms: i64,
    /// What the script last said about its progress.
    pub progress: Option<(Option<f64>, String)>,
    /// Facts that the script attached.
    pub annotations: Vec<(String, String)>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Nodes of the root lane.
    pub root: Vec<usize>,
    /// Nodes of the undo, in the order in which they were worked off.
    pub undo: Vec<usize>,
    by_path: HashMap<String, usize>,
    by_undo: HashMap<String, usize>,
    undoing: bool,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            workflow: String::new(),
            state: RunState::Queued,
            seq: 0,
            began_at_ms: 0,
            latest_at_ms: 0,
            progress: None,
            annotations: Vec::new(),
            nodes: Vec::new(),
            root: Vec::new(),
            undo: Vec::new(),
            by_path: HashMap::new(),
            by_undo: HashMap::new(),
            undoing: false,
        }
    }
}

impl Picture {
    /// Takes the next event in.
    pub fn add(&mut self, event: &Event) {
        self.seq = event.seq;
        self.latest_at_ms = event.at_ms;
        if let Some(state) = state_after(event.kind) {
            self.state = state;
        }
        match event.kind {
            EventKind::RunLaunched => {
                self.workflow = words::text(&event.data["workflow"]);
                self.began_at_ms = event.at_ms;
            }
            EventKind::RunRollingBack => self.undoing = true,
            EventKind::RunRestarted | EventKind::RunStarted if self.state == RunState::Running => self.undoing = false,
            EventKind::Progress => {
                let percent = event.data["percent"].as_f64();
                self.progress = Some((percent, words::text(&event.data["message"])));
            }
            EventKind::Annotation => {
                let (key, value) = (words::text(&event.data["key"]), words::text(&event.data["value"]));
                self.annotations.retain(|(present, _)| *present != key);
                self.annotations.push((key, value));
            }
            EventKind::Log => self.note(event),
            EventKind::UndoStarted | EventKind::UndoDone | EventKind::UndoFailed | EventKind::UndoSkipped => {
                self.undo_entry(event);
            }
            _ => self.step(event),
        }
    }

    /// Tells a step's arguments (JSON text), if its events didn't.
    pub fn name(&mut self, path: &StepPath, op: &str, args: &str) {
        if let Some(&index) = self.by_path.get(&path.to_string()) {
            let label = words::call(&serde_json::json!({ "op": op, "args": args }));
            let node = &mut self.nodes[index];
            if node.label == op && args != "[]" {
                node.label = label;
            }
        }
    }

    fn step(&mut self, event: &Event) {
        let Some(path) = &event.path else { return };
        let index = self.node_at(path, event.at_ms);
        let node = &mut self.nodes[index];
        if event.data["op"].is_string() {
            let label = words::call(&event.data);
            // The start knows the arguments; later events only the name.
            if node.label.is_empty() || label.len() > node.label.len() {
                node.label = label;
            }
        }
        match event.kind {
            EventKind::StepStarted => {
                node.standing = Standing::Active;
                node.detail.clear();
            }
            EventKind::StepRetrying => {
                node.retries += 1;
                node.detail = words::problem(&event.data["error"]);
            }
            EventKind::StepWaiting => {
                node.standing = Standing::Waiting;
                node.detail = words::wait(&event.data["wait"]);
            }
            EventKind::StepSucceeded => {
                node.standing = Standing::Done;
                node.detail = words::result(&event.data["result"]);
            }
            EventKind::StepFailed => {
                node.standing = Standing::Failed;
                node.detail = words::problem(&event.data["error"]);
            }
            EventKind::StepInDoubt => {
                node.standing = Standing::InDoubt;
                node.detail = "it may or may not have happened".into();
            }
            EventKind::StepResolved => node.detail = format!("resolved by {}", words::text(&event.data["by"])),
            EventKind::ApprovalDecided => node.detail = words::decision(&event.data["decision"]),
            _ => {}
        }
        if matches!(node.standing, Standing::Done | Standing::Failed) {
            let took = event.data["elapsed_ms"].as_i64();
            node.elapsed_ms = Some(took.unwrap_or(event.at_ms - node.began_at_ms));
        }
    }

    fn undo_entry(&mut self, event: &Event) {
        let key = format!("{}#{}", event.path.as_deref().unwrap_or(""), event.data["seq"]);
        let index = match self.by_undo.get(&key) {
            Some(&index) => index,
            None => {
                let index = self.push(Node::new(words::undo(event), event.at_ms));
                self.by_undo.insert(key, index);
                self.undo.push(index);
                index
            }
        };
        let node = &mut self.nodes[index];
        match event.kind {
            EventKind::UndoDone => {
                node.standing = Standing::Done;
                node.elapsed_ms = Some(event.data["elapsed_ms"].as_i64().unwrap_or(event.at_ms - node.began_at_ms));
            }
            EventKind::UndoFailed => {
                node.standing = Standing::Failed;
                node.detail = words::problem(&event.data["error"]);
            }
            EventKind::UndoSkipped => {
                node.standing = Standing::Skipped;
                node.detail = format!("{} by {}", words::text(&event.data["action"]), words::text(&event.data["by"]));
            }
            _ => node.standing = Standing::Active,
        }
    }

    fn note(&mut self, event: &Event) {
        let lane = event.path.as_deref().and_then(|path| path.rsplit_once('#')).map_or("", |(lane, _)| lane).to_owned();
        let level = words::text(&event.data["level"]);
        let mut node = Node::new(words::log(&event.data), event.at_ms);
        node.is_note = true;
        node.standing = if matches!(level.as_str(), "error" | "warn") { Standing::Failed } else { Standing::Done };
        let index = self.push(node);
        self.lane_list(&lane, event.at_ms).push(index);
    }

    fn node_at(&mut self, path: &str, at_ms: i64) -> usize {
        if let Some(&index) = self.by_path.get(path) {
            return index;
        }
        let index = self.push(Node::new(String::new(), at_ms));
        self.by_path.insert(path.to_owned(), index);
        let lane = path.rfind('/').map_or("", |slash| &path[..=slash]).to_owned();
        self.lane_list(&lane, at_ms).push(index);
        index
    }

    /// The list of nodes of a lane such as `7/b1/`, made with what it hangs on.
    fn lane_list(&mut self, lane: &str, at_ms: i64) -> &mut Vec<usize> {
        let inner = lane.strip_suffix('/').unwrap_or(lane);
        let Some((parent, branch)) = inner.rsplit_once('/') else { return &mut self.root };
        let parent = match branch.starts_with('u').then(|| self.latest_undo_of(parent)).flatten() {
            Some(entry) => entry,
            None => self.node_at(parent, at_ms),
        };
        let lanes = &mut self.nodes[parent].lanes;
        let place = lanes.iter().position(|(name, _)| name == branch).unwrap_or_else(|| {
            lanes.push((branch.to_owned(), Vec::new()));
            lanes.len() - 1
        });
        &mut self.nodes[parent].lanes[place].1
    }

    fn latest_undo_of(&self, path: &str) -> Option<usize> {
        self.by_undo
            .iter()
            .filter(|(key, _)| key.rsplit_once('#').is_some_and(|(of, _)| of == path))
            .map(|(_, &index)| index)
            .max()
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Steps that are done, and all that are known.
    pub fn counts(&self) -> (usize, usize) {
        let steps = self.by_path.iter().filter(|(path, _)| path.parse::<StepPath>().is_ok_and(|path| !path.is_undo()));
        let mut counts = (0, 0);
        for (_, &index) in steps {
            counts.1 += 1;
            counts.0 += usize::from(self.nodes[index].standing == Standing::Done);
        }
        counts
    }
}

impl Node {
    fn new(label: String, began_at_ms: i64) -> Self {
        Self {
            label,
            standing: Standing::Active,
            detail: String::new(),
            began_at_ms,
            elapsed_ms: None,
            retries: 0,
            is_note: false,
            lanes: Vec::new(),
        }
    }
}

fn state_after(kind: EventKind) -> Option<RunState> {
    Some(match kind {
        EventKind::RunLaunched | EventKind::RunRestarted => RunState::Queued,
        EventKind::RunStarted => RunState::Running,
        EventKind::RunWaiting | EventKind::RunParked => RunState::Waiting,
        EventKind::RunSucceeded => RunState::Succeeded,
        EventKind::RunFailed => RunState::Failed,
        EventKind::RunCancelling => RunState::Cancelling,
        EventKind::RunRollingBack => RunState::RollingBack,
        EventKind::RunRolledBack => RunState::RolledBack,
        EventKind::RunCancelled => RunState::Cancelled,
        EventKind::RunRollbackStuck => RunState::RollbackStuck,
        _ => return None,
    })
}

/// Facts by name, for tests and summaries.
pub(super) fn object(data: &Value) -> impl Iterator<Item = (&String, &Value)> {
    data.as_object().into_iter().flatten()
}

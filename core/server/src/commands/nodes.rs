//! `windlass nodes …`: the processes that execute runs on this database, seen from it or from a server.

use std::time::Duration;

use serde_json::json;
use windlass_api::nodes::{self, NodeState, NodeView};
use windlass_model::{Code, NodeId, Problem};

use crate::{
    context::Context,
    desk::{Desk as _, Remote, encoded},
    exit::Exit,
    render,
    session::Session,
};

/// Between two looks whether a node has handed over what it evaluated.
const LOOK: Duration = Duration::from_millis(250);

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the nodes, by name
    Ls,
    /// Have a node claim nothing more and hand over its runs, until it is started anew; waits until it has
    Drain {
        /// Its name
        node: String,
        /// Say so, and don't wait
        #[arg(long)]
        no_wait: bool,
        /// Wait at most so many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
    },
    /// Have a node that was drained claim runs again
    Resume {
        /// Its name
        node: String,
    },
}

/// Where the nodes are asked for.
enum Place<'a> {
    Here(&'a Session, String),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    match context.remote()? {
        Some(remote) => {
            let done = at(&Place::There(&remote), command, context);
            Box::new(remote).close();
            done
        }
        None => context.with(|session| at(&Place::Here(session, context.who()), command, context)),
    }
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Ls => {
            let all = place.all()?;
            let now_ms = place.now_ms();
            context.print(&all, || table(&all, now_ms));
        }
        Command::Drain { node, no_wait, timeout } => {
            let mut shown = place.drain(node, true)?;
            let until = std::time::Instant::now() + Duration::from_secs(*timeout);
            while !no_wait && shown.state == NodeState::Draining {
                if std::time::Instant::now() >= until {
                    let message = format!("node `{node}` still evaluates {} runs", shown.running);
                    let help =
                        "a step takes long; it claims nothing more, and hands each run over when its step has ended";
                    return Err(Problem::new(Code::WaitTimeout, message).help(help));
                }
                std::thread::sleep(LOOK);
                shown = place.one(node)?;
            }
            print(context, &shown);
        }
        Command::Resume { node } => print(context, &place.drain(node, false)?),
    }
    Ok(Exit::Success)
}

impl Place<'_> {
    fn all(&self) -> Result<Vec<NodeView>, Problem> {
        match self {
            Self::Here(session, _) => nodes::all(session.engine()),
            Self::There(remote) => remote.get("/nodes"),
        }
    }

    fn now_ms(&self) -> i64 {
        match self {
            Self::Here(session, _) => session.engine().now_ms(),
            Self::There(remote) => remote.now_ms(),
        }
    }

    fn one(&self, node: &str) -> Result<NodeView, Problem> {
        let found = self.all()?.into_iter().find(|known| known.id == node);
        found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no node `{node}`")))
    }

    fn drain(&self, node: &str, draining: bool) -> Result<NodeView, Problem> {
        match self {
            Self::Here(session, by) => {
                let (was, is) = (json!({ "state": self.one(node)?.state }), json!({ "draining": draining }));
                let engine = session.entry("node.drain", ("platform", node), by, was, is);
                engine.drain_node(&NodeId::from(node), draining)?;
                nodes::one(session.engine(), node)
            }
            Self::There(remote) => {
                remote.put(&format!("/nodes/{}/drain", encoded(node)), &json!({ "draining": draining }))
            }
        }
    }
}

fn print(context: &Context, node: &NodeView) {
    context.print(node, || format!("{} is {}", node.id, node.state.as_str()));
}

fn table(nodes: &[NodeView], now_ms: i64) -> String {
    if nodes.is_empty() {
        return "no node executes runs".to_owned();
    }
    let rows = nodes.iter().map(|node| {
        vec![
            node.id.clone(),
            node.state.as_str().to_owned(),
            format!("{} of {}", node.running, node.workers),
            render::ago(node.started_at_ms, now_ms),
            render::ago(node.seen_at_ms, now_ms),
            node.version.clone(),
        ]
    });
    render::table(&["node", "state", "runs", "started", "seen", "version"], rows.collect())
}

//! A shell in a node with a terminal of its own, for people.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use serde_json::{Value, json};
use tokio::io::AsyncWrite;
use windlass_model::Problem;

use super::{config::Config, daemon::Daemon, lab, look};
use crate::{lab_id::LabId, lab_mark::short_instance};

/// Finds nodes, and opens shells in them.
pub struct Consoles {
    daemon: Daemon,
    socket: std::path::PathBuf,
}

/// A shell that runs. Dropping it ends what runs in it.
pub struct Shell {
    /// What it shows; it ends with the shell.
    pub output: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
    /// What is typed.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its terminal's size, and its end.
    pub ending: Ending,
}

/// How a shell's terminal is changed and how it ended.
pub struct Ending {
    pub(super) client: bollard::Docker,
    pub(super) id: String,
}

impl Consoles {
    /// Of the daemon that the configuration names.
    pub fn new(config: &Config) -> Self {
        Self { daemon: Daemon::at(config.socket.clone()), socket: config.socket.clone() }
    }

    /// The container that is this node of the lab, if one is and runs. Where there is no daemon there is none.
    pub async fn container(&self, instance: &str, id: &LabId, node: &str) -> Result<Option<String>, Problem> {
        if !self.socket.exists() {
            return Ok(None);
        }
        let labels = lab::labels_of(&short_instance(instance), id, node);
        let found = self.daemon.list(&labels).await.map_err(|fault| fault.problem("looking for a node's container"))?;
        Ok(found.into_iter().find(|container| container.state == "running").map(|container| container.id))
    }

    /// The containers of a lab's nodes as far as their list tells, by name. Where there is no daemon there is none.
    pub async fn nodes(&self, instance: &str, id: &LabId) -> Result<Vec<Value>, Problem> {
        if !self.socket.exists() {
            return Ok(Vec::new());
        }
        let found = self.daemon.list(&lab::labels_of_lab(&short_instance(instance), id)).await;
        let found = found.map_err(|fault| fault.problem(format!("the nodes of the lab {}", id.name)))?;
        let mut nodes: Vec<Value> = lab::by_node(found)
            .into_iter()
            .map(|(name, pair)| {
                let node = pair.node.as_ref();
                json!({ "name": name, "status": node.filter(|node| !look::is_lost(node, pair.pause.as_ref())).map_or("missing", look::status), "image": node.map(|node| &node.image),
                    "health": node.map_or("none", |node| node.health.as_str()),
                    "container": node.map(|node| &node.name), "digest": pair.digest() })
            })
            .collect();
        nodes.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        Ok(nodes)
    }

    /// Opens a shell in a container.
    pub async fn open(&self, container: &str, argv: &[String], cols: u16, rows: u16) -> Result<Shell, Problem> {
        let opened = self.daemon.terminal(container, argv, (cols, rows)).await;
        opened.map_err(|fault| fault.problem("opening a shell in a node"))
    }
}

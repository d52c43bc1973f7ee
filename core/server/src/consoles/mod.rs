//! Consoles of labs' nodes on this machine: which ones a node has, and what each is connected to.

mod inside;
mod pty;
mod shell;

use std::sync::Arc;

use windlass_api::services::{ConsoleAsk, ConsoleKind, Consoles, LabNode, Opening};
use windlass_hosts::{
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, check_name, parse},
    net,
};
use windlass_model::{Code, Problem};

use crate::config::LabSettings;

/// The nodes of this machine's labs.
pub struct LabConsoles {
    settings: LabSettings,
    instance: Arc<str>,
}

/// A node, as this machine has it.
struct Node {
    /// Its network namespace, as `ip netns` knows it.
    namespace: Option<String>,
}

fn no_node(at: &LabNode) -> Problem {
    Problem::new(Code::NotFound, format!("there is no lab `{}`, or none with a node `{}`", at.lab, at.node))
}

impl LabConsoles {
    /// Of the labs that were made under this instance id.
    pub fn new(settings: &LabSettings, instance: Arc<str>) -> Self {
        Self { settings: settings.clone(), instance }
    }

    /// What is there of a node.
    fn find(&self, at: &LabNode) -> Result<Node, Problem> {
        let names = [("organisation", &at.organisation), ("lab", &at.lab), ("node", &at.node)];
        if names.into_iter().any(|(what, name)| check_name(what, name).is_err()) {
            return Err(no_node(at));
        }
        let lab = LabId::new(&at.organisation, &at.lab);
        let namespace = self.namespace(&lab, &at.node)?;
        match namespace {
            None => Err(no_node(at)),
            namespace => Ok(Node { namespace }),
        }
    }

    /// The namespace that carries a lab's mark as this node of it.
    fn namespace(&self, lab: &LabId, node: &str) -> Result<Option<String>, Problem> {
        let kernel = net::kernel();
        let hash = lab.names(&self.instance).hash().to_owned();
        let all = kernel.namespaces().map_err(|fault| fault.problem("listing the namespaces"))?;
        let named = all.into_iter().filter(|kernel| {
            matches!(parse(kernel), Some(Parsed::Namespace { hash: its, name, .. }) if its == hash && name == node)
        });
        let named: Vec<String> = named.collect();
        let instance = short_instance(&self.instance);
        // Names may be alike, or be made by anybody: marks tell whose a namespace is.
        let ours = kernel.aliases(&named).into_iter().zip(&named).find(|(alias, _)| {
            let mark = alias.as_ref().ok().and_then(|alias| alias.as_deref()).and_then(Mark::parse);
            mark.is_some_and(|mark| mark.instance == instance && mark.lab == lab.key && mark.name == node)
        });
        Ok(ours.map(|(_, name)| name.clone()))
    }

    fn kinds_of(&self, node: &Node) -> Vec<ConsoleKind> {
        let mut kinds = Vec::new();
        if node.namespace.is_some() && !self.settings.shell.is_empty() {
            kinds.push(ConsoleKind::Shell);
        }
        kinds
    }
}

impl Consoles for LabConsoles {
    fn kinds(&self, at: &LabNode) -> Result<Vec<ConsoleKind>, Problem> {
        Ok(self.kinds_of(&self.find(at)?))
    }

    fn open(&self, ask: ConsoleAsk) -> Opening {
        let node = match self.find(&ask.node) {
            Ok(node) => node,
            Err(problem) => return Box::pin(std::future::ready(Err(problem))),
        };
        match (ask.kind, node.namespace) {
            (ConsoleKind::Shell, Some(namespace)) => Box::pin(shell::open(self.settings.clone(), namespace, ask)),
            _ => {
                let message = format!("{} has no {} console", ask.node.node, ask.kind.as_str());
                Box::pin(std::future::ready(Err(Problem::new(Code::NotFound, message))))
            }
        }
    }
}

//! What has to be done so that what is there is what a document says: nothing, if nothing differs. Pure: it decides, scripts act.

mod cables;
mod declared;
mod hosts;
mod networks;
mod nodes;
mod ports;
mod routes;
mod tried;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    actual::Actual,
    document::{At, Document, End, Link, Network, Node, NodeKind},
};

pub use self::declared::{Declared, declared};
use self::hosts::Hosts;

/// What a difference asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// It isn't there.
    Add,
    /// It can be changed as it runs.
    Change,
    /// It has to be made anew.
    Replace,
    /// It is there and doesn't run.
    Start,
    /// It isn't in the document.
    Remove,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Difference {
    pub(super) action: Action,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) why: String,
}

/// An argument of `net::build` and `net::unbuild`.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Build {
    pub(super) namespaces: Vec<String>,
    pub(super) bridges: Vec<Value>,
    pub(super) taps: Vec<Value>,
    pub(super) links: Vec<Value>,
    pub(super) vxlans: Vec<Value>,
    pub(super) devices: Vec<Value>,
    pub(super) routes: Vec<Value>,
    pub(super) forwarding: Vec<String>,
}

impl Build {
    fn is_empty(&self) -> bool {
        let lists = [&self.bridges, &self.taps, &self.links, &self.vxlans, &self.devices, &self.routes];
        self.namespaces.is_empty() && self.forwarding.is_empty() && lists.iter().all(|list| list.is_empty())
    }
}

/// The whole plan, in the order in which a script works it off.
#[derive(Default, Serialize)]
pub(super) struct Plan {
    differences: Vec<Difference>,
    remove_machines: Vec<String>,
    remove_containers: Vec<String>,
    /// For `net::unbuild`.
    remove: Build,
    /// Addresses and routes that go, one call each.
    loosen: Vec<Value>,
    /// Bridges, what joins them to other machines, and namespaces; in a lab without containers and machines all else, too.
    base: Build,
    containers: Vec<Value>,
    /// What containers know of the lab's nodes: addresses by name.
    hosts: Hosts,
    /// What they knew when the lab was made last, if that is known: a deployment that fails tells them that again.
    hosts_before: Option<Hosts>,
    /// Containers that are there, and have to be told that.
    tell: Vec<String>,
    /// Containers that are there and have ended: if what held their links has ended, too, those are laid anew.
    revive: Vec<String>,
    /// Containers that are there, and don't run: a deployment that fails stops those again that it has started, or the next one would
    /// take them for ones that came up with their `startup`.
    stopped: Vec<String>,
    /// Links, when containers are there.
    wire: Build,
    /// Changes to what is there by now, one call each.
    settle: Vec<Value>,
    sysctls: Vec<Value>,
    start_containers: Vec<String>,
    machines: Vec<Value>,
    /// Machines that are there, and are to be made of something else on the disks that they have.
    change_machines: Vec<Value>,
    start_machines: Vec<String>,
    /// Machines that run, and have lost a tap: the one that is made for it now is another device.
    restart_machines: BTreeSet<String>,
    startup: Vec<Value>,
    ready: Vec<Value>,
}

/// What is being compared, and what came of it so far.
pub(super) struct Comparison<'a> {
    document: &'a Document,
    actual: &'a Actual,
    /// The document as it was when the lab was made last.
    kept: Option<&'a Document>,
    /// What was tried since, and may have left something behind.
    tried: Option<&'a Document>,
    /// Nodes that are made anew: nothing of their links is there then.
    fresh: BTreeSet<&'a str>,
    /// Machines that a change starts anew.
    restarted: BTreeSet<&'a str>,
    /// Nodes that go.
    leaving: BTreeSet<String>,
    /// Whether nodes' names or first addresses aren't what they were.
    renamed: bool,
    /// Bridges that a link needs and no network names.
    implied: BTreeSet<String>,
    plan: Plan,
}

/// Compares. `actual` is `#{ net, docker, qemu, kept, tried, fresh }`.
pub fn plan(document: &Document, actual: &Value) -> Result<Value, Problem> {
    let actual: Actual = serde_json::from_value(actual.clone()).map_err(|error| {
        Problem::new(Code::InvalidArgument, format!("argument `actual`: {error}"))
            .help("it is #{ net: net::describe(lab), docker: docker::nodes(lab), qemu: qemu::machines(lab), kept: … }")
            .no_effect()
    })?;
    let hosts = hosts::of(document);
    let hosts_before = actual.kept.as_ref().map(hosts::of);
    let mut comparison = Comparison {
        renamed: hosts_before.as_ref() != Some(&hosts),
        document,
        actual: &actual,
        kept: actual.kept.as_ref(),
        tried: actual.tried.as_ref(),
        fresh: BTreeSet::new(),
        restarted: BTreeSet::new(),
        leaving: BTreeSet::new(),
        implied: BTreeSet::new(),
        plan: Plan { hosts, hosts_before, ..Plan::default() },
    };
    comparison.nodes();
    comparison.cables()?;
    comparison.told_their_taps();
    comparison.networks();
    comparison.routes();
    comparison.told();
    comparison.kept_lengths();
    comparison.finish()
}

impl<'a> Comparison<'a> {
    fn differs(&mut self, action: Action, kind: &'static str, name: impl Into<String>, why: impl Into<String>) {
        self.plan.differences.push(Difference { action, kind, name: name.into(), why: why.into() });
    }

    fn settle(&mut self, call: Value) {
        self.plan.settle.push(call);
    }

    /// Documents that the lab was made from before, or was to be.
    fn before(&self) -> impl Iterator<Item = &'a Document> + use<'a> {
        self.kept.into_iter().chain(self.tried)
    }

    /// A node, as it was before or was to be.
    fn were(&self, name: &str) -> impl Iterator<Item = &'a Node> {
        self.before().filter_map(move |document| document.node(name))
    }

    /// A network, as it was before or was to be.
    fn networks_before(&self, name: &str) -> impl Iterator<Item = &'a Network> {
        self.before().filter_map(move |document| document.network(name))
    }

    /// An end of a link, as it was before or was to be, with its link.
    fn ends_before(&self, at: &At) -> impl Iterator<Item = (&'a Link, &'a End)> {
        let ends = |link: &'a Link| link.endpoints.iter().map(move |end| (link, end));
        self.before()
            .flat_map(|document| &document.links)
            .flat_map(ends)
            .filter(move |(_, end)| end.at.as_ref() == Some(at))
    }

    fn finish(mut self) -> Result<Value, Problem> {
        let together = self.document.nodes.iter().all(|node| node.kind == NodeKind::Namespace);
        if together {
            let wire = std::mem::take(&mut self.plan.wire);
            let base = &mut self.plan.base;
            base.taps.extend(wire.taps);
            base.links.extend(wire.links);
            base.routes.extend(wire.routes);
            base.forwarding.extend(wire.forwarding);
        }
        let count = |action| self.plan.differences.iter().filter(|one| one.action == action).count();
        let counts = json!({ "add": count(Action::Add), "change": count(Action::Change), "replace": count(Action::Replace),
            "start": count(Action::Start), "remove": count(Action::Remove) });
        let said: Vec<String> = [
            (Action::Add, "to add"),
            (Action::Change, "to change"),
            (Action::Replace, "to replace"),
            (Action::Start, "to start"),
            (Action::Remove, "to remove"),
        ]
        .into_iter()
        .filter(|(action, _)| count(*action) > 0)
        .map(|(action, words)| format!("{} {words}", count(action)))
        .collect();
        let same = self.plan.differences.is_empty();
        let empty = [
            ("remove", self.plan.remove.is_empty()),
            ("base", self.plan.base.is_empty()),
            ("wire", self.plan.wire.is_empty()),
        ];
        let mut value = serde_json::to_value(&self.plan)
            .map_err(|error| Problem::new(Code::Internal, format!("the plan can't be told: {error}")))?;
        // A step that would do nothing needn't be asked for.
        for (key, _) in empty.into_iter().filter(|(_, empty)| *empty) {
            value[key] = Value::Null;
        }
        value["lab"] = self.document.name.as_str().into();
        value["same"] = same.into();
        if !same {
            value["tried"] = json!(tried::with(self.document, self.tried));
        }
        value["counts"] = counts;
        value["summary"] = if same { "nothing differs".into() } else { said.join(", ").into() };
        Ok(value)
    }
}

//! Makes what a plan asks for as one step: everything is checked first, made in a few batches, and taken back as a whole
//! when a part of it is refused.

mod bridges;
mod host;
mod links;
mod outside;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

pub use self::{host::check_mtu, outside::denied};
use super::{
    lab::{Lab, Numbers, Space, View, Whose},
    plan::{At, EndSpec, Plan, Spot, invalid},
    remove,
    steps::{Refused, Step, Steps, failure, perform, take_back},
    types::*,
};
use crate::lab_mark::{altname, our_altname};

/// Makes everything in the plan that isn't there yet; the caller holds the lock. The answer has a list for each list of the plan.
pub fn construct(lab: &Lab<'_>, plan: &Plan) -> Result<Value, Problem> {
    let view = lab.view()?;
    let mut work = Construction::new(lab, &view, plan)?;
    work.bridges(plan)?;
    work.taps(plan)?;
    work.links(plan)?;
    work.vxlans(plan)?;
    work.devices(plan)?;
    work.macvlans(plan)?;
    work.addresses(plan)?;
    work.routes(plan)?;
    work.forwarding(plan)?;
    work.check_host_addresses()?;
    work.make(plan)?;
    Ok(work.report)
}

struct Construction<'l, 'a> {
    lab: &'l Lab<'a>,
    view: &'l View,
    numbers: Numbers,
    /// Those that are there and those to be made.
    spaces: BTreeMap<String, Space>,
    new_spaces: Vec<Space>,
    /// Links inside the namespaces that are there.
    inner: HashMap<String, Vec<Link>>,
    /// Kernel names of the host's links by what the lab calls them, those to be made included.
    on_host: HashMap<String, String>,
    host: Vec<Step>,
    /// Links of the host by their kernel names: those that are made, and addresses that the host gets.
    ours: BTreeMap<String, Vec<Prefix>>,
    inside: Steps,
    report: Value,
}

impl<'l, 'a> Construction<'l, 'a> {
    fn new(lab: &'l Lab<'a>, view: &'l View, plan: &Plan) -> Result<Self, Problem> {
        let mut numbers = Numbers::of(lab, view);
        let mut spaces = BTreeMap::new();
        let mut new_spaces = Vec::new();
        let wanted: BTreeSet<&str> = plan.namespaces.iter().map(|spec| spec.name.as_str()).collect();
        if wanted.len() < plan.namespaces.len() {
            return Err(invalid("a namespace is listed twice"));
        }
        for spec in plan.namespaces.iter().filter(|spec| !view.spaces.contains_key(&spec.name)) {
            let node = numbers.node(&spec.name);
            let space = Space { name: spec.name.clone(), kernel: lab.names.namespace(node, &spec.name)?, node };
            spaces.insert(spec.name.clone(), space.clone());
            new_spaces.push(space);
        }
        // Those that the plan only uses may be another run's; those that it makes may not.
        let used: BTreeSet<&str> = used_spaces(plan).chain(wanted.iter().copied()).collect();
        let there: Vec<Space> = used.iter().filter_map(|name| view.spaces.get(*name)).cloned().collect();
        let no_links = plan.links.is_empty() && plan.macvlans.is_empty();
        let mut inside = if no_links { Vec::new() } else { lab.inside(&there)? };
        // Whoever visits a namespace sees its mark, too.
        let marked = match no_links {
            true => lab.whose_spaces(&there)?,
            false => inside.iter().map(|links| lab.whose_inside(links)).collect(),
        };
        for (space, whose) in there.iter().zip(marked) {
            let fine = if wanted.contains(space.name.as_str()) { whose == Whose::ThisRun } else { whose.is_ours() };
            if !fine {
                return Err(lab.not_ours(&format!("the namespace {}", space.kernel), whose));
            }
            spaces.insert(space.name.clone(), space.clone());
        }
        let halves: Vec<&Link> = view.links.iter().filter(|link| lab.is_half(link)).collect();
        let mut inner = HashMap::new();
        for (space, links) in there.iter().zip(&mut inside) {
            // The other end of a half goes with it, before anything is made. It has no mark; one that has belongs to a
            // link between namespaces, where the same numbers mean other links.
            links.retain(|link| link.alias.is_some() || !halves.iter().any(|half| is_pair(half, link)));
            inner.insert(space.name.clone(), std::mem::take(links));
        }
        let report = |spec: &super::plan::NamespaceSpec| spaces.get(&spec.name).map(space_report);
        let report = json!({ "namespaces": plan.namespaces.iter().filter_map(report).collect::<Vec<_>>() });
        let named = |link: &Link| Some((lab.mark_of(link)?.name, link.name.clone()));
        let on_host = view.links.iter().filter_map(named).collect();
        let clean = |link: &Link| Step {
            label: format!("the leftover {}", link.name),
            change: Change::DeleteLink { name: link.name.clone() },
            undo: None,
        };
        let host = halves.into_iter().map(clean).collect();
        Ok(Self {
            lab,
            view,
            numbers,
            spaces,
            new_spaces,
            inner,
            on_host,
            host,
            ours: BTreeMap::new(),
            inside: Steps::new(),
            report,
        })
    }

    fn addresses(&mut self, plan: &Plan) -> Result<(), Problem> {
        for spec in &plan.addresses {
            let (place, link) = match &spec.at {
                Spot::Link(name) => match self.on_host.get(name) {
                    Some(kernel) => (Place::Host, kernel.clone()),
                    None => (Place::Host, self.lab.bridge(self.view, name)?.name.clone()),
                },
                Spot::Interface(at) => match self.spaces.get(&at.node) {
                    Some(space) if !at.host_side => (Place::Namespace(space.kernel.clone()), at.interface.clone()),
                    _ => match self.on_host.get(&at.link_name()) {
                        Some(kernel) => (Place::Host, kernel.clone()),
                        None => return Err(self.no_space(&at.node)),
                    },
                },
            };
            self.address(&place, &link, spec.address);
        }
        self.report["addresses"] = plan.addresses.len().into();
        Ok(())
    }

    fn routes(&mut self, plan: &Plan) -> Result<(), Problem> {
        for spec in &plan.routes {
            let route = spec.route()?;
            let place = self.place(&spec.namespace)?;
            let step = Step {
                label: format!("the route to {} in {}", spec.to, spec.namespace),
                change: Change::AddRoute(route.clone()),
                undo: Some((place.clone(), Change::RemoveRoute(route))),
            };
            self.inside.entry(place).or_default().push(step);
        }
        self.report["routes"] = plan.routes.len().into();
        Ok(())
    }

    fn forwarding(&mut self, plan: &Plan) -> Result<(), Problem> {
        for name in &plan.forwarding {
            let place = self.place(name)?;
            let step = Step {
                label: format!("forwarding in {name}"),
                change: Change::SetForwarding(true),
                undo: Some((place.clone(), Change::SetForwarding(false))),
            };
            self.inside.entry(place).or_default().push(step);
        }
        Ok(())
    }

    /// Makes everything, or takes everything back.
    fn make(&mut self, plan: &Plan) -> Result<(), Problem> {
        let backend = self.lab.backend;
        let mut done = Steps::new();
        let mut made: Vec<String> = Vec::new();
        let mut refused = Vec::new();
        let new: Vec<NewNamespace> = self.new_spaces.iter().map(|space| self.new_namespace(space)).collect();
        for (namespace, answer) in self.new_spaces.iter().zip(backend.add_namespaces(&new)) {
            match answer {
                Ok(()) => made.push(namespace.kernel.clone()),
                Err(fault) => refused.push(Refused { label: format!("the namespace {}", namespace.name), fault }),
            }
        }
        let (births, rest) = self.births();
        for steps in [births, rest] {
            if refused.is_empty() {
                refused = perform(backend, Steps::from([(Place::Host, steps)]), &mut done);
            }
        }
        if refused.is_empty() {
            refused = perform(backend, std::mem::take(&mut self.inside), &mut done);
        }
        let problem = if refused.is_empty() { self.unsupported(plan)? } else { None };
        if refused.is_empty() && problem.is_none() {
            return Ok(());
        }
        let mut left = take_back(backend, done);
        for (name, answer) in made.iter().zip(backend.remove_namespaces(&made)) {
            if let Err(fault) = answer {
                left.push(Refused { label: format!("the namespace {name}"), fault });
            }
        }
        Err(problem.unwrap_or_else(|| failure(&refused, &left)))
    }

    /// Some kernels answer bridge settings that they don't have with success: they are read back.
    fn unsupported(&self, plan: &Plan) -> Result<Option<Problem>, Problem> {
        if plan.bridges.iter().all(|spec| spec.settings.is_empty()) {
            return Ok(None);
        }
        let view = self.lab.view()?;
        let shown =
            |name: &str| self.lab.host_link(&view, name).and_then(|link| link.bridge.clone()).unwrap_or_default();
        let found = plan
            .bridges
            .iter()
            .find_map(|spec| Some((spec, remove::missing_setting(&spec.settings, &shown(&spec.name))?)));
        Ok(found.map(|(spec, setting)| {
            Problem::new(Code::Unsupported, format!("the bridge {} doesn't take `{setting}` on this kernel", spec.name))
                .help("leave the setting out; net::capabilities() says what this kernel can do")
                .no_effect()
        }))
    }

    fn new_namespace(&self, space: &Space) -> NewNamespace {
        NewNamespace { name: space.kernel.clone(), alias: self.lab.mark(&space.name).to_string() }
    }

    /// What a link is marked with. One that an earlier step has made stays that step's: its undo takes it back.
    fn new_alias(&self, there: Option<&Link>, name: &str) -> Option<String> {
        match there {
            Some(link) if self.lab.whose(link.alias.as_deref()).is_ours() => None,
            _ => Some(self.lab.mark(name).to_string()),
        }
    }

    /// Gives a link of the host its altname, unless it has one.
    fn name_too(&mut self, there: Option<&Link>, kernel: &str, label: String) {
        if there.is_some_and(|link| our_altname(&link.altnames).is_some()) {
            return;
        }
        let mark = there.and_then(|link| self.lab.mark_of(link)).unwrap_or_else(|| self.lab.mark(""));
        let altname = altname(&mark.key, self.lab.names.hash(), kernel);
        self.host.push(Step { label, change: Change::AddAltname { name: kernel.to_owned(), altname }, undo: None });
    }

    fn must_be_this_run(&self, link: &Link, label: &str) -> Result<(), Problem> {
        match self.lab.whose(link.alias.as_deref()) {
            Whose::ThisRun => Ok(()),
            whose => Err(self.lab.not_ours(label, whose)),
        }
    }

    fn controller(&self, bridge: Option<&str>) -> Result<Option<Option<String>>, Problem> {
        let Some(name) = bridge else { return Ok(None) };
        match self.on_host.get(name) {
            Some(kernel) => Ok(Some(Some(kernel.clone()))),
            None => self.lab.bridge(self.view, name).map(|link| Some(Some(link.name.clone()))),
        }
    }

    fn link_space(&self, at: &At) -> Result<Space, Problem> {
        if at.host_side {
            return Err(invalid(format!("`{at}` can't be an end of a new link: write `{}`", at.link_name())));
        }
        self.spaces.get(&at.node).cloned().ok_or_else(|| self.no_space(&at.node))
    }

    fn place(&self, space: &str) -> Result<Place, Problem> {
        let space = self.spaces.get(space).ok_or_else(|| self.no_space(space))?;
        Ok(Place::Namespace(space.kernel.clone()))
    }

    fn no_space(&self, name: &str) -> Problem {
        Problem::new(Code::NotFound, format!("the lab {} has no namespace {name}", self.lab.id.name))
            .help("make it with net::create_namespace")
            .no_effect()
    }

    fn inner_link(&self, at: &At) -> Option<&Link> {
        self.inner.get(&at.node)?.iter().find(|link| link.name == at.interface)
    }

    fn end_addresses(&mut self, place: &Place, link: &str, end: &EndSpec) {
        for prefix in &end.addresses {
            self.address(place, link, *prefix);
        }
    }

    fn address(&mut self, place: &Place, link: &str, prefix: Prefix) {
        let address = Address { link: link.to_owned(), prefix };
        let step = Step {
            label: format!("the address {prefix} on {link} in {place}"),
            change: Change::AddAddress(address.clone()),
            undo: Some((place.clone(), Change::RemoveAddress(address))),
        };
        match place {
            Place::Host => {
                self.ours.entry(link.to_owned()).or_default().push(prefix);
                self.host.push(step);
            }
            Place::Namespace(_) => self.inside.entry(place.clone()).or_default().push(step),
        }
    }
}

/// What a namespace is answered as.
pub fn space_report(space: &Space) -> Value {
    json!({ "name": space.name, "namespace": space.kernel, "path": format!("/run/netns/{}", space.kernel), "node": space.node })
}

fn used_spaces(plan: &Plan) -> impl Iterator<Item = &str> {
    let ends = plan.links.iter().flat_map(|link| [&link.a, &link.b]).filter_map(|end| end.at.as_ref());
    let ends = ends.chain(plan.macvlans.iter().map(|spec| &spec.at));
    let ends = ends.map(|at| at.node.as_str()).chain(plan.addresses.iter().filter_map(|spec| spec.at.node()));
    ends.chain(plan.routes.iter().map(|spec| spec.namespace.as_str())).chain(plan.forwarding.iter().map(String::as_str))
}

fn is_pair(one: &Link, other: &Link) -> bool {
    one.kind == "veth" && other.kind == "veth" && one.peer == Some(other.index) && other.peer == Some(one.index)
}

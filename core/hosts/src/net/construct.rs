//! Makes what a plan asks for as one step: everything is checked first, made in a few batches, and taken back as a whole
//! when a part of it is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    lab::{Lab, Numbers, Space, View, Whose},
    plan::{At, BridgeSpec, EndSpec, LinkSpec, Plan, TapSpec, invalid},
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
    work.addresses(plan)?;
    work.routes(plan)?;
    work.forwarding(plan)?;
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
        let mut inside = if plan.links.is_empty() { Vec::new() } else { lab.inside(&there)? };
        // Whoever visits a namespace sees its mark, too.
        let marked = match plan.links.is_empty() {
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
        Ok(Self { lab, view, numbers, spaces, new_spaces, inner, on_host, host, inside: Steps::new(), report })
    }

    fn bridges(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.bridges {
            // Kernels refuse settings that they don't have without a word about which.
            let settings = spec.settings.names();
            let with = if settings.is_empty() { String::new() } else { format!(" with {}", settings.join(", ")) };
            let label = format!("the bridge {}{with}", spec.name);
            let there = self.lab.host_link(self.view, &spec.name);
            let kernel = match there {
                Some(link) => {
                    self.must_be_this_run(link, &label)?;
                    if !spec.settings.is_empty() {
                        let change = Change::SetBridge { name: link.name.clone(), settings: spec.settings.clone() };
                        self.host.push(Step { label: label.clone(), change, undo: None });
                    }
                    link.name.clone()
                }
                None if self.on_host.contains_key(&spec.name) => {
                    return Err(invalid(format!("{label} is listed twice")));
                }
                None => self.new_bridge(spec, &label)?,
            };
            let alias = self.new_alias(there, &spec.name);
            let set = LinkSettings { up: Some(true), mtu: spec.mtu, alias, ..LinkSettings::default() };
            let change = Change::SetLink { name: kernel.clone(), set };
            self.host.push(Step { label: label.clone(), change, undo: None });
            self.name_too(there, &kernel, label);
            report.push(json!({ "name": spec.name, "interface": kernel }));
        }
        self.report["bridges"] = report.into();
        Ok(())
    }

    fn new_bridge(&mut self, spec: &BridgeSpec, label: &str) -> Result<String, Problem> {
        let kernel = self.lab.names.bridge(self.numbers.network())?;
        let change =
            Change::AddBridge { name: kernel.clone(), group: self.lab.names.group(), settings: spec.settings.clone() };
        let undo = Some((Place::Host, Change::DeleteLink { name: kernel.clone() }));
        self.host.push(Step { label: label.to_owned(), change, undo });
        self.on_host.insert(spec.name.clone(), kernel.clone());
        Ok(kernel)
    }

    fn taps(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.taps {
            let name = spec.at.link_name();
            let label = format!("the tap {name}");
            if spec.at.host_side
                || self.spaces.contains_key(&spec.at.node)
                || self.view.spaces.contains_key(&spec.at.node)
            {
                return Err(invalid(format!("{label} can't be made: {} is a namespace", spec.at.node)));
            }
            let there = self.lab.host_link(self.view, &name);
            let kernel = match there {
                Some(link) => {
                    self.must_be_this_run(link, &label)?;
                    link.name.clone()
                }
                None if self.on_host.contains_key(&name) => return Err(invalid(format!("{label} is listed twice"))),
                None => self.new_tap(spec, &label)?,
            };
            let controller = self.controller(spec.bridge.as_deref())?;
            let set =
                LinkSettings { up: Some(spec.up), mtu: spec.mtu, mac: spec.mac, controller, ..LinkSettings::default() };
            let change = Change::SetLink { name: kernel.clone(), set };
            self.host.push(Step { label: label.clone(), change, undo: None });
            self.name_too(there, &kernel, label);
            report.push(json!({ "at": name, "interface": kernel, "bridge": spec.bridge }));
        }
        self.report["taps"] = report.into();
        Ok(())
    }

    fn new_tap(&mut self, spec: &TapSpec, label: &str) -> Result<String, Problem> {
        let name = spec.at.link_name();
        let node = self.numbers.node(&spec.at.node);
        let kernel = self.lab.names.interface(node, self.numbers.interface(node, &spec.at.interface))?;
        let change = Change::AddTap {
            name: kernel.clone(),
            group: self.lab.names.group(),
            alias: self.lab.mark(&name).to_string(),
            owner: spec.owner_uid,
        };
        let undo = Some((Place::Host, Change::DeleteLink { name: kernel.clone() }));
        self.host.push(Step { label: label.to_owned(), change, undo });
        self.on_host.insert(name, kernel.clone());
        Ok(kernel)
    }

    fn links(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.links {
            report.push(match (&spec.a.at, &spec.b.at) {
                (Some(a), Some(b)) => self.link_inside(spec, a, b)?,
                (Some(at), None) => self.link_to_host(spec, at, [&spec.a, &spec.b])?,
                (None, Some(at)) => self.link_to_host(spec, at, [&spec.b, &spec.a])?,
                (None, None) => {
                    return Err(invalid("one end of a link must be an interface of a namespace, such as `r1:eth0`"));
                }
            });
        }
        self.report["links"] = report.into();
        Ok(())
    }

    /// A link between a namespace and the host.
    fn link_to_host(&mut self, spec: &LinkSpec, at: &At, ends: [&EndSpec; 2]) -> Result<Value, Problem> {
        let label = format!("the link {}", at.link_name());
        let space = self.link_space(at)?;
        let name = at.link_name();
        let inner = self.inner_link(at);
        let there = self.lab.host_link(self.view, &name);
        let kernel = match (there, inner) {
            (Some(outer), Some(inner)) if is_pair(outer, inner) => {
                self.must_be_this_run(outer, &label)?;
                outer.name.clone()
            }
            (Some(outer), _) => return Err(self.lab.not_ours(&label, self.lab.whose(outer.alias.as_deref()))),
            (None, Some(_)) => return Err(self.lab.not_ours(&format!("the interface {name}"), Whose::ThisRun)),
            (None, None) if self.on_host.contains_key(&name) => {
                return Err(invalid(format!("{label} is listed twice")));
            }
            (None, None) => {
                let number = self.numbers.interface(space.node, &at.interface);
                let kernel = self.lab.names.interface(space.node, number)?;
                let host_end = VethEnd { place: Place::Host, name: kernel.clone(), mac: ends[1].mac };
                self.new_link(&label, [veth_end(&space, at, ends[0]), host_end], spec.mtu);
                self.on_host.insert(name.clone(), kernel.clone());
                kernel
            }
        };
        let alias = self.new_alias(there, &name);
        let controller = self.controller(ends[1].bridge.as_deref())?;
        let set = LinkSettings { up: Some(true), alias, controller, ..LinkSettings::default() };
        self.host.push(Step {
            label: label.clone(),
            change: Change::SetLink { name: kernel.clone(), set },
            undo: None,
        });
        let inside = Place::Namespace(space.kernel.clone());
        self.without_offload(&label, &Place::Host, &kernel);
        self.without_offload(&label, &inside, &at.interface);
        self.name_too(there, &kernel, label);
        self.end_addresses(&Place::Host, &kernel, ends[1]);
        self.end_addresses(&inside, &at.interface, ends[0]);
        Ok(json!({ "at": name, "namespace": space.kernel, "interface": at.interface, "host_interface": kernel,
            "bridge": ends[1].bridge }))
    }

    /// A link between two namespaces, or within one.
    fn link_inside(&mut self, spec: &LinkSpec, a: &At, b: &At) -> Result<Value, Problem> {
        let label = format!("the link {} – {}", a.link_name(), b.link_name());
        let spaces = [self.link_space(a)?, self.link_space(b)?];
        if a == b {
            return Err(invalid(format!("{label} has the same end twice")));
        }
        match (self.inner_link(a), self.inner_link(b)) {
            (None, None) => {
                let ends = [veth_end(&spaces[0], a, &spec.a), veth_end(&spaces[1], b, &spec.b)];
                self.new_link(&label, ends, spec.mtu);
            }
            // A half, or one whose other end isn't marked yet: what is missing is set below.
            (Some(one), Some(other)) if is_pair(one, other) => {
                let marked = if one.alias.is_some() { one } else { other };
                if marked.alias.is_some() || marked.group != self.lab.names.group() {
                    self.must_be_this_run(marked, &label)?;
                }
            }
            (one, other) => {
                let alias = one.or(other).and_then(|link| link.alias.clone());
                return Err(self.lab.not_ours(&label, self.lab.whose(alias.as_deref())));
            }
        }
        for (space, at, end, other) in [(&spaces[0], a, &spec.a, b), (&spaces[1], b, &spec.b, a)] {
            let place = Place::Namespace(space.kernel.clone());
            let alias = self.new_alias(self.inner_link(at), &at.between(other));
            let set = LinkSettings { up: Some(true), alias, ..LinkSettings::default() };
            let change = Change::SetLink { name: at.interface.clone(), set };
            self.inside.entry(place.clone()).or_default().push(Step { label: label.clone(), change, undo: None });
            self.without_offload(&label, &place, &at.interface);
            self.end_addresses(&place, &at.interface, end);
        }
        Ok(json!({ "at": a.link_name(), "namespace": spaces[0].kernel, "interface": a.interface, "peer": b.link_name(),
            "peer_namespace": spaces[1].kernel }))
    }

    fn new_link(&mut self, label: &str, ends: [VethEnd; 2], mtu: Option<u32>) {
        // One end takes the other with it; where it is on the host, no namespace has to be entered.
        let end = ends.iter().find(|end| end.place == Place::Host).unwrap_or(&ends[0]);
        let undo = Some((end.place.clone(), Change::DeleteLink { name: end.name.clone() }));
        let change = Change::AddVeth { ends: Box::new(ends), group: self.lab.names.group(), mtu };
        self.host.push(Step { label: label.to_owned(), change, undo });
    }

    /// A veth has no hardware that could compute checksums later, and some on the way drop what has none.
    fn without_offload(&mut self, label: &str, place: &Place, link: &str) {
        let change = Change::SetOffload { link: link.to_owned(), on: false };
        let step = Step { label: label.to_owned(), change, undo: None };
        match place {
            Place::Host => self.host.push(step),
            Place::Namespace(_) => self.inside.entry(place.clone()).or_default().push(step),
        }
    }

    fn addresses(&mut self, plan: &Plan) -> Result<(), Problem> {
        for spec in &plan.addresses {
            let (place, link) = match self.spaces.get(&spec.at.node) {
                Some(space) if !spec.at.host_side => {
                    (Place::Namespace(space.kernel.clone()), spec.at.interface.clone())
                }
                _ => match self.on_host.get(&spec.at.link_name()) {
                    Some(kernel) => (Place::Host, kernel.clone()),
                    None => return Err(self.no_space(&spec.at.node)),
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
        if refused.is_empty() {
            refused = perform(backend, Steps::from([(Place::Host, std::mem::take(&mut self.host))]), &mut done);
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
            Place::Host => self.host.push(step),
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
    let ends = ends.chain(plan.addresses.iter().map(|spec| &spec.at)).map(|at| at.node.as_str());
    ends.chain(plan.routes.iter().map(|spec| spec.namespace.as_str())).chain(plan.forwarding.iter().map(String::as_str))
}

fn veth_end(space: &Space, at: &At, spec: &EndSpec) -> VethEnd {
    VethEnd { place: Place::Namespace(space.kernel.clone()), name: at.interface.clone(), mac: spec.mac }
}

fn is_pair(one: &Link, other: &Link) -> bool {
    one.kind == "veth" && other.kind == "veth" && one.peer == Some(other.index) && other.peer == Some(one.index)
}

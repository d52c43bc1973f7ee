//! Links of a plan: veths, each end born in its place.

use serde_json::{Value, json};
use windlass_model::Problem;

use super::{
    super::{
        lab::{Space, Whose},
        plan::{At, EndSpec, LinkSpec, Plan, invalid},
        steps::Step,
        types::*,
    },
    Construction, host, is_pair,
};

impl Construction<'_, '_> {
    pub(super) fn links(&mut self, plan: &Plan) -> Result<(), Problem> {
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
        host::check_mtu(&label, spec.mtu)?;
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
                let mac = ends[1].mac.unwrap_or_else(|| self.lab.names.mac(&format!("{name}@host")));
                let host_end = VethEnd { place: Place::Host, name: kernel.clone(), mac: Some(mac) };
                self.new_link(&label, [self.inner_end(&space, at, ends[0].mac), host_end], spec.mtu);
                self.on_host.insert(name.clone(), kernel.clone());
                kernel
            }
        };
        let alias = self.new_alias(there, &name);
        self.keep_from_ipv6(&kernel);
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
                let ends = [self.inner_end(&spaces[0], a, spec.a.mac), self.inner_end(&spaces[1], b, spec.b.mac)];
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

    /// An interface of a node. It has the same hardware address whenever it is made: others have it in their tables.
    pub(super) fn inner_end(&self, space: &Space, at: &At, mac: Option<[u8; 6]>) -> VethEnd {
        let mac = mac.unwrap_or_else(|| self.lab.names.mac(&at.link_name()));
        VethEnd { place: Place::Namespace(space.kernel.clone()), name: at.interface.clone(), mac: Some(mac) }
    }

    fn new_link(&mut self, label: &str, ends: [VethEnd; 2], mtu: Option<u32>) {
        // One end takes the other with it; where it is on the host, no namespace has to be entered.
        let end = ends.iter().find(|end| end.place == Place::Host).unwrap_or(&ends[0]);
        let undo = Some((end.place.clone(), Change::DeleteLink { name: end.name.clone() }));
        let change = Change::AddVeth { ends: Box::new(ends), group: self.lab.names.group(), mtu };
        self.host.push(Step { label: label.to_owned(), change, undo });
    }

    /// A veth has no hardware that could compute checksums later, and some on the way drop what has none.
    pub(super) fn without_offload(&mut self, label: &str, place: &Place, link: &str) {
        let change = Change::SetOffload { link: link.to_owned(), on: false };
        let step = Step { label: label.to_owned(), change, undo: None };
        match place {
            Place::Host => self.host.push(step),
            Place::Namespace(_) => self.inside.entry(place.clone()).or_default().push(step),
        }
    }
}

//! What leads out of a lab: VXLANs, devices of the machine in its bridges, and interfaces on such devices.

use serde_json::json;
use windlass_model::{Code, Problem};

use super::{
    super::{
        device,
        lab::Whose,
        plan::{MacvlanSpec, Plan, VxlanSpec, invalid},
        steps::Step,
        types::*,
    },
    Construction, host,
};

impl Construction<'_, '_> {
    pub(super) fn vxlans(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.vxlans {
            let label = format!("the VXLAN {} (network {}, port {})", spec.name, spec.id, spec.port);
            spec.check(&self.lab.allowed)?;
            host::check_mtu(&label, spec.mtu)?;
            let there = self.lab.host_link(self.view, &spec.name);
            let kernel = match there {
                Some(link) => {
                    self.must_be_this_run(link, &label)?;
                    if !self.is_this(link, spec) {
                        return Err(self.lab.not_ours(&label, Whose::ThisRun));
                    }
                    link.name.clone()
                }
                None if self.on_host.contains_key(&spec.name) => {
                    return Err(invalid(format!("{label} is listed twice, or has a bridge's name")));
                }
                None => self.new_vxlan(spec, &label)?,
            };
            self.keep_from_ipv6(&kernel);
            let controller = self.controller(spec.bridge.as_deref())?;
            let alias = self.new_alias(there, &spec.name);
            let set = LinkSettings { up: Some(true), mtu: spec.mtu, controller, alias, ..LinkSettings::default() };
            let change = Change::SetLink { name: kernel.clone(), set };
            self.host.push(Step { label: label.clone(), change, undo: None });
            self.name_too(there, &kernel, label);
            report.push(json!({ "name": spec.name, "interface": kernel, "bridge": spec.bridge }));
        }
        self.report["vxlans"] = report.into();
        Ok(())
    }

    /// Whether a link is the VXLAN that is asked for: none of it can be changed later.
    fn is_this(&self, link: &Link, spec: &VxlanSpec) -> bool {
        let on = |name: &String| {
            let device = self.view.links.iter().find(|device| device.name == *name);
            device.is_some_and(|device| link.peer == Some(device.index))
        };
        link.vxlan.as_ref().is_some_and(|is| {
            (is.id, is.port, is.remote) == (spec.id, spec.port, Some(spec.remote))
                && (spec.local.is_none() || spec.local == is.local)
                && spec.device.as_ref().is_none_or(on)
        })
    }

    fn new_vxlan(&mut self, spec: &VxlanSpec, label: &str) -> Result<String, Problem> {
        let names = &self.lab.names;
        let kernel = names.vxlan(self.numbers.vxlan())?;
        let (remote, local) = (Some(spec.remote), spec.local);
        let vxlan = Vxlan { id: spec.id, remote, local, device: spec.device.clone(), port: spec.port };
        let (group, mac) = (names.group(), names.mac(&spec.name));
        let change = Change::AddVxlan { name: kernel.clone(), group, vxlan, mac };
        let undo = Some((Place::Host, Change::DeleteLink { name: kernel.clone() }));
        self.host.push(Step { label: label.to_owned(), change, undo });
        self.on_host.insert(spec.name.clone(), kernel.clone());
        Ok(kernel)
    }

    pub(super) fn devices(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.devices {
            self.lab.allowed.device(&spec.device)?;
            let bridge = self.controller(Some(&spec.bridge))?.flatten().unwrap_or_default();
            self.host.extend(device::attach(self.lab, self.view, &spec.device, (&spec.bridge, &bridge))?);
            report.push(json!({ "device": spec.device, "bridge": spec.bridge }));
        }
        self.report["devices"] = report.into();
        Ok(())
    }

    pub(super) fn macvlans(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.macvlans {
            report.push(self.macvlan(spec)?);
        }
        self.report["macvlans"] = report.into();
        Ok(())
    }

    fn macvlan(&mut self, spec: &MacvlanSpec) -> Result<serde_json::Value, Problem> {
        let (at, name) = (&spec.at, spec.at.link_name());
        let label = format!("the interface {name} on {}", spec.device);
        self.lab.allowed.device(&spec.device)?;
        let space = self.link_space(at)?;
        let Some(device) = self.view.links.iter().find(|link| link.name == spec.device) else {
            return Err(device::missing(&spec.device));
        };
        if self.on_host.contains_key(&name) {
            return Err(invalid(format!("{label} can't be made: {name} is the end of a link")));
        }
        let place = Place::Namespace(space.kernel.clone());
        let there = self.inner_link(at).cloned();
        match &there {
            None => {
                let change = Change::AddMacvlan {
                    end: self.inner_end(&space, at, spec.mac),
                    device: spec.device.clone(),
                    mode: spec.mode,
                    group: self.lab.names.group(),
                    mtu: spec.mtu,
                };
                let undo = Some((place.clone(), Change::DeleteLink { name: at.interface.clone() }));
                self.host.push(Step { label: label.clone(), change, undo });
            }
            Some(link) if link.kind == "macvlan" && link.peer == Some(device.index) => {
                // One that a crash kept from being marked has the lab's group.
                if link.alias.is_some() || link.group != self.lab.names.group() {
                    self.must_be_this_run(link, &label)?;
                }
            }
            Some(link) => return Err(self.lab.not_ours(&label, self.lab.whose(link.alias.as_deref()))),
        }
        let alias = self.new_alias(there.as_ref(), &name);
        let set = LinkSettings { up: Some(true), alias, ..LinkSettings::default() };
        let change = Change::SetLink { name: at.interface.clone(), set };
        self.inside.entry(place.clone()).or_default().push(Step { label: label.clone(), change, undo: None });
        self.without_offload(&label, &place, &at.interface);
        for prefix in &spec.addresses {
            self.address(&place, &at.interface, *prefix);
        }
        Ok(json!({ "at": name, "namespace": space.kernel, "interface": at.interface, "device": spec.device }))
    }
}

impl VxlanSpec {
    fn check(&self, allowed: &device::Allowed) -> Result<(), Problem> {
        let label = format!("the VXLAN {}", self.name);
        let whole = |address: &std::net::IpAddr| !address.is_unspecified() && !address.is_multicast();
        if !(1..1 << 24).contains(&self.id) {
            return Err(invalid(format!("{label}: {} can't be its `id`", self.id)).help("use 1 to 16777215"));
        }
        if !whole(&self.remote) || !self.local.as_ref().is_none_or(whole) {
            return Err(invalid(format!("{label}: its ends are addresses of one machine each")));
        }
        if self.local.is_some_and(|local| local.is_ipv4() != self.remote.is_ipv4()) {
            return Err(invalid(format!("{label}: `local` and `remote` are of different address families")));
        }
        if self.port == 0 {
            return Err(invalid(format!("{label}: 0 can't be its `port`")));
        }
        allowed.remote(self.remote)?;
        allowed.port(self.port)?;
        self.device.as_deref().map_or(Ok(()), |device| allowed.device(device))
    }
}

/// What a lab may not do because nobody has allowed it.
pub fn denied(message: String, help: &str) -> Problem {
    Problem::new(Code::PermissionDenied, message).help(help).no_effect()
}

//! Bridges and taps of a plan.

use serde_json::json;
use windlass_model::Problem;

use super::{
    super::{
        plan::{BridgeSpec, Plan, TapSpec, invalid},
        steps::Step,
        types::*,
    },
    Construction, host,
};

impl Construction<'_, '_> {
    pub(super) fn bridges(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.bridges {
            // Kernels refuse settings that they don't have without a word about which.
            let settings = spec.settings.names();
            let with = if settings.is_empty() { String::new() } else { format!(" with {}", settings.join(", ")) };
            let label = format!("the bridge {}{with}", spec.name);
            host::check_mtu(&label, spec.mtu)?;
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
            self.keep_from_ipv6(&kernel);
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
        let change = Change::AddBridge {
            name: kernel.clone(),
            group: self.lab.names.group(),
            settings: spec.settings.clone(),
            mac: Some(self.lab.names.mac(&spec.name)),
        };
        let undo = Some((Place::Host, Change::DeleteLink { name: kernel.clone() }));
        self.host.push(Step { label: label.to_owned(), change, undo });
        self.on_host.insert(spec.name.clone(), kernel.clone());
        Ok(kernel)
    }

    pub(super) fn taps(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut report = Vec::new();
        for spec in &plan.taps {
            let name = spec.at.link_name();
            let label = format!("the tap {name}");
            host::check_mtu(&label, spec.mtu)?;
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
            self.keep_from_ipv6(&kernel);
            let controller = self.controller(spec.bridge.as_deref())?;
            // The guest's own is another: a bridge would keep what is for it.
            let mac = spec.mac.or_else(|| there.is_none().then(|| self.lab.names.mac(&format!("{name}@host"))));
            let set = LinkSettings { up: Some(spec.up), mtu: spec.mtu, mac, controller, ..LinkSettings::default() };
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
}

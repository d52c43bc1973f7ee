//! Devices of this machine that a lab has in its bridges. They are other people's: no more of one is changed than has to be, and it is
//! given back as it was. How it was stands in its mark, behind the space: `up` or `down`, and the alias that it had.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde_json::json;
use windlass_model::{Code, Problem};

use super::{
    Config,
    construct::denied,
    lab::{Lab, View, Whose},
    plan::invalid,
    steps::{Step, Steps, perform},
    types::{Change, Link, LinkSettings, Place, Prefix},
};
use crate::lab_mark::Mark;

/// What marks of devices say instead of a name that the lab has given: no name of the lab's has a slash.
const PREFIX: &str = "device/";
/// The longest alias that the kernel keeps.
const ALIAS_BYTES: usize = 255;

/// What labs may reach beyond themselves.
#[derive(Clone, Default)]
pub struct Allowed {
    devices: Arc<[String]>,
    remotes: Arc<[IpNet]>,
    ports: Arc<[u16]>,
    addresses: Arc<[IpNet]>,
}

impl Allowed {
    /// As it is configured.
    pub fn new(config: &Config) -> Self {
        Self {
            devices: config.devices.clone().into(),
            remotes: config.vxlan_remotes.clone().into(),
            ports: config.vxlan_ports.clone().into(),
            addresses: config.addresses.clone().into(),
        }
    }

    /// Refuses a device that isn't listed.
    pub fn device(&self, name: &str) -> Result<(), Problem> {
        if self.devices.iter().any(|device| device == name) {
            return Ok(());
        }
        let help = "an admin lists those that labs may use: `[hosts.net] devices = [\"eth1\"]`";
        Err(denied(format!("labs may not use the device `{name}` of this machine"), help))
    }

    /// Refuses another machine that isn't in a listed network.
    pub fn remote(&self, address: IpAddr) -> Result<(), Problem> {
        if self.remotes.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        let help = "an admin lists the networks that they may reach: `[hosts.net] vxlan_remotes = [\"192.0.2.0/24\"]`";
        Err(denied(format!("VXLANs of labs may not reach {address}"), help))
    }

    /// Refuses a port that isn't listed: this machine would listen to it.
    pub fn port(&self, port: u16) -> Result<(), Problem> {
        if self.ports.contains(&port) {
            return Ok(());
        }
        let help = "an admin lists the ports that they may use: `[hosts.net] vxlan_ports = [4789]`";
        Err(denied(format!("VXLANs of labs may not use the port {port}"), help))
    }

    /// Refuses an address for this machine whose network isn't within a listed one.
    pub fn address(&self, prefix: Prefix) -> Result<(), Problem> {
        let within = |net: &IpNet| net.contains(&prefix.address) && prefix.length >= net.prefix_len();
        if self.addresses.iter().any(within) {
            return Ok(());
        }
        let help = "an admin lists the networks that they may be of: `[hosts.net] addresses = [\"10.0.0.0/8\"]`";
        Err(denied(format!("labs may not give this machine the address {prefix}"), help))
    }
}

/// Whether a mark is a device's.
pub fn is_device(mark: &Mark) -> bool {
    mark.name.starts_with(PREFIX)
}

/// What a mark calls a device.
pub fn name_of(device: &str) -> String {
    format!("{PREFIX}{device}")
}

/// How a device was before a lab had it.
struct Before {
    up: bool,
    alias: String,
}

impl Before {
    fn of(mark: &Mark) -> Self {
        let note = mark.note.as_deref().unwrap_or_default();
        let (state, alias) = note.split_once(' ').unwrap_or((note, ""));
        Self { up: state != "down", alias: alias.to_owned() }
    }

    fn note(&self) -> String {
        let state = if self.up { "up" } else { "down" };
        if self.alias.is_empty() { state.to_owned() } else { format!("{state} {}", self.alias) }
    }
}

/// Puts a device into a bridge: what the lab calls the bridge, and the kernel.
pub fn attach(lab: &Lab<'_>, view: &View, device: &str, (bridge, kernel): (&str, &str)) -> Result<Vec<Step>, Problem> {
    let label = format!("the device {device}");
    let link = view.links.iter().find(|link| link.name == device).ok_or_else(|| missing(device))?;
    let conflict = |message: String| Problem::new(Code::Conflict, message).no_effect();
    let holder = view.links.iter().find(|holder| link.controller == Some(holder.index));
    let mut steps = Vec::new();
    let before = match (lab.whose(link.alias.as_deref()), lab.any_mark_of(link).filter(is_device)) {
        // A crash may have come before it was in the bridge.
        (Whose::ThisRun, Some(mark)) if holder.is_none_or(|holder| holder.name == kernel) => Before::of(&mark),
        (Whose::Nobody, _) => {
            if let Some(holder) = holder {
                return Err(conflict(format!("{label} is in {} already", holder.name))
                    .help("take it out of there first, if nobody needs it there"));
            }
            if link.kind == "bridge" || device == "lo" {
                return Err(invalid(format!("{label} can't be in a bridge")));
            }
            must_be_bare(lab, device)?;
            let before = Before { up: link.up, alias: link.alias.clone().unwrap_or_default() };
            let alias = Mark { note: Some(before.note()), ..lab.mark(&name_of(device)) }.to_string();
            if alias.len() > ALIAS_BYTES {
                return Err(conflict(format!("the alias of {label} is too long to be kept beside the lab's mark"))
                    .help(format!("shorten it: `ip link set {device} alias …`")));
            }
            let undo = Some((
                Place::Host,
                set(device, LinkSettings { alias: Some(before.alias.clone()), ..LinkSettings::default() }),
            ));
            let mark = set(device, LinkSettings { alias: Some(alias), ..LinkSettings::default() });
            steps.push(Step { label: label.clone(), change: mark, undo });
            before
        }
        (whose, _) => return Err(lab.not_ours(&label, whose)),
    };
    let into = LinkSettings { up: Some(true), controller: Some(Some(kernel.to_owned())), ..LinkSettings::default() };
    let undo = Some((Place::Host, set(device, out_of_it(&before))));
    steps.push(Step { label: format!("{label} in {bridge}"), change: set(device, into), undo });
    Ok(steps)
}

/// A device with addresses carries this machine's own traffic, which would end in the bridge.
fn must_be_bare(lab: &Lab<'_>, device: &str) -> Result<(), Problem> {
    let addresses =
        lab.backend.addresses(&Place::Host).map_err(|fault| fault.problem("reading the host's addresses"))?;
    let own: Vec<String> =
        addresses.iter().filter(|one| one.link == device).map(|one| one.prefix.to_string()).collect();
    if own.is_empty() {
        return Ok(());
    }
    let message = format!("the device {device} has addresses of this machine: {}", own.join(", "));
    Err(Problem::new(Code::Conflict, message)
        .help("in a bridge it would carry this machine's traffic no more: use a device without addresses, or net::create_macvlan")
        .data(json!({ "addresses": own }))
        .no_effect())
}

/// Gives devices back that this call may touch: these, or all of the lab's.
pub fn give_back(lab: &Lab<'_>, view: &View, devices: Option<&[String]>) -> Result<usize, Problem> {
    let wanted = |link: &Link| devices.is_none_or(|devices| devices.contains(&link.name));
    let ours = view.links.iter().filter(|link| wanted(link) && lab.may_remove(link.alias.as_deref()));
    let ours = ours.filter_map(|link| Some((link, lab.any_mark_of(link).filter(is_device)?)));
    let mut steps = Vec::new();
    let mut count = 0;
    for (link, mark) in ours {
        let (before, label) = (Before::of(&mark), format!("the device {}", link.name));
        // Where somebody has put it elsewhere meanwhile, it stays as it is there.
        let holder = view.links.iter().find(|holder| link.controller == Some(holder.index));
        let is_elsewhere = link.controller.is_some() && holder.is_none_or(|holder| lab.mark_of(holder).is_none());
        let out = (!is_elsewhere).then(|| set(&link.name, out_of_it(&before)));
        // The mark goes last: until then it is known how the device was.
        let unmark = set(&link.name, LinkSettings { alias: Some(before.alias), ..LinkSettings::default() });
        steps.extend(out.into_iter().chain([unmark]).map(|change| Step { label: label.clone(), change, undo: None }));
        count += 1;
    }
    super::remove::fine_if_missing(perform(lab.backend, Steps::from([(Place::Host, steps)]), &mut Steps::new()))?;
    Ok(count)
}

fn out_of_it(before: &Before) -> LinkSettings {
    LinkSettings { up: Some(before.up), controller: Some(None), ..LinkSettings::default() }
}

fn set(device: &str, set: LinkSettings) -> Change {
    Change::SetLink { name: device.to_owned(), set }
}

/// There is no such device.
pub fn missing(device: &str) -> Problem {
    Problem::new(Code::NotFound, format!("this machine has no device `{device}`"))
        .help("`ip link` lists what there is")
        .no_effect()
}

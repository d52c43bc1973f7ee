//! A lab as the stack shows it now: every link with both its ends, and what is set on them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Value, json};
use windlass_model::Problem;

use super::{
    adopt,
    backend::NetBackend,
    device::is_device,
    fault::Fault,
    lab::{Lab, Space},
    plan::At,
    types::{Impairment, Link, Place, Route, Survey, Vxlan, mac_text},
};
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, our_altname},
};

/// A lab of this machine as `net::describe` tells it, for a caller that is no step of a run.
pub fn describe(backend: &dyn NetBackend, id: LabId, instance: &str) -> Result<Value, Problem> {
    let lab = Lab::seen_by(backend, id, instance, String::new(), None)?;
    Ok(Picture::of(&lab)?.lab(&lab))
}

/// The host and the lab's namespaces, each read in one visit.
pub struct Picture {
    host: Arc<Survey>,
    spaces: Vec<(Space, Survey)>,
}

impl Picture {
    /// All of it.
    pub fn of(lab: &Lab<'_>) -> Result<Self, Problem> {
        Self::read(lab, |places| lab.backend.survey(places))
    }

    /// Its links and addresses only.
    pub fn glance(lab: &Lab<'_>) -> Result<Self, Problem> {
        Self::read(lab, |places| lab.backend.glance(places))
    }

    fn read(lab: &Lab<'_>, read: impl Fn(&[Place]) -> Vec<Result<Survey, Fault>>) -> Result<Self, Problem> {
        let all: Vec<Space> = lab.view()?.spaces.into_values().collect();
        let mut places = vec![Place::Host];
        places.extend(all.iter().map(|space| Place::Namespace(space.kernel.clone())));
        let mut answers = read(&places).into_iter();
        let failed = |place: &str, fault: Fault| fault.problem(format!("reading {place}"));
        let host =
            answers.next().unwrap_or_else(|| Ok(Survey::default())).map_err(|fault| failed("the host", fault))?;
        let mut spaces = Vec::new();
        for (space, answer) in all.into_iter().zip(answers) {
            match answer {
                Ok(survey) if lab.whose(mark_text(&survey)).is_ours() => spaces.push((space, survey)),
                Ok(_) => {}
                // It went meanwhile.
                Err(fault) if fault.missing() => {}
                Err(fault) => return Err(failed(&format!("the namespace {}", space.name), fault)),
            }
        }
        Ok(Self { host: Arc::new(host), spaces })
    }

    /// Where it was read.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.spaces.iter().map(|(space, _)| Place::Namespace(space.kernel.clone()))
    }

    /// A glance with what the host shows by now, and these of its namespaces; one that is gone by now is left out.
    pub fn again(&mut self, lab: &Lab<'_>, host: Arc<Survey>, changed: &BTreeSet<Place>) -> Result<(), Problem> {
        self.host = host;
        let places: Vec<Place> = self.places().filter(|place| changed.contains(place)).collect();
        for (place, answer) in places.iter().zip(lab.backend.glance(&places)) {
            let is_this = |space: &Space| Place::Namespace(space.kernel.clone()) == *place;
            match answer {
                Ok(survey) => {
                    self.spaces.iter_mut().filter(|(space, _)| is_this(space)).for_each(|one| one.1 = survey.clone());
                }
                Err(fault) if fault.missing() => self.spaces.retain(|(space, _)| !is_this(space)),
                Err(fault) => return Err(fault.problem(format!("reading {place}"))),
            }
        }
        Ok(())
    }

    /// Ports of the lab's bridges that somebody else has put there.
    pub fn strangers(&self, lab: &Lab<'_>) -> Vec<Value> {
        let own = Own::of(lab, &self.host);
        let ports = self.host.links.iter().filter(|link| !own.marks.contains_key(&link.index));
        let on_ours = ports.filter_map(|link| {
            let bridge = own.marks.get(&link.controller?)?;
            let mut one = report(&link.name, link, &self.host);
            one["bridge"] = bridge.name.clone().into();
            (one["peer"], one["run"]) = (Value::Null, Value::Null);
            Some(one)
        });
        on_ours.collect()
    }

    /// Every link of the lab.
    pub fn links(&self, lab: &Lab<'_>) -> Vec<Value> {
        let own = Own::of(lab, &self.host);
        let mut found = self.host_links(lab, &own);
        for (space, survey) in &self.spaces {
            for link in inner_links(survey) {
                let mut one = self.inner(lab, &own, space, survey, link);
                one["namespace"] = space.kernel.clone().into();
                found.push(one);
            }
        }
        found
    }

    /// All of it.
    pub fn lab(&self, lab: &Lab<'_>) -> Value {
        let own = Own::of(lab, &self.host);
        let namespaces: Vec<Value> =
            self.spaces.iter().map(|(space, survey)| self.space(lab, &own, space, survey)).collect();
        json!({ "lab": lab.id.name, "hash": lab.names.hash(), "group": lab.names.group(), "namespaces": namespaces,
            "links": self.host_links(lab, &own) })
    }

    fn space(&self, lab: &Lab<'_>, own: &Own<'_>, space: &Space, survey: &Survey) -> Value {
        let mark = mark_text(survey).and_then(Mark::parse);
        let interfaces: Vec<Value> =
            inner_links(survey).map(|link| self.inner(lab, own, space, survey, link)).collect();
        let (v4, v6) = survey.forwarding;
        let route = |route: &Route| {
            let to = if route.to.length == 0 { "default".into() } else { route.to.to_string() };
            json!({ "to": to, "via": route.via, "dev": route.dev, "metric": route.metric })
        };
        json!({ "name": space.name, "namespace": space.kernel, "path": format!("/run/netns/{}", space.kernel),
            "node": space.node, "run": mark.as_ref().map(Mark::run),
            "adopted": mark.as_ref().is_some_and(|mark| mark.note.as_deref() == Some(adopt::NOTE)),
            "interfaces": interfaces, "routes": survey.routes.iter().map(route).collect::<Vec<_>>(),
            "forwarding": { "ipv4": v4, "ipv6": v6 } })
    }

    fn host_links(&self, lab: &Lab<'_>, own: &Own<'_>) -> Vec<Value> {
        let ours = self.host.links.iter().filter_map(|link| Some((link, own.marks.get(&link.index)?)));
        ours.map(|(link, mark)| {
            let theirs = is_device(mark);
            let is_veth = link.kind == "veth" && !theirs;
            let at = if is_veth { format!("{}@host", mark.name) } else { mark.name.clone() };
            let mut one = report(&at, link, &self.host);
            one["namespace"] = Value::Null;
            one["bridge"] = json!(own.bridge_of(link));
            one["peer"] = if is_veth { mark.name.clone().into() } else { Value::Null };
            add_mark(&mut one, mark);
            if theirs {
                // What is behind the mark says how the device was.
                (one["device"], one["note"]) = (link.name.clone().into(), Value::Null);
            }
            if let Some(vxlan) = &link.vxlan {
                one["vxlan"] = json!(Vxlan { device: own.below(link).map(str::to_owned), ..vxlan.clone() });
            }
            if link.kind == "tun" {
                one["guest_mac"] = mac_text(lab.names.mac(&mark.name)).into();
            }
            one
        })
        .collect()
    }

    fn inner(&self, lab: &Lab<'_>, own: &Own<'_>, space: &Space, survey: &Survey, link: &Link) -> Value {
        let at = format!("{}:{}", space.name, link.name);
        let mut one = report(&at, link, survey);
        (one["bridge"], one["peer"], one["run"]) = (Value::Null, Value::Null, Value::Null);
        if let Some(mark) = lab.mark_of(link) {
            // A link between two namespaces says so at both ends.
            one["peer"] = json!(At::other_of(&mark.name).map(|other| other.to_string()));
            add_mark(&mut one, &mark);
        } else if let Some((outer, mark)) =
            own.veths.get(at.as_str()).filter(|(outer, _)| outer.peer == Some(link.index))
        {
            one["peer"] = format!("{at}@host").into();
            one["bridge"] = json!(own.bridge_of(outer));
            add_mark(&mut one, mark);
        }
        if link.kind == "macvlan" {
            one["device"] = json!(own.below(link));
        }
        one
    }
}

/// The host's links, looked up once for a whole lab.
struct Own<'p> {
    /// All of the host, by their numbers.
    links: HashMap<u32, &'p Link>,
    /// The marks of those that are the lab's.
    marks: HashMap<u32, Mark>,
    /// Its veths, by what the lab calls them.
    veths: HashMap<String, (&'p Link, Mark)>,
}

impl<'p> Own<'p> {
    fn of(lab: &Lab<'_>, host: &'p Survey) -> Self {
        let links = host.links.iter().map(|link| (link.index, link)).collect();
        let marked = host.links.iter().filter_map(|link| Some((link, lab.any_mark_of(link)?)));
        let (mut marks, mut veths) = (HashMap::new(), HashMap::new());
        for (link, mark) in marked {
            if link.kind == "veth" && !is_device(&mark) {
                veths.insert(mark.name.clone(), (link, mark.clone()));
            }
            marks.insert(link.index, mark);
        }
        Self { links, marks, veths }
    }

    /// The device of the host that a link is on.
    fn below(&self, link: &Link) -> Option<&str> {
        self.links.get(&link.peer?).map(|device| device.name.as_str())
    }

    /// What the lab calls the bridge that a link of the host is a port of.
    fn bridge_of(&self, link: &Link) -> Option<&str> {
        let bridge = self.links.get(&link.controller?)?;
        Some(self.marks.get(&bridge.index).map_or(&bridge.name, |mark| &mark.name))
    }
}

fn inner_links(survey: &Survey) -> impl Iterator<Item = &Link> {
    survey.links.iter().filter(|link| link.name != "lo")
}

/// What a namespace is marked with.
fn mark_text(survey: &Survey) -> Option<&str> {
    survey.links.iter().find(|link| link.name == "lo")?.alias.as_deref()
}

fn add_mark(one: &mut Value, mark: &Mark) {
    one["run"] = mark.run().into();
    one["step"] = json!(mark.key.split_once('/').map(|(_, step)| step));
    one["note"] = json!(mark.note);
}

/// What a link says of itself.
fn report(at: &str, link: &Link, survey: &Survey) -> Value {
    let addresses = survey.addresses.iter().filter(|address| address.link == link.name);
    let addresses: Vec<String> = addresses.map(|address| address.prefix.to_string()).collect();
    let mut one = json!({ "at": at, "interface": link.name, "kind": link.kind, "up": link.up, "carrier": link.carrier,
        "operstate": link.operstate, "mtu": link.mtu, "mac": link.mac, "addresses": addresses,
        "impairment": impairment(&link.name, survey), "altname": our_altname(&link.altnames) });
    if let Some(settings) = &link.bridge {
        one["settings"] = json!(settings);
    }
    if let Some(offload) = survey.checksum_offload.get(&link.name) {
        one["checksum_offload"] = json!(offload);
    }
    one
}

/// What is done to the traffic of a link, by whatever does it.
pub fn impairment(link: &str, survey: &Survey) -> Value {
    let parts = survey.qdiscs.iter().filter(|qdisc| qdisc.link == link && !qdisc.impairment.is_none());
    let mut kinds = Vec::new();
    let mut sum = Impairment::default();
    for part in parts {
        let one = part.impairment;
        kinds.push(part.kind.as_str());
        sum = Impairment {
            delay_ms: sum.delay_ms.max(one.delay_ms),
            jitter_ms: sum.jitter_ms.max(one.jitter_ms),
            loss_percent: sum.loss_percent.max(one.loss_percent),
            duplicate_percent: sum.duplicate_percent.max(one.duplicate_percent),
            corrupt_percent: sum.corrupt_percent.max(one.corrupt_percent),
            reorder_percent: sum.reorder_percent.max(one.reorder_percent),
            rate_kbit: sum.rate_kbit.max(one.rate_kbit),
        };
    }
    if kinds.is_empty() {
        return Value::Null;
    }
    let mut value = json!(sum);
    value["kind"] = kinds.join("+").into();
    value
}

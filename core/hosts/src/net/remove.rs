//! Removes what carries a lab's mark (as an undo: the mark of the step that is undone), and nothing else. What isn't
//! there is removed already.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    device,
    lab::{Lab, Space, View},
    plan::{At, Plan},
    steps::{Refused, Step, Steps, failure, perform},
    types::{Address, BridgeSettings, Change, LinkSettings, Place, Prefix, Route},
};

/// Beyond so many, links are removed as a group: one by one, each costs the kernel a grace period.
const ONE_BY_ONE: usize = 2;
/// A group for links that are about to be removed; its number differs from the lab's by this bit.
const REMOVAL_GROUP_BIT: u32 = 0x4000_0000;

/// Removes namespaces of the lab with everything in them.
pub fn spaces(lab: &Lab<'_>, view: &View, names: &[String]) -> Result<(), Problem> {
    let mut there: Vec<Space> = names.iter().filter_map(|name| view.spaces.get(name)).cloned().collect();
    let aliases = lab.space_aliases(&there)?;
    if lab.undoes.is_some() {
        let mut marks = aliases.iter();
        there.retain(|_| marks.next().is_some_and(|alias| lab.may_remove(alias.as_deref())));
    } else {
        for (space, alias) in there.iter().zip(&aliases) {
            let whose = lab.whose(alias.as_deref());
            if !whose.is_ours() {
                return Err(lab.not_ours(&format!("the namespace {}", space.kernel), whose));
            }
        }
    }
    // The kernel takes its time to remove what is in a namespace: links to the outside go first, so that nothing of
    // them is left when this returns.
    let of_these =
        |name: &str| name.split_once(':').is_some_and(|(node, _)| there.iter().any(|space| space.name == node));
    let outside: Vec<String> = view
        .links
        .iter()
        .filter(|link| link.kind == "veth" && lab.mark_of(link).is_some_and(|mark| of_these(&mark.name)))
        .map(|link| link.name.clone())
        .collect();
    links(lab, view, &outside)?;
    let group = Step {
        label: "links between namespaces".into(),
        change: Change::DeleteGroup { group: lab.names.group() },
        undo: None,
    };
    let inside = there.iter().map(|space| (Place::Namespace(space.kernel.clone()), vec![group.clone()])).collect();
    fine_if_missing(perform(lab.backend, inside, &mut Steps::new()))?;
    drop_spaces(lab, &there)
}

fn drop_spaces(lab: &Lab<'_>, spaces: &[Space]) -> Result<(), Problem> {
    let kernel: Vec<String> = spaces.iter().map(|space| space.kernel.clone()).collect();
    let answers = spaces.iter().zip(lab.backend.remove_namespaces(&kernel));
    let refused = answers.filter_map(|(space, answer)| {
        Some(Refused { label: format!("the namespace {}", space.name), fault: answer.err()? })
    });
    fine_if_missing(refused.collect())
}

/// Removes links of the host by their kernel names, which the caller knows to be the lab's.
pub fn links(lab: &Lab<'_>, view: &View, names: &[String]) -> Result<(), Problem> {
    let step = |name: &String, change: Change| Step { label: format!("the link {name}"), change, undo: None };
    let removal = lab.names.group() ^ REMOVAL_GROUP_BIT;
    let group_is_free = !view.links.iter().any(|link| link.group == removal) && removal != 0;
    let steps: Vec<Step> = if names.len() <= ONE_BY_ONE || !group_is_free {
        names.iter().map(|name| step(name, Change::DeleteLink { name: name.clone() })).collect()
    } else {
        let set = LinkSettings { group: Some(removal), ..LinkSettings::default() };
        let regroup = names.iter().map(|name| step(name, Change::SetLink { name: name.clone(), set: set.clone() }));
        let delete = Step { label: "the links".into(), change: Change::DeleteGroup { group: removal }, undo: None };
        regroup.chain([delete]).collect()
    };
    fine_if_missing(perform(lab.backend, Steps::from([(Place::Host, steps)]), &mut Steps::new()))
}

/// Removes bridges, taps or the links of interfaces by what the lab calls them.
pub fn named(lab: &Lab<'_>, view: &View, names: &[String]) -> Result<(), Problem> {
    let there = names.iter().filter_map(|name| lab.host_link(view, name));
    let whole = there.filter(|link| lab.may_remove(link.alias.as_deref()));
    // What a crash kept from being marked may be what an undo has to remove, and is nobody's otherwise. An undo has the
    // lock: nobody is about to mark it.
    let halves = view.links.iter().filter(|link| lab.undoes.is_some() && lab.is_half(link));
    let outside = whole.chain(halves).map(|link| link.name.clone());
    links(lab, view, &outside.collect::<Vec<_>>())?;
    let mut inside = Steps::new();
    for at in names.iter().filter(|name| name.contains(':') && lab.host_link(view, name).is_none()) {
        let at = At::parse(at)?;
        if let Some(space) = view.spaces.get(&at.node) {
            let place = match &lab.undoes {
                Some(_) => Place::Namespace(space.kernel.clone()),
                None => Place::Namespace(lab.space(view, &at.node)?.kernel),
            };
            if !lab.may_remove_inside(&place, &at.interface)? {
                continue;
            }
            let change = Change::DeleteLink { name: at.interface.clone() };
            inside.entry(place).or_default().push(Step { label: format!("the link {at}"), change, undo: None });
        }
    }
    fine_if_missing(perform(lab.backend, inside, &mut Steps::new()))
}

/// Takes an address away.
pub fn address(lab: &Lab<'_>, view: &View, at: &str, prefix: Prefix) -> Result<(), Problem> {
    if !lab.may_change(view, at)? {
        return Ok(());
    }
    let (place, link) = match lab.locate(view, at) {
        Ok(found) => found,
        Err(problem) if problem.code == Code::NotFound => return Ok(()),
        Err(problem) => return Err(problem),
    };
    change(lab, place, format!("the address {prefix}"), Change::RemoveAddress(Address { link, prefix }))
}

/// Removes a route.
pub fn route(lab: &Lab<'_>, view: &View, namespace: &str, route: Route) -> Result<(), Problem> {
    inside(lab, view, namespace, format!("the route to {}", route.to), Change::RemoveRoute(route))
}

/// Makes a change in a namespace, if the namespace is there; what it would remove may be gone.
pub fn inside(lab: &Lab<'_>, view: &View, namespace: &str, label: String, what: Change) -> Result<(), Problem> {
    if !view.spaces.contains_key(namespace) || !lab.may_change_space(view, namespace)? {
        return Ok(());
    }
    let place = Place::Namespace(lab.space(view, namespace)?.kernel);
    change(lab, place, label, what)
}

fn change(lab: &Lab<'_>, place: Place, label: String, change: Change) -> Result<(), Problem> {
    let steps = Steps::from([(place, vec![Step { label, change, undo: None }])]);
    fine_if_missing(perform(lab.backend, steps, &mut Steps::new()))
}

/// Removes what a plan lists.
pub fn plan(lab: &Lab<'_>, view: &View, plan: &Plan) -> Result<(), Problem> {
    let gone = |node: &str| plan.namespaces.iter().any(|spec| spec.name == node);
    // What is in a namespace that goes needs no removal of its own.
    for spec in plan.routes.iter().filter(|spec| !gone(&spec.namespace)) {
        route(lab, view, &spec.namespace, spec.route()?)?;
    }
    for spec in plan.addresses.iter().filter(|spec| !spec.at.node().is_some_and(gone)) {
        address(lab, view, &spec.at.to_string(), spec.address)?;
    }
    for name in plan.forwarding.iter().filter(|name| !gone(name)) {
        inside(lab, view, name, format!("forwarding in {name}"), Change::SetForwarding(false))?;
    }
    let ends = plan.links.iter().filter_map(|link| link.a.at.as_ref().or(link.b.at.as_ref()));
    let outside = ends.filter(|at| !gone(&at.node)).map(At::link_name);
    let outside = outside.chain(plan.taps.iter().map(|spec| spec.at.link_name()));
    let on_devices = plan.macvlans.iter().map(|spec| &spec.at).filter(|at| !gone(&at.node)).map(At::link_name);
    let outside = outside.chain(on_devices).chain(plan.vxlans.iter().map(|spec| spec.name.clone()));
    let mut names: Vec<String> = outside.chain(plan.bridges.iter().map(|spec| spec.name.clone())).collect();
    // Host ends of links into namespaces that go: all in one group with the bridges.
    let inner = plan.links.iter().flat_map(|link| [&link.a, &link.b]).filter_map(|end| end.at.as_ref());
    names.extend(
        inner.filter(|at| gone(&at.node)).map(At::link_name).filter(|name| lab.host_link(view, name).is_some()),
    );
    let devices: Vec<String> = plan.devices.iter().map(|spec| spec.device.clone()).collect();
    device::give_back(lab, view, Some(&devices))?;
    named(lab, view, &names)?;
    let there: Vec<String> = plan.namespaces.iter().map(|spec| spec.name.clone()).collect();
    spaces(lab, &lab.view()?, &there)
}

/// Removes everything that the lab owns; says how much that was.
pub fn everything(lab: &Lab<'_>) -> Result<Value, Problem> {
    let view = lab.view()?;
    // Before anything else: what is other people's is out of the lab when the lab goes.
    let devices = device::give_back(lab, &view, None)?;
    let group = lab.names.group();
    let is_ours = |link: &&super::types::Link| lab.mark_of(link).is_some() || lab.is_half(link);
    let (ours, others): (Vec<_>, Vec<_>) = view.links.iter().partition(is_ours);
    let names: Vec<String> = ours.iter().map(|link| link.name.clone()).collect();
    let whole_group = others.iter().all(|link| link.group != group) && ours.iter().all(|link| link.group == group);
    let all: Vec<Space> = view.spaces.values().cloned().collect();
    let whose = lab.whose_spaces(&all)?;
    let spaces: Vec<Space> =
        all.into_iter().zip(whose).filter(|(_, whose)| whose.is_ours()).map(|(space, _)| space).collect();
    let drop_links = || {
        if !whole_group {
            return links(lab, &view, &names);
        }
        let step = Step { label: "the lab's links".into(), change: Change::DeleteGroup { group }, undo: None };
        fine_if_missing(perform(lab.backend, Steps::from([(Place::Host, vec![step])]), &mut Steps::new()))
    };
    // The kernel waits a grace period for each bridge; the namespaces go meanwhile.
    let (links_gone, spaces_gone) = std::thread::scope(|scope| {
        let dropping = (!names.is_empty()).then(|| scope.spawn(drop_links));
        let spaces_gone = drop_spaces(lab, &spaces);
        let panicked = || Err(Problem::new(Code::Internal, "the removal of links panicked"));
        (dropping.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| panicked())), spaces_gone)
    });
    links_gone.and(spaces_gone)?;
    Ok(json!({ "links": names.len(), "namespaces": spaces.len(), "devices": devices }))
}

/// The first wanted setting that a bridge doesn't show.
pub fn missing_setting(wanted: &BridgeSettings, shown: &BridgeSettings) -> Option<&'static str> {
    // A kernel that doesn't know a setting shows nothing; "off" is what it then has.
    let differs =
        |wanted: Option<bool>, shown: Option<bool>| wanted.is_some_and(|wanted| wanted != shown.unwrap_or(false));
    if differs(wanted.stp, shown.stp) {
        return Some("stp");
    }
    if differs(wanted.vlan_filtering, shown.vlan_filtering) {
        return Some("vlan_filtering");
    }
    if wanted.ageing_time_s.is_some() && wanted.ageing_time_s != shown.ageing_time_s {
        return Some("ageing_time_s");
    }
    (wanted.group_fwd_mask.is_some() && wanted.group_fwd_mask != shown.group_fwd_mask).then_some("group_fwd_mask")
}

pub fn fine_if_missing(mut refused: Vec<Refused>) -> Result<(), Problem> {
    refused.retain(|refused| !refused.fault.missing());
    if refused.is_empty() {
        return Ok(());
    }
    let mut problem = failure(&refused, &[]);
    // A part may be removed by now.
    problem.no_effect = false;
    Err(problem)
}

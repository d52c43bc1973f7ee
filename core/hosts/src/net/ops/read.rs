//! What a lab consists of, as the stack shows it now.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Undo, no_resources};

use super::{
    super::{
        fault::Fault,
        lab::{Lab, Space, View},
        plan::invalid,
        types::{Link, Place},
    },
    AT, Draft, LAB, Machine, op, reading,
};
use crate::lab_mark::our_altname;

/// How often a watcher looks whether its run was told to stop.
const WATCH_SLICE: Duration = Duration::from_millis(100);
const DEFAULT_WAIT_MS: i64 = 10_000;

macro_rules! example {
    ($text:literal) => {
        concat!(
            "net::create_namespace(\"demo\", \"r1\"); net::create_bridge(\"demo\", \"lan1\"); ",
            "net::connect(\"demo\", #{ at: \"r1:eth0\", addresses: [\"10.0.0.1/24\"] }, \"lan1\");\n",
            $text
        )
    };
}

pub fn ops(machine: &Machine) -> Vec<Op> {
    let capabilities = Draft {
        name: "capabilities",
        doc: "What this machine's network stack can do, found out by trying it in a namespace that nobody sees: bridge, veth, \
              vlan_filtering, dummy, ifb, bond, vxlan, vrf, vlan, macvlan, netem, tbf, htb, fq_codel, ingress, tun, nft, ipv6.",
        params: &[],
        returns: "#{ netem: bool, tbf: bool, vxlan: bool, … }",
        example: "net::capabilities().veth",
        body: |_, _, _| Ok(Value::Null),
    };
    let stack = machine.backend.clone();
    let mut capabilities = op(
        machine,
        capabilities,
        Permission::Free,
        EffectClass::Read,
        Undo::None("it changes nothing that stays"),
        no_resources,
    );
    capabilities.run = Box::new(move |_, _| {
        let found = stack.capabilities().map_err(|fault| fault.problem("trying what the kernel can do"))?;
        Ok(found.into_iter().map(|capability| (capability.name.to_owned(), Value::Bool(capability.works))).collect())
    });
    let mut wait = reading(
        machine,
        Draft {
            name: "wait_link",
            doc: "Waits until an interface is in a state, woken by the kernel. `up` and `down` are what carries traffic \
                  (both ends up, a port that is up), not what was set. `wait_timeout` says the state it is in.",
            params: const {
                &[
                    LAB,
                    AT,
                    Param::required("state", Kind::String, "`up`, `down`, or `gone`."),
                    Param::optional("timeout", Kind::Duration, "Longest wait, 10 s by default, at most 10 minutes."),
                ]
            },
            returns: "#{ state: string, waited_ms: int }",
            example: example!("net::wait_link(\"demo\", \"r1:eth0\", \"up\", \"5s\").state"),
            body: wait_link,
        },
    );
    wait.timeout_ms = 600_000;
    vec![
        reading(
            machine,
            Draft {
                name: "names",
                doc: "What the lab's devices are called in the kernel: bridges `nove{hash}n{network}`, veths and taps \
                      `nve{hash}d{node}i{interface}`, namespaces `nve{hash}d{node}-{name}`; and the group of its links.",
                params: &[LAB],
                returns: "#{ lab: string, hash: string, group: int, bridge_prefix: string, node_prefix: string }",
                example: "net::names(\"demo\").hash",
                body: |lab, _, _| {
                    Ok(json!({ "lab": lab.id.name, "hash": lab.names.hash(), "group": lab.names.group(),
                        "bridge_prefix": lab.names.bridge_prefix(), "node_prefix": lab.names.node_prefix() }))
                },
            },
        ),
        capabilities,
        reading(
            machine,
            Draft {
                name: "links",
                doc: "Every link that the lab owns: on the host by its mark, in the lab's namespaces all but `lo`. `at` is what \
                      other ops take; `operstate` is `up` when traffic can pass. `altname` is a further name for `ip` of a link on the host, \
                      which says the run and the step that made it: `windlass-{hash}-{run}-{step}-{number}`.",
                params: &[LAB],
                returns: "array of #{ at: string, namespace: string?, interface: string, kind: string, up: bool, operstate: string, mtu: int, mac: string, bridge: string?, run: string?, altname: string? }",
                example: example!("net::links(\"demo\").len()"),
                body: |lab, _, _| {
                    let (view, spaces) = everything(lab)?;
                    Ok(all_links(lab, &view, &spaces).into())
                },
            },
        ),
        reading(
            machine,
            Draft {
                name: "describe",
                doc: "The whole lab as it is now: namespaces with their interfaces, addresses, routes and forwarding, and \
                      links of the host.",
                params: &[LAB],
                returns: "#{ lab: string, hash: string, namespaces: array, links: array }",
                example: example!("net::describe(\"demo\").namespaces[0].interfaces[0].addresses"),
                body: |lab, _, _| describe(lab),
            },
        ),
        reading(
            machine,
            Draft {
                name: "counters",
                doc: "Traffic of an interface since it was made.",
                params: &[LAB, AT],
                returns: "#{ rx_packets: int, tx_packets: int, rx_bytes: int, tx_bytes: int, rx_errors: int, tx_errors: int, rx_dropped: int, tx_dropped: int }",
                example: example!("net::counters(\"demo\", \"r1:eth0\").rx_bytes"),
                body: |lab, _, args| {
                    let (place, name) = lab.locate(&lab.view()?, args.str("at"))?;
                    let link = find(lab, &place, &name)?.ok_or_else(|| no_interface(lab, args.str("at")))?;
                    serde_json::to_value(link.counters).map_err(|error| Problem::new(Code::Internal, error.to_string()))
                },
            },
        ),
        wait,
    ]
}

/// A namespace with its links.
type Inhabited = (Space, Vec<Link>);

/// The host, and each namespace of the lab with its links.
fn everything(lab: &Lab<'_>) -> Result<(View, Vec<Inhabited>), Problem> {
    let view = lab.view()?;
    let all: Vec<Space> = view.spaces.values().cloned().collect();
    let whose = lab.whose_spaces(&all)?;
    let ours: Vec<Space> =
        all.into_iter().zip(whose).filter(|(_, whose)| whose.is_ours()).map(|(space, _)| space).collect();
    let places: Vec<Place> = ours.iter().map(|space| Place::Namespace(space.kernel.clone())).collect();
    let mut spaces = Vec::new();
    for (space, links) in ours.into_iter().zip(lab.backend.links(&places)) {
        match links {
            Ok(links) => spaces.push((space, links)),
            Err(fault) if fault.missing() => {}
            Err(fault) => return Err(fault.problem(format!("reading the links of {}", space.name))),
        }
    }
    Ok((view, spaces))
}

fn all_links(lab: &Lab<'_>, view: &View, spaces: &[Inhabited]) -> Vec<Value> {
    let mut found = Vec::new();
    for link in &view.links {
        if let Some(mark) = lab.mark_of(link) {
            let at = if link.kind == "veth" { format!("{}@host", mark.name) } else { mark.name.clone() };
            found.push(report(&at, None, link, lab, view, Some(mark.run())));
        }
    }
    for (space, links) in spaces {
        for link in links.iter().filter(|link| link.name != "lo") {
            found.push(report(&format!("{}:{}", space.name, link.name), Some(&space.kernel), link, lab, view, None));
        }
    }
    found
}

fn report(at: &str, namespace: Option<&str>, link: &Link, lab: &Lab<'_>, view: &View, run: Option<&str>) -> Value {
    let controller = link.controller.filter(|_| namespace.is_none());
    let bridge = controller.and_then(|index| view.links.iter().find(|bridge| bridge.index == index));
    let bridge = bridge.map(|bridge| lab.mark_of(bridge).map_or_else(|| bridge.name.clone(), |mark| mark.name));
    let mut value = json!({ "at": at, "namespace": namespace, "interface": link.name, "kind": link.kind, "up": link.up,
        "operstate": link.operstate, "mtu": link.mtu, "mac": link.mac, "bridge": bridge, "run": run,
        "altname": our_altname(&link.altnames) });
    if let Some(settings) = &link.bridge {
        value["settings"] = json!(settings);
    }
    value
}

fn describe(lab: &Lab<'_>) -> Result<Value, Problem> {
    let (view, spaces) = everything(lab)?;
    let mut namespaces = Vec::new();
    for (space, links) in &spaces {
        let place = Place::Namespace(space.kernel.clone());
        let failed = |fault: Fault| fault.problem(format!("reading the namespace {}", space.name));
        let addresses = lab.backend.addresses(&place).map_err(failed)?;
        let routes = lab.backend.routes(&place).map_err(failed)?;
        let (v4, v6) = lab.backend.forwarding(&place).map_err(failed)?;
        let interface = |link: &Link| {
            let own = addresses.iter().filter(|address| address.link == link.name);
            json!({ "interface": link.name, "kind": link.kind, "up": link.up, "operstate": link.operstate, "mtu": link.mtu,
                "mac": link.mac, "addresses": own.map(|address| address.prefix.to_string()).collect::<Vec<_>>() })
        };
        let route = |route: &super::super::types::Route| {
            let to = if route.to.length == 0 { "default".into() } else { route.to.to_string() };
            json!({ "to": to, "via": route.via, "dev": route.dev, "metric": route.metric })
        };
        let interfaces: Vec<Value> = links.iter().filter(|link| link.name != "lo").map(interface).collect();
        let routes: Vec<Value> = routes.iter().map(route).collect();
        namespaces
            .push(json!({ "name": space.name, "namespace": space.kernel, "node": space.node, "interfaces": interfaces,
            "routes": routes, "forwarding": { "ipv4": v4, "ipv6": v6 } }));
    }
    let host: Vec<Value> =
        all_links(lab, &view, &spaces).into_iter().filter(|link| link["namespace"].is_null()).collect();
    Ok(json!({ "lab": lab.id.name, "hash": lab.names.hash(), "namespaces": namespaces, "links": host }))
}

fn wait_link(lab: &Lab<'_>, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (at, wanted) = (args.str("at"), args.str("state"));
    if !["up", "down", "gone"].contains(&wanted) {
        return Err(invalid(format!("`{wanted}` isn't a state to wait for")).help("`up`, `down` or `gone`"));
    }
    let timeout = match args.get("timeout") {
        Value::Null => DEFAULT_WAIT_MS,
        Value::String(text) => {
            windlass_model::time::parse_duration_ms(text).map_err(|error| invalid(error.to_string()))?
        }
        value => value.as_i64().unwrap_or(DEFAULT_WAIT_MS),
    };
    let limit = Duration::from_millis(timeout.max(0).unsigned_abs()).min(cx.timeout());
    let began = Instant::now();
    let (place, name) = match lab.locate(&lab.view()?, at) {
        Err(problem) if problem.code == Code::NotFound && wanted == "gone" => return Ok(waited("gone", began)),
        located => located?,
    };
    let failed = |fault: Fault| fault.problem(format!("watching {at}"));
    // Watched before it is looked at: no change can slip in between.
    let mut watch = lab.backend.watch(&place).map_err(failed)?;
    loop {
        let link = match find(lab, &place, &name) {
            Err(problem) if problem.code == Code::NotFound => None,
            found => found?,
        };
        let state = link.map_or_else(|| "gone".to_owned(), |link| state_of(&link).to_owned());
        if state == wanted {
            return Ok(waited(&state, began));
        }
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(Problem::new(
                Code::WaitTimeout,
                format!("{at} isn't {wanted} after {} ms: it is {state}", limit.as_millis()),
            )
            .help("see whether both ends, and the bridge, are set up: net::links(lab)")
            .data(json!({ "state": state })));
        }
        if cx.stopped() {
            return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
        }
        watch.changed(left.min(WATCH_SLICE)).map_err(failed)?;
    }
}

fn waited(state: &str, began: Instant) -> Value {
    json!({ "state": state, "waited_ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

/// Whether traffic can pass. Some links never say; then it counts whether they are set up. Veths and bridges do say, a
/// moment after their birth.
fn state_of(link: &Link) -> &'static str {
    match link.operstate.as_str() {
        "up" => "up",
        "unknown" if link.up && !matches!(link.kind.as_str(), "veth" | "bridge") => "up",
        _ => "down",
    }
}

pub(super) fn find(lab: &Lab<'_>, place: &Place, name: &str) -> Result<Option<Link>, Problem> {
    let mut answers = lab.backend.links(std::slice::from_ref(place));
    let links = answers
        .pop()
        .unwrap_or_else(|| Ok(Vec::new()))
        .map_err(|fault| fault.problem(format!("reading the links of {place}")))?;
    Ok(links.into_iter().find(|link| link.name == name))
}

fn no_interface(lab: &Lab<'_>, at: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the lab {} has no interface {at}", lab.id.name))
        .help("net::links(lab) lists what there is")
}

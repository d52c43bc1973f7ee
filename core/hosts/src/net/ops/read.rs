//! What a lab consists of, as the stack shows it now.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Undo, no_resources};

use super::{
    super::{
        describe::Picture,
        fault::Fault,
        lab::Lab,
        plan::invalid,
        types::{Link, Place},
    },
    AT, Draft, LAB, Machine, op, reading,
};

/// How often a watcher looks whether its run was told to stop.
pub(super) const WATCH_SLICE: Duration = Duration::from_millis(100);
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
              vlan_filtering, dummy, ifb, bond, vxlan, vrf, vlan, macvlan, netem, tbf, htb, fq_codel, ingress, tun, nft, loss (by nft, on what leaves a link), ipv6.",
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
                      which says the run and the step that made it: `windlass-{hash}-{run}-{step}-{number}`. `peer` is the other end of a \
                      veth, `bridge` the one that either end is on. `vxlan` is what a VXLAN was made with, `device` the device of this machine that an interface is on, or that is in a bridge (its `at` \
                      is `device/NAME`), `guest_mac` what a machine on a tap has for an address unless its document gives one. `impairment` is `()` or what `impair` takes, with the `kind` that does it.",
                params: &[LAB],
                returns: "array of #{ at: string, namespace: string?, interface: string, kind: string, up: bool, operstate: string, carrier: bool, mtu: int, mac: string, addresses: array, bridge: string?, peer: string?, impairment: map?, run: string?, step: string?, note: string?, altname: string?, checksum_offload: bool?, vxlan: map?, device: string?, guest_mac: string? }",
                example: example!("net::links(\"demo\").len()"),
                body: |lab, _, _| Ok(Picture::of(lab)?.links(lab).into()),
            },
        ),
        reading(
            machine,
            Draft {
                name: "describe",
                doc: "The whole lab as it is now: namespaces (`adopted` ones of other programs, too) with their interfaces, routes \
                      and forwarding, and links of the host. An interface has the fields of `links`.",
                params: &[LAB],
                returns: "#{ lab: string, hash: string, group: int, namespaces: array of #{ name: string, namespace: string, path: string, node: int, run: string, adopted: bool, interfaces: array, routes: array, forwarding: #{ ipv4: bool, ipv6: bool } }, links: array }",
                example: example!("net::describe(\"demo\").namespaces[0].interfaces[0].addresses"),
                body: |lab, _, _| Ok(Picture::of(lab)?.lab(lab)),
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

fn wait_link(lab: &Lab<'_>, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (at, wanted) = (args.str("at"), args.str("state"));
    if !["up", "down", "gone"].contains(&wanted) {
        return Err(invalid(format!("`{wanted}` isn't a state to wait for")).help("`up`, `down` or `gone`"));
    }
    let limit = limit(cx, args)?;
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

/// How long the call may wait.
pub(super) fn limit(cx: &OpCx, args: &Args) -> Result<Duration, Problem> {
    let timeout = match args.get("timeout") {
        Value::Null => DEFAULT_WAIT_MS,
        Value::String(text) => {
            windlass_model::time::parse_duration_ms(text).map_err(|error| invalid(error.to_string()))?
        }
        value => value.as_i64().unwrap_or(DEFAULT_WAIT_MS),
    };
    Ok(Duration::from_millis(timeout.max(0).unsigned_abs()).min(cx.timeout()))
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
    lab.backend.link(place, name).map_err(|fault| fault.problem(format!("reading the link {name} of {place}")))
}

fn no_interface(lab: &Lab<'_>, at: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the lab {} has no interface {at}", lab.id.name))
        .help("net::links(lab) lists what there is")
}

//! Links between namespaces and bridges, taps for virtual machines, and settings of any interface.

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Problem, ResourceChange};
use windlass_script::host::{Args, Kind, Op, Param, Undo};

use super::{
    super::{
        construct::{check_mtu, construct},
        lab::{Lab, View},
        plan::{At, EndSpec, LinkSpec, Plan, TapSpec, invalid},
        remove,
        steps::{Step, Steps, failure, perform},
        types::{BridgeSettings, Change, LinkSettings, Place},
    },
    AT, Draft, LAB, Machine, making,
    read::find,
    removing, resource,
};
use crate::lab_mark::Mark;

const END: &str = "An interface of a namespace (`\"r1:eth0\"`), a bridge (`\"lan1\"`), or a map: `at` or `bridge`, `addresses` \
                   (`[\"10.0.0.1/24\"]`), `mac`. An empty map is a bare end on the host.";

pub fn ops(machine: &Machine) -> Vec<Op> {
    vec![
        making(
            machine,
            Draft {
                name: "connect",
                doc: "Makes a veth with each end born in its place, both up. At least one end is an interface of a namespace; \
                      the other may be on a bridge. `host_interface` is the kernel's name of an end on the host.\n\n\
                      `not_found`: no such namespace or bridge. `conflict`: the interface is there, and isn't this link.",
                params: const {
                    &[
                        LAB,
                        Param::required("a", Kind::Any, END),
                        Param::required("b", Kind::Any, END),
                        Param::optional("options", Kind::Map, "`mtu` (bytes, for both ends)."),
                    ]
                },
                returns: "#{ at: string, namespace: string, interface: string, host_interface: string?, bridge: string?, peer: string? }",
                example: "net::create_namespace(\"demo\", \"r1\"); net::create_bridge(\"demo\", \"lan1\");\n\
                          net::connect(\"demo\", #{ at: \"r1:eth0\", addresses: [\"10.0.0.1/24\"] }, \"lan1\", #{ mtu: 9000 }).interface",
                body: |lab, _, args| {
                    let links = vec![link(args)?];
                    Ok(construct(lab, &Plan { links, ..Plan::default() })?["links"][0].take())
                },
            },
            Undo::Op { name: "disconnect", args: |args| vec![args.get("lab").clone(), link_name(args).into()] },
            |args| vec![ResourceChange::Creates(resource(args, "link", &link_name(args)))],
        ),
        removing(
            machine,
            Draft {
                name: "disconnect",
                doc: "Removes the link of an interface, both ends. One that isn't there is removed already.",
                params: &[LAB, AT],
                returns: "()",
                example: "net::create_namespaces(\"demo\", [\"r1\", \"r2\"]); net::connect(\"demo\", \"r1:eth0\", \"r2:eth0\"); net::disconnect(\"demo\", \"r1:eth0\");",
                body: remove_link,
            },
            |args| vec![ResourceChange::Destroys(resource(args, "link", args.str("at")))],
        ),
        making(
            machine,
            Draft {
                name: "create_tap",
                doc: "Makes a TAP on the host for a virtual machine; it stays when the machine stops. `interface` is its name \
                      in the kernel. `unsupported` or `system` if this machine has no /dev/net/tun.",
                params: const {
                    &[
                        LAB,
                        Param::required("at", Kind::String, "The machine and its interface: `vm1:eth0`."),
                        Param::optional(
                            "options",
                            Kind::Map,
                            "`bridge` (it becomes a port of it), `mtu` (bytes), `mac`, `owner_uid` (who may open it), `up` (true).",
                        ),
                    ]
                },
                returns: "#{ at: string, interface: string, bridge: string? }",
                example: "net::create_bridge(\"demo\", \"lan1\"); net::create_tap(\"demo\", \"vm1:eth0\", #{ bridge: \"lan1\" }).interface",
                body: |lab, _, args| {
                    let taps: Vec<TapSpec> = vec![super::with_options(args, &["at"])?];
                    Ok(construct(lab, &Plan { taps, ..Plan::default() })?["taps"][0].take())
                },
            },
            Undo::Op { name: "delete_tap", args: |args| super::first(args, 2) },
            |args| vec![ResourceChange::Creates(resource(args, "tap", args.str("at")))],
        ),
        removing(
            machine,
            Draft {
                name: "delete_tap",
                doc: "Removes a TAP of the lab. One that isn't there is removed already.",
                params: const { &[LAB, Param::required("at", Kind::String, "The machine and its interface: `vm1:eth0`.")] },
                returns: "()",
                example: "net::create_tap(\"demo\", \"vm1:eth0\"); net::delete_tap(\"demo\", \"vm1:eth0\");",
                body: remove_link,
            },
            |args| vec![ResourceChange::Destroys(resource(args, "tap", args.str("at")))],
        ),
        making(
            machine,
            Draft {
                name: "set_link",
                doc: "Changes an interface or a bridge while it lives. Only what is given changes; what is so already stays so.",
                params: const {
                    &[
                        LAB,
                        AT,
                        Param::required(
                            "changes",
                            Kind::Map,
                            "`up` (bool), `mtu` (bytes), `bridge` (a bridge of the lab, `()` to take it out; only for ends on the \
                         host), `both_ends` (bool: `up` and `mtu` go to the other end of the link, too), `mac`, `note` (text after the mark in the alias); for bridges `stp`, `ageing_time_s`, \
                         `group_fwd_mask`, `vlan_filtering`.",
                        ),
                    ]
                },
                returns: "()",
                example: "net::create_bridge(\"demo\", \"lan1\"); net::set_link(\"demo\", \"lan1\", #{ mtu: 1400, stp: true });",
                body: |lab, _, args| set_link(lab, args),
            },
            Undo::None(
                "how it was before isn't known from the call: set it back yourself, with `on_rollback` if need be",
            ),
            windlass_script::host::no_resources,
        ),
    ]
}

fn link(args: &Args) -> Result<LinkSpec, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        mtu: Option<u32>,
    }
    let options: Options = if args.get("options").is_null() { Options::default() } else { args.read("options")? };
    Ok(LinkSpec { a: args.read("a")?, b: args.read("b")?, mtu: options.mtu })
}

/// What a link is called: its first end that is an interface of a namespace.
fn link_name(args: &Args) -> String {
    let ends = ["a", "b"].into_iter().filter_map(|name| args.read::<EndSpec>(name).ok()?.at);
    ends.map(|at| at.to_string()).next().unwrap_or_default()
}

fn remove_link(lab: &Lab<'_>, _: &super::OpCx, args: &Args) -> Result<Value, Problem> {
    let at = At::parse(args.str("at"))?;
    remove::named(lab, &lab.view()?, &[at.link_name()])?;
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    up: Option<bool>,
    mtu: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    bridge: Option<Option<String>>,
    mac: Option<String>,
    note: Option<String>,
    #[serde(default)]
    both_ends: bool,
    stp: Option<bool>,
    ageing_time_s: Option<u32>,
    group_fwd_mask: Option<u16>,
    vlan_filtering: Option<bool>,
}

/// Tells a null from a key that isn't there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// The other end of an interface's link, as ops take it.
fn other_end(lab: &Lab<'_>, view: &View, at: &str, place: &Place, name: &str) -> Result<String, Problem> {
    if let Some(inner) = at.strip_suffix("@host") {
        return Ok(inner.to_owned());
    }
    if lab.host_link(view, at).is_some_and(|link| link.kind == "veth") {
        return Ok(format!("{at}@host"));
    }
    let mark = find(lab, place, name)?.and_then(|link| lab.mark_of(&link));
    match mark.and_then(|mark| At::other_of(&mark.name)) {
        Some(other) => Ok(other.to_string()),
        None => Err(invalid(format!("{at} has no other end")).help("leave `both_ends` out")),
    }
}

fn set_link(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let changes: Changes = args.read("changes")?;
    let view = lab.view()?;
    let (place, name) = lab.locate(&view, args.str("at"))?;
    let controller = match changes.bridge {
        None => None,
        Some(_) if place != Place::Host => {
            return Err(
                invalid("only ends on the host can be ports of a bridge").help("write the interface with `@host`")
            );
        }
        Some(None) => Some(None),
        Some(Some(bridge)) => Some(Some(lab.bridge(&view, &bridge)?.name.clone())),
    };
    let alias = changes.note.map(|note| -> Result<String, Problem> {
        // The mark stays that of the step that made the link.
        let mark = find(lab, &place, &name)?.and_then(|link| lab.mark_of(&link));
        let mark = mark.unwrap_or_else(|| lab.mark(args.str("at")));
        Ok(Mark { note: Some(note).filter(|note| !note.is_empty()), ..mark }.to_string())
    });
    let alias = alias.transpose()?;
    let mac = changes.mac.map(|mac| super::super::plan::parse_mac(&mac).map_err(invalid)).transpose()?;
    let set = LinkSettings { up: changes.up, mtu: changes.mtu, controller, alias, group: None, mac };
    let settings = BridgeSettings {
        stp: changes.stp,
        ageing_time_s: changes.ageing_time_s,
        group_fwd_mask: changes.group_fwd_mask,
        vlan_filtering: changes.vlan_filtering,
    };
    let label = format!("setting {}", args.str("at"));
    if place == Place::Host {
        check_mtu(args.str("at"), changes.mtu)?;
    }
    let mut steps = Vec::new();
    if set != LinkSettings::default() {
        steps.push(Step { label: label.clone(), change: Change::SetLink { name: name.clone(), set }, undo: None });
    }
    if !settings.is_empty() {
        steps.push(Step {
            label,
            change: Change::SetBridge { name: name.clone(), settings: settings.clone() },
            undo: None,
        });
    }
    let mut all = Steps::from([(place.clone(), steps)]);
    if changes.both_ends {
        let other = other_end(lab, &view, args.str("at"), &place, &name)?;
        let (place, name) = lab.locate(&view, &other)?;
        if place == Place::Host {
            check_mtu(&other, changes.mtu)?;
        }
        let set = LinkSettings { up: changes.up, mtu: changes.mtu, ..LinkSettings::default() };
        let change = Change::SetLink { name, set };
        all.entry(place).or_default().push(Step { label: format!("setting {other}"), change, undo: None });
    }
    let refused = perform(lab.backend, all, &mut Steps::new());
    if !refused.is_empty() {
        return Err(failure(&refused, &[]));
    }
    let shown = lab.view()?.links.into_iter().find(|link| link.name == name).and_then(|link| link.bridge);
    match remove::missing_setting(&settings, &shown.unwrap_or_default()) {
        Some(setting) if !settings.is_empty() => Err(Problem::new(
            windlass_model::Code::Unsupported,
            format!("{} doesn't take `{setting}` on this kernel", args.str("at")),
        )
        .help("net::capabilities() says what this kernel can do")),
        _ => Ok(Value::Null),
    }
}

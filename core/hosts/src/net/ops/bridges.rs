//! Bridges on the host: a network of a lab each.

use serde_json::Value;
use windlass_model::{Problem, ResourceChange};
use windlass_script::host::{Args, Kind, Op, Param, Undo};

use super::{
    super::{
        construct::construct,
        plan::{BridgeSpec, Plan},
        remove,
    },
    Draft, LAB, Machine, making, names_in, removing, resource,
};

const NAME: Param = Param::required("name", Kind::String, "What the lab calls it: `lan1`.");
const BRIDGES: Param =
    Param::required("bridges", Kind::Array, "Names, or maps with `name` and the options of `create_bridge`.");
const OPTIONS: Param = Param::optional(
    "options",
    Kind::Map,
    "`stp` (bool), `ageing_time_s` (int), `group_fwd_mask` (int, a bit for each link-local group), `vlan_filtering` (bool), \
     `mtu` (bytes). What isn't given is the kernel's default.",
);

pub fn ops(machine: &Machine) -> Vec<Op> {
    vec![
        making(
            machine,
            Draft {
                name: "create_bridge",
                doc: "Makes a bridge on the host, and sets it up. `interface` is its name in the kernel. The options are \
                      read back: `unsupported` if this kernel ignores one. `conflict`: another run made it.",
                params: &[LAB, NAME, OPTIONS],
                returns: "#{ name: string, interface: string }",
                example: "net::create_bridge(\"demo\", \"lan1\", #{ stp: true, ageing_time_s: 60 }).interface",
                body: |lab, _, args| {
                    let bridges = vec![spec(args)?];
                    Ok(construct(lab, &Plan { bridges, ..Plan::default() })?["bridges"][0].take())
                },
            },
            Undo::Op { name: "delete_bridge", args: |args| super::first(args, 2) },
            |args| vec![ResourceChange::Creates(resource(args, "bridge", args.str("name")))],
        ),
        making(
            machine,
            Draft {
                name: "create_bridges",
                doc: "Makes several bridges as one step: all of them, or none. As `create_bridge` otherwise.",
                params: &[LAB, BRIDGES],
                returns: "array of #{ name: string, interface: string }",
                example: "net::create_bridges(\"demo\", [\"lan1\", #{ name: \"lan2\", mtu: 9000 }]).len()",
                body: |lab, _, args| {
                    let bridges: Vec<BridgeSpec> = args.read("bridges")?;
                    Ok(construct(lab, &Plan { bridges, ..Plan::default() })?["bridges"].take())
                },
            },
            Undo::Op { name: "delete_bridges", args: |args| args.values().to_vec() },
            |args| {
                names_in(args, "bridges").map(|name| ResourceChange::Creates(resource(args, "bridge", name))).collect()
            },
        ),
        removing(
            machine,
            Draft {
                name: "delete_bridge",
                doc: "Removes a bridge of the lab; its ports stay. One that isn't there is removed already.",
                params: &[LAB, NAME],
                returns: "()",
                example: "net::create_bridge(\"demo\", \"lan1\"); net::delete_bridge(\"demo\", \"lan1\");",
                body: |lab, _, args| {
                    remove::named(lab, &lab.view()?, &[spec(args)?.name])?;
                    Ok(Value::Null)
                },
            },
            |args| vec![ResourceChange::Destroys(resource(args, "bridge", args.str("name")))],
        ),
        removing(
            machine,
            Draft {
                name: "delete_bridges",
                doc: "Removes several bridges. As `delete_bridge` otherwise.",
                params: &[LAB, BRIDGES],
                returns: "()",
                example: "net::create_bridges(\"demo\", [\"lan1\", \"lan2\"]); net::delete_bridges(\"demo\", [\"lan1\", \"lan2\"]);",
                body: |lab, _, args| {
                    let names: Vec<BridgeSpec> = args.read("bridges")?;
                    let names: Vec<String> = names.into_iter().map(|spec| spec.name).collect();
                    remove::named(lab, &lab.view()?, &names)?;
                    Ok(Value::Null)
                },
            },
            |args| {
                names_in(args, "bridges").map(|name| ResourceChange::Destroys(resource(args, "bridge", name))).collect()
            },
        ),
    ]
}

/// The options with the name among them.
fn spec(args: &Args) -> Result<BridgeSpec, Problem> {
    super::with_options(args, &["name"])
}

//! Whole labs: built in one step, destroyed in one.

use serde_json::Value;
use windlass_model::{ResourceChange, ResourceRef};
use windlass_script::host::{Args, Kind, Op, Param, Undo};

use super::{
    super::{construct::construct, plan::Plan, remove},
    Draft, LAB, Machine, making, plan_resources, removing,
};

const TIMEOUT_MS: u64 = 300_000;
const PLAN: Param = Param::required(
    "plan",
    Kind::Map,
    "`namespaces` and `bridges` (as for `create_namespaces`, `create_bridges`), `taps` (`#{ at, bridge, mtu, mac, owner_uid, \
     up }`), `links` (`#{ a, b, mtu }`, ends as for `connect`), `vxlans` (`#{ name, id, remote, local, device, port, bridge, mtu }`), \
     `devices` (`#{ device, bridge }`), `macvlans` (`#{ at, device, mode, addresses, mac, mtu }`), `addresses` (`#{ at, address }`), `routes` (`#{ namespace, to, \
     via, dev, metric }`), `forwarding` (names of namespaces). All optional, made in this order.",
);

pub fn ops(machine: &Machine) -> Vec<Op> {
    let mut build = making(
        machine,
        Draft {
            name: "build",
            doc: "Makes many things as one step, quickly. Everything is checked first; if a part is refused, all of it is taken \
                  back, and the error names the part. What this run has made already is left as it is.\n\n\
                  The result lists what was made, in the plan's order.",
            params: &[LAB, PLAN],
            returns: "#{ namespaces: array, bridges: array, taps: array, links: array, vxlans: array, devices: array, macvlans: array, addresses: int, routes: int }",
            example: "net::build(\"demo\", #{ namespaces: [\"r1\", \"r2\"], bridges: [\"lan1\"],\n\
                      links: [#{ a: #{ at: \"r1:eth0\", addresses: [\"10.0.0.1/24\"] }, b: \"lan1\" }, #{ a: \"r2:eth0\", b: \"lan1\" }],\n\
                      addresses: [#{ at: \"r2:eth0\", address: \"10.0.0.2/24\" }],\n\
                      routes: [#{ namespace: \"r2\", to: \"default\", via: \"10.0.0.1\" }], forwarding: [\"r1\"] }).links.len()",
            body: |lab, _, args| construct(lab, &args.read::<Plan>("plan")?),
        },
        Undo::Op { name: "unbuild", args: |args| args.values().to_vec() },
        |args| planned(args, ResourceChange::Creates),
    );
    build.timeout_ms = TIMEOUT_MS;
    let mut unbuild = removing(
        machine,
        Draft {
            name: "unbuild",
            doc: "Removes what a plan lists, as far as it is there and the lab's.",
            params: &[LAB, PLAN],
            returns: "()",
            example: "let plan = #{ namespaces: [\"r1\"], bridges: [\"lan1\"], links: [#{ a: \"r1:eth0\", b: \"lan1\" }] };\n\
                      net::build(\"demo\", plan); net::unbuild(\"demo\", plan); ensure(net::links(\"demo\").len() == 0, \"all gone\");",
            body: |lab, _, args| {
                remove::plan(lab, &lab.view()?, &args.read("plan")?)?;
                Ok(Value::Null)
            },
        },
        |args| planned(args, ResourceChange::Destroys),
    );
    unbuild.timeout_ms = TIMEOUT_MS;
    let mut destroy = removing(
        machine,
        Draft {
            name: "destroy",
            doc: "Removes everything that carries the lab's mark, whichever run made it; nothing else is touched. A lab that \
                  isn't there is destroyed already. Devices of the machine are given back as they were. The result counts what was removed.",
            params: &[LAB],
            returns: "#{ links: int, namespaces: int, devices: int }",
            example: "net::create_namespaces(\"demo\", [\"r1\", \"r2\"]); net::destroy(\"demo\").namespaces",
            body: |lab, _, _| remove::everything(lab),
        },
        |args| vec![ResourceChange::Destroys(ResourceRef::everything_below("net", args.str("lab")))],
    );
    destroy.timeout_ms = TIMEOUT_MS;
    vec![build, unbuild, destroy]
}

fn planned(args: &Args, change: fn(windlass_model::ResourceRef) -> ResourceChange) -> Vec<ResourceChange> {
    match args.read::<Plan>("plan") {
        Ok(plan) => plan_resources(args, &plan).into_iter().map(change).collect(),
        // The op refuses it in a moment.
        Err(_) => Vec::new(),
    }
}

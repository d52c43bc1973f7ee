//! Addresses, routes and forwarding.

use serde_json::Value;
use windlass_model::Problem;
use windlass_script::host::{Args, Kind, Op, Param, Undo, no_resources};

use super::{
    super::{
        construct::construct,
        plan::{AddressSpec, Plan, RouteSpec},
        remove,
        types::Change,
    },
    AT, Draft, LAB, Machine, making, removing,
};

const ADDRESS: Param =
    Param::required("address", Kind::String, "With the length of its network: `10.0.0.1/24`, `fd00::1/64`.");
const NAMESPACE: Param = Param::required("namespace", Kind::String, "A namespace of the lab: `r1`.");
const ROUTE: Param = Param::required(
    "route",
    Kind::Map,
    "`to` (`default` or a network such as `10.1.0.0/16`), `via` (the gateway), `dev` (the interface), `metric` (int, the lower \
     the better). One of `via` and `dev` at least.",
);

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
    vec![
        making(
            machine,
            Draft {
                name: "add_address",
                doc: "Gives an interface an address. One that it has is added already. IPv6 addresses can be used at once \
                      (no duplicate detection).",
                params: &[LAB, AT, ADDRESS],
                returns: "()",
                example: example!("net::add_address(\"demo\", \"r1:eth0\", \"fd00::1/64\");"),
                body: |lab, _, args| {
                    let addresses = vec![AddressSpec { at: args.read("at")?, address: args.read("address")? }];
                    construct(lab, &Plan { addresses, ..Plan::default() })?;
                    Ok(Value::Null)
                },
            },
            Undo::Op { name: "remove_address", args: |args| args.values().to_vec() },
            no_resources,
        ),
        removing(
            machine,
            Draft {
                name: "remove_address",
                doc: "Takes an address away. One that isn't there is removed already.",
                params: &[LAB, AT, ADDRESS],
                returns: "()",
                example: example!("net::remove_address(\"demo\", \"r1:eth0\", \"10.0.0.1/24\");"),
                body: |lab, _, args| {
                    remove::address(lab, &lab.view()?, args.str("at"), args.read("address")?)?;
                    Ok(Value::Null)
                },
            },
            no_resources,
        ),
        making(
            machine,
            Draft {
                name: "add_route",
                doc: "Adds a route in a namespace. The same route is added already; `conflict`: there is another one to this \
                      network with the same metric. `invalid_argument`: the gateway can't be reached.",
                params: &[LAB, NAMESPACE, ROUTE],
                returns: "()",
                example: example!("net::add_route(\"demo\", \"r1\", #{ to: \"default\", via: \"10.0.0.254\" });"),
                body: |lab, _, args| {
                    construct(lab, &Plan { routes: vec![route(args)?], ..Plan::default() })?;
                    Ok(Value::Null)
                },
            },
            Undo::Op { name: "remove_route", args: |args| args.values().to_vec() },
            no_resources,
        ),
        removing(
            machine,
            Draft {
                name: "remove_route",
                doc: "Removes a route. One that isn't there is removed already.",
                params: &[LAB, NAMESPACE, ROUTE],
                returns: "()",
                example: example!("net::remove_route(\"demo\", \"r1\", #{ to: \"default\", via: \"10.0.0.254\" });"),
                body: |lab, _, args| {
                    remove::route(lab, &lab.view()?, args.str("namespace"), route(args)?.route()?)?;
                    Ok(Value::Null)
                },
            },
            no_resources,
        ),
        making(
            machine,
            Draft {
                name: "enable_forwarding",
                doc: "Makes a router of a namespace: packets are forwarded between its interfaces, IPv4 and IPv6.",
                params: &[LAB, NAMESPACE],
                returns: "()",
                example: example!("net::enable_forwarding(\"demo\", \"r1\");"),
                body: |lab, _, args| {
                    let forwarding = vec![args.str("namespace").to_owned()];
                    construct(lab, &Plan { forwarding, ..Plan::default() })?;
                    Ok(Value::Null)
                },
            },
            Undo::Op { name: "disable_forwarding", args: |args| args.values().to_vec() },
            no_resources,
        ),
        removing(
            machine,
            Draft {
                name: "disable_forwarding",
                doc: "Stops the forwarding of packets in a namespace.",
                params: &[LAB, NAMESPACE],
                returns: "()",
                example: example!("net::disable_forwarding(\"demo\", \"r1\");"),
                body: |lab, _, args| {
                    let name = args.str("namespace");
                    remove::inside(
                        lab,
                        &lab.view()?,
                        name,
                        format!("forwarding in {name}"),
                        Change::SetForwarding(false),
                    )?;
                    Ok(Value::Null)
                },
            },
            no_resources,
        ),
    ]
}

fn route(args: &Args) -> Result<RouteSpec, Problem> {
    Ok(RouteSpec { namespace: args.str("namespace").to_owned(), ..args.read("route")? })
}

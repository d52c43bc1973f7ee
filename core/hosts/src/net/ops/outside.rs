//! What leads out of a lab: VXLANs to other machines, devices of this machine in a bridge, and interfaces on such devices.

use serde_json::Value;
use windlass_model::ResourceChange;
use windlass_script::host::{Kind, Op, Param, Undo};

use super::{
    super::{
        construct::construct,
        device::{self, name_of},
        plan::{At, DeviceSpec, Plan},
        remove,
    },
    Draft, LAB, Machine, making, removing, resource,
};

const NAME: Param = Param::required("name", Kind::String, "What the lab calls the VXLAN: `wan`.");
const DEVICE: Param = Param::required("device", Kind::String, "The device's name in the kernel: `eth1`.");
const END: Param = Param::required("at", Kind::String, "The node and its interface: `r1:ext0`.");

pub fn ops(machine: &Machine) -> Vec<Op> {
    vec![
        making(
            machine,
            Draft {
                name: "create_vxlan",
                doc: "Makes a VXLAN on the host: what goes in comes out of the one with the same `id` on the other machine. In a \
                      bridge, it makes one network of both. Its packets are 50 bytes longer (70 over IPv6) than what is in them: the MTU \
                      of the links in the bridge has to be that much smaller than the way's. Anybody who can send to this machine's `port` \
                      can send into the network.\n\n\
                      `permission_denied`: the configuration (`[hosts.net] vxlan_remotes`, for `device` also `devices`) doesn't list it. \
                      `conflict`: another run made it, or this machine has a VXLAN with the same `id` and `port`. `unsupported`: this kernel \
                      has none.",
                params: const {
                    &[
                        LAB,
                        NAME,
                        Param::required(
                            "options",
                            Kind::Map,
                            "`id` (network identifier, 1 to 16777215), `remote` (the other machine's address); `local` (this machine's), \
                             `device` (the packets leave by it), `port` (UDP, 4789), `bridge` (it becomes a port of it), `mtu` (bytes).",
                        ),
                    ]
                },
                returns: "#{ name: string, interface: string, bridge: string? }",
                example: "net::create_bridge(\"demo\", \"lan1\");\n\
                          net::create_vxlan(\"demo\", \"wan\", #{ id: 100, remote: \"192.0.2.2\", bridge: \"lan1\" }).interface",
                body: |lab, _, args| {
                    let vxlans = vec![super::with_options(args, &["name"])?];
                    Ok(construct(lab, &Plan { vxlans, ..Plan::default() })?["vxlans"][0].take())
                },
            },
            Undo::Op { name: "delete_vxlan", args: |args| super::first(args, 2) },
            |args| vec![ResourceChange::Creates(resource(args, "vxlan", args.str("name")))],
        ),
        removing(
            machine,
            Draft {
                name: "delete_vxlan",
                doc: "Removes a VXLAN of the lab. One that isn't there is removed already.",
                params: &[LAB, NAME],
                returns: "()",
                example: "net::create_vxlan(\"demo\", \"wan\", #{ id: 100, remote: \"192.0.2.2\" }); net::delete_vxlan(\"demo\", \"wan\");",
                body: |lab, _, args| {
                    remove::named(lab, &lab.view()?, &[args.str("name").to_owned()])?;
                    Ok(Value::Null)
                },
            },
            |args| vec![ResourceChange::Destroys(resource(args, "vxlan", args.str("name")))],
        ),
        making(
            machine,
            Draft {
                name: "attach_device",
                doc: "Puts a device of this machine into a bridge of the lab, and sets it up: nodes in the bridge reach what the device \
                      leads to. Only the device's alias, state and bridge are changed, and `detach_device`, `destroy` and a rollback give them \
                      back as they were.\n\n\
                      `permission_denied`: the configuration (`[hosts.net] devices`) doesn't list it. `conflict`: it is in another bridge, \
                      another run or lab has it, or it has addresses of this machine. `not_found`: no such device or bridge.",
                params: const { &[LAB, DEVICE, Param::required("bridge", Kind::String, "A bridge of the lab: `lan1`.")] },
                returns: "#{ device: string, bridge: string }",
                example: "net::create_bridge(\"demo\", \"lan1\"); net::attach_device(\"demo\", \"eth1\", \"lan1\").bridge",
                body: |lab, _, args| {
                    let spec = DeviceSpec { device: args.str("device").into(), bridge: args.str("bridge").into() };
                    Ok(construct(lab, &Plan { devices: vec![spec], ..Plan::default() })?["devices"][0].take())
                },
            },
            Undo::Op { name: "detach_device", args: |args| super::first(args, 2) },
            |args| vec![ResourceChange::Creates(resource(args, "device", &name_of(args.str("device"))))],
        ),
        removing(
            machine,
            Draft {
                name: "detach_device",
                doc: "Gives a device of this machine back that the lab has: out of its bridge, up or down as it was, with the alias that it had. \
                      One that the lab doesn't have is given back already.",
                params: &[LAB, DEVICE],
                returns: "()",
                example: "net::create_bridge(\"demo\", \"lan1\"); net::attach_device(\"demo\", \"eth1\", \"lan1\"); net::detach_device(\"demo\", \"eth1\");",
                body: |lab, _, args| {
                    device::give_back(lab, &lab.view()?, Some(&[args.str("device").to_owned()]))?;
                    Ok(Value::Null)
                },
            },
            |args| vec![ResourceChange::Destroys(resource(args, "device", &name_of(args.str("device"))))],
        ),
        making(
            machine,
            Draft {
                name: "create_macvlan",
                doc: "Makes an interface of a namespace on a device of this machine, born in its place, up, with a hardware address of its own: \
                      the node is in the network that the device leads to, beside this machine. The device itself isn't changed, and has to be up. \
                      This machine and the node don't hear each other over it.\n\n\
                      `permission_denied`: the configuration (`[hosts.net] devices`) doesn't list the device. `conflict`: the interface is there, \
                      and isn't this one. `unsupported`: this kernel has none.",
                params: const {
                    &[
                        LAB,
                        END,
                        DEVICE,
                        Param::optional(
                            "options",
                            Kind::Map,
                            "`mode`: `bridge` (interfaces on the device hear each other), `private` (they don't), `vepa` (by way of the switch \
                             behind the device); `addresses` (`[\"10.0.0.1/24\"]`), `mac`, `mtu` (bytes, at most the device's).",
                        ),
                    ]
                },
                returns: "#{ at: string, namespace: string, interface: string, device: string }",
                example: "net::create_namespace(\"demo\", \"r1\");\n\
                          net::create_macvlan(\"demo\", \"r1:ext0\", \"eth1\", #{ addresses: [\"192.0.2.7/24\"] }).interface",
                body: |lab, _, args| {
                    let macvlans = vec![super::with_options(args, &["at", "device"])?];
                    Ok(construct(lab, &Plan { macvlans, ..Plan::default() })?["macvlans"][0].take())
                },
            },
            Undo::Op { name: "delete_macvlan", args: |args| super::first(args, 2) },
            |args| vec![ResourceChange::Creates(resource(args, "macvlan", args.str("at")))],
        ),
        removing(
            machine,
            Draft {
                name: "delete_macvlan",
                doc: "Removes an interface that is on a device of this machine. One that isn't there is removed already.",
                params: &[LAB, END],
                returns: "()",
                example: "net::create_namespace(\"demo\", \"r1\"); net::create_macvlan(\"demo\", \"r1:ext0\", \"eth1\"); net::delete_macvlan(\"demo\", \"r1:ext0\");",
                body: |lab, _, args| {
                    remove::named(lab, &lab.view()?, &[At::parse(args.str("at"))?.link_name()])?;
                    Ok(Value::Null)
                },
            },
            |args| vec![ResourceChange::Destroys(resource(args, "macvlan", args.str("at")))],
        ),
    ]
}

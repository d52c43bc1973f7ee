//! What this kernel can do, found out by trying it in a namespace that nobody sees.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkMessage},
};
use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::{
    super::{
        fault::Fault,
        types::{BridgeSettings, Capability, Impairment, Place, VethEnd},
    },
    encode, loss, qdisc,
    socket::RouteSocket,
    space, tap,
};

const QDISCS: [&str; 5] = ["netem", "tbf", "htb", "fq_codel", "ingress"];

/// Tries everything.
pub fn capabilities() -> Result<Vec<Capability>, Fault> {
    // One job, so that it has a thread of its own to leave the host's namespace with.
    space::spread(&[()], |()| in_scratch_namespace()).pop().unwrap_or_else(|| Ok(Vec::new()))
}

fn in_scratch_namespace() -> Result<Vec<Capability>, Fault> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Fault::new(errno as i32, "making a scratch namespace"))?;
    let mut socket = RouteSocket::open()?;
    let mut works = |request| socket.request(vec![request]).pop().is_some_and(|answer| answer.is_ok());
    let end = |name: &str| VethEnd { place: Place::Host, name: name.into(), mac: None };
    let mut found = vec![
        Capability { name: "bridge", works: works(encode::add_bridge("b0", 0, &BridgeSettings::default(), None)) },
        Capability { name: "veth", works: works(encode::add_veth(&[end("v0"), end("v1")], [None, None], 0, None)) },
    ];
    let filtering = BridgeSettings { vlan_filtering: Some(true), ..BridgeSettings::default() };
    found.push(Capability { name: "vlan_filtering", works: works(encode::set_bridge("b0", &filtering)) });
    for (name, kind) in [("dummy", InfoKind::Dummy), ("ifb", InfoKind::Ifb), ("bond", InfoKind::Bond)] {
        found.push(Capability {
            name,
            works: works((RouteNetlinkMessage::NewLink(bare(name, kind)), NLM_F_CREATE | NLM_F_EXCL)),
        });
    }
    // These need data of their own: an answer other than "unknown kind" says that they are known.
    for (name, kind) in
        [("vxlan", InfoKind::Vxlan), ("vrf", InfoKind::Vrf), ("vlan", InfoKind::Vlan), ("macvlan", InfoKind::MacVlan)]
    {
        let answer =
            socket.request(vec![(RouteNetlinkMessage::NewLink(bare(name, kind)), NLM_F_CREATE | NLM_F_EXCL)]).pop();
        let known = !matches!(&answer, Some(Err(fault)) if fault.errno == libc::EOPNOTSUPP);
        found.push(Capability { name, works: known });
    }
    let veth = socket.get(encode::link_by_name("v0"))?.as_ref().and_then(super::decode::link_index).unwrap_or_default();
    let slow = Impairment { delay_ms: 1.0, rate_kbit: 1_000, ..Impairment::default() };
    for name in QDISCS {
        let request = match name {
            "netem" | "tbf" => qdisc::set(veth, name, &slow),
            _ => qdisc::plain(veth, name),
        };
        // An ingress discipline doesn't sit at the root: it is known if it is refused for that, not as unknown.
        let answer = socket.request(vec![request]).pop();
        let works = match &answer {
            Some(Err(fault)) => name == "ingress" && fault.errno != libc::ENOENT,
            _ => answer.is_some(),
        };
        found.push(Capability { name, works });
        let _ = socket.request(vec![qdisc::remove(veth)]);
    }
    found.push(Capability { name: "tun", works: tap::add("t0", None, || Ok(())).is_ok() });
    found.push(Capability { name: "nft", works: loss::program().is_some() });
    found.push(Capability { name: "loss", works: veth != 0 && loss::set(veth, "v0", 1, |_| true).is_ok() });
    found.push(Capability { name: "ipv6", works: std::fs::exists("/proc/sys/net/ipv6").unwrap_or(false) });
    Ok(found)
}

fn bare(name: &str, kind: InfoKind) -> LinkMessage {
    LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(kind).name(format!("{name}9")).build()
}

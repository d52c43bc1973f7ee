//! Changes as netlink messages.

use std::{net::IpAddr, os::fd::RawFd};

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
    link::{BridgeStpState, InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkMessage, MacVlanMode, Prop},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use rtnetlink::{LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVxlan};

use super::{
    super::types::{BridgeSettings, LinkSettings, MacvlanMode, Prefix, Route, VethEnd, Vxlan},
    socket::Request,
};

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// Ageing times are in hundredths of a second, on every machine.
const TICKS_PER_SECOND: u32 = 100;

pub fn add_bridge(name: &str, group: u32, settings: &BridgeSettings, mac: Option<[u8; 6]>) -> Request {
    let mut builder = LinkBridge::new(name).link_group(group);
    if let Some(mac) = mac {
        builder = builder.address(mac.to_vec());
    }
    let message = bridge_settings(builder, settings).build();
    (RouteNetlinkMessage::NewLink(message), NEW)
}

pub fn set_bridge(name: &str, settings: &BridgeSettings) -> Request {
    // A `SetLink` would be answered with success, and ignored.
    let message = bridge_settings(LinkMessageBuilder::<LinkBridge>::new(name), settings).build();
    (RouteNetlinkMessage::NewLink(message), 0)
}

fn bridge_settings(
    mut builder: LinkMessageBuilder<LinkBridge>,
    settings: &BridgeSettings,
) -> LinkMessageBuilder<LinkBridge> {
    if let Some(on) = settings.stp {
        builder = builder.stp_state(if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled });
    }
    if let Some(seconds) = settings.ageing_time_s {
        builder = builder.ageing_time(seconds.saturating_mul(TICKS_PER_SECOND));
    }
    if let Some(mask) = settings.group_fwd_mask {
        builder = builder.group_fwd_mask(mask);
    }
    if let Some(on) = settings.vlan_filtering {
        builder = builder.vlan_filtering(on);
    }
    builder
}

/// `device` is the number of the device that the VXLAN names.
pub fn add_vxlan(name: &str, group: u32, vxlan: &Vxlan, mac: [u8; 6], device: Option<u32>) -> Request {
    let mut builder = LinkVxlan::new(name, vxlan.id).port(vxlan.port).link_group(group).address(mac.to_vec());
    // There is one other end: nothing that comes in says where packets go.
    builder = builder.learning(false);
    builder = match vxlan.remote {
        Some(IpAddr::V4(remote)) => builder.remote(remote),
        Some(IpAddr::V6(remote)) => builder.remote6(remote),
        None => builder,
    };
    builder = match vxlan.local {
        Some(IpAddr::V4(local)) => builder.local(local),
        Some(IpAddr::V6(local)) => builder.local6(local),
        None => builder,
    };
    if let Some(device) = device {
        builder = builder.dev(device);
    }
    (RouteNetlinkMessage::NewLink(builder.build()), NEW)
}

/// `device` is the number of the device that it is on; `namespace` is a handle on its place.
pub fn add_macvlan(
    end: &VethEnd,
    namespace: Option<RawFd>,
    device: u32,
    mode: MacvlanMode,
    group: u32,
    mtu: Option<u32>,
) -> Request {
    let mode = match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
    };
    let builder = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::MacVlan).name(&end.name).link(device);
    let message = veth_end(builder, end, namespace, group, mtu)
        .set_info_data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]))
        .build();
    (RouteNetlinkMessage::NewLink(message), NEW)
}

/// `namespaces` are handles on the places of the ends; `None` for the place that the request is made in.
pub fn add_veth(ends: &[VethEnd; 2], namespaces: [Option<RawFd>; 2], group: u32, mtu: Option<u32>) -> Request {
    let peer =
        veth_end(LinkMessageBuilder::<LinkUnspec>::default().name(&ends[1].name), &ends[1], namespaces[1], group, mtu);
    // The second end can't be up before the first one is there.
    let message = veth_end(LinkVeth::new(&ends[0].name, &ends[1].name), &ends[0], namespaces[0], group, mtu)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())))
        .up();
    (RouteNetlinkMessage::NewLink(message.build()), NEW)
}

fn veth_end<T>(
    mut builder: LinkMessageBuilder<T>,
    end: &VethEnd,
    namespace: Option<RawFd>,
    group: u32,
    mtu: Option<u32>,
) -> LinkMessageBuilder<T> {
    builder = builder.link_group(group);
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    if let Some(mac) = end.mac {
        builder = builder.address(mac.to_vec());
    }
    match namespace {
        Some(handle) => builder.setns_by_fd(handle),
        None => builder,
    }
}

/// `controller` is the number of the bridge that the settings name; 0 takes the link out of its bridge.
pub fn set_link(name: &str, set: &LinkSettings, controller: Option<u32>) -> Request {
    let mut builder = LinkUnspec::new_with_name(name);
    if let Some(mtu) = set.mtu {
        builder = builder.mtu(mtu);
    }
    if let Some(group) = set.group {
        builder = builder.link_group(group);
    }
    if let Some(alias) = &set.alias {
        builder = builder.alias(alias.clone());
    }
    if let Some(mac) = set.mac {
        builder = builder.address(mac.to_vec());
    }
    if let Some(index) = controller {
        builder = builder.controller(index);
    }
    builder = match set.up {
        Some(true) => builder.up(),
        Some(false) => builder.down(),
        None => builder,
    };
    (RouteNetlinkMessage::SetLink(builder.build()), 0)
}

pub fn add_altname(name: &str, altname: &str) -> Request {
    let mut message = LinkUnspec::new_with_name(name).build();
    message.attributes.push(LinkAttribute::PropList(vec![Prop::AltIfName(altname.to_owned())]));
    (RouteNetlinkMessage::NewLinkProp(message), NEW | NLM_F_APPEND)
}

pub fn delete_link(name: &str) -> Request {
    (RouteNetlinkMessage::DelLink(LinkUnspec::new_with_name(name).build()), 0)
}

pub fn delete_group(group: u32) -> Request {
    (RouteNetlinkMessage::DelLink(LinkMessageBuilder::<LinkUnspec>::default().link_group(group).build()), 0)
}

/// Asks for one link by its name.
pub fn link_by_name(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

pub fn add_address(link: u32, prefix: Prefix) -> Request {
    (RouteNetlinkMessage::NewAddress(address(link, prefix)), NEW)
}

pub fn remove_address(link: u32, prefix: Prefix) -> Request {
    (RouteNetlinkMessage::DelAddress(address(link, prefix)), 0)
}

fn address(link: u32, prefix: Prefix) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(prefix.address);
    message.header.prefix_len = prefix.length;
    message.header.index = link;
    message.header.scope = AddressScope::Universe;
    if prefix.address.is_ipv6() {
        // Labs give every address once; without this one couldn't be used for a second or two.
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes.push(AddressAttribute::Local(prefix.address));
    message.attributes.push(AddressAttribute::Address(prefix.address));
    message
}

/// `dev` is the number of the link that the route names.
pub fn add_route(route: &Route, dev: Option<u32>) -> Request {
    let mut message = route_message(route, dev);
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.header.scope =
        if route.via.is_none() && route.to.address.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    (RouteNetlinkMessage::NewRoute(message), NEW)
}

pub fn remove_route(route: &Route, dev: Option<u32>) -> Request {
    let mut message = route_message(route, dev);
    // What isn't said matches anything.
    message.header.scope = RouteScope::NoWhere;
    (RouteNetlinkMessage::DelRoute(message), 0)
}

fn route_message(route: &Route, dev: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.to.address);
    message.header.destination_prefix_length = route.to.length;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    if route.to.length > 0 {
        message.attributes.push(RouteAttribute::Destination(route.to.address.into()));
    }
    if let Some(gateway) = route.via {
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    }
    if let Some(index) = dev {
        message.attributes.push(RouteAttribute::Oif(index));
    }
    if route.metric > 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

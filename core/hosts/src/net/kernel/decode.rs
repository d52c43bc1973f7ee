//! Netlink messages as links, addresses and routes.

use std::{collections::HashMap, net::IpAddr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage, AddressScope},
    link::{BridgeStpState, InfoBridge, InfoData, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Prop},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType},
};

use super::super::types::{Address, BridgeSettings, Counters, Link, Prefix, Route, Vxlan};

/// A link, if the message is about one.
pub fn link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let mut link =
        Link { index: message.header.index, up: message.header.flags.contains(LinkFlags::Up), ..Link::default() };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::OperState(state) => link.operstate = operstate(&format!("{state:?}")),
            LinkAttribute::Carrier(carrier) => link.carrier = carrier != 0,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) => link.mac = mac(&bytes),
            LinkAttribute::Controller(index) => link.controller = Some(index),
            LinkAttribute::Link(index) => link.peer = Some(index),
            LinkAttribute::Group(group) => link.group = group,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::PropList(props) => link.altnames = props.into_iter().filter_map(altname).collect(),
            LinkAttribute::LinkInfo(infos) => infos.into_iter().for_each(|info| link_info(&mut link, info)),
            LinkAttribute::Stats64(stats) => {
                link.counters = Counters {
                    rx_packets: stats.rx_packets,
                    tx_packets: stats.tx_packets,
                    rx_bytes: stats.rx_bytes,
                    tx_bytes: stats.tx_bytes,
                    rx_errors: stats.rx_errors,
                    tx_errors: stats.tx_errors,
                    rx_dropped: stats.rx_dropped,
                    tx_dropped: stats.tx_dropped,
                }
            }
            _ => {}
        }
    }
    Some(link)
}

fn altname(prop: Prop) -> Option<String> {
    match prop {
        Prop::AltIfName(name) => Some(name),
        _ => None,
    }
}

/// The number of a link, if the message is about one.
pub fn link_index(message: &RouteNetlinkMessage) -> Option<u32> {
    match message {
        RouteNetlinkMessage::NewLink(LinkMessage { header, .. }) => Some(header.index),
        _ => None,
    }
}

fn link_info(link: &mut Link, info: LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => link.kind = kind.to_string(),
        LinkInfo::Data(InfoData::Bridge(infos)) => {
            let settings = link.bridge.get_or_insert_with(BridgeSettings::default);
            for info in infos {
                match info {
                    InfoBridge::StpState(state) => settings.stp = Some(state != BridgeStpState::Disabled),
                    InfoBridge::AgeingTime(ticks) => settings.ageing_time_s = Some(ticks / 100),
                    InfoBridge::GroupFwdMask(mask) => settings.group_fwd_mask = Some(mask),
                    InfoBridge::VlanFiltering(on) => settings.vlan_filtering = Some(on),
                    _ => {}
                }
            }
        }
        LinkInfo::Data(InfoData::Vxlan(infos)) => {
            let vxlan = link.vxlan.insert(Vxlan { id: 0, remote: None, local: None, device: None, port: 0 });
            for info in infos {
                match info {
                    InfoVxlan::Id(id) => vxlan.id = id,
                    InfoVxlan::Group(remote) => vxlan.remote = Some(remote.into()),
                    InfoVxlan::Group6(remote) => vxlan.remote = Some(remote.into()),
                    InfoVxlan::Local(local) => vxlan.local = Some(local.into()),
                    InfoVxlan::Local6(local) => vxlan.local = Some(local.into()),
                    InfoVxlan::Port(port) => vxlan.port = port,
                    InfoVxlan::Link(index) if index != 0 => link.peer = Some(index),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// `LowerLayerDown` as `lower_layer_down`.
fn operstate(debug: &str) -> String {
    let mut text = String::new();
    for letter in debug.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// An address that somebody gave. The kernel makes none of IPv4 itself, whatever its scope.
pub fn address(message: RouteNetlinkMessage, names: &HashMap<u32, String>) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(AddressMessage { header, attributes, .. }) = message else { return None };
    if header.family == AddressFamily::Inet6 && header.scope != AddressScope::Universe {
        return None;
    }
    let (mut local, mut remote) = (None, None);
    for attribute in attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(address),
            AddressAttribute::Address(address) => remote = Some(address),
            _ => {}
        }
    }
    let prefix = Prefix { address: local.or(remote)?, length: header.prefix_len };
    Some(Address { link: names.get(&header.index)?.clone(), prefix })
}

/// A route of the main table that somebody gave.
pub fn route(message: RouteNetlinkMessage, names: &HashMap<u32, String>) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(RouteMessage { header, attributes, .. }) = message else { return None };
    let given = header.protocol != RouteProtocol::Kernel && header.kind == RouteType::Unicast;
    if !given || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let v6 = header.address_family == AddressFamily::Inet6;
    let mut route = Route { to: Prefix::default_of(v6), via: None, dev: None, metric: 0 };
    route.to.length = header.destination_prefix_length;
    for attribute in attributes {
        match attribute {
            RouteAttribute::Destination(to) => route.to.address = ip(&to)?,
            RouteAttribute::Gateway(gateway) => route.via = ip(&gateway),
            RouteAttribute::Oif(index) => route.dev = names.get(&index).cloned(),
            RouteAttribute::Priority(metric) => route.metric = metric,
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

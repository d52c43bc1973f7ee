//! Changes to a network stack, in words of our own.

use super::types::{Address, BridgeSettings, Impairment, MacvlanMode, Place, Route, Vxlan};

/// Changes in one place, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Where.
    pub place: Place,
    /// What.
    pub changes: Vec<Change>,
}

/// An interface to be: one end of a veth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VethEnd {
    /// Where it is born, and stays.
    pub place: Place,
    /// Its name there.
    pub name: String,
    /// Its hardware address; else the kernel draws one.
    pub mac: Option<[u8; 6]>,
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes a bridge.
    AddBridge {
        /// Its name.
        name: String,
        /// Its group.
        group: u32,
        /// Its settings.
        settings: BridgeSettings,
        /// Its hardware address; else the lowest of its ports'.
        mac: Option<[u8; 6]>,
    },
    /// Makes a VXLAN, which is down.
    AddVxlan {
        /// Its name.
        name: String,
        /// Its group.
        group: u32,
        /// What it is.
        vxlan: Vxlan,
        /// Its hardware address.
        mac: [u8; 6],
    },
    /// Makes an interface on a device of the host, born in its place, up. In the batch of the host.
    AddMacvlan {
        /// Where it is born, and stays: its name, its hardware address.
        end: VethEnd,
        /// The device of the host.
        device: String,
        /// Whom it hears.
        mode: MacvlanMode,
        /// Its group.
        group: u32,
        /// Its MTU.
        mtu: Option<u32>,
    },
    /// Makes a veth; the first end comes up at birth. In the batch of the host, wherever its ends are born.
    AddVeth {
        /// Its ends.
        ends: Box<[VethEnd; 2]>,
        /// Both ends' group.
        group: u32,
        /// Both ends' MTU.
        mtu: Option<u32>,
    },
    /// Makes a TAP that stays when nobody has it open. It is marked before it stays.
    AddTap {
        /// Its name.
        name: String,
        /// Its group.
        group: u32,
        /// Its alias.
        alias: String,
        /// The user who may open it.
        owner: Option<u32>,
    },
    /// Changes a link.
    SetLink {
        /// Its name.
        name: String,
        /// What.
        set: LinkSettings,
    },
    /// Keeps a link of the host's out of IPv6, before it is up: it makes itself no address, and takes no routes from anybody.
    KeepFromIpv6 {
        /// Its name.
        name: String,
        /// Whether it will be given IPv6 addresses: then it has those, and no others.
        addresses: bool,
    },
    /// Gives a link a further name, at which the kernel and its tools find it, too.
    AddAltname {
        /// Its name.
        name: String,
        /// The further one, at most 127 characters.
        altname: String,
    },
    /// Changes a bridge.
    SetBridge {
        /// Its name.
        name: String,
        /// What.
        settings: BridgeSettings,
    },
    /// Removes a link.
    DeleteLink {
        /// Its name.
        name: String,
    },
    /// Removes all links of a group in one go.
    DeleteGroup {
        /// The group.
        group: u32,
    },
    /// Gives a link an address.
    AddAddress(Address),
    /// Takes it away.
    RemoveAddress(Address),
    /// Adds a route.
    AddRoute(Route),
    /// Removes it.
    RemoveRoute(Route),
    /// Puts an impairment at a link's root, by the queueing discipline of this name.
    SetQdisc {
        /// The link.
        link: String,
        /// `netem` or `tbf`.
        kind: &'static str,
        /// What.
        impairment: Impairment,
    },
    /// Puts the default back.
    RemoveQdisc {
        /// The link.
        link: String,
    },
    /// Drops a share of what leaves a link, without a queueing discipline. 0 takes the rule away.
    SetLoss {
        /// The link.
        link: String,
        /// In millionths.
        millionths: u32,
    },
    /// Leaves the checksums of what a link sends to the hardware, or computes them. Made after the batch's other changes.
    SetOffload {
        /// The link.
        link: String,
        /// Whether the hardware does it. A veth has none.
        on: bool,
    },
    /// Forwards packets between links, or stops.
    SetForwarding(bool),
}

/// Settings of any link. `None` leaves one as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkSettings {
    /// Up or down.
    pub up: Option<bool>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// The bridge it is a port of, by name; `Some(None)` takes it out.
    pub controller: Option<Option<String>>,
    /// Its alias.
    pub alias: Option<String>,
    /// Its group.
    pub group: Option<u32>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
}

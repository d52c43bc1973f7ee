//! Changes in many namespaces, heard over one socket: the kernel tells a socket of the host what happens in every namespace that has a
//! number there, and says with each message in which. Nothing has to be entered for it, and no socket keeps a removed namespace alive.

use std::{
    collections::{BTreeSet, HashMap},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use netlink_packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    super::{
        backend::{ChangeWatch, Heard},
        fault::Fault,
        types::Place,
    },
    socket::RouteSocket,
    space,
};

/// Room for what happens while nobody listens.
const BUFFER_BYTES: i32 = 8 << 20;
const SOL_NETLINK: i32 = 270;
const NETLINK_LISTEN_ALL_NSID: i32 = 8;
/// `NETNSA_NSID_NOT_ASSIGNED`: the kernel chooses.
const ANY: i32 = -1;
const GROUPS: [u32; 3] = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR];

pub struct Ears {
    socket: Socket,
    places: HashMap<i32, Place>,
}

impl Ears {
    /// Hears of every change on the host from now on.
    pub fn open() -> Result<Self, Fault> {
        let failed = |error| Fault::io(&error, "listening for changes of links");
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.set_non_blocking(true).map_err(failed)?;
        option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER_BYTES).map_err(failed)?;
        option(&socket, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1).map_err(failed)?;
        for group in GROUPS {
            socket.add_membership(group).map_err(failed)?;
        }
        Ok(Self { socket, places: HashMap::new() })
    }

    fn drain(&self, heard: &mut BTreeSet<Place>) -> Result<bool, Fault> {
        let mut buffer = [0u8; 1 << 16];
        loop {
            // What changed doesn't matter, only where: it is read anew.
            let mut control = [0u64; 8];
            let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            // SAFETY: all-zero bytes are a valid `msghdr`; its pointers live until the call returns.
            let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
            message.msg_iov = &raw mut part;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control) as _;
            // SAFETY: see above.
            let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
            if length < 0 {
                let error = std::io::Error::last_os_error();
                return match error.raw_os_error() {
                    Some(libc::EAGAIN) => Ok(true),
                    Some(libc::EINTR) => continue,
                    // Some were lost.
                    Some(libc::ENOBUFS) => Ok(false),
                    _ => Err(Fault::io(&error, "listening for changes of links")),
                };
            }
            match number(&message) {
                None => drop(heard.insert(Place::Host)),
                Some(number) => heard.extend(self.places.get(&number).cloned()),
            }
        }
    }
}

/// The number of the namespace that a message is from; `None`: the host.
fn number(message: &libc::msghdr) -> Option<i32> {
    // SAFETY: the kernel has filled in the message and its control part, which these macros walk.
    unsafe {
        let mut part = libc::CMSG_FIRSTHDR(message);
        while !part.is_null() {
            if (*part).cmsg_level == SOL_NETLINK && (*part).cmsg_type == NETLINK_LISTEN_ALL_NSID {
                return Some(libc::CMSG_DATA(part).cast::<i32>().read_unaligned());
            }
            part = libc::CMSG_NXTHDR(message, part);
        }
    }
    None
}

impl ChangeWatch for Ears {
    fn follow(&mut self, places: &[Place]) -> Result<(), Fault> {
        let mut route = RouteSocket::open()?;
        let mut known = HashMap::new();
        for place in places.iter().filter(|place| **place != Place::Host) {
            let handle = match space::open(place) {
                Err(fault) if fault.missing() => continue,
                handle => handle?,
            };
            let file = handle.as_raw_fd().cast_unsigned();
            let asked = |attributes| {
                let mut message = NsidMessage::default();
                message.attributes = attributes;
                message
            };
            let fresh = asked(vec![NsidAttribute::Fd(file), NsidAttribute::Id(ANY)]);
            match route.request(vec![(RouteNetlinkMessage::NewNsId(fresh), 0)]).pop() {
                Some(Err(fault)) if !fault.exists() => return Err(fault),
                _ => {}
            }
            let answer = route.get(RouteNetlinkMessage::GetNsId(asked(vec![NsidAttribute::Fd(file)])))?;
            if let Some(RouteNetlinkMessage::NewNsId(message)) = answer {
                let id = message.attributes.iter().find_map(|attribute| match attribute {
                    NsidAttribute::Id(id) if *id >= 0 => Some(*id),
                    _ => None,
                });
                known.extend(id.map(|id| (id, place.clone())));
            }
        }
        self.places = known;
        Ok(())
    }

    fn heard(&mut self, longest: Duration) -> Result<Heard, Fault> {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        let mut descriptors = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut descriptors, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(Fault::new(errno as i32, "waiting for changes of links")),
        }
        let mut places = BTreeSet::new();
        match self.drain(&mut places)? {
            true if places.is_empty() => Ok(Heard::Nothing),
            true => Ok(Heard::Places(places)),
            false => Ok(Heard::Lost),
        }
    }
}

fn option(socket: &Socket, level: i32, name: i32, value: i32) -> std::io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(&value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if answer < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

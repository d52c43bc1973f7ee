//! Packets of a link, from a packet socket in the link's place.

use std::{
    io::{Error, ErrorKind},
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::{
    capture::{Packet, PacketSource},
    fault::Fault,
};

const BUFFER_BYTES: libc::c_int = 8 << 20;
/// Where a VLAN tag stands in a frame.
const TAG_AT: usize = 12;

/// A socket that hears all that passes a link; it stays in the namespace that it was opened in.
pub struct Packets {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Packets {
    /// Listens at the link with this number, in this thread's namespace.
    pub fn open(index: u32, snaplen: u32) -> Result<Self, Fault> {
        let failed = |what: &str| Fault::io(&Error::last_os_error(), what.to_owned());
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Of no protocol: it hears nothing before it is bound to the link.
        // SAFETY: the answer is checked, and nobody else has the descriptor.
        let socket = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
        if socket < 0 {
            return Err(failed("opening a packet socket"));
        }
        // SAFETY: it was opened just now.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // The first is a hint; without the others, time is ours, and tags are missing.
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER_BYTES);
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
        set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1);
        // SAFETY: all-zero bytes are a valid address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = i32::try_from(index).unwrap_or(i32::MAX);
        // SAFETY: the pointer and the length are those of `address`.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(failed("listening at a link"));
        }
        Ok(Self { socket, buffer: vec![0; snaplen as usize] })
    }

    fn receive(&mut self) -> Result<Option<Packet>, Fault> {
        let mut part = libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
        // SAFETY: all-zero bytes are a valid address, and valid headers.
        let (mut from, mut header): (libc::sockaddr_ll, libc::msghdr) = unsafe { std::mem::zeroed() };
        let mut control = [0_u64; 32];
        header.msg_name = (&raw mut from).cast();
        header.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer in the header is of something that lives until the call returns, with its length.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, libc::MSG_TRUNC) };
        let Ok(length) = usize::try_from(length) else {
            let error = Error::last_os_error();
            return match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
                _ => Err(Fault::io(&error, "receiving packets")),
            };
        };
        let mut packet = Packet {
            at_ns: 0,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            data: self.buffer[..length.min(self.buffer.len())].to_vec(),
            outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
        };
        // SAFETY: the kernel has filled the header, whose buffers still live; each message is read as what its type says.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(&raw const header);
            while !message.is_null() {
                let data = libc::CMSG_DATA(message);
                match ((*message).cmsg_level, (*message).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => {
                        let at = data.cast::<libc::timespec>().read_unaligned();
                        packet.at_ns =
                            (at.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(at.tv_nsec as u64);
                    }
                    (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                        tag(&mut packet, data.cast::<libc::tpacket_auxdata>().read_unaligned());
                    }
                    _ => {}
                }
                message = libc::CMSG_NXTHDR(&raw const header, message);
            }
        }
        if packet.at_ns == 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            packet.at_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        }
        Ok(Some(packet))
    }
}

/// The kernel takes the VLAN tag out of a frame: it goes back where it was.
fn tag(packet: &mut Packet, told: libc::tpacket_auxdata) {
    if told.tp_status & libc::TP_STATUS_VLAN_VALID == 0 || packet.data.len() < TAG_AT {
        return;
    }
    let known = told.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let protocol = if known { told.tp_vlan_tpid } else { 0x8100 };
    let [a, b] = protocol.to_be_bytes();
    let [c, d] = told.tp_vlan_tci.to_be_bytes();
    packet.data.splice(TAG_AT..TAG_AT, [a, b, c, d]);
    packet.length = packet.length.saturating_add(4);
}

impl PacketSource for Packets {
    fn next(&mut self, longest: Duration) -> Result<Option<Packet>, Fault> {
        if let Some(packet) = self.receive()? {
            return Ok(Some(packet));
        }
        if longest.is_zero() {
            return Ok(None);
        }
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => Ok(None),
            Ok(_) => self.receive(),
            Err(errno) => Err(Fault::new(errno as i32, "waiting for packets")),
        }
    }

    fn dropped(&mut self) -> u64 {
        let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: both pointers are of values that live until the call returns, with their length.
        let answer = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        if answer < 0 { 0 } else { stats.tp_drops.into() }
    }
}

fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
    // SAFETY: the pointer and the length are those of `value`.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

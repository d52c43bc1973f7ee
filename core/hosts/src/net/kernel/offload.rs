//! Checksum offload of links: over an ioctl, as `ethtool -K LINK tx off` does.
//!
//! A veth has no hardware that could compute a checksum later. What a container sends through one without a checksum is dropped by
//! whoever looks at it on the way: `ping` works, and TCP doesn't.

use std::{
    io::Error,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use super::super::fault::Fault;

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_STXCSUM: u32 = 0x17;

#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Asks in the namespace that the thread which opens it is in.
pub struct Asker(OwnedFd);

impl Asker {
    pub fn open() -> Result<Self, Fault> {
        // SAFETY: the answer is checked, and nobody else has the descriptor.
        let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(Fault::io(&Error::last_os_error(), "opening a socket"));
        }
        // SAFETY: it was opened just now.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(socket) }))
    }

    /// Whether the hardware computes checksums of what the link sends.
    pub fn get(&self, link: &str) -> Result<bool, Fault> {
        self.ask(link, ETHTOOL_GTXCSUM, 0).map(|data| data != 0)
    }

    /// Turns that on or off; offloads that need it go with it.
    pub fn set(&self, link: &str, on: bool) -> Result<(), Fault> {
        self.ask(link, ETHTOOL_STXCSUM, u32::from(on)).map(drop)
    }

    fn ask(&self, link: &str, command: u32, data: u32) -> Result<u32, Fault> {
        // SAFETY: all-zero bytes are a valid `ifreq`.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if link.len() >= request.ifr_name.len() {
            return Err(Fault::new(libc::ENODEV, format!("the link {link}")));
        }
        for (target, byte) in request.ifr_name.iter_mut().zip(link.bytes()) {
            *target = byte as libc::c_char;
        }
        let mut value = Value { command, data };
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: both structures live until the call returns, and have the form that these commands ask for.
        let answer = unsafe { libc::ioctl(self.0.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        if answer < 0 {
            return Err(Fault::io(&Error::last_os_error(), format!("the checksum offload of {link}")));
        }
        Ok(value.data)
    }
}

//! TAP devices: not made over netlink but by two calls on /dev/net/tun.

use std::{fs::OpenOptions, io::Error, os::fd::AsRawFd};

use super::super::fault::Fault;

const DEVICE: &str = "/dev/net/tun";
/// Frames carry a header with offload hints, as QEMU wants them.
const IFF_VNET_HDR: i32 = 0x4000;
/// Refuse a name that is there already, whoever has it.
const IFF_TUN_EXCL: i32 = 0x8000;

/// Makes a TAP in this thread's namespace that stays when nobody has it open. `mark` runs before it stays: a crash
/// leaves either nothing, or a TAP that says whose it is.
pub fn add(name: &str, owner: Option<u32>, mark: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let file = OpenOptions::new().read(true).write(true).open(DEVICE);
    let file = file.map_err(|error| Fault::io(&error, format!("opening {DEVICE}")))?;
    // SAFETY: all-zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(Fault::new(libc::EINVAL, format!("`{name}` is too long for a TAP")));
    }
    for (target, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *target = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL) as libc::c_short;
    let failed = |what: &str| Fault::io(&Error::last_os_error(), format!("{what} the TAP {name}"));
    // SAFETY: the descriptor is open; TUNSETIFF reads an `ifreq`, the others a number.
    unsafe {
        if libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) < 0 {
            let fault = failed("making");
            // EXCL answers EBUSY where everything else says EEXIST.
            return Err(if fault.errno == libc::EBUSY { Fault::new(libc::EEXIST, fault.detail) } else { fault });
        }
        if let Some(owner) = owner
            && libc::ioctl(file.as_raw_fd(), libc::TUNSETOWNER, libc::c_ulong::from(owner)) < 0
        {
            return Err(failed("giving away"));
        }
        mark()?;
        if libc::ioctl(file.as_raw_fd(), libc::TUNSETPERSIST, 1 as libc::c_ulong) < 0 {
            return Err(failed("keeping"));
        }
    }
    Ok(())
}

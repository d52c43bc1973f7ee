//! The removal of one link, answered when the link is gone.
//!
//! The kernel unlists a link at once, and answers whoever asked for that only after a barrier of its own, some 20 ms later, in which
//! it frees what nobody can see any more. With many links in one request that is nothing; with one it is nearly all. So somebody else
//! waits for the answer.

use std::{
    sync::mpsc::{RecvTimeoutError, TryRecvError, sync_channel},
    time::Duration,
};

use netlink_packet_route::{RouteNetlinkMessage, link::LinkAttribute};

use super::{
    super::fault::Fault,
    encode,
    socket::{Request, RouteSocket},
};

/// How long the link is left alone before it is looked at again.
const PAUSE: Duration = Duration::from_micros(500);

/// The link that a request removes, if it is such a request.
pub fn deleted(message: &RouteNetlinkMessage) -> Option<String> {
    let RouteNetlinkMessage::DelLink(message) = message else { return None };
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}

/// Removes the link; `socket` is open in the place that this thread is in.
pub fn delete(socket: &mut RouteSocket, request: Request, name: String) -> Result<(), Fault> {
    let mut asking = RouteSocket::open()?;
    let (tell, told) = sync_channel(1);
    // It ends when the kernel has answered; nobody has to wait for it.
    std::thread::spawn(move || {
        // Whoever asked may know already.
        let _ = tell.send(asking.request(vec![request]).pop().unwrap_or(Ok(())));
    });
    loop {
        match told.recv_timeout(PAUSE) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Fault::new(libc::ECANCELED, "the removal of a link broke"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        match socket.get(encode::link_by_name(&name)) {
            Err(fault) if fault.missing() => break,
            _ => {}
        }
    }
    // There may have been none from the start.
    match told.try_recv() {
        Ok(answer) => answer,
        Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(()),
    }
}

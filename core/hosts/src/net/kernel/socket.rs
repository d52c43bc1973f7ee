//! The one place that talks netlink: many requests in one send, answers checked one by one, dumps, events.

use std::{
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::fault::Fault;

/// Requests in one send. Each answer takes about a kilobyte of the receive buffer until it is read.
const REQUESTS_PER_SEND: usize = 128;
const BUFFER_BYTES: i32 = 4 << 20;
const RECEIVE_BYTES: usize = 1 << 18;
const ANSWER_TIMEOUT_S: libc::time_t = 20;
/// The answer is followed by the kernel's own words.
const NLM_F_ACK_TLVS: u16 = 0x200;
const NETLINK_HEADER_BYTES: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// What is asked, and flags beyond the usual.
pub type Request = (RouteNetlinkMessage, u16);

/// A socket to the namespace that the thread which opens it is in; it stays there, whichever thread uses it.
pub struct RouteSocket {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl RouteSocket {
    /// Opens a socket in this thread's namespace.
    pub fn open() -> Result<Self, Fault> {
        let failed = |error| Fault::io(&error, "opening a netlink socket");
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        // Answers then carry the kernel's words, and not the request again.
        let _ = socket.set_cap_ack(true);
        let _ = socket.set_ext_ack(true);
        force_option(&socket, libc::SO_SNDBUFFORCE, &BUFFER_BYTES);
        force_option(&socket, libc::SO_RCVBUFFORCE, &BUFFER_BYTES);
        force_option(&socket, libc::SO_RCVTIMEO, &libc::timeval { tv_sec: ANSWER_TIMEOUT_S, tv_usec: 0 });
        Ok(Self { socket, sequence: 0, buffer: vec![0; RECEIVE_BYTES] })
    }

    /// A socket that hears of every change of links from now on.
    pub fn watch_links() -> Result<Self, Fault> {
        let socket = Self::open()?;
        socket.socket.add_membership(libc::RTNLGRP_LINK).map_err(|error| Fault::io(&error, "watching links"))?;
        Ok(socket)
    }

    /// Makes requests in order, all in as few sends as possible. One answer each.
    pub fn request(&mut self, requests: Vec<Request>) -> Vec<Result<(), Fault>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let chunk: Vec<Request> = requests.by_ref().take(REQUESTS_PER_SEND).collect();
            let count = chunk.len();
            match self.send_and_collect(chunk) {
                Ok(chunk_answers) => answers.extend(chunk_answers),
                Err(fault) => answers.extend((0..count).map(|_| Err(fault.clone()))),
            }
        }
        answers
    }

    /// Everything of a kind.
    pub fn dump(&mut self, message: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Fault> {
        self.ask(message, NLM_F_DUMP)
    }

    /// One thing.
    pub fn get(&mut self, message: RouteNetlinkMessage) -> Result<Option<RouteNetlinkMessage>, Fault> {
        Ok(self.ask(message, NLM_F_ACK)?.pop())
    }

    /// Waits for an event, or so long; says whether there was one. A lost event counts.
    pub fn event(&mut self, longest: Duration) -> Result<bool, Fault> {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        let mut descriptors = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut descriptors, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(errno) => return Err(Fault::new(errno as i32, "waiting for a change of links")),
        }
        // What changed doesn't matter: the watcher reads the link again.
        match self.receive() {
            Ok(_) => Ok(true),
            Err(fault) if fault.errno == libc::ENOBUFS => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    fn send_and_collect(&mut self, requests: Vec<Request>) -> Result<Vec<Result<(), Fault>>, Fault> {
        let first = self.sequence + 1;
        let count = requests.len();
        let mut bytes = Vec::with_capacity(count * 160);
        for (message, flags) in requests {
            self.encode(message, NLM_F_REQUEST | NLM_F_ACK | flags, &mut bytes);
        }
        self.send(&bytes)?;
        let mut answers: Vec<Option<Result<(), Fault>>> = vec![None; count];
        let mut open = count;
        while open > 0 {
            let length = self.receive()?;
            for message in Messages(&self.buffer[..length]) {
                let message = message?;
                let NetlinkPayload::Error(answer) = &message.payload else { continue };
                let slot = message.header.sequence_number.checked_sub(first);
                let Some(slot) = slot.and_then(|slot| answers.get_mut(slot as usize)) else { continue };
                open -= usize::from(slot.is_none());
                *slot = Some(match answer.raw_code() {
                    0 => Ok(()),
                    code => Err(Fault::new(-code, words(message.header.flags, &answer.header))),
                });
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Ok(()))).collect())
    }

    fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<Vec<RouteNetlinkMessage>, Fault> {
        let mut bytes = Vec::new();
        self.encode(message, NLM_F_REQUEST | flags, &mut bytes);
        self.send(&bytes)?;
        let mut found = Vec::new();
        loop {
            let length = self.receive()?;
            for message in Messages(&self.buffer[..length]) {
                let message = message?;
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => found.push(inner),
                    NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::Error(answer) if answer.raw_code() == 0 => return Ok(found),
                    NetlinkPayload::Error(answer) => {
                        return Err(Fault::new(-answer.raw_code(), words(message.header.flags, &answer.header)));
                    }
                    _ => {}
                }
            }
        }
    }

    fn encode(&mut self, message: RouteNetlinkMessage, flags: u16, bytes: &mut Vec<u8>) {
        self.sequence += 1;
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let (start, length) = (bytes.len(), message.buffer_len());
        bytes.resize(start + length.next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..start + length]);
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Fault> {
        match self.socket.send(bytes, 0) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(_) => Err(Fault::new(libc::EMSGSIZE, "the kernel took a part of the requests only")),
            Err(error) => Err(Fault::io(&error, "sending over netlink")),
        }
    }

    fn receive(&mut self) -> Result<usize, Fault> {
        loop {
            let mut buffer = &mut self.buffer[..];
            match self.socket.recv(&mut buffer, 0) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::io(&error, "waiting for the kernel's answer")),
                Ok(length) => return Ok(length),
            }
        }
    }
}

/// The messages of one datagram.
struct Messages<'a>(&'a [u8]);

impl Iterator for Messages<'_> {
    type Item = Result<NetlinkMessage<RouteNetlinkMessage>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.len() < NETLINK_HEADER_BYTES {
            return None;
        }
        match NetlinkMessage::deserialize(self.0) {
            Ok(message) => {
                let length = (message.header.length as usize).next_multiple_of(4).max(NETLINK_HEADER_BYTES);
                self.0 = self.0.get(length..).unwrap_or_default();
                Some(Ok(message))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(Fault::new(libc::EBADMSG, format!("the kernel's answer can't be read: {error}"))))
            }
        }
    }
}

/// The kernel's own words about a refusal.
fn words(flags: u16, answer: &[u8]) -> String {
    if flags & NLM_F_ACK_TLVS == 0 || answer.len() <= NETLINK_HEADER_BYTES {
        return String::new();
    }
    NlasIterator::new(&answer[NETLINK_HEADER_BYTES..])
        .flatten()
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
        .map(|attribute| String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned())
        .unwrap_or_default()
}

fn force_option<T>(socket: &Socket, option: i32, value: &T) {
    // Only a hint, so a refusal does no harm. SAFETY: the pointer and the length are those of `value`.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        );
    }
}

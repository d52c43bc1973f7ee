//! Makes a batch of changes in the place that this thread is in: netlink requests together, the rest in between.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use super::{
    super::{
        fault::Fault,
        types::{Change, LinkSettings, Place, VethEnd},
    },
    decode, encode, gone, loss, offload, qdisc, quiet,
    socket::{Request, RouteSocket},
    space, tap,
};

const IPV4_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const IPV6_FORWARD: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Makes the changes; one answer each.
pub fn apply(place: &Place, changes: &[Change]) -> Vec<Result<(), Fault>> {
    let socket = match RouteSocket::open() {
        Ok(socket) => socket,
        Err(fault) => return changes.iter().map(|_| Err(fault.clone())).collect(),
    };
    let mut worker = Worker {
        place,
        socket,
        waiting: Vec::new(),
        answers: changes.iter().map(|_| Ok(())).collect(),
        indexes: HashMap::new(),
        handles: HashMap::new(),
        offloads: Vec::new(),
        removes: false,
    };
    for (index, change) in changes.iter().enumerate() {
        match worker.prepare(index, change) {
            Ok(Some(request)) => worker.waiting.push((index, request)),
            Ok(None) => {}
            Err(fault) => worker.answers[index] = Err(fault),
        }
    }
    worker.flush();
    worker.finish()
}

/// Whether packets are forwarded in this thread's namespace.
pub fn forwarding() -> Result<(bool, Option<bool>), Fault> {
    let read = |path| fs::read_to_string(path).map(|text| text.trim() == "1");
    let v4 = read(IPV4_FORWARD).map_err(|error| Fault::io(&error, format!("reading {IPV4_FORWARD}")))?;
    Ok((v4, read(IPV6_FORWARD).ok()))
}

struct Worker<'a> {
    place: &'a Place,
    socket: RouteSocket,
    waiting: Vec<(usize, Request)>,
    answers: Vec<Result<(), Fault>>,
    indexes: HashMap<String, u32>,
    handles: HashMap<Place, OwnedFd>,
    /// Links whose offload is set last: they don't go over netlink.
    offloads: Vec<(usize, String, bool)>,
    /// Whether links go.
    removes: bool,
}

impl Worker<'_> {
    /// The request for a change; `None` if it isn't one over netlink, and is done.
    fn prepare(&mut self, position: usize, change: &Change) -> Result<Option<Request>, Fault> {
        Ok(Some(match change {
            Change::AddBridge { name, group, settings, mac } => encode::add_bridge(name, *group, settings, *mac),
            Change::AddVxlan { name, group, vxlan, mac } => {
                let device = self.optional_index(vxlan.device.as_deref())?;
                encode::add_vxlan(name, *group, vxlan, *mac, device)
            }
            Change::AddMacvlan { end, device, mode, group, mtu } => {
                let (device, handle) = (self.index(device)?, self.handle(end)?);
                encode::add_macvlan(end, handle, device, *mode, *group, *mtu)
            }
            Change::AddVeth { ends, group, mtu } => {
                let handles = [self.handle(&ends[0])?, self.handle(&ends[1])?];
                encode::add_veth(ends, handles, *group, *mtu)
            }
            Change::AddTap { name, group, alias, owner } => {
                self.flush();
                let set = LinkSettings { group: Some(*group), alias: Some(alias.clone()), ..LinkSettings::default() };
                let mark = || self.socket.request(vec![encode::set_link(name, &set, None)]).pop().unwrap_or(Ok(()));
                tap::add(name, *owner, mark)?;
                return Ok(None);
            }
            Change::SetLink { name, set } => {
                let controller = match &set.controller {
                    None => None,
                    Some(None) => Some(0),
                    Some(Some(bridge)) => Some(self.index(bridge)?),
                };
                encode::set_link(name, set, controller)
            }
            Change::KeepFromIpv6 { name, addresses } => {
                self.flush();
                quiet::keep(name, *addresses)?;
                return Ok(None);
            }
            Change::AddAltname { name, altname } => encode::add_altname(name, altname),
            Change::SetBridge { name, settings } => {
                // Without `create`, an unknown name would be refused with a misleading answer.
                self.index(name)?;
                encode::set_bridge(name, settings)
            }
            Change::DeleteLink { name } => {
                self.indexes.clear();
                self.removes = true;
                encode::delete_link(name)
            }
            Change::DeleteGroup { group } => {
                self.indexes.clear();
                self.removes = true;
                encode::delete_group(*group)
            }
            Change::AddAddress(address) => encode::add_address(self.index(&address.link)?, address.prefix),
            Change::RemoveAddress(address) => encode::remove_address(self.index(&address.link)?, address.prefix),
            Change::AddRoute(route) => encode::add_route(route, self.optional_index(route.dev.as_deref())?),
            Change::RemoveRoute(route) => encode::remove_route(route, self.optional_index(route.dev.as_deref())?),
            Change::SetQdisc { link, kind, impairment } => qdisc::set(self.index(link)?, kind, impairment),
            Change::RemoveQdisc { link } => qdisc::remove(self.index(link)?),
            Change::SetLoss { link, millionths } => {
                let index = self.index(link)?;
                self.flush();
                let there = self.all_indexes()?;
                loss::set(index, link, *millionths, |index| there.contains(&index))?;
                return Ok(None);
            }
            Change::SetOffload { link, on } => {
                self.offloads.push((position, link.clone(), *on));
                return Ok(None);
            }
            Change::SetForwarding(on) => {
                self.flush();
                set_forwarding(*on)?;
                return Ok(None);
            }
        }))
    }

    /// What comes last.
    fn finish(mut self) -> Vec<Result<(), Fault>> {
        if !self.offloads.is_empty() {
            let asker = offload::Asker::open();
            for (index, link, on) in std::mem::take(&mut self.offloads) {
                self.answers[index] = asker.as_ref().map_err(Clone::clone).and_then(|asker| asker.set(&link, on));
            }
        }
        if self.removes && loss::all().is_ok_and(|tables| !tables.is_empty()) {
            // A leftover drops nothing: that it can't be removed now does no harm.
            let _ = self.all_indexes().and_then(|there| loss::sweep(|index| there.contains(&index)));
        }
        self.answers
    }

    fn all_indexes(&mut self) -> Result<HashSet<u32>, Fault> {
        Ok(super::links_over(&mut self.socket)?.into_iter().map(|link| link.index).collect())
    }

    fn flush(&mut self) {
        let (indexes, mut requests): (Vec<usize>, Vec<Request>) = self.waiting.drain(..).unzip();
        if requests.len() == 1
            && let (Some(request), Some(index)) = (requests.pop(), indexes.first())
        {
            self.answers[*index] = match gone::deleted(&request.0) {
                Some(name) => gone::delete(&mut self.socket, request, name),
                None => self.socket.request(vec![request]).pop().unwrap_or(Ok(())),
            };
            return;
        }
        if requests.is_empty() {
            return;
        }
        for (index, answer) in indexes.into_iter().zip(self.socket.request(requests)) {
            self.answers[index] = answer;
        }
    }

    /// A link's number. What this batch has made so far is made first.
    fn index(&mut self, name: &str) -> Result<u32, Fault> {
        if let Some(index) = self.indexes.get(name) {
            return Ok(*index);
        }
        self.flush();
        let found = self.socket.get(encode::link_by_name(name)).map_err(|fault| no_link(fault, name))?;
        let index = found.as_ref().and_then(decode::link_index);
        let index = index.ok_or_else(|| no_link(Fault::new(libc::ENODEV, ""), name))?;
        self.indexes.insert(name.to_owned(), index);
        Ok(index)
    }

    fn optional_index(&mut self, name: Option<&str>) -> Result<Option<u32>, Fault> {
        name.map(|name| self.index(name)).transpose()
    }

    fn handle(&mut self, end: &VethEnd) -> Result<Option<RawFd>, Fault> {
        if end.place == *self.place {
            return Ok(None);
        }
        if !self.handles.contains_key(&end.place) {
            self.handles.insert(end.place.clone(), space::open(&end.place)?);
        }
        Ok(self.handles.get(&end.place).map(AsRawFd::as_raw_fd))
    }
}

fn no_link(fault: Fault, name: &str) -> Fault {
    Fault::new(fault.errno, format!("the link {name}"))
}

/// Has the namespace that this thread is in forward nothing: a new one takes over what the machine does, and a node forwards only where
/// it is told to.
pub(super) fn forward_nothing() -> Result<(), Fault> {
    // Which of the two a new one takes over is the kernel's choice (`net.core.devconf_inherit_init_net`).
    match matches!(forwarding(), Ok((false, None | Some(false)))) {
        true => Ok(()),
        false => set_forwarding(false),
    }
}

fn set_forwarding(on: bool) -> Result<(), Fault> {
    let value = if on { "1" } else { "0" };
    // A kernel without IPv6 has no such file.
    if fs::exists(IPV6_FORWARD).unwrap_or(false) {
        fs::write(IPV6_FORWARD, value).map_err(|error| Fault::io(&error, format!("writing {IPV6_FORWARD}")))?;
    }
    fs::write(IPV4_FORWARD, value).map_err(|error| Fault::io(&error, format!("writing {IPV4_FORWARD}")))
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn a_namespace_that_took_over_forwarding_forwards_nothing() {
        // The thread's own namespace ends with it; the machine's settings stay.
        let in_its_own = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            for (v4, v6) in [("1", "1"), ("1", "0"), ("0", "1"), ("0", "0")] {
                fs::write(IPV4_FORWARD, v4).unwrap();
                let has_v6 = fs::write(IPV6_FORWARD, v6).is_ok();
                assert_eq!(forwarding().unwrap(), (v4 == "1", has_v6.then_some(v6 == "1")));
                forward_nothing().unwrap();
                assert_eq!(forwarding().unwrap(), (false, has_v6.then_some(false)), "{v4} {v6}");
            }
            Ok(())
        };
        let done: nix::Result<()> = std::thread::scope(|scope| scope.spawn(in_its_own).join()).unwrap();
        if let Err(errno) = done {
            crate::testing::skip(&format!("no network of its own: {errno}"));
        }
    }
}

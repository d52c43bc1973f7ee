//! The kernel's network stack, over netlink. Only this folder knows rtnetlink and its packets.

mod apply;
mod decode;
mod encode;
mod gone;
mod hear;
mod loss;
mod offload;
mod packets;
mod probe;
mod qdisc;
mod quiet;
mod socket;
mod space;
mod tap;

use std::{collections::HashMap, os::fd::BorrowedFd, sync::LazyLock, time::Duration};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::AddressMessage,
    link::{LinkAttribute, LinkExtentMask, LinkMessage},
    route::RouteMessage,
    tc::TcMessage,
};

use self::socket::RouteSocket;
use super::{
    activity::Activity,
    backend::{ChangeWatch, LinkWatch, NetBackend},
    capture::PacketSource,
    fault::Fault,
    types::*,
};

/// There is one kernel, and one process that changes it.
static ACTIVITY: LazyLock<Activity> = LazyLock::new(Activity::default);

/// The kernel that this process runs on. It keeps nothing: every call reads and changes the kernel itself.
pub struct Kernel;

impl NetBackend for Kernel {
    fn lock(&self) -> Result<Box<dyn Send>, Fault> {
        space::lock().map(|guard| Box::new(guard) as Box<dyn Send>)
    }

    fn namespaces(&self) -> Result<Vec<String>, Fault> {
        space::list()
    }

    fn add_namespaces(&self, new: &[NewNamespace]) -> Vec<Result<(), Fault>> {
        space::add(new, |namespace| mark(namespace).and_then(|()| apply::forward_nothing()))
    }

    fn remove_namespaces(&self, names: &[String]) -> Vec<Result<(), Fault>> {
        space::remove(names)
    }

    fn adopt_namespace(&self, new: &NewNamespace, netns: BorrowedFd<'_>) -> Result<(), Fault> {
        space::adopt(new, netns, mark)
    }

    fn is_own_namespace(&self, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
        space::is_own(netns)
    }

    fn is_namespace(&self, name: &str, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
        space::is(name, netns)
    }

    fn is_inhabited(&self, name: &str) -> Result<bool, Fault> {
        space::is_inhabited(name)
    }

    fn links(&self, places: &[Place]) -> Vec<Result<Vec<Link>, Fault>> {
        space::inside(places, |_| links())
    }

    fn link(&self, place: &Place, name: &str) -> Result<Option<Link>, Fault> {
        read_inside(place, |socket| match socket.get(encode::link_by_name(name)) {
            // A further name of another link finds that one.
            Ok(found) => Ok(found.and_then(decode::link).filter(|link| link.name == name)),
            Err(fault) if fault.missing() => Ok(None),
            Err(fault) => Err(fault),
        })
    }

    fn aliases(&self, namespaces: &[String]) -> Vec<Result<Option<String>, Fault>> {
        let places: Vec<Place> = namespaces.iter().cloned().map(Place::Namespace).collect();
        space::inside(&places, |_| {
            let found = RouteSocket::open()?.get(encode::link_by_name("lo"))?;
            Ok(found.and_then(decode::link).and_then(|link| link.alias))
        })
    }

    fn addresses(&self, place: &Place) -> Result<Vec<Address>, Fault> {
        read_inside(place, |socket| {
            let links = links_over(socket)?;
            addresses(socket, &names_of(&links))
        })
    }

    fn routes(&self, place: &Place) -> Result<Vec<Route>, Fault> {
        read_inside(place, |socket| {
            let links = links_over(socket)?;
            routes(socket, &names_of(&links))
        })
    }

    fn qdiscs(&self, place: &Place) -> Result<Vec<Qdisc>, Fault> {
        read_inside(place, |socket| {
            let links = links_over(socket)?;
            qdiscs(socket, &names_of(&links))
        })
    }

    fn forwarding(&self, place: &Place) -> Result<(bool, Option<bool>), Fault> {
        read_inside(place, |_| apply::forwarding())
    }

    fn survey(&self, places: &[Place]) -> Vec<Result<Survey, Fault>> {
        space::inside(places, |_| {
            let mut socket = RouteSocket::open()?;
            let links = links_over(&mut socket)?;
            let names = names_of(&links);
            let asker = offload::Asker::open()?;
            let veths = links.iter().filter(|link| link.kind == "veth");
            let checksum_offload =
                veths.filter_map(|link| Some((link.name.clone(), asker.get(&link.name).ok()?))).collect();
            Ok(Survey {
                checksum_offload,
                addresses: addresses(&mut socket, &names)?,
                routes: routes(&mut socket, &names)?,
                qdiscs: qdiscs(&mut socket, &names)?,
                forwarding: apply::forwarding()?,
                links,
            })
        })
    }

    fn glance(&self, places: &[Place]) -> Vec<Result<Survey, Fault>> {
        space::inside(places, |_| {
            let mut socket = RouteSocket::open()?;
            let links = links_over(&mut socket)?;
            let addresses = addresses(&mut socket, &names_of(&links))?;
            Ok(Survey { links, addresses, ..Survey::default() })
        })
    }

    fn apply(&self, batches: &[Batch]) -> Vec<Vec<Result<(), Fault>>> {
        let places: Vec<Place> = batches.iter().map(|batch| batch.place.clone()).collect();
        let answers = space::inside(&places, |index| Ok(apply::apply(&places[index], &batches[index].changes)));
        let refuse = |index: usize, fault: Fault| batches[index].changes.iter().map(|_| Err(fault.clone())).collect();
        answers
            .into_iter()
            .enumerate()
            .map(|(index, answer)| answer.unwrap_or_else(|fault| refuse(index, fault)))
            .collect()
    }

    fn packets(&self, place: &Place, link: &str, snaplen: u32) -> Result<Option<Box<dyn PacketSource>>, Fault> {
        one(space::inside(std::slice::from_ref(place), |_| {
            let found = RouteSocket::open()?.get(encode::link_by_name(link))?;
            let index = found.as_ref().and_then(decode::link_index);
            let index = index.ok_or_else(|| Fault::new(libc::ENODEV, format!("the link {link}")))?;
            Ok(Some(Box::new(packets::Packets::open(index, snaplen)?) as Box<dyn PacketSource>))
        }))
    }

    fn capabilities(&self) -> Result<Vec<Capability>, Fault> {
        probe::capabilities()
    }

    fn busy(&self, lab: &str) -> Box<dyn Send> {
        ACTIVITY.begin(lab)
    }

    fn activity(&self) -> Vec<(String, bool, u64)> {
        ACTIVITY.all()
    }

    fn listen(&self) -> Result<Box<dyn ChangeWatch>, Fault> {
        Ok(Box::new(hear::Ears::open()?))
    }

    fn watch(&self, place: &Place) -> Result<Box<dyn LinkWatch>, Fault> {
        let socket = one(space::inside(std::slice::from_ref(place), |_| RouteSocket::watch_links()))?;
        Ok(Box::new(Watch(socket)))
    }
}

struct Watch(RouteSocket);

impl LinkWatch for Watch {
    fn changed(&mut self, longest: Duration) -> Result<bool, Fault> {
        self.0.event(longest)
    }
}

fn read_inside<T: Send>(place: &Place, read: impl Fn(&mut RouteSocket) -> Result<T, Fault> + Sync) -> Result<T, Fault> {
    one(space::inside(std::slice::from_ref(place), |_| read(&mut RouteSocket::open()?)))
}

/// Marks the namespace that this thread is in, and sets its `lo` up.
fn mark(namespace: &NewNamespace) -> Result<(), Fault> {
    let set = LinkSettings { up: Some(true), alias: Some(namespace.alias.clone()), ..LinkSettings::default() };
    let mut answers = RouteSocket::open()?.request(vec![encode::set_link("lo", &set, None)]);
    answers.pop().unwrap_or(Ok(()))
}

fn one<T>(mut answers: Vec<Result<T, Fault>>) -> Result<T, Fault> {
    answers.pop().unwrap_or_else(|| Err(Fault::new(libc::EINVAL, "no place")))
}

fn links() -> Result<Vec<Link>, Fault> {
    links_over(&mut RouteSocket::open()?)
}

fn links_over(socket: &mut RouteSocket) -> Result<Vec<Link>, Fault> {
    let mut message = LinkMessage::default();
    // Without this mask, the kernel leaves out what some links say of themselves. Counters are most of what it would say, and
    // who wants them asks for one link.
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::Vf, LinkExtentMask::SkipStats]));
    let found = socket.dump(RouteNetlinkMessage::GetLink(message))?;
    Ok(found.into_iter().filter_map(decode::link).collect())
}

/// Names of links by their numbers.
type Names = HashMap<u32, String>;

fn names_of(links: &[Link]) -> Names {
    links.iter().map(|link| (link.index, link.name.clone())).collect()
}

fn addresses(socket: &mut RouteSocket, names: &Names) -> Result<Vec<Address>, Fault> {
    let found = socket.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let given = found.into_iter().filter_map(|message| decode::address(message, names));
    Ok(given.filter(|address| !address.prefix.address.is_loopback()).collect())
}

fn routes(socket: &mut RouteSocket, names: &Names) -> Result<Vec<Route>, Fault> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        let found = socket.dump(RouteNetlinkMessage::GetRoute(message))?;
        routes.extend(found.into_iter().filter_map(|message| decode::route(message, names)));
    }
    Ok(routes)
}

/// And what drops packets without one.
fn qdiscs(socket: &mut RouteSocket, names: &Names) -> Result<Vec<Qdisc>, Fault> {
    let found = socket.dump(RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()))?;
    let losses = loss::all()?.into_iter().filter_map(|loss| {
        let loss_percent = f64::from(loss.millionths) / 1e4;
        let impairment = Impairment { loss_percent, ..Impairment::default() };
        Some(Qdisc { link: names.get(&loss.link)?.clone(), kind: "nft".into(), root: false, impairment })
    });
    Ok(found.into_iter().filter_map(|message| qdisc::read(message, names)).chain(losses).collect())
}

//! The kernel's twin in memory, for rehearsals: the same answers, refusals included, and nothing happens.

mod space;
mod world;

use std::{os::fd::BorrowedFd, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};

use self::world::World;
use super::{
    backend::{ChangeWatch, Heard, LinkWatch, NetBackend},
    fault::Fault,
    types::*,
};

/// An empty host of its own.
#[derive(Default)]
pub struct Twin {
    world: Arc<Mutex<World>>,
    turn: Arc<Turn>,
}

impl NetBackend for Twin {
    fn lock(&self) -> Result<Box<dyn Send>, Fault> {
        let mut taken = self.turn.taken.lock();
        while *taken {
            self.turn.free.wait(&mut taken);
        }
        *taken = true;
        Ok(Box::new(Held(self.turn.clone())))
    }

    fn namespaces(&self) -> Result<Vec<String>, Fault> {
        Ok(self.world.lock().namespaces())
    }

    fn add_namespaces(&self, new: &[NewNamespace]) -> Vec<Result<(), Fault>> {
        let mut world = self.world.lock();
        new.iter().map(|namespace| world.add_namespace(namespace)).collect()
    }

    fn remove_namespaces(&self, names: &[String]) -> Vec<Result<(), Fault>> {
        let mut world = self.world.lock();
        names.iter().map(|name| world.remove_namespace(name)).collect()
    }

    fn adopt_namespace(&self, new: &NewNamespace, netns: BorrowedFd<'_>) -> Result<(), Fault> {
        self.world.lock().adopt_namespace(new, identity(netns)?)
    }

    fn is_own_namespace(&self, _: BorrowedFd<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn is_namespace(&self, name: &str, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
        let (world, wanted) = (self.world.lock(), identity(netns)?);
        Ok(world.space(&Place::Namespace(name.to_owned()))?.identity == Some(wanted))
    }

    fn is_inhabited(&self, _: &str) -> Result<bool, Fault> {
        // There are no processes in a rehearsal: whoever brings a new namespace has let go of the old one.
        Ok(false)
    }

    fn links(&self, places: &[Place]) -> Vec<Result<Vec<Link>, Fault>> {
        let world = self.world.lock();
        places.iter().map(|place| world.links(place)).collect()
    }

    fn link(&self, place: &Place, name: &str) -> Result<Option<Link>, Fault> {
        Ok(self.world.lock().links(place)?.into_iter().find(|link| link.name == name))
    }

    fn aliases(&self, namespaces: &[String]) -> Vec<Result<Option<String>, Fault>> {
        let world = self.world.lock();
        let alias = |name: &String| {
            Ok(world.space(&Place::Namespace(name.clone()))?.links.get("lo").and_then(|lo| lo.alias.clone()))
        };
        namespaces.iter().map(alias).collect()
    }

    fn addresses(&self, place: &Place) -> Result<Vec<Address>, Fault> {
        Ok(self.world.lock().space(place)?.addresses.clone())
    }

    fn routes(&self, place: &Place) -> Result<Vec<Route>, Fault> {
        Ok(self.world.lock().space(place)?.routes.clone())
    }

    fn qdiscs(&self, place: &Place) -> Result<Vec<Qdisc>, Fault> {
        Ok(self.world.lock().space(place)?.qdiscs.values().cloned().collect())
    }

    fn forwarding(&self, place: &Place) -> Result<(bool, Option<bool>), Fault> {
        let on = self.world.lock().space(place)?.forwarding;
        Ok((on, Some(on)))
    }

    fn survey(&self, places: &[Place]) -> Vec<Result<Survey, Fault>> {
        let world = self.world.lock();
        places.iter().map(|place| world.survey(place)).collect()
    }

    fn apply(&self, batches: &[Batch]) -> Vec<Vec<Result<(), Fault>>> {
        let mut world = self.world.lock();
        let apply = |batch: &Batch| batch.changes.iter().map(|change| world.apply(&batch.place, change)).collect();
        batches.iter().map(apply).collect()
    }

    fn assume_devices(&self, names: &[String]) {
        self.world.lock().assume_devices(names);
    }

    fn capabilities(&self) -> Result<Vec<Capability>, Fault> {
        let names = ["bridge", "veth", "vlan_filtering", "vxlan", "macvlan", "netem", "tbf", "tun"];
        Ok(names.into_iter().map(|name| Capability { name, works: true }).collect())
    }

    fn listen(&self) -> Result<Box<dyn ChangeWatch>, Fault> {
        Ok(Box::new(Ears { world: self.world.clone(), seen: Vec::new() }))
    }

    fn watch(&self, place: &Place) -> Result<Box<dyn LinkWatch>, Fault> {
        let seen = self.world.lock().links(place)?;
        Ok(Box::new(Watch { world: self.world.clone(), place: place.clone(), seen }))
    }
}

/// Any file can stand for a namespace in a rehearsal.
fn identity(netns: BorrowedFd<'_>) -> Result<(u64, u64), Fault> {
    let stat = nix::sys::stat::fstat(netns)
        .map_err(|errno| Fault::new(errno as i32, "looking at what stands for a network namespace"))?;
    Ok((stat.st_dev, stat.st_ino))
}

#[derive(Default)]
struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
}

struct Held(Arc<Turn>);

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.free.notify_one();
    }
}

struct Watch {
    world: Arc<Mutex<World>>,
    place: Place,
    seen: Vec<Link>,
}

impl LinkWatch for Watch {
    fn changed(&mut self, longest: Duration) -> Result<bool, Fault> {
        // Only another branch of the same rehearsal can change anything.
        std::thread::sleep(longest.min(Duration::from_millis(5)));
        let links = self.world.lock().links(&self.place)?;
        let changed = links != self.seen;
        self.seen = links;
        Ok(changed)
    }
}

struct Ears {
    world: Arc<Mutex<World>>,
    seen: Vec<(Place, Vec<Link>)>,
}

impl ChangeWatch for Ears {
    fn follow(&mut self, places: &[Place]) -> Result<(), Fault> {
        let world = self.world.lock();
        let all = std::iter::once(&Place::Host).chain(places);
        self.seen = all.map(|place| (place.clone(), world.links(place).unwrap_or_default())).collect();
        Ok(())
    }

    fn heard(&mut self, longest: Duration) -> Result<Heard, Fault> {
        // Only another branch of the same rehearsal can change anything.
        std::thread::sleep(longest.min(Duration::from_millis(5)));
        let world = self.world.lock();
        let mut changed = std::collections::BTreeSet::new();
        for (place, seen) in &mut self.seen {
            let links = world.links(place).unwrap_or_default();
            if links != *seen {
                *seen = links;
                changed.insert(place.clone());
            }
        }
        Ok(if changed.is_empty() { Heard::Nothing } else { Heard::Places(changed) })
    }
}

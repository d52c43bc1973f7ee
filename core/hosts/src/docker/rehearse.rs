//! A container engine in memory, for rehearsals: it answers as Docker does, refusals included, and runs nothing. Every image is
//! there unless it was removed; every program succeeds and says nothing; every node is healthy.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::OwnedFd,
};

use futures_util::{FutureExt, future};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    backend::{Answer, Archive, Backend, Container, Exec, Finished, Image, Network, NewContainer, Tell},
    config::RESERVED,
    fault::{Fault, Kind},
    pause,
};

/// An engine without containers.
#[derive(Default)]
pub struct Twin(Mutex<World>);

#[derive(Default)]
struct World {
    last: u64,
    containers: BTreeMap<String, Kept>,
    removed_images: BTreeSet<String>,
    /// Those that were imported or committed here.
    made_images: BTreeMap<String, Image>,
    networks: BTreeMap<String, BTreeMap<String, String>>,
}

struct Kept {
    shown: Container,
    #[cfg(test)]
    new: NewContainer,
    has_health: bool,
    ports: Vec<(u16, String)>,
    /// Stands for its network namespace while it runs.
    netns: Option<OwnedFd>,
    files: BTreeMap<String, Vec<u8>>,
}

#[cfg(test)]
impl Twin {
    /// The containers that are there, as they were asked for.
    pub fn made(&self) -> Vec<NewContainer> {
        self.0.lock().containers.values().map(|kept| kept.new.clone()).collect()
    }
}

impl World {
    fn get(&mut self, container: &str) -> Result<&mut Kept, Fault> {
        let found = self.containers.values_mut().find(|one| one.shown.id == container || one.shown.name == container);
        found.ok_or_else(|| Fault::new(Kind::Missing, format!("No such container: {container}")))
    }

    fn make_image(&mut self, name: &str, layer: String, (label, value): (&str, &str)) {
        let image = Image {
            id: format!("rehearsal:{name}:{layer}"),
            names: vec![name.into()],
            labels: [(label.to_owned(), value.to_owned())].into(),
            layers: vec![layer],
            ..Image::default()
        };
        self.removed_images.remove(name);
        self.made_images.insert(name.into(), image);
    }

    fn create(&mut self, new: &NewContainer) -> Result<String, Fault> {
        if self.containers.contains_key(&new.name) {
            let message = format!("Conflict. The container name \"/{}\" is already in use", new.name);
            return Err(Fault::new(Kind::Conflict, message));
        }
        self.last += 1;
        let id = blake3::hash(&self.last.to_le_bytes()).to_hex().to_string();
        let network_of = match &new.network {
            Network::Of(other) => {
                self.get(other)?;
                Some(other.clone())
            }
            _ => None,
        };
        if let Network::Named(name) = &new.network
            && !self.networks.contains_key(name)
        {
            return Err(Fault::new(Kind::Missing, format!("network {name} not found")));
        }
        let shown = Container {
            id: id.clone(),
            name: new.name.clone(),
            image: new.image.clone(),
            labels: new.labels.clone(),
            state: "created".into(),
            health: "none".into(),
            network_of,
            ..Container::default()
        };
        let ports = new.ports.iter().map(|(_, host, _, protocol)| (*host, protocol.clone())).collect();
        let kept = Kept {
            #[cfg(test)]
            new: new.clone(),
            shown,
            has_health: new.health.is_some(),
            ports,
            netns: None,
            files: BTreeMap::new(),
        };
        self.containers.insert(new.name.clone(), kept);
        Ok(id)
    }

    fn start(&mut self, container: &str) -> Result<(), Fault> {
        let (ports, network_of) = {
            let kept = self.get(container)?;
            if kept.shown.runs() {
                return Ok(());
            }
            (kept.ports.clone(), kept.shown.network_of.clone())
        };
        if let Some(of) = &network_of
            && !self.get(of)?.shown.runs()
        {
            let message = format!("cannot join network of a non running container: {of}");
            return Err(Fault::new(Kind::Conflict, message));
        }
        let taken = |kept: &Kept| kept.shown.runs() && kept.ports.iter().any(|port| ports.contains(port));
        if self.containers.values().any(taken) {
            return Err(Fault::new(Kind::Failed, "port is already allocated"));
        }
        let kept = self.get(container)?;
        kept.shown.state = "running".into();
        kept.shown.started_at = "1970-01-01T00:00:00Z".into();
        kept.shown.health = if kept.has_health { "healthy".into() } else { "none".into() };
        if network_of.is_none() {
            let file = nix::sys::memfd::memfd_create(c"netns", nix::sys::memfd::MFdFlags::MFD_CLOEXEC);
            kept.netns = Some(file.map_err(|errno| Fault::new(Kind::Failed, errno.to_string()))?);
        }
        Ok(())
    }

    fn stop(&mut self, container: &str) -> Result<(), Fault> {
        let kept = self.get(container)?;
        if kept.shown.runs() {
            kept.shown.state = "exited".into();
            kept.netns = None;
        }
        Ok(())
    }
}

fn now<'a, T: Send + 'a>(answer: Result<T, Fault>) -> Answer<'a, T> {
    future::ready(answer).boxed()
}

impl Backend for Twin {
    fn info(&self) -> Answer<'_, Value> {
        now(Ok(json!({
            "version": "rehearsal", "api_version": "1.41", "os": "", "architecture": "amd64", "storage_driver": "memory",
            "root": "", "cpus": 1, "memory_bytes": 0, "containers": self.0.lock().containers.len(), "images": 0,
            "live_restore": false, "cgroup_driver": "", "cgroup_version": "", "warnings": [],
        })))
    }

    fn containers<'a>(&'a self, labels: &'a [(String, String)]) -> Answer<'a, Vec<Container>> {
        let world = self.0.lock();
        let has = |kept: &&Kept| labels.iter().all(|(name, value)| kept.shown.labels.get(name) == Some(value));
        now(Ok(world.containers.values().filter(has).map(|kept| kept.shown.clone()).collect()))
    }

    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>> {
        now(Ok(self.0.lock().get(container).ok().map(|kept| kept.shown.clone())))
    }

    fn create<'a>(&'a self, new: &'a NewContainer) -> Answer<'a, String> {
        now(self.0.lock().create(new))
    }

    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        now(self.0.lock().start(container))
    }

    fn stop<'a>(&'a self, container: &'a str, _: u32) -> Answer<'a, ()> {
        now(self.0.lock().stop(container))
    }

    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        self.0.lock().containers.retain(|_, kept| kept.shown.id != container && kept.shown.name != container);
        now(Ok(()))
    }

    fn netns<'a>(&'a self, container: &'a str) -> Answer<'a, OwnedFd> {
        let mut world = self.0.lock();
        let handle = world.get(container).and_then(|kept| {
            let gone = || Fault::new(Kind::Conflict, format!("the container {container} doesn't run (any more)"));
            let handle = kept.netns.as_ref().ok_or_else(gone)?;
            handle.try_clone().map_err(|error| Fault::new(Kind::Failed, error.to_string()))
        });
        now(handle)
    }

    fn exec<'a>(&'a self, container: &'a str, _: &'a Exec) -> Answer<'a, Option<Finished>> {
        now(self.0.lock().get(container).map(|_| Some(Finished::default())))
    }

    fn logs<'a>(&'a self, container: &'a str, _: u32, _: usize) -> Answer<'a, Vec<u8>> {
        now(self.0.lock().get(container).map(|_| Vec::new()))
    }

    fn put<'a>(&'a self, container: &'a str, folder: &'a str, archive: Vec<u8>) -> Answer<'a, ()> {
        let mut world = self.0.lock();
        now(world.get(container).map(|kept| {
            for (path, alone) in apart(&archive) {
                kept.files.insert(format!("{folder}{path}"), alone);
            }
        }))
    }

    fn get<'a>(&'a self, container: &'a str, path: &'a str, _: usize) -> Answer<'a, Vec<u8>> {
        let mut world = self.0.lock();
        now(world.get(container).and_then(|kept| {
            let missing =
                || Fault::new(Kind::Missing, format!("Could not find the file {path} in container {container}"));
            kept.files.get(path).cloned().ok_or_else(missing)
        }))
    }

    fn stats<'a>(&'a self, container: &'a str) -> Answer<'a, Value> {
        let none = json!({ "cpus": 0.0, "cpu_ns": 0, "memory_bytes": 0, "memory_limit_bytes": 0, "pids": 0 });
        now(self.0.lock().get(container).map(|_| none))
    }

    fn event<'a>(&'a self, container: &'a str, events: &'a [&'a str], _: Option<String>) -> Answer<'a, Value> {
        let event = events.first().copied().unwrap_or_default();
        now(self.0.lock().get(container).map(|_| json!({ "event": event, "time": 0, "exit_code": 0 })))
    }

    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>> {
        let world = self.0.lock();
        let found = world.made_images.get(name).cloned().or_else(|| {
            let there = !world.removed_images.contains(name) && !name.starts_with(RESERVED);
            there.then(|| Image { id: format!("rehearsal:{name}"), names: vec![name.into()], ..Image::default() })
        });
        now(Ok(found))
    }

    fn images(&self) -> Answer<'_, Vec<Image>> {
        now(Ok(Vec::new()))
    }

    fn pull<'a>(&'a self, name: &'a str, _: Tell<'a>) -> Answer<'a, ()> {
        self.0.lock().removed_images.remove(name);
        now(Ok(()))
    }

    fn load<'a>(&'a self, _: Archive) -> Answer<'a, Vec<String>> {
        now(Ok(Vec::new()))
    }

    fn import<'a>(&'a self, archive: Archive, name: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        let layer = match &archive {
            Archive::Bytes(bytes) => pause::layer(bytes),
            Archive::File(_) => String::new(),
        };
        self.0.lock().make_image(name, layer, label);
        now(Ok(()))
    }

    fn remove_image<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        let mut world = self.0.lock();
        let used = world.containers.values().any(|kept| kept.shown.image == name);
        if used {
            let message = format!("conflict: unable to remove repository reference \"{name}\"");
            return now(Err(Fault::new(Kind::Conflict, message)));
        }
        world.made_images.remove(name);
        world.removed_images.insert(name.into());
        now(Ok(()))
    }

    fn commit<'a>(&'a self, container: &'a str, image: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        let mut world = self.0.lock();
        let found = world.get(container).map(|kept| kept.shown.id.clone());
        now(found.map(|of| world.make_image(image, of, label)))
    }

    fn network<'a>(&'a self, name: &'a str) -> Answer<'a, Option<BTreeMap<String, String>>> {
        now(Ok(self.0.lock().networks.get(name).cloned()))
    }

    fn create_network<'a>(&'a self, name: &'a str, labels: &'a [(String, String)]) -> Answer<'a, ()> {
        self.0.lock().networks.insert(name.to_owned(), labels.iter().cloned().collect());
        now(Ok(()))
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.0.lock().networks.remove(name);
        now(Ok(()))
    }
}

/// The files of an archive by their paths, each as an archive of its own.
fn apart(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let Ok(entries) = archive.entries() else { return Vec::new() };
    let alone = |entry: tar::Entry<'_, &[u8]>| {
        let (path, header) = (entry.path().ok()?.display().to_string(), entry.header().clone());
        let mut alone = tar::Builder::new(Vec::new());
        alone.append(&header, entry).ok()?;
        Some((path, alone.into_inner().ok()?))
    };
    entries.flatten().filter_map(alone).collect()
}

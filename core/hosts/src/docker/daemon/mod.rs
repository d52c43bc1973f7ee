//! A Docker daemon behind its socket. Only this folder knows bollard.

mod containers;
mod events;
mod exec;
mod images;
mod netns;
mod networks;
mod terminal;
mod usage;

use std::{collections::BTreeMap, os::fd::OwnedFd, path::PathBuf, sync::OnceLock};

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{
    backend::{Answer, Archive, Backend, Container, Exec, Finished, Image, NewContainer, Tell},
    fault::{Fault, Kind},
};

/// What Docker 20.10 speaks. Requests name no version: the daemon answers in its newest, and what we read is in all since.
const OLDEST_API: (u32, u32) = (1, 41);
/// Longer than any op: the op's own limit ends a call.
const TIMEOUT_S: u64 = 7_200;

/// The daemon at a socket. It keeps no connection.
pub struct Daemon {
    socket: PathBuf,
    new_enough: OnceLock<()>,
}

impl Daemon {
    /// The daemon at this socket, which needn't be there yet.
    pub fn at(socket: PathBuf) -> Self {
        Self { socket, new_enough: OnceLock::new() }
    }

    /// A client. The first call asks the daemon whether it is new enough.
    async fn client(&self) -> Result<Docker, Fault> {
        let path = self.socket.to_string_lossy();
        let client =
            Docker::connect_with_unix(&path, TIMEOUT_S, API_DEFAULT_VERSION).map_err(|error| self.fault(error))?;
        if self.new_enough.get().is_none() {
            let version = client.version().await.map_err(|error| self.fault(error))?;
            check_version(version.api_version.as_deref().unwrap_or_default())?;
            let _ = self.new_enough.set(());
        }
        Ok(client)
    }

    fn fault(&self, error: Error) -> Fault {
        let socket = self.socket.display();
        let away = |why: String| Fault::new(Kind::Away, format!("Docker doesn't answer at {socket}: {why}"));
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                let kind = match status_code {
                    404 => Kind::Missing,
                    409 | 304 => Kind::Conflict,
                    400 => Kind::Invalid,
                    501 => Kind::Unsupported,
                    503 => Kind::Away,
                    _ => Kind::Failed,
                };
                Fault::new(kind, message)
            }
            Error::DockerStreamError { error } => Fault::new(Kind::Failed, error),
            Error::SocketNotFoundError(_) if self.new_enough.get().is_none() => {
                Fault::new(Kind::Absent, format!("there is no Docker at {socket}"))
            }
            Error::SocketNotFoundError(_) => away("there is no such socket".into()),
            Error::HyperLegacyError { err } => away(innermost(&err)),
            Error::HyperResponseError { err } => away(innermost(&err)),
            Error::IOError { err } => away(innermost(&err)),
            Error::RequestTimeoutError => away("it took too long".into()),
            other => Fault::new(Kind::Failed, other.to_string()),
        }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn check_version(api: &str) -> Result<(), Fault> {
    let version = api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    if version.is_some_and(|version: (u32, u32)| version >= OLDEST_API) {
        return Ok(());
    }
    let (major, minor) = OLDEST_API;
    let message =
        format!("Docker speaks version `{api}` of its API; {major}.{minor} is needed (Docker 20.10 or newer)");
    Err(Fault::new(Kind::Unsupported, message))
}

impl Backend for Daemon {
    fn info(&self) -> Answer<'_, Value> {
        async move {
            let client = self.client().await?;
            let version = client.version().await.map_err(|error| self.fault(error))?;
            let info = client.info().await.map_err(|error| self.fault(error))?;
            Ok(json!({
                "version": version.version, "api_version": version.api_version, "os": info.operating_system,
                "architecture": version.arch, "storage_driver": info.driver, "root": info.docker_root_dir, "cpus": info.ncpu,
                "memory_bytes": info.mem_total, "containers": info.containers, "images": info.images,
                "live_restore": info.live_restore_enabled.unwrap_or(false),
                "cgroup_driver": info.cgroup_driver.map(|driver| driver.to_string()),
                "cgroup_version": info.cgroup_version.map(|version| version.to_string()),
                "warnings": info.warnings.unwrap_or_default(),
            }))
        }
        .boxed()
    }

    fn containers<'a>(&'a self, labels: &'a [(String, String)]) -> Answer<'a, Vec<Container>> {
        self.list(labels).boxed()
    }

    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>> {
        self.look(container).boxed()
    }

    fn create<'a>(&'a self, new: &'a NewContainer) -> Answer<'a, String> {
        self.make(new).boxed()
    }

    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        self.set_going(container).boxed()
    }

    fn stop<'a>(&'a self, container: &'a str, timeout_s: u32) -> Answer<'a, ()> {
        self.halt(container, timeout_s).boxed()
    }

    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        self.drop_container(container).boxed()
    }

    fn netns<'a>(&'a self, container: &'a str) -> Answer<'a, OwnedFd> {
        self.network_namespace(container).boxed()
    }

    fn exec<'a>(&'a self, container: &'a str, exec: &'a Exec) -> Answer<'a, Option<Finished>> {
        self.run_inside(container, exec).boxed()
    }

    fn logs<'a>(&'a self, container: &'a str, tail: u32, bytes: usize) -> Answer<'a, Vec<u8>> {
        self.last_lines(container, tail, bytes).boxed()
    }

    fn put<'a>(&'a self, container: &'a str, folder: &'a str, archive: Vec<u8>) -> Answer<'a, ()> {
        self.unpack(container, folder, archive).boxed()
    }

    fn get<'a>(&'a self, container: &'a str, path: &'a str, bytes: usize) -> Answer<'a, Vec<u8>> {
        self.pack(container, path, bytes).boxed()
    }

    fn stats<'a>(&'a self, container: &'a str) -> Answer<'a, Value> {
        self.usage(container).boxed()
    }

    fn event<'a>(&'a self, container: &'a str, events: &'a [&'a str], since: Option<String>) -> Answer<'a, Value> {
        self.next_event(container, events, since).boxed()
    }

    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>> {
        self.look_at_image(name).boxed()
    }

    fn images(&self) -> Answer<'_, Vec<Image>> {
        self.list_images().boxed()
    }

    fn pull<'a>(&'a self, name: &'a str, tell: Tell<'a>) -> Answer<'a, ()> {
        self.fetch(name, tell).boxed()
    }

    fn load<'a>(&'a self, archive: Archive) -> Answer<'a, Vec<String>> {
        self.load_images(archive).boxed()
    }

    fn import<'a>(&'a self, archive: Archive, name: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        self.import_image(archive, name, label).boxed()
    }

    fn remove_image<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.drop_image(name).boxed()
    }

    fn commit<'a>(&'a self, container: &'a str, image: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        self.image_of(container, image, label).boxed()
    }

    fn network<'a>(&'a self, name: &'a str) -> Answer<'a, Option<BTreeMap<String, String>>> {
        self.labels_of_network(name).boxed()
    }

    fn create_network<'a>(&'a self, name: &'a str, labels: &'a [(String, String)]) -> Answer<'a, ()> {
        self.make_network(name, labels).boxed()
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.drop_network(name).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_too_old_is_named() {
        for api in ["1.41", "1.53", "2.0"] {
            assert!(check_version(api).is_ok(), "{api}");
        }
        for api in ["1.40", "1.9", "", "one"] {
            let fault = check_version(api).unwrap_err();
            assert!(fault.kind == Kind::Unsupported && fault.message.contains("20.10"), "{fault:?}");
        }
    }
}

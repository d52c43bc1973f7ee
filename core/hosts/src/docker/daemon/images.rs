//! Images: looked at, fetched, loaded, imported, removed.

use std::io::Read as _;

use bollard::{
    body_full, body_try_stream,
    models::{ContainerConfig, ImageInspect, ImageSummary},
    query_parameters::{
        CommitContainerOptionsBuilder, CreateImageOptionsBuilder, ImportImageOptions, ListImagesOptions,
        RemoveImageOptions,
    },
};
use futures_util::{StreamExt, stream};

use super::{
    super::{
        backend::{Archive, Image, Tell},
        fault::{Fault, Kind},
    },
    Daemon,
};

const PART_BYTES: usize = 256 << 10;

impl Daemon {
    pub(super) async fn look_at_image(&self, name: &str) -> Result<Option<Image>, Fault> {
        match self.client().await?.inspect_image(name).await.map_err(|error| self.fault(error)) {
            Ok(found) => Ok(Some(inspected(found))),
            Err(fault) if fault.missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn list_images(&self) -> Result<Vec<Image>, Fault> {
        let found =
            self.client().await?.list_images(None::<ListImagesOptions>).await.map_err(|error| self.fault(error))?;
        Ok(found.into_iter().map(summary).collect())
    }

    pub(super) async fn fetch(&self, name: &str, tell: Tell<'_>) -> Result<(), Fault> {
        let (repository, tag) = split(name);
        let options = CreateImageOptionsBuilder::default().from_image(repository).tag(tag).build();
        let client = self.client().await?;
        let mut parts = client.create_image(Some(options), None, None);
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| match self.fault(error) {
                Fault { kind: Kind::Failed, message } if is_refusal(&message) => Fault::new(Kind::Missing, message),
                fault => fault,
            })?;
            let layer = part.id.unwrap_or_default();
            let progress = part.progress_detail.and_then(|detail| Some((detail.current?, detail.total?)));
            match (part.status, progress) {
                (Some(status), Some((done, total))) if total > 0 => {
                    tell(&format!("{layer} {status}: {} %", done * 100 / total));
                }
                (Some(status), _) => tell(format!("{layer} {status}").trim()),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn load_images(&self, archive: Archive) -> Result<Vec<String>, Fault> {
        let client = self.client().await?;
        let body = match archive {
            Archive::Bytes(bytes) => body_full(bytes.into()),
            Archive::File(file) => body_try_stream(parts(file)),
        };
        let mut parts = client.import_image(ImportImageOptions::default(), body, None);
        let mut names = Vec::new();
        while let Some(part) = parts.next().await {
            let said = part.map_err(|error| self.fault(error))?.stream.unwrap_or_default();
            let loaded =
                said.trim().strip_prefix("Loaded image: ").or_else(|| said.trim().strip_prefix("Loaded image ID: "));
            names.extend(loaded.map(str::to_owned));
        }
        Ok(names)
    }

    pub(super) async fn import_image(&self, archive: Archive, name: &str, label: (&str, &str)) -> Result<(), Fault> {
        let (repository, tag) = split(name);
        let changes = vec![label_line(label)];
        let options =
            CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).changes(changes).build();
        let client = self.client().await?;
        let body = match archive {
            Archive::Bytes(bytes) => body_full(bytes.into()),
            Archive::File(file) => body_try_stream(parts(file)),
        };
        let mut parts = client.create_image(Some(options), Some(body), None);
        while let Some(part) = parts.next().await {
            part.map_err(|error| self.fault(error))?;
        }
        Ok(())
    }

    pub(super) async fn drop_image(&self, name: &str) -> Result<(), Fault> {
        let answer = self.client().await?.remove_image(name, None::<RemoveImageOptions>, None).await;
        match answer.map_err(|error| self.fault(error)) {
            Err(fault) if fault.missing() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    pub(super) async fn image_of(&self, container: &str, image: &str, label: (&str, &str)) -> Result<(), Fault> {
        let (repository, tag) = split(image);
        let options = CommitContainerOptionsBuilder::default()
            .container(container)
            .repo(repository)
            .tag(tag)
            .pause(true)
            .changes(&label_line(label))
            .build();
        let answer = self.client().await?.commit_container(options, ContainerConfig::default()).await;
        answer.map(|_| ()).map_err(|error| self.fault(error))
    }
}

/// A label as a line of a Dockerfile. Neither part has quotes in it: they are words of ours.
fn label_line((name, value): (&str, &str)) -> String {
    format!("LABEL \"{name}\"=\"{value}\"")
}

/// A name without and with its tag; a digest stays with the name.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') && !repository.contains('@') => (repository, tag),
        _ if name.contains('@') => (name, ""),
        _ => (name, "latest"),
    }
}

/// Registries don't tell an image that isn't there from one that needs a log-in.
fn is_refusal(message: &str) -> bool {
    ["not found", "manifest unknown", "access denied", "does not exist"].iter().any(|words| message.contains(words))
}

/// What is sent of a file, in parts.
fn parts(file: std::fs::File) -> impl stream::Stream<Item = Result<bytes::Bytes, std::io::Error>> {
    stream::try_unfold(file, |mut file| async move {
        let read = move || {
            let mut part = vec![0; PART_BYTES];
            let count = file.read(&mut part)?;
            part.truncate(count);
            Ok::<_, std::io::Error>((count > 0).then(|| (part.into(), file)))
        };
        tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
    })
}

fn inspected(found: ImageInspect) -> Image {
    Image {
        id: found.id.unwrap_or_default(),
        names: found.repo_tags.unwrap_or_default(),
        digests: found.repo_digests.unwrap_or_default(),
        size: found.size.unwrap_or_default(),
        architecture: found.architecture.unwrap_or_default(),
        labels: found.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect(),
        layers: found.root_fs.and_then(|root| root.layers).unwrap_or_default(),
    }
}

fn summary(found: ImageSummary) -> Image {
    Image {
        id: found.id,
        names: found.repo_tags,
        digests: found.repo_digests,
        size: found.size,
        labels: found.labels.into_iter().collect(),
        ..Image::default()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_images_are_taken_apart() {
        for (name, repository, tag) in [
            ("frr", "frr", "latest"),
            ("frr:9.1", "frr", "9.1"),
            ("127.0.0.1:5000/lab/frr", "127.0.0.1:5000/lab/frr", "latest"),
            ("127.0.0.1:5000/lab/frr:9", "127.0.0.1:5000/lab/frr", "9"),
            ("frr@sha256:abcd", "frr@sha256:abcd", ""),
        ] {
            assert_eq!(super::split(name), (repository, tag));
        }
    }
}

//! Images and the daemon itself.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Undo};

use super::{
    super::{
        archive,
        backend::{Archive, Image},
        images::is_seen,
        lab::{Machine, OWNER, owner_label},
        look,
        spec::{check_image, reserved},
    },
    Draft, IMAGE, IMAGE_NAME, LAB, LONG_MS, READ, also_needs, changing, image_scope, plain,
};
use crate::{owner::PLATFORM, support::invalid};

const FILE: Param =
    Param::required("path", Kind::String, "An archive in one of the folders that the configuration names.");
const IMAGE_SHAPE: &str = "#{ id: string, names: array, digests: array, size_bytes: int, architecture: string }";
/// A log isn't a progress bar.
const TELL_EACH: Duration = Duration::from_secs(2);
const WORDS: &str = "fetch, load, make and remove images:";

fn machine_scope(_: &Args) -> Vec<String> {
    vec!["machine".into()]
}

fn file_scope(args: &Args) -> Vec<String> {
    vec![format!("file={}", args.str("path"))]
}

fn looks() -> Permission {
    Permission::Needs { verb: READ, scope: machine_scope, words: "look at nodes (containers) of the lab" }
}

fn changes(scope: fn(&Args) -> Vec<String>) -> Permission {
    Permission::Needs { verb: IMAGE, scope, words: WORDS }
}

pub fn ops(machine: &Arc<Machine>) -> Vec<Op> {
    let mut all = vec![
        plain(
            machine,
            Draft {
                name: "info",
                doc: "What this machine's Docker says of itself. `unavailable`: it doesn't answer. The grant is `docker.read:machine`.",
                params: &[],
                returns: "#{ version: string, api_version: string, os: string, architecture: string, storage_driver: string, root: \
                          string, cpus: int, memory_bytes: int, containers: int, images: int, live_restore: bool, cgroup_driver: \
                          string, cgroup_version: string, warnings: array }",
                example: "docker::info().version",
            },
            looks(),
            EffectClass::Read,
            |machine, _, _| {
                Box::pin(async move { machine.backend.info().await.map_err(|fault| fault.problem("Docker")) })
            },
        ),
        plain(
            machine,
            Draft {
                name: "image",
                doc: "An image of this machine, or `()` if it isn't there, or another organisation has made it. The grant is `docker.read:machine`.",
                params: const { &[IMAGE_NAME] },
                returns: IMAGE_SHAPE,
                example: "docker::image(\"frr:9.1\") != ()",
            },
            looks(),
            EffectClass::Read,
            |machine, cx, args| {
                Box::pin(async move {
                    check_image(args.str("name"))?;
                    let organisation = machine.organisations.of(&cx.run)?;
                    let found =
                        machine.backend.image(args.str("name")).await.map_err(|fault| fault.problem("the image"))?;
                    let found = found.filter(|image| is_seen(cx, &organisation, image));
                    Ok(found.map_or(Value::Null, |image| shown(&image)))
                })
            },
        ),
        plain(
            machine,
            Draft {
                name: "images",
                doc: "The images of this machine, but for what other organisations have made. The grant is `docker.read:machine`.",
                params: &[],
                returns: "array of #{ id: string, names: array, digests: array, size_bytes: int, architecture: string }",
                example: "docker::images().len()",
            },
            looks(),
            EffectClass::Read,
            |machine, cx, _| {
                Box::pin(async move {
                    let organisation = machine.organisations.of(&cx.run)?;
                    let found = machine.backend.images().await.map_err(|fault| fault.problem("the images"))?;
                    Ok(found.iter().filter(|image| is_seen(cx, &organisation, image)).map(shown).collect())
                })
            },
        ),
    ];
    all.push(labs(machine));
    let mut bringing = vec![pull(machine), load(machine), import(machine), remove_image(machine), commit(machine)];
    bringing.iter_mut().for_each(|op| op.timeout_ms = LONG_MS);
    all.append(&mut bringing);
    all
}

/// What the run's organisation has here.
fn labs(machine: &Arc<Machine>) -> Op {
    plain(
        machine,
        Draft {
            name: "labs",
            doc: "What the labs of the run's organisation have on this machine's Docker, by lab: the names of their nodes, and what those \
                  may take of processors and memory together. The grant is `docker.read:machine`.",
            params: &[],
            returns: "map of #{ nodes: array of string, cpus: float, memory_mb: int }",
            example: "docker::create_node(\"demo\", #{ name: \"r1\", image: \"frr:9.1\" }); docker::labs().demo.nodes",
        },
        looks(),
        EffectClass::Read,
        |machine, cx, _| Box::pin(look::labs(machine, cx)),
    )
}

fn pull(machine: &Arc<Machine>) -> Op {
    plain(
        machine,
        Draft {
            name: "pull",
            doc: "Fetches an image from its registry, and tells the server's log how far it is. One that is there is fetched anew if the \
                  registry has another one of this name. `not_found`: the registry has none, or wants a log-in.",
            params: const { &[IMAGE_NAME] },
            returns: IMAGE_SHAPE,
            example: "docker::pull(\"frr:9.1\").names",
        },
        changes(image_scope),
        EffectClass::Idempotent,
        |machine, cx, args| {
            Box::pin(async move {
                let name = args.str("name");
                may_name(machine, name).await?;
                may_replace(machine, cx, name, false).await?;
                let last = Mutex::new(Instant::now());
                let tell = |line: &str| {
                    let mut last = last.lock();
                    if last.elapsed() >= TELL_EACH {
                        *last = Instant::now();
                        tracing::info!(run = %cx.run, image = name, "{line}");
                    }
                };
                let answer = machine.backend.pull(name, &tell).await;
                answer.map_err(|fault| {
                    fault.problem(format!("the image {name}")).help(
                        "is the name right, and can this machine reach its registry? Without one, bring the image as an archive: \
                         docker::load, docker::import_image",
                    )
                })?;
                there(machine, name).await
            })
        },
    )
}

fn load(machine: &Arc<Machine>) -> Op {
    plain(
        machine,
        Draft {
            name: "load",
            doc: "Loads images from an archive that `docker save` has written. The result is their names. The grant is \
                  `docker.image:file=PATH`.",
            params: const { &[FILE] },
            returns: "array of string",
            example: "docker::load(\"/srv/images/frr.tar\").len()",
        },
        changes(file_scope),
        EffectClass::Idempotent,
        |machine, cx, args| {
            Box::pin(async move {
                let archive = open(machine, cx, args.str("path"))?;
                let names = machine.backend.load(archive).await.map_err(|fault| fault.problem(args.str("path")))?;
                Ok(names.into())
            })
        },
    )
}

fn import(machine: &Arc<Machine>) -> Op {
    plain(
        machine,
        Draft {
            name: "import_image",
            doc: "Makes an image of an archive of a root folder (debootstrap, a tarball of busybox). It names no program: nodes of it \
                  need `command`. Grants are `docker.image:file=PATH` and `docker.image:image=NAME`.",
            params: const { &[FILE, IMAGE_NAME] },
            returns: IMAGE_SHAPE,
            example: "docker::import_image(\"/srv/images/rootfs.tar\", \"tiny:1\").names",
        },
        changes(file_scope),
        EffectClass::Idempotent,
        |machine, cx, args| {
            Box::pin(async move {
                let name = args.str("name");
                also_needs(cx, "import_image", IMAGE, &format!("image={name}"))?;
                may_name(machine, name).await?;
                let label = may_replace(machine, cx, name, true).await?;
                let archive = open(machine, cx, args.str("path"))?;
                let made = machine.backend.import(archive, name, (OWNER, label.as_str())).await;
                made.map_err(|fault| fault.problem(args.str("path")))?;
                there(machine, name).await
            })
        },
    )
}

fn remove_image(machine: &Arc<Machine>) -> Op {
    plain(
        machine,
        Draft {
            name: "remove_image",
            doc: "Removes an image's name, and the image with its last one. One that isn't there is removed already. `conflict`: a \
                  container runs it.",
            params: const { &[IMAGE_NAME] },
            returns: "()",
            example: "docker::remove_image(\"frr:8.5\");",
        },
        changes(image_scope),
        EffectClass::Idempotent,
        |machine, cx, args| {
            Box::pin(async move {
                let name = args.str("name");
                may_name(machine, name).await?;
                may_replace(machine, cx, name, false).await?;
                machine.backend.remove_image(name).await.map_err(|fault| fault.problem(format!("the image {name}")))?;
                Ok(Value::Null)
            })
        },
    )
}

fn commit(machine: &Arc<Machine>) -> Op {
    changing(
        machine,
        Draft {
            name: "commit",
            doc: "Makes an image of a node as it is; the node is paused meanwhile. Needs `docker.image:image=NAME` besides.",
            params: const {
                &[LAB, super::NAME, Param::required("image", Kind::String, "The new image: `r1-configured:1`.")]
            },
            returns: IMAGE_SHAPE,
            example: "docker::create_node(\"demo\", #{ name: \"r1\", image: \"frr:9.1\" });\n\
                      docker::commit(\"demo\", \"r1\", \"r1-configured:1\").names",
        },
        EffectClass::Idempotent,
        Undo::None("images are shared: whoever needs it no more removes it with docker::remove_image"),
        |lab, args| {
            Box::pin(async move {
                let image = args.str("image");
                also_needs(lab.cx, "commit", IMAGE, &format!("image={image}"))?;
                may_name(lab.machine, image).await?;
                let label = may_replace(lab.machine, lab.cx, image, true).await?;
                let node = lab.container(args.str("name")).await?;
                let answer = lab.backend().commit(&node.id, image, (OWNER, label.as_str())).await;
                answer.map_err(|fault| fault.problem(format!("the image {image}")))?;
                there(lab.machine, image).await
            })
        },
    )
}

/// Refuses what can't be an image's name, and images of our own, by whatever name.
async fn may_name(machine: &Machine, name: &str) -> Result<(), Problem> {
    check_image(name)?;
    if machine.config.reserves(name) {
        return Err(reserved(name));
    }
    let of = async |name: &str| {
        let found = machine.backend.image(name).await.map_err(|fault| fault.problem(format!("the image {name}")));
        found.map(|found| found.map(|image| image.id))
    };
    // An id is a name, too.
    match of(name).await? {
        Some(id) if of(&machine.config.pause_image).await?.as_ref() == Some(&id) => Err(reserved(name)),
        _ => Ok(()),
    }
}

/// Refuses to put another image under a name, or take it away, that another organisation has made; with `made` all that this one
/// hasn't made, because others run it. The label of what this one makes.
async fn may_replace(machine: &Machine, cx: &OpCx, name: &str, made: bool) -> Result<String, Problem> {
    let organisation = machine.organisations.of(&cx.run)?;
    let label = owner_label(cx, &organisation);
    // In a rehearsal every image is there.
    if cx.rehearsal {
        return Ok(label);
    }
    let found = machine.backend.image(name).await.map_err(|fault| fault.problem(format!("the image {name}")))?;
    let owner = found.as_ref().and_then(|image| image.labels.get(OWNER));
    match (&found, owner) {
        (None, _) => Ok(label),
        (_, Some(owner)) if *owner == label => Ok(label),
        (_, None) if !made => Ok(label),
        (_, Some(_)) if !made && organisation == PLATFORM => Ok(label),
        _ => Err(Problem::new(
            Code::Conflict,
            format!("there is an image {name} already, and the organisation `{organisation}` didn't make it"),
        )
        .help("others may run it: choose another name")
        .data(json!({ "image": name }))
        .no_effect()),
    }
}

async fn there(machine: &Machine, name: &str) -> Result<Value, Problem> {
    let found = machine.backend.image(name).await.map_err(|fault| fault.problem(format!("the image {name}")))?;
    found
        .map(|image| shown(&image))
        .ok_or_else(|| Problem::new(Code::NotFound, format!("the image {name} is gone again")))
}

fn shown(image: &Image) -> Value {
    json!({ "id": image.id, "names": image.names, "digests": image.digests, "size_bytes": image.size,
        "architecture": image.architecture })
}

/// Opens an archive in a folder that the configuration names.
fn open(machine: &Machine, cx: &OpCx, path: &str) -> Result<Archive, Problem> {
    if cx.rehearsal {
        return Ok(Archive::Bytes(Vec::new()));
    }
    if !Path::new(path).is_absolute() {
        return Err(invalid(format!("`{path}` isn't an absolute path")));
    }
    archive::open(&machine.config.folders, path).map(Archive::File)
}

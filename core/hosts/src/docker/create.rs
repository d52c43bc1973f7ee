//! Makes nodes: for each a pause container that holds its network namespace, the namespace's pin, and the node's own container,
//! which lives in that namespace. Four at a time; all of them, or none.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{StreamExt, future, stream};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    backend::{Container, Network, NewContainer},
    fault::{Fault, Kind},
    hosts::{self, Names},
    images,
    inside::archive,
    lab::{CPUS, Lab, MEMORY_MB, NETWORK, Pair, Role},
    mounts, network, pause, remove,
    spec::{NodeSpec, scalar},
};
use crate::{lab_space::Adopted, support::invalid};

/// More at a time gain nothing: starting a container keeps the machine busy.
pub const AT_A_TIME: usize = 4;
const MIB: u64 = 1 << 20;

/// Makes what isn't there yet, and tells them these names; one report each, in the given order.
pub async fn nodes(lab: &Lab<'_>, specs: &[NodeSpec], names: &Names) -> Result<Vec<Value>, Problem> {
    hosts::check(names)?;
    let there = check(lab, specs).await?;
    let image = &*pause::ensure(lab.machine).await?;
    if specs.iter().any(NodeSpec::is_in_network) {
        network::ensure(lab).await?;
    }
    let (none, stop) = (Pair::default(), Cell::new(false));
    let work = specs.iter().map(|spec| {
        let (pair, stop) = (there.get(&spec.name).unwrap_or(&none), &stop);
        async move {
            // Once one is refused, none is begun.
            if stop.get() {
                return None;
            }
            let answer = node(lab, spec, names, pair, image).await;
            stop.set(stop.get() || answer.is_err());
            Some((spec.name.as_str(), answer))
        }
    });
    let mut made: BTreeMap<&str, Value> = BTreeMap::new();
    let mut refused: Vec<(&str, Problem)> = Vec::new();
    // Those that are under way are waited for: what they make has to be known before it is taken back.
    let answers: Vec<_> = stream::iter(work).buffer_unordered(AT_A_TIME).collect().await;
    for (name, answer) in answers.into_iter().flatten() {
        match answer {
            Ok(report) => drop(made.insert(name, report)),
            Err(problem) => refused.push((name, problem)),
        }
    }
    if refused.is_empty() {
        return Ok(specs.iter().filter_map(|spec| made.remove(spec.name.as_str())).collect());
    }
    // What an earlier attempt of this step has made stays: its undo takes it back.
    let new: Vec<&str> =
        specs.iter().map(|spec| spec.name.as_str()).filter(|name| !there.contains_key(*name)).collect();
    let left = remove::made_by_this_step(lab, &new).await;
    Err(failure(refused, left.err(), there.is_empty()))
}

/// Everything that can be refused is refused here, before anything has happened. What is there of these nodes already.
async fn check(lab: &Lab<'_>, specs: &[NodeSpec]) -> Result<BTreeMap<String, Pair>, Problem> {
    let names: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    if names.len() < specs.len() {
        return Err(invalid("a node is listed twice"));
    }
    specs.iter().try_for_each(|spec| spec.check(&lab.machine.config, &lab.id.organisation))?;
    for mount in specs.iter().flat_map(|spec| &spec.mounts) {
        mounts::source(lab, mount)?;
    }
    let mut there = lab.nodes().await?;
    let most = lab.machine.config.limits.nodes;
    if there.keys().map(String::as_str).chain(names.iter().copied()).collect::<BTreeSet<_>>().len() > most {
        return Err(Problem::new(Code::LimitExceeded, format!("a lab may have at most {most} nodes"))
            .help("an administrator sets it with `limits.nodes` under [hosts.docker]")
            .no_effect());
    }
    there.retain(|name, _| names.contains(name.as_str()));
    for spec in specs {
        if let Some(pair) = there.get(&spec.name)
            && !(lab.is_of_this_run(pair) && pair.fingerprint() == Some(spec.fingerprint().as_str()))
        {
            return Err(lab.taken(&spec.name, pair));
        }
    }
    let images: BTreeSet<&str> = specs.iter().map(|spec| spec.image.as_str()).collect();
    for image in images {
        let found = lab.backend().image(image).await.map_err(|fault| fault.problem(format!("the image {image}")))?;
        // Who may not run it isn't told that it is there.
        if !found.is_some_and(|found| images::is_seen(lab.cx, &lab.id.organisation, &found)) {
            return Err(Problem::new(Code::NotFound, format!("the image {image} isn't on this machine"))
                .help(format!(
                    "fetch it with docker::pull(\"{image}\"), or bring it as an archive with docker::load or docker::import_image"
                ))
                .data(json!({ "image": image }))
                .no_effect());
        }
    }
    Ok(there)
}

/// Makes one node, or what is missing of it.
async fn node(lab: &Lab<'_>, spec: &NodeSpec, names: &Names, pair: &Pair, image: &str) -> Result<Value, Problem> {
    let name = &spec.name;
    let failed = |what: &str| {
        let what = format!("{what} of the node {name}");
        move |fault: Fault| started_badly(&fault, &what)
    };
    let pause = match &pair.pause {
        Some(pause) => pause.id.clone(),
        None => make(lab, &pause_container(lab, spec, image)?, name).await?,
    };
    // A node of a pause container that is gone has nothing to join any more.
    let of_this = |node: &&Container| node.network_of.as_deref().is_none_or(|of| of == pause);
    let there = match &pair.node {
        Some(node) if !of_this(&node) => {
            lab.backend().remove(&node.id).await.map_err(failed("the container"))?;
            None
        }
        other => other.as_ref(),
    };
    let begins = there.is_none_or(|node| node.state == "created");
    let hold = async {
        network::start(lab, &pause, spec.is_in_network()).await.map_err(failed("the pause container"))?;
        pin(lab, name, &lab.cx.key, pair, &pause).await
    };
    // Its container is made meanwhile: it needs the namespace only when it starts.
    let prepare = async {
        let node = match there {
            Some(node) => node.id.clone(),
            None => make(lab, &node_container(lab, spec, &pause)?, name).await?,
        };
        let files = spec.files(names, |content| lab.cx.reveal(content, &format!("docker:{name}")))?;
        if begins && !files.is_empty() {
            lab.backend().put(&node, "/", archive(&files)?).await.map_err(failed("the files"))?;
        }
        Ok::<_, Problem>(node)
    };
    // Both are waited for: what is under way can't be taken back.
    let (adopted, node) = future::join(hold, prepare).await;
    let (adopted, node) = (adopted?, node?);
    if begins && spec.start != Some(false) {
        lab.backend().start(&node).await.map_err(failed("the container"))?;
    }
    report(lab, name, &node, Some(&adopted)).await
}

/// Pins the namespace that a pause container holds.
pub async fn pin(lab: &Lab<'_>, name: &str, key: &str, pair: &Pair, pause: &str) -> Result<Adopted, Problem> {
    let failed = |fault: Fault| fault.problem(format!("the network namespace of the node {name}"));
    let netns = lab.backend().netns(pause).await.map_err(failed)?;
    // Whichever step pins it, the mark is that of the step which made the node: only that one's undo takes it away.
    let key = pair.key().unwrap_or(key);
    lab.machine.spaces.adopt(lab.cx, &lab.id, name, key, std::os::fd::AsFd::as_fd(&netns))
}

/// What scripts are told of a node.
pub async fn report(lab: &Lab<'_>, name: &str, container: &str, adopted: Option<&Adopted>) -> Result<Value, Problem> {
    let found = lab.backend().inspect(container).await.map_err(|fault| fault.problem(format!("the node {name}")))?;
    let found = found.ok_or_else(|| lab.halved(name))?;
    let pair = Pair { pause: None, node: Some(found.clone()) };
    Ok(json!({
        "name": name, "number": adopted.map(|adopted| adopted.number), "container": found.name,
        "namespace": adopted.map(|adopted| &adopted.namespace), "status": super::look::status(&found),
        "health": found.health, "digest": pair.digest(),
        "new_namespace": adopted.is_some_and(|adopted| adopted.new),
    }))
}

/// Makes a container under its name, or finds the one that a crash has kept us from hearing of.
async fn make(lab: &Lab<'_>, new: &NewContainer, node: &str) -> Result<String, Problem> {
    match lab.backend().create(new).await {
        Ok(id) => Ok(id),
        Err(fault) if fault.kind == Kind::Conflict => {
            let found = lab.backend().inspect(&new.name).await;
            let found = found.map_err(|fault| fault.problem(format!("the container {}", new.name)))?;
            match found {
                // Made by this very step, by an attempt that was cut off.
                Some(found) if new.labels.iter().all(|(name, value)| found.labels.get(name) == Some(value)) => {
                    Ok(found.id)
                }
                Some(_) => Err(lab.foreign(&new.name)),
                None => Err(fault.problem(format!("the container of the node {node}"))),
            }
        }
        Err(fault) => Err(fault.problem(format!("the container of the node {node}"))),
    }
}

fn pause_container(lab: &Lab<'_>, spec: &NodeSpec, image: &str) -> Result<NewContainer, Problem> {
    let config = &lab.machine.config;
    let sysctls = spec.sysctls.iter().map(|(name, value)| Ok((name.clone(), scalar(name, value)?)));
    let network = spec.is_in_network().then(|| network::name(lab));
    let mut labels = lab.labels(&spec.name, Role::Pause, &spec.fingerprint(), spec.digest.as_deref());
    labels.extend(network.clone().map(|name| (NETWORK.to_owned(), name)));
    let ours = config.pause_image == super::config::PAUSE_IMAGE;
    Ok(NewContainer {
        name: lab.container_name(&spec.name, Role::Pause),
        // By its id: what is put under its name meanwhile isn't run.
        image: image.to_owned(),
        command: ours.then(|| vec![pause::PROGRAM.to_owned()]),
        // Containers in another one's network have its host name.
        hostname: Some(spec.hostname()),
        labels,
        network: network.map_or(Network::None, Network::Named),
        ports: spec.ports(config),
        sysctls: sysctls.collect::<Result<_, Problem>>()?,
        pause: true,
        ..NewContainer::default()
    })
}

fn node_container(lab: &Lab<'_>, spec: &NodeSpec, pause: &str) -> Result<NewContainer, Problem> {
    let (config, limits) = (&lab.machine.config, &lab.machine.config.limits);
    let destination = format!("docker:{}", spec.name);
    let mut env = Vec::new();
    for (name, value) in &spec.env {
        let value = match value {
            Value::Object(_) => lab.cx.reveal(value, &destination)?.to_string(),
            value => scalar(name, value)?,
        };
        env.push(format!("{name}={value}"));
    }
    let mounts = spec.mounts.iter().map(|mount| Ok((mounts::source(lab, mount)?, mount.path.clone(), mount.write)));
    let (cpus, memory_mb) = (spec.cpus.unwrap_or(limits.cpus), spec.memory_mb.unwrap_or(limits.memory_mb));
    let ours = lab.labels(&spec.name, Role::Node, &spec.fingerprint(), spec.digest.as_deref());
    let sizes = [(CPUS, cpus.to_string()), (MEMORY_MB, memory_mb.to_string())];
    let ours = ours.into_iter().chain(sizes.map(|(label, value)| (label.to_owned(), value)));
    Ok(NewContainer {
        name: lab.container_name(&spec.name, Role::Node),
        image: spec.image.clone(),
        command: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        env,
        labels: spec.labels.clone().into_iter().chain(ours).collect(),
        network: Network::Of(pause.to_owned()),
        capabilities: spec.capabilities(),
        without_raw: !config.trusts(&lab.id.organisation),
        cpus: Some(cpus),
        memory_bytes: Some(memory_mb * MIB),
        pids: Some(spec.pids.unwrap_or(limits.pids)),
        mounts: mounts.collect::<Result<_, Problem>>()?,
        restart: spec.restart.clone(),
        health: spec.health(),
        ..NewContainer::default()
    })
}

/// A container that couldn't be started: what is said of it, by what it most often means.
pub fn started_badly(fault: &Fault, what: &str) -> Problem {
    let said = &fault.message;
    let has = |words: &[&str]| words.iter().any(|one| said.contains(one));
    if has(&["port is already allocated", "address already in use"]) {
        return Fault::new(Kind::Conflict, said.clone()).problem(what).help("publish another port of this machine");
    }
    if has(&["executable file not found", "no such file or directory"]) && fault.kind != Kind::Full {
        return Fault::new(Kind::Invalid, said.clone())
            .problem(what)
            .help("its image has no such program: give `command` or `entrypoint`");
    }
    if has(&["o command specified"]) {
        return Fault::new(Kind::Invalid, said.clone())
            .problem(what)
            .help("the image names no program: give `command`");
    }
    fault.problem(what)
}

/// The problem of a step that was refused in part.
fn failure(refused: Vec<(&str, Problem)>, left: Option<Problem>, nothing_before: bool) -> Problem {
    let names: Vec<&str> = refused.iter().map(|(name, _)| *name).collect();
    let data = json!({ "refused": names });
    let others = refused.len() - 1;
    let Some((_, mut problem)) = refused.into_iter().next() else {
        return Problem::new(Code::Internal, "nothing was refused");
    };
    if others > 0 {
        problem.message = format!("{}; {others} more nodes were refused, perhaps for that reason", problem.message);
    }
    if problem.data.is_null() {
        problem.data = data;
    }
    problem.no_effect = nothing_before && left.is_none();
    if let Some(left) = left {
        problem.message = format!("{}; what was made so far couldn't be taken back: {}", problem.message, left.message);
    }
    problem
}

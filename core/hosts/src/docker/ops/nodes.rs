//! Nodes: made, started, stopped, removed, listed.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{EffectClass, Problem, ResourceChange, ResourceRef};
use windlass_script::host::{Args, Kind, Op, Param, Permission, Undo};

use super::{
    super::{
        create,
        hosts::{self, Names},
        lab::{Lab, Machine},
        look, remove, run,
        spec::NodeSpec,
    },
    Draft, LAB, LONG_MS, NAME, RUN, WRITE, also_needs, changing, creates, node, op, reading,
};
use crate::support::{duration, options};

const NODE: Param = Param::required(
    "node",
    Kind::Map,
    "`name` and `image`; all else is optional: `command`, `entrypoint` (arrays), `env` (a map; values are text, numbers or \
     secrets), `hostname`, `cpus` (float), `memory_mb`, `pids` (bounds and defaults stand under [hosts.docker]), `files` (array of \
     `#{ path, content, mode }`, written before the start; content is text or a secret), `capabilities` (`[\"NET_ADMIN\"]`, as far \
     as the configuration allows), `sysctls` (`net.*`, of its own namespace), `ports` (array of `#{ host, node, protocol }`, \
     published on this machine's loopback), `mounts` (array of `#{ folder, path, write }`: the lab's own part of folders that the configuration names), \
     `management` (bool: an `eth0` in its organisation's network of Docker; links take other names then), `health` (`#{ command, interval_s, \
     timeout_s, retries, start_period_s }`), `restart` (`no`, `always`, `on-failure`), `labels` (a map), `digest` (what you tell \
     one description from another by), `start` (bool, true).",
);
const NODES: Param = Param::required("nodes", Kind::Array, "Maps as for `create_node`.");
const NAMES: Param = Param::required("names", Kind::Array, "What the lab calls them: `[\"r1\", \"r2\"]`.");
const MAKING: Param = Param::optional(
    "options",
    Kind::Map,
    "`hosts`: what stands in their `/etc/hosts` besides `localhost`, arrays of addresses by name: `#{ r2: [\"10.0.0.2\"] }`. Nodes in \
     Docker's networks have Docker's, and those that bring a file `/etc/hosts` theirs.",
);
const HOSTS: Param = Param::required(
    "hosts",
    Kind::Map,
    "Arrays of addresses by name: `#{ r2: [\"10.0.0.2\", \"fd00::2\"] }`; at most 4,096 addresses.",
);
const STOP: Param = Param::optional(
    "options",
    Kind::Map,
    "`timeout_s` (int, 10 by default): how long it may take to end before it is killed.",
);
const NODE_SHAPE: &str = "#{ name: string, number: int, container: string, namespace: string, status: string, health: string, \
                          digest: string, new_namespace: bool }";
const NODES_SHAPE: &str = "array of #{ name: string, number: int, container: string, namespace: string, status: string, health: \
                           string, digest: string, new_namespace: bool }";

macro_rules! example {
    ($text:literal) => {
        concat!("docker::create_node(\"demo\", #{ name: \"r1\", image: \"frr:9.1\" });\n", $text)
    };
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MakingOptions {
    hosts: Names,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StopOptions {
    timeout_s: Option<u32>,
}

pub fn ops(machine: &Arc<Machine>) -> Vec<Op> {
    let mut all = vec![create_node(machine), create_nodes(machine), set_hosts(machine)];
    all.extend(running(machine));
    all.extend(removing(machine));
    all.extend(looking(machine));
    all
}

fn create_node(machine: &Arc<Machine>) -> Op {
    let draft = Draft {
        name: "create_node",
        doc: "Makes a node and starts it, unless `start` is false. Its network namespace has only `lo` (and Docker's `eth0` with \
              `ports` or `management`), is `namespace` for `ip netns` and a node of the lab for `net`: \
              `net::connect(lab, \"r1:eth1\", \"lan1\")`. It stays when the node is restarted.\n\n\
              Done twice by the same run, it is done once. `conflict`: another run, or another program, made one of this name. \
              `not_found`: the image isn't on this machine. Needs `docker.write` on the lab besides.",
        params: const { &[LAB, NODE, MAKING] },
        returns: NODE_SHAPE,
        example: "docker::create_node(\"demo\", #{ name: \"r1\", image: \"frr:9.1\", memory_mb: 256,\n\
                  files: [#{ path: \"/etc/frr/frr.conf\", content: \"hostname r1\\n\" }], capabilities: [\"NET_ADMIN\"] }).namespace",
    };
    let undo =
        Undo::Op { name: "remove_node", args: |args| vec![args.get("lab").clone(), args.get("node")["name"].clone()] };
    let body = making(machine, draft, undo, |lab, args| {
        Box::pin(async move {
            also_needs(lab.cx, "create_node", WRITE, args.str("lab"))?;
            let spec: NodeSpec = args.read("node")?;
            let MakingOptions { hosts } = options(args, "options")?;
            Ok(create::nodes(lab, &[spec], &hosts).await?.pop().unwrap_or_default())
        })
    });
    Op { resources: |args| creates(node(args, args.get("node")["name"].as_str().unwrap_or_default())), ..body }
}

fn create_nodes(machine: &Arc<Machine>) -> Op {
    let draft = Draft {
        name: "create_nodes",
        doc: "Makes several nodes as one step, four at a time: all of them, or none. The error names what was refused. As \
              `create_node` otherwise.",
        params: const { &[LAB, NODES, MAKING] },
        returns: NODES_SHAPE,
        example: "docker::create_nodes(\"demo\", [#{ name: \"r1\", image: \"frr:9.1\" }, #{ name: \"r2\", image: \"frr:9.1\" }]).len()",
    };
    let undo = Undo::Op {
        name: "remove_nodes",
        args: |args| {
            let names: Vec<Value> = listed(args, "nodes").map(|one| one["name"].clone()).collect();
            vec![args.get("lab").clone(), names.into()]
        },
    };
    let body = making(machine, draft, undo, |lab, args| {
        Box::pin(async move {
            also_needs(lab.cx, "create_nodes", WRITE, args.str("lab"))?;
            let specs: Vec<NodeSpec> = args.read("nodes")?;
            let MakingOptions { hosts } = options(args, "options")?;
            create::nodes(lab, &specs, &hosts).await.map(Value::from)
        })
    });
    Op {
        resources: |args| {
            let names = listed(args, "nodes").filter_map(|one| one["name"].as_str());
            names.map(|name| ResourceChange::Creates(node(args, name))).collect()
        },
        ..body
    }
}

fn set_hosts(machine: &Arc<Machine>) -> Op {
    let draft = Draft {
        name: "set_hosts",
        doc: "Writes names into `/etc/hosts` of nodes that are there, in place of those that this op or `create_nodes` has written \
              before; all other lines stay. The nodes needn't run. Not for nodes in Docker's networks: Docker writes theirs anew at \
              each start.",
        params: const { &[LAB, NAMES, HOSTS] },
        returns: "()",
        example: example!(
            "docker::set_hosts(\"demo\", [\"r1\"], #{ r2: [\"10.0.0.2\"] });\ndocker::copy_out(\"demo\", \"r1\", \"/etc/hosts\").content"
        ),
    };
    let undo = Undo::None("the names before aren't kept: set them again with `on_rollback`");
    changing(machine, draft, EffectClass::Idempotent, undo, |lab, args| {
        Box::pin(async move {
            hosts::tell(lab, &args.read::<Vec<String>>("names")?, &args.read("hosts")?).await?;
            Ok(Value::Null)
        })
    })
}

/// An op that runs images: each of them has to be granted.
fn making(machine: &Arc<Machine>, draft: Draft, undo: Undo, body: super::Body) -> Op {
    let scope = |args: &Args| {
        let one = std::iter::once(args.get("node"));
        let images = one.chain(listed(args, "nodes")).filter_map(|node| node["image"].as_str());
        let mut scopes: Vec<String> = images.map(|image| format!("image={image}")).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    };
    let permission = Permission::Needs { verb: RUN, scope, words: "run nodes (containers) of" };
    Op { timeout_ms: LONG_MS, ..op(machine, draft, permission, EffectClass::Idempotent, undo, body) }
}

fn running(machine: &Arc<Machine>) -> Vec<Op> {
    let none = || Undo::None("whether it ran before isn't kept: register the way back with `on_rollback`");
    let mut all = vec![
        changing(
            machine,
            Draft {
                name: "start_node",
                doc: "Starts a node that has ended or wasn't started. One that runs is started already. `new_namespace` is true when \
                      its network namespace had to be made anew (Docker or the machine was restarted): its links have to be laid \
                      again.",
                params: const { &[LAB, NAME] },
                returns: NODE_SHAPE,
                example: example!("docker::stop_node(\"demo\", \"r1\"); docker::start_node(\"demo\", \"r1\").status"),
            },
            EffectClass::Idempotent,
            none(),
            |lab, args| Box::pin(run::start(lab, args.str("name"))),
        ),
        changing(
            machine,
            Draft {
                name: "stop_node",
                doc: "Stops a node. Its network namespace and its links stay. One that doesn't run is stopped already.",
                params: const { &[LAB, NAME, STOP] },
                returns: "()",
                example: example!("docker::stop_node(\"demo\", \"r1\", #{ timeout_s: 2 });"),
            },
            EffectClass::Idempotent,
            none(),
            |lab, args| Box::pin(async move { run::stop(lab, args.str("name"), stop_seconds(args)?).await }),
        ),
        changing(
            machine,
            Draft {
                name: "restart_node",
                doc: "Stops and starts a node. Its links stay. Returns what `start_node` does.",
                params: const { &[LAB, NAME, STOP] },
                returns: NODE_SHAPE,
                example: example!("docker::restart_node(\"demo\", \"r1\").status"),
            },
            EffectClass::Idempotent,
            none(),
            |lab, args| Box::pin(async move { run::restart(lab, args.str("name"), stop_seconds(args)?).await }),
        ),
    ];
    all.iter_mut().for_each(|op| op.timeout_ms = 660_000);
    all
}

fn stop_seconds(args: &Args) -> Result<u32, Problem> {
    let options: StopOptions = options(args, "options")?;
    Ok(options.timeout_s.unwrap_or(10).min(600))
}

fn removing(machine: &Arc<Machine>) -> Vec<Op> {
    let kept = || Undo::None("what is removed isn't kept");
    let idempotent = EffectClass::Idempotent;
    let mut all = vec![
        changing(
            machine,
            Draft {
                name: "remove_node",
                doc: "Removes a node of the lab with everything in it, and the links to it. One that isn't there is removed already.",
                params: const { &[LAB, NAME] },
                returns: "()",
                example: example!("docker::remove_node(\"demo\", \"r1\"); docker::remove_node(\"demo\", \"r1\");"),
            },
            idempotent,
            kept(),
            |lab, args| {
                Box::pin(async move {
                    remove::nodes(lab, &[args.str("name").to_owned()]).await?;
                    Ok(Value::Null)
                })
            },
        ),
        changing(
            machine,
            Draft {
                name: "remove_nodes",
                doc: "Removes several nodes, four at a time. As `remove_node` otherwise.",
                params: const { &[LAB, NAMES] },
                returns: "()",
                example: example!("docker::remove_nodes(\"demo\", [\"r1\", \"r2\"]);"),
            },
            idempotent,
            kept(),
            |lab, args| {
                Box::pin(async move {
                    remove::nodes(lab, &args.read::<Vec<String>>("names")?).await?;
                    Ok(Value::Null)
                })
            },
        ),
        changing(
            machine,
            Draft {
                name: "destroy",
                doc: "Removes all nodes of the lab, whichever run made them; nothing else is touched. A lab without nodes is destroyed \
                      already. The result counts them.",
                params: const { &[LAB] },
                returns: "#{ nodes: int }",
                example: example!("docker::destroy(\"demo\").nodes"),
            },
            idempotent,
            kept(),
            |lab, _| Box::pin(remove::everything(lab)),
        ),
    ];
    all.iter_mut().for_each(|op| op.timeout_ms = LONG_MS);
    all[0].resources = |args| vec![ResourceChange::Destroys(node(args, args.str("name")))];
    all[1].resources = |args| {
        let names = listed(args, "names").filter_map(Value::as_str);
        names.map(|name| ResourceChange::Destroys(node(args, name))).collect()
    };
    all[2].resources = |args| vec![ResourceChange::Destroys(ResourceRef::everything_below("docker", args.str("lab")))];
    all
}

fn looking(machine: &Arc<Machine>) -> Vec<Op> {
    let mut wait = reading(
        machine,
        Draft {
            name: "wait_healthy",
            doc: "Waits until a node's health check says that it is well; a node without one has to run. `wait_timeout`: it isn't \
                  well in time, or it has ended: `data` has the health checks' last words and the last lines of its log.",
            params: const { &[LAB, NAME, Param::required("timeout", Kind::Duration, "Longest wait: `\"1m\"`.")] },
            returns: "#{ name: string, status: string, health: string }",
            example: example!("docker::wait_healthy(\"demo\", \"r1\", \"1m\").health"),
        },
        |lab: &Lab<'_>, args| {
            Box::pin(async move {
                look::wait_healthy(lab, args.str("name"), duration(args.get("timeout"), "timeout")?).await
            })
        },
    );
    wait.timeout_ms = 3_600_000;
    let nodes = reading(
        machine,
        Draft {
            name: "nodes",
            doc: "The lab's nodes, sorted by name. `status` is `running`, `exited`, `created`, `paused`, or `missing` when the \
                  container is gone and only what held its namespace is left, or the other way round: then it has to be made anew. `health` is `healthy`, `unhealthy`, `starting` or \
                  `none`. `network` says whether what holds its namespace runs. `number` and `namespace` are `()` while its \
                  namespace isn't pinned. `run` is the run that made it.",
            params: const { &[LAB] },
            returns: "array of #{ name: string, number: int, container: string, namespace: string, image: string, status: string, \
                      health: string, exit_code: int, started_at: string, error: string, digest: string, network: bool, labels: map, \
                      run: string }",
            example: example!("docker::nodes(\"demo\")[0].status"),
        },
        |lab: &Lab<'_>, _| Box::pin(look::nodes(lab)),
    );
    vec![nodes, wait]
}

fn listed<'a>(args: &'a Args, name: &str) -> impl Iterator<Item = &'a Value> {
    args.get(name).as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

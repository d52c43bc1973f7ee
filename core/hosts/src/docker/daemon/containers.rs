//! Containers: listed, made, started, stopped, removed.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    Docker,
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerSummary, HealthConfig, HostConfig, HostConfigLogConfig,
        Mount, MountType, PortBinding, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
    },
};

use super::{
    super::{
        backend::{Container, HealthCheck, Network, NewContainer},
        fault::{Fault, Kind},
    },
    Daemon,
};

const NANOS_PER_MS: i64 = 1_000_000;
/// Ended at once: the program in a pause container has nothing to finish.
const KILL: &str = "SIGKILL";

impl Daemon {
    pub(in super::super) async fn list(&self, labels: &[(String, String)]) -> Result<Vec<Container>, Fault> {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.client().await?.list_containers(Some(options)).await.map_err(|error| self.fault(error))?;
        Ok(found.into_iter().map(summary).collect())
    }

    pub(super) async fn look(&self, container: &str) -> Result<Option<Container>, Fault> {
        let client = self.client().await?;
        match self.inspected(&client, container).await {
            Ok(found) => Ok(Some(full(found))),
            Err(fault) if fault.missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn inspected(&self, client: &Docker, container: &str) -> Result<ContainerInspectResponse, Fault> {
        let answer = client.inspect_container(container, None::<InspectContainerOptions>).await;
        answer.map_err(|error| self.fault(error))
    }

    pub(super) async fn make(&self, new: &NewContainer) -> Result<String, Fault> {
        let options = CreateContainerOptionsBuilder::default().name(&new.name).build();
        let made = self.client().await?.create_container(Some(options), body(new)).await;
        Ok(made.map_err(|error| self.fault(error))?.id)
    }

    pub(super) async fn set_going(&self, container: &str) -> Result<(), Fault> {
        let answer = self.client().await?.start_container(container, None::<StartContainerOptions>).await;
        answer.map_err(|error| self.fault(error))
    }

    pub(super) async fn halt(&self, container: &str, timeout_s: u32) -> Result<(), Fault> {
        let seconds = i32::try_from(timeout_s).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let answer = self.client().await?.stop_container(container, Some(options)).await;
        answer.map_err(|error| self.fault(error))
    }

    pub(super) async fn drop_container(&self, container: &str) -> Result<(), Fault> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let client = self.client().await?;
        let answer = client.remove_container(container, Some(options)).await.map_err(|error| self.fault(error));
        match answer {
            Err(fault) if fault.missing() => Ok(()),
            // Somebody else removes it at the same time: it is gone when they are done.
            Err(fault) if fault.kind == Kind::Conflict && fault.message.contains("already in progress") => {
                while self.look(container).await?.is_some() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Ok(())
            }
            other => other,
        }
    }
}

/// The health in a list's words for people: `Up 5 minutes (healthy)`.
fn in_words(status: &str) -> &'static str {
    match status.rsplit_once('(').map(|(_, last)| last.trim_end_matches(')')) {
        Some("healthy") => "healthy",
        Some("unhealthy") => "unhealthy",
        Some("health: starting") => "starting",
        _ => "none",
    }
}

fn summary(found: ContainerSummary) -> Container {
    let name = found.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    let health = in_words(found.status.as_deref().unwrap_or_default()).to_owned();
    Container {
        health,
        id: found.id.unwrap_or_default(),
        name: name.trim_start_matches('/').to_owned(),
        image: found.image.unwrap_or_default(),
        labels: found.labels.unwrap_or_default().into_iter().collect(),
        state: found.state.map(|state| state.to_string()).unwrap_or_default(),
        network_of: found.host_config.and_then(|config| network_of(config.network_mode.as_deref())),
        ..Container::default()
    }
}

pub(super) fn full(found: ContainerInspectResponse) -> Container {
    let config = found.config.unwrap_or_default();
    let state = found.state.unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let status = health.status.map(|status| status.to_string()).filter(|status| !status.is_empty());
    let checks = health.log.unwrap_or_default().into_iter().map(|check| HealthCheck {
        code: check.exit_code.unwrap_or_default(),
        output: check.output.unwrap_or_default(),
    });
    Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image: config.image.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(),
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        error: state.error.unwrap_or_default(),
        exit_code: state.exit_code.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        health: status.unwrap_or_else(|| "none".into()),
        health_log: checks.collect(),
        network_of: network_of(found.host_config.and_then(|config| config.network_mode).as_deref()),
    }
}

fn network_of(mode: Option<&str>) -> Option<String> {
    mode.and_then(|mode| mode.strip_prefix("container:")).map(str::to_owned)
}

fn body(new: &NewContainer) -> ContainerCreateBody {
    let port = |(address, host, inside, protocol): &(String, u16, u16, String)| {
        let binding = PortBinding { host_ip: Some(address.clone()), host_port: Some(host.to_string()) };
        (format!("{inside}/{protocol}"), Some(vec![binding]))
    };
    let mount = |(from, to, may_write): &(std::path::PathBuf, String, bool)| Mount {
        target: Some(to.clone()),
        source: Some(from.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(!may_write),
        ..Mount::default()
    };
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let memory = new.memory_bytes.map(bytes);
    let host_config = HostConfig {
        network_mode: Some(match &new.network {
            Network::None => "none".into(),
            Network::Named(name) => name.clone(),
            Network::Of(container) => format!("container:{container}"),
        }),
        port_bindings: (!new.ports.is_empty()).then(|| new.ports.iter().map(port).collect()),
        sysctls: (!new.sysctls.is_empty()).then(|| new.sysctls.clone().into_iter().collect()),
        cap_add: (!new.capabilities.is_empty()).then(|| new.capabilities.clone()),
        nano_cpus: new.cpus.map(|cpus| (cpus * 1e9) as i64),
        memory,
        // No swap beside it: a node that needs more is ended, and the machine stays quick.
        memory_swap: memory,
        pids_limit: new.pids.map(bytes),
        mounts: (!new.mounts.is_empty()).then(|| new.mounts.iter().map(mount).collect()),
        restart_policy: new.restart.as_deref().map(|policy| RestartPolicy {
            name: Some(match policy {
                "always" => RestartPolicyNameEnum::ALWAYS,
                "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
                _ => RestartPolicyNameEnum::NO,
            }),
            maximum_retry_count: None,
        }),
        log_config: Some(match new.pause {
            true => HostConfigLogConfig { typ: Some("none".into()), config: None },
            // Bounded: a node that writes for weeks doesn't fill the disk.
            false => HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([("max-size".into(), "10m".into()), ("max-file".into(), "2".into())])),
            },
        }),
        security_opt: new.pause.then(|| vec!["seccomp=unconfined".into(), "no-new-privileges".into()]),
        cap_drop: match (new.pause, new.without_raw) {
            (true, _) => Some(vec!["ALL".into()]),
            (_, true) => Some(vec!["NET_RAW".into()]),
            _ => None,
        },
        readonly_rootfs: new.pause.then_some(true),
        // Each of these is a mount, and one of our own program's few bytes, without any rights, looks at none of them.
        ipc_mode: new.pause.then(|| "none".into()),
        masked_paths: new.pause.then(Vec::new),
        readonly_paths: new.pause.then(Vec::new),
        privileged: Some(false),
        ..HostConfig::default()
    };
    let exposed: Vec<String> =
        new.ports.iter().map(|(_, _, inside, protocol)| format!("{inside}/{protocol}")).collect();
    ContainerCreateBody {
        image: Some(new.image.clone()),
        cmd: new.command.clone(),
        entrypoint: new.entrypoint.clone(),
        env: (!new.env.is_empty()).then(|| new.env.clone()),
        hostname: new.hostname.clone(),
        // Docker would begin itself anew only to put nothing into the namespace, which takes longer than all else.
        network_disabled: (new.network == Network::None).then_some(true),
        labels: Some(new.labels.clone().into_iter().collect()),
        exposed_ports: (!exposed.is_empty()).then_some(exposed),
        stop_signal: new.pause.then(|| KILL.into()),
        healthcheck: new.health.as_ref().map(|health| HealthConfig {
            test: Some([vec!["CMD".to_owned()], health.command.clone()].concat()),
            interval: Some(health.interval_ms as i64 * NANOS_PER_MS),
            timeout: Some(health.timeout_ms as i64 * NANOS_PER_MS),
            retries: Some(i64::from(health.retries)),
            start_period: Some(health.start_period_ms as i64 * NANOS_PER_MS),
            start_interval: None,
        }),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

//! What holds without any configuration: enough for the labs of a fresh clone, and nothing beyond.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use windlass_hosts::HostConfig;
use windlass_model::Bounds;

use super::settings::{
    AuthSettings, Config, EngineSettings, ForwardedHeader, LabSettings, Log, LogFormat, RetentionSettings,
    ServerSettings, Telemetry, VoucherSettings,
};

/// Programs that look at networks or set them up inside a lab's namespaces. With the option `namespace` they are in a jail
/// (`windlass_hosts::exec::jail`): whoever chooses their arguments reaches the lab's network and nothing of this machine. Without it they
/// run as the server does, root as a rule, and `cat`, `ip netns exec` and `tcpdump -z` reach everything: a workflow that takes
/// arguments from its input must always give a namespace, as lib/labs does.
const LAB_PROGRAMS: &[&str] =
    &["ping", "ip", "nft", "ss", "bridge", "tc", "sysctl", "traceroute", "tcpdump", "cat", "true", "false", "sleep"];

/// What the workflows that provision may declare. It comes to nothing until the configuration names a project, a name server, a
/// pool or a mail server, or somebody approves a registrar's plugin.
const PROVISION_GRANTS: [&str; 10] = [
    "hetzner.*:*",
    "claim.*:*",
    "secret.use:made/*",
    "secret.use:registrar/*",
    "pool.*:*",
    "dns.read:*",
    "dns.write:*",
    "dns.check:*",
    "registrar.*:*",
    "notify.*:*",
];

/// What looking at the inventory, and removing things of it, may declare.
const INVENTORY_GRANTS: [&str; 8] =
    ["net.*:*", "docker.*:*", "qemu.*:*", "guacamole.*:*", "hetzner.*:*", "dns.read:*", "dns.write:*", "pool.*:*"];

/// What the workflows of a franchise may declare: organisations and vouchers, and what a customer's first environment is made of.
const FRANCHISE_GRANTS: [&str; 8] = [
    "org.*:*",
    "voucher.*:*",
    "pool.*:*",
    "dns.*:*",
    "docker.*:*",
    "http.get:*",
    "secret.use:franchise/*",
    "notify.*:*",
];

impl Default for VoucherSettings {
    fn default() -> Self {
        Self { each_per_minute: 30, all_per_minute: 600, issue_limit: 1_000_000, offer: BTreeMap::new() }
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut hosts = HostConfig::default();
        hosts.exec.programs = LAB_PROGRAMS.iter().map(|program| (*program).to_owned()).collect();
        Self {
            simulated: Vec::new(),
            data: PathBuf::from(".windlass"),
            workflows: PathBuf::from("workflows"),
            plugins: PathBuf::from("plugins"),
            workflow_review: false,
            database: String::new(),
            log: Log::default(),
            telemetry: Telemetry::default(),
            engine: EngineSettings::default(),
            server: ServerSettings::default(),
            auth: AuthSettings::default(),
            labs: LabSettings::default(),
            retention: RetentionSettings::default(),
            vouchers: VoucherSettings::default(),
            bounds: Bounds::default(),
            policy: BTreeMap::from([
                ("lab/*".to_owned(), lab_grants()),
                ("provision/*".to_owned(), PROVISION_GRANTS.map(str::to_owned).into()),
                ("inventory/*".to_owned(), INVENTORY_GRANTS.map(str::to_owned).into()),
                ("franchise/*".to_owned(), FRANCHISE_GRANTS.map(str::to_owned).into()),
            ]),
            secrets: BTreeMap::new(),
            hosts,
        }
    }
}

/// What a lab may declare: its own networks, containers and machines, ways to them, and the programs that look at them.
fn lab_grants() -> Vec<String> {
    let programs = LAB_PROGRAMS.iter().map(|program| format!("exec.run:{program}"));
    ["net.*:*", "docker.*:*", "qemu.*:*", "guacamole.*:*", "kv.*:lab/*", "run.launch:lab/*"]
        .iter()
        .map(|grant| (*grant).to_owned())
        .chain(programs)
        .collect()
}

/// What only the machine and the data folder can tell: the programs that are there, and where labs may write. Applies to
/// what nobody has set.
pub(super) fn fit_to_machine(config: &mut Config, is_default: impl Fn(&str) -> bool) {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let is_there = |program: &String| folders.iter().any(|folder| Path::new(folder).join(program).is_file());
    if is_default("hosts.exec.programs") {
        config.hosts.exec.programs.retain(is_there);
    }
    // Programs in namespaces of labs don't see what the server keeps.
    config.hosts.exec.hidden = vec![config.data.clone()];
    let files = config.data.join("files");
    if is_default("hosts.file.folders") {
        config.hosts.file.folders = vec![files.clone()];
    }
    if is_default("hosts.qemu.folder") {
        config.hosts.qemu.folder = config.data.join("qemu");
    }
    if is_default("hosts.qemu.images") {
        config.hosts.qemu.images = vec![config.data.join("images")];
    }
    if is_default("policy")
        && let Some(grants) = config.policy.get_mut("lab/*")
    {
        grants.extend(["read", "write"].map(|verb| format!("file.{verb}:{}/*", files.display())));
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7070".into(),
            public_url: String::new(),
            tls_cert: String::new(),
            tls_key: String::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            proxy_protocol: false,
            metrics_from: vec!["127.0.0.0/8".into(), "::1/128".into()],
            connections: 10_000,
            concurrency: 256,
            head_bytes: 32 << 10,
            body_bytes: 8 << 20,
            bodies_bytes: 128 << 20,
            head_timeout_ms: 20_000,
            request_timeout_ms: 30_000,
            grace_ms: 10_000,
            streams: 8_192,
            streams_each: 2_048,
            heartbeat_ms: 15_000,
            recheck_ms: 30_000,
            stall_ms: 30_000,
        }
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { session_idle: "12h".into(), session_max: "7d".into(), oidc: BTreeMap::new() }
    }
}

impl Default for LabSettings {
    fn default() -> Self {
        Self {
            discovery_every: "30s".into(),
            shell: vec!["/bin/sh".into()],
            shell_user: String::new(),
            record: false,
            record_bytes: 16 << 20,
            record_length: "8h".into(),
            recordings_bytes: 1 << 30,
            consoles: 256,
            consoles_each: 16,
            consoles_node: 16,
            console_idle: "1h".into(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "warn".into(), format: LogFormat::Text }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { workers: 256, lease_ms: 30_000, poll_ms: 200, retention: "90d".into(), stack_bytes: 16 << 20 }
    }
}

//! The single looks: user, namespaces, devices, services, folders, clock.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    path::Path,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::sched::CloneFlags;
use windlass_hosts::privileges;

use super::Finding;
use crate::{
    config::Config,
    data::DataFolder,
    instance,
    lock::{self, Lock},
    wiring,
};

/// All of them, in the order of the report.
pub fn all(config: &Config, environment: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = vec![
        user(),
        namespaces(),
        kernel(),
        device("tun", "/dev/net/tun", "`modprobe tun`: taps for virtual machines"),
        machines(config),
        docker(config),
        programs(config),
        postgres(config),
        workflows(config),
        data_folder(config),
        instance_id(environment),
        clock(),
    ];
    findings.extend(super::consoles::guacamole(config));
    findings
}

fn user() -> Finding {
    let missing = privileges::missing();
    match missing.is_empty() {
        true => Finding::fine("user", format!("uid {} with CAP_NET_ADMIN and CAP_SYS_ADMIN", nix::unistd::geteuid())),
        false => Finding::missing(
            "user",
            format!("uid {} without {}", nix::unistd::geteuid(), missing.join(" and ")),
            "network labs need both: run as root (`sudo -E windlass …`)",
        ),
    }
}

/// Whether this process may make network namespaces: it tries.
pub fn may_make_namespaces() -> Result<(), String> {
    // On a thread of its own: the namespace ends with it.
    let attempt = thread::spawn(|| nix::sched::unshare(CloneFlags::CLONE_NEWNET)).join();
    attempt.map_err(|_| "the attempt failed".to_owned())?.map_err(|error| error.to_string())
}

fn namespaces() -> Finding {
    let help = "network labs need root, and a container needs --privileged";
    match may_make_namespaces() {
        Ok(()) => Finding::fine("network namespaces", "can be made"),
        Err(error) => Finding::missing("network namespaces", error, help),
    }
}

/// What the kernel can do for labs: it tries, in a namespace that nobody sees.
fn kernel() -> Finding {
    let help = "docs/reference/lab-kernel.md says what each is for, and what works without it";
    let (works, lacks): (Vec<_>, Vec<_>) = match windlass_hosts::net::kernel().capabilities() {
        Ok(found) => found.into_iter().partition(|capability| capability.works),
        Err(fault) => return Finding::missing("kernel", fault.problem("trying it").message, help),
    };
    let names = |list: Vec<windlass_hosts::net::types::Capability>| {
        list.iter().map(|capability| capability.name).collect::<Vec<_>>().join(", ")
    };
    let basic = ["bridge", "veth"].iter().all(|name| works.iter().any(|capability| capability.name == *name));
    let found =
        format!("has {}; lacks {}", names(works), if lacks.is_empty() { "nothing".into() } else { names(lacks) });
    if basic { Finding::fine("kernel", found) } else { Finding::missing("kernel", found, help) }
}

fn device(name: &'static str, path: &str, help: &str) -> Finding {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Finding::fine(name, format!("{path} can be used")),
        Err(error) => Finding::missing(name, format!("{path}: {error}"), help),
    }
}

/// A device that is there and can be opened may still run no guest: one is tried.
fn machines(config: &Config) -> Finding {
    let name = "virtual machines";
    let help = "virtual machines are emulated, and slow; KVM needs nested virtualisation or bare metal";
    match windlass_hosts::qemu::kvm(&config.hosts.qemu) {
        Ok((true, why)) => Finding::fine(name, format!("QEMU with KVM: {why}")),
        Ok((false, why)) => Finding::missing(name, why, help),
        Err(problem) => Finding::missing(name, problem.message, problem.help.unwrap_or_default()),
    }
}

fn docker(config: &Config) -> Finding {
    match windlass_hosts::docker::examine(&config.hosts.docker) {
        Ok(found) => Finding::fine("docker", found),
        Err(problem) => Finding::missing(
            "docker",
            problem.message,
            "without it, nodes of labs can't be containers: install Docker (20.10 or newer) and start it",
        ),
    }
}

fn programs(config: &Config) -> Finding {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let declared = &config.hosts.exec.programs;
    let there = |name: &String| match name.starts_with('/') {
        true => Path::new(name).is_file(),
        false => folders.iter().any(|folder| Path::new(folder).join(name).is_file()),
    };
    let (found, missing): (Vec<&String>, Vec<&String>) = declared.iter().partition(|name| there(name));
    let list = |names: &[&String]| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match missing.is_empty() {
        true => Finding::fine("programs", list(&found)),
        false => Finding::missing(
            "programs",
            format!("not here: {}", list(&missing)),
            "install them, or take them out of `hosts.exec.programs`",
        ),
    }
}

fn postgres(config: &Config) -> Finding {
    let url = &config.database;
    if !url.starts_with("postgres") {
        return Finding::fine("database", "SQLite; no server is needed");
    }
    match windlass_engine::pending_migrations(url) {
        Ok(pending) if pending.is_empty() => {
            Finding::fine("database", "PostgreSQL answers, and has this program's schema")
        }
        Ok(pending) => {
            Finding::broken("database", format!("{} migrations are pending", pending.len()), "windlass migrate")
        }
        Err(problem) => Finding::broken("database", problem.message, "check `database` in windlass.toml"),
    }
}

fn workflows(config: &Config) -> Finding {
    let folder = &config.workflows;
    match folder.is_dir() {
        true => Finding::fine("workflows", folder.display().to_string()),
        false => Finding::missing(
            "workflows",
            format!("{} isn't there", folder.display()),
            "run in the project's folder, or name the folder with --workflows",
        ),
    }
}

fn data_folder(config: &Config) -> Finding {
    let name = "data folder";
    let path = &config.data;
    if !path.exists() {
        return Finding::fine(name, format!("{} will be made when it is needed", path.display()));
    }
    let folder = match DataFolder::open(path) {
        Ok(folder) => folder,
        Err(problem) => return Finding::broken(name, problem.message, problem.help.unwrap_or_default()),
    };
    let url = wiring::database_url(config, &folder);
    let Some(file) = wiring::database_file(&url) else {
        return Finding::fine(name, format!("{}; its runs are in PostgreSQL", path.display()));
    };
    if file.exists()
        && let Ok(pending) = windlass_engine::pending_migrations(&url)
        && !pending.is_empty()
    {
        return Finding::broken(name, format!("{} migrations are pending", pending.len()), "windlass migrate");
    }
    let lock_file = wiring::execution_lock(&url, &folder);
    match Lock::try_take(&lock_file) {
        Ok(Some(_)) => Finding::fine(name, format!("{}, nobody executes runs in it now", path.display())),
        Ok(None) => {
            let holder = lock::holder(&lock_file).map(|id| id.to_string()).unwrap_or_default();
            Finding::fine(name, format!("{}, process {holder} executes its runs", path.display()))
        }
        Err(problem) => Finding::broken(name, problem.message, problem.help.unwrap_or_default()),
    }
}

fn instance_id(environment: &BTreeMap<String, String>) -> Finding {
    match instance::serving(&instance::Places::default(), environment) {
        Ok(found) => match found.warning {
            Some(warning) => Finding::missing("instance id", warning, "write it to /etc/windlass/instance_id"),
            None => Finding::fine("instance id", format!("{} ({})", found.id, found.origin)),
        },
        Err(problem) => Finding::missing(
            "instance id",
            format!("{}; `windlass run` uses the data folder's own", problem.message),
            problem.help.unwrap_or_default(),
        ),
    }
}

fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or(0);
    // Built in 2025 or later: a clock before that was never set.
    if now < 1_735_689_600 {
        return Finding::broken(
            "clock",
            "the system's clock was never set",
            "start a time service (chrony, systemd-timesyncd)",
        );
    }
    Finding::fine("clock", crate::render::clock(i64::try_from(now * 1_000).unwrap_or(i64::MAX)))
}

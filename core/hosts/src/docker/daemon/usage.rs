//! What a container uses, read from its control groups: Docker itself tells nothing of containers without a network of its own.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{
    super::fault::{Fault, Kind},
    Daemon,
    netns::check_is_of,
};

const GROUPS: &str = "/sys/fs/cgroup";
const BETWEEN: Duration = Duration::from_secs(1);

impl Daemon {
    pub(super) async fn usage(&self, container: &str) -> Result<Value, Fault> {
        let client = self.client().await?;
        let (id, pid) = self.running(&client, container).await?;
        check_is_of(pid, &id)?;
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|error| gone(&error))?;
        let groups = Groups { groups: &groups, root: Path::new(GROUPS) };
        // Two looks, so that a share of the processors can be told.
        let (before, began) = (groups.cpu_ns()?, tokio::time::Instant::now());
        tokio::time::sleep(BETWEEN).await;
        let now = groups.cpu_ns()?;
        let cpus = now.saturating_sub(before) as f64 / began.elapsed().as_nanos().max(1) as f64;
        Ok(json!({
            "cpus": (cpus * 1_000.0).round() / 1_000.0, "cpu_ns": now,
            "memory_bytes": groups.number("memory", ["memory.usage_in_bytes", "memory.current"])?,
            "memory_limit_bytes": groups.number("memory", ["memory.limit_in_bytes", "memory.max"])?,
            "pids": groups.number("pids", ["pids.current", "pids.current"])?,
        }))
    }
}

/// A process's control groups: the text of `/proc/PID/cgroup`, and where the hierarchies are mounted.
struct Groups<'a> {
    groups: &'a str,
    root: &'a Path,
}

impl Groups<'_> {
    /// A file of the group that counts `controller`: what it is called in the first version, where each controller has a hierarchy of its
    /// own, and in the second.
    fn read(&self, controller: &str, [first, second]: [&str; 2]) -> Result<String, Fault> {
        let mut lines = self.groups.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?, parts.next()?.trim_start_matches('/')))
        });
        let own = lines.clone().find(|(names, _)| names.split(',').any(|name| name == controller));
        let file = match own {
            Some((_, group)) => self.root.join(controller).join(group).join(first),
            None => {
                let group = lines.find(|(names, _)| names.is_empty()).map_or("", |(_, group)| group);
                self.root.join(group).join(second)
            }
        };
        fs::read_to_string(&file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => gone(&error),
            _ => Fault::new(Kind::Failed, format!("{}: {error}", file.display())),
        })
    }

    fn number(&self, controller: &str, names: [&str; 2]) -> Result<u64, Fault> {
        let text = self.read(controller, names)?;
        // Without a limit there is none to tell.
        if text.trim() == "max" {
            return Ok(0);
        }
        text.trim()
            .parse()
            .map_err(|_| Fault::new(Kind::Failed, format!("{controller}: `{}` is no number", text.trim())))
    }

    fn cpu_ns(&self) -> Result<u64, Fault> {
        let text = self.read("cpuacct", ["cpuacct.usage", "cpu.stat"])?;
        let micros = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse::<u64>().ok());
        let nanos = micros.map(|micros| micros * 1_000).or_else(|| text.trim().parse().ok());
        nanos.ok_or_else(|| Fault::new(Kind::Failed, "the processor's time of the container can't be read"))
    }
}

fn gone(error: &std::io::Error) -> Fault {
    Fault::new(Kind::Conflict, format!("the container has just ended: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        put("cpuacct/docker/ab/cpuacct.usage", "1500\n");
        put("memory/docker/ab/memory.usage_in_bytes", "77\n");
        let groups = Groups { groups: "4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n0::/other\n", root };
        assert_eq!(groups.cpu_ns().unwrap(), 1_500);
        assert_eq!(groups.number("memory", ["memory.usage_in_bytes", "memory.current"]).unwrap(), 77);

        put("system.slice/docker-ab.scope/cpu.stat", "usage_usec 3\nuser_usec 1\n");
        put("system.slice/docker-ab.scope/memory.max", "max\n");
        put("system.slice/docker-ab.scope/pids.current", "x\n");
        let groups = Groups { groups: "0::/system.slice/docker-ab.scope\n", root };
        assert_eq!(groups.cpu_ns().unwrap(), 3_000);
        assert_eq!(groups.number("memory", ["", "memory.max"]).unwrap(), 0);
        assert_eq!(groups.number("memory", ["", "memory.current"]).unwrap_err().kind, Kind::Conflict, "it has ended");
        assert_eq!(groups.number("pids", ["", "pids.current"]).unwrap_err().kind, Kind::Failed);
    }
}

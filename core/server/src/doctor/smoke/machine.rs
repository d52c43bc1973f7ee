//! The inside: services, the database and its schema, the first admin, the machine's id.

use std::{collections::BTreeMap, path::Path, process::Command, time::SystemTime};

use serde_json::Value;

use super::{Check, Smoke};
use crate::instance::{self, Places};

const CURRENT: &str = "/usr/lib/windlass/current/windlass";

/// All of them.
pub fn checks(of: &Smoke) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(record) = &of.record {
        if record.is_database_here() {
            checks.push(Check::of("service postgresql", service("postgresql.service")));
        }
        checks.push(Check::of("service windlass", service("windlass.service")));
        checks.push(Check::of("service caddy", service("caddy.service")));
        checks.push(Check::of("program", program()));
    }
    checks.push(Check::of("schema", schema()));
    checks.push(Check::of("admin", admin()));
    checks.push(Check::of("instance id", instance_id()));
    checks
}

/// Enabled, so that it comes back with the machine, and active now.
fn service(name: &str) -> Result<String, String> {
    let ask = |verb: &str| -> Result<String, String> {
        let output = Command::new("systemctl").args([verb, name]).output();
        let output = output.map_err(|error| format!("systemctl can't be started: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (enabled, active) = (ask("is-enabled")?, ask("is-active")?);
    let told = format!("{enabled}, {active}");
    if enabled == "enabled" && active == "active" { Ok(told) } else { Err(told) }
}

/// Whether what runs is the version that is in use: a service that wasn't started anew runs the one before.
fn program() -> Result<String, String> {
    let output = Command::new("systemctl").args(["show", "--value", "--property=MainPID", "windlass.service"]).output();
    let output = output.map_err(|error| format!("systemctl can't be started: {error}"))?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let wanted = std::fs::canonicalize(CURRENT).map_err(|error| format!("{CURRENT}: {error}"))?;
    if id == "0" || id.is_empty() {
        return Err("no process".into());
    }
    match std::fs::read_link(format!("/proc/{id}/exe")) {
        Ok(running) if running == wanted => Ok(format!("process {id} runs {}", running.display())),
        Ok(running) => Err(format!("process {id} runs {}, not {}", running.display(), wanted.display())),
        // In a user namespace of its own it doesn't tell: then it has to be younger than the link.
        Err(_) => {
            let (process, link) = (changed(&format!("/proc/{id}"))?, changed("/usr/lib/windlass/current")?);
            match process >= link {
                true => Ok(format!("process {id} began after {} came into use", wanted.display())),
                false => Err(format!("process {id} is older than {}: `systemctl restart windlass`", wanted.display())),
            }
        }
    }
}

/// When a file, a link or a process came to be as it is.
fn changed(path: &str) -> Result<SystemTime, String> {
    let found = std::fs::symlink_metadata(path).and_then(|found| found.modified());
    found.map_err(|error| format!("{path}: {error}"))
}

/// The version in use, asked by its own command line: it alone knows its schema.
fn ask(words: &[&str]) -> Result<(bool, Value), String> {
    let mut command = match Path::new(CURRENT).exists() {
        true => {
            let mut command = Command::new(CURRENT);
            command.args(["--config", "/etc/windlass/windlass.toml"]);
            command
        }
        false => Command::new(std::env::current_exe().map_err(|error| error.to_string())?),
    };
    command.arg("--json").args(words).env_remove("WINDLASS_SERVER").env_remove("WINDLASS_TOKEN");
    let output = command.output().map_err(|error| format!("{CURRENT} can't be started: {error}"))?;
    if let Ok(value) = serde_json::from_slice(&output.stdout) {
        return Ok((output.status.success(), value));
    }
    let problem: Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
    let message = problem["error"]["message"].as_str().map(str::to_owned);
    Err(message.unwrap_or_else(|| String::from_utf8_lossy(&output.stderr).trim().chars().take(200).collect()))
}

fn schema() -> Result<String, String> {
    match ask(&["migrate", "--status"])? {
        (true, _) => Ok("the database answers, and its schema is this program's".into()),
        (false, told) => {
            let count = |key: &str| told[key].as_array().map_or(0, Vec::len);
            Err(format!("{} migrations are pending, {} are of a newer program", count("pending"), count("unknown")))
        }
    }
}

/// Somebody has to be able to come in.
fn admin() -> Result<String, String> {
    let (_, users) = ask(&["users", "ls"])?;
    let is_admin = |user: &&Value| {
        let bindings = user["bindings"].as_array().map_or(&[][..], Vec::as_slice);
        let all = |binding: &Value| {
            binding["role"] == "admin"
                && binding["organisation"] == "*"
                && matches!(binding["folder"].as_str(), None | Some("*"))
        };
        user["disabled"] != true && bindings.iter().any(all)
    };
    let names: Vec<&str> =
        users.as_array().into_iter().flatten().filter(is_admin).filter_map(|user| user["name"].as_str()).collect();
    if names.is_empty() {
        Err("nobody is an admin of the platform: `windlass seed`".into())
    } else {
        Ok(names.join(", "))
    }
}

fn instance_id() -> Result<String, String> {
    let environment: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_INSTANCE")).collect();
    let found = instance::serving(&Places::default(), &environment).map_err(|problem| problem.message)?;
    if let Some(warning) = found.warning {
        return Err(warning);
    }
    instance::require_local(Path::new(&found.origin)).map_err(|problem| problem.message)?;
    Ok(format!("{} ({})", found.id, found.origin))
}

//! `windlass doctor`: what this machine can do; with `--smoke`, whether the installation serves, after a restart, too.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_model::{Code, Problem, time::parse_duration_ms};

use crate::{
    context::Context,
    doctor::{self, smoke},
    exit::Exit,
};

/// What `--restart` starts anew.
const SERVICES: [&str; 3] = ["postgresql", "windlass", "caddy"];

/// Arguments.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Check whether the installation serves: services, database, API, page; exit code 1 if something doesn't
    #[arg(long)]
    smoke: bool,
    /// Where people reach it [default: what it was installed for, looked for on this machine]
    #[arg(long, value_name = "URL", requires = "smoke")]
    url: Option<String>,
    /// How long what isn't well gets to become so
    #[arg(long, value_name = "TIME", requires = "smoke", default_value = "10s")]
    wait: String,
    /// Check, start all services anew, and check again; takes root
    #[arg(long, requires = "smoke")]
    pub restart: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    if args.restart {
        return around_a_restart(args, context);
    }
    if args.smoke {
        let patience = parse_duration_ms(&args.wait).ok().and_then(|ms| u64::try_from(ms).ok());
        let patience =
            patience.ok_or_else(|| Problem::new(Code::Usage, format!("`--wait {}` isn't a duration", args.wait)))?;
        let smoke = smoke::Smoke::new(&context.loaded.config, args.url.as_deref())?;
        let checks = smoke.run(Duration::from_millis(patience.min(600_000)))?;
        let ok = checks.iter().all(|check| check.ok);
        context.print(&json!({ "ok": ok, "url": smoke.url, "checks": checks }), || smoke::table(&checks));
        return Ok(if ok { Exit::Success } else { Exit::Failure });
    }
    let findings = doctor::examine(&context.loaded.config, &context.environment);
    context.print(&findings, || doctor::report(&findings));
    Ok(Exit::Success)
}

/// The same checks before and after all services were started anew, as after the machine's start.
fn around_a_restart(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let look = |wait: &str| ask(args, context, wait);
    let before = look(&args.wait)?;
    for service in SERVICES {
        let known =
            Command::new("systemctl").args(["cat", service]).output().is_ok_and(|output| output.status.success());
        let restarted = known.then(|| Command::new("systemctl").args(["restart", service]).output());
        if let Some(outcome) = restarted {
            let output =
                outcome.map_err(|error| Problem::new(Code::System, format!("systemctl can't be started: {error}")))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(Problem::new(Code::CommandFailed, format!("{service} can't be restarted: {said}"))
                    .help("`--restart` takes root"));
            }
        }
    }
    let after = look("60s")?;
    let ok = before["ok"] == true && after["ok"] == true;
    context.print(&json!({ "ok": ok, "before": before, "after": after }), || {
        let part = |title: &str, told: &Value| format!("{title}\n{}", told_table(told));
        format!("{}\n\n{}", part("before the restart", &before), part("after it", &after))
    });
    Ok(if ok { Exit::Success } else { Exit::Failure })
}

/// A process of its own, which may become the service's user.
fn ask(args: &Args, context: &Context, wait: &str) -> Result<Value, Problem> {
    let program = std::env::current_exe().map_err(|error| Problem::new(Code::System, error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["--json", "doctor", "--smoke", "--wait", wait]).args(args.url.iter().flat_map(|url| ["--url", url]));
    if let Some(config) = &context.global.config {
        command.arg("--config").arg(config);
    }
    let output = command.output().map_err(|error| Problem::new(Code::System, error.to_string()))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Problem::new(Code::CommandFailed, format!("the checks can't be made: {said}"))
    })
}

/// A table of what another process has told.
pub fn told_table(told: &Value) -> String {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let mark = |check: &Value| if check["ok"] == true { "✓" } else { "✗" }.to_owned();
    let checks = told["checks"].as_array().into_iter().flatten();
    let rows = checks.map(|check| vec![mark(check), text(check, "name"), text(check, "found")]);
    crate::render::table(&["", "check", "found"], rows.collect())
}

//! What happens inside a node: programs, its log, its files, what it uses.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind, Op, Param, Undo};

use super::{
    super::{
        backend::{Exec, Finished},
        create::started_badly,
        inside::{ARCHIVE_BYTES, File, archive, check_path, only_file},
        lab::{Lab, Machine},
        spec::scalar,
    },
    Draft, LAB, NAME, changing, reading,
};
use crate::support::{duration, invalid, options, text};

const OUTPUT_BYTES: usize = 1 << 20;
const STDIN_BYTES: usize = 1 << 20;
const ARGUMENTS: usize = 1_000;
const EXEC_TIMEOUT: Duration = Duration::from_secs(60);
const EXEC_LONGEST_MS: u64 = 3_600_000;
const LINES: u32 = 10_000;
const EVENTS: &[&str] = &[
    "start",
    "die",
    "stop",
    "kill",
    "oom",
    "restart",
    "pause",
    "unpause",
    "health_status",
    "health_status:healthy",
    "health_status:unhealthy",
];

const ARGV: Param =
    Param::required("argv", Kind::Array, "The program, then its arguments. There is no shell in between.");
const EXEC_OPTIONS: Param = Param::optional(
    "options",
    Kind::Map,
    "`stdin` (text or a secret), `timeout` (a duration, 60 s by default, at most 1 h), `ok_codes` (exit codes that are no failure, \
     `[0]` by default), `cwd`, `env` (a map; values are text, numbers or secrets), `user`, `output_bytes` (most that is kept of each \
     of stdout and stderr, 1 MiB by default and at most).",
);
const PATH: Param = Param::required("path", Kind::String, "Inside the node, whole: `/etc/frr/frr.conf`.");
const EXEC_SHAPE: &str = "#{ code: int, stdout: string, stderr: string, truncated: bool }";

macro_rules! example {
    ($text:literal) => {
        concat!("docker::create_node(\"demo\", #{ name: \"r1\", image: \"frr:9.1\" });\n", $text)
    };
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExecOptions {
    stdin: Option<Value>,
    timeout: Option<Value>,
    ok_codes: Option<Vec<i64>>,
    cwd: Option<String>,
    env: BTreeMap<String, Value>,
    user: Option<String>,
    output_bytes: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogOptions {
    tail: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CopyOptions {
    mode: Option<Value>,
}

pub fn ops(machine: &Arc<Machine>) -> Vec<Op> {
    let own = || Undo::None("what a program does is its own: register the way back with `on_rollback`");
    let mut programs = vec![
        changing(
            machine,
            Draft {
                name: "exec",
                doc: "Runs a program inside a node whose effect must not happen twice. After a crash in the middle the step is in \
                      doubt, and an operator decides.\n\n`command_failed` holds the exit code and the last lines of stderr. \
                      `step_timeout`: it took longer than `timeout` and was killed, with what it had started.",
                params: const { &[LAB, NAME, ARGV, EXEC_OPTIONS] },
                returns: EXEC_SHAPE,
                example: example!(
                    "docker::exec(\"demo\", \"r1\", [\"vtysh\", \"-c\", \"write memory\"], #{ timeout: \"20s\" }).code"
                ),
            },
            EffectClass::AtMostOnce,
            own(),
            |lab, args| Box::pin(exec(lab, args)),
        ),
        changing(
            machine,
            Draft {
                name: "probe",
                doc: "Runs a program inside a node that only looks (ping, cat): it is simply run again after a crash. As `exec` \
                      otherwise.",
                params: const { &[LAB, NAME, ARGV, EXEC_OPTIONS] },
                returns: EXEC_SHAPE,
                example: example!(
                    "docker::probe(\"demo\", \"r1\", [\"ping\", \"-c1\", \"10.0.0.2\"], #{ ok_codes: [0, 1] }).code == 0"
                ),
            },
            EffectClass::Read,
            Undo::None("it changes nothing"),
            |lab, args| Box::pin(exec(lab, args)),
        ),
    ];
    programs.iter_mut().for_each(|op| op.timeout_ms = EXEC_LONGEST_MS);
    programs.extend(files(machine));
    programs.extend(looking(machine));
    programs
}

fn files(machine: &Arc<Machine>) -> Vec<Op> {
    vec![
        changing(
            machine,
            Draft {
                name: "copy_in",
                doc: "Writes a file inside a node, with the folders that it is in; the node needn't run. At most 8 MiB.",
                params: const {
                    &[
                        LAB,
                        NAME,
                        PATH,
                        Param::required("content", Kind::Secret, "Text, or a secret."),
                        Param::optional("options", Kind::Map, "`mode` (octal digits, `\"0644\"` by default)."),
                    ]
                },
                returns: "()",
                example: example!(
                    "docker::copy_in(\"demo\", \"r1\", \"/etc/frr/frr.conf\", \"hostname r1\\n\", #{ mode: \"0640\" });"
                ),
            },
            EffectClass::Idempotent,
            Undo::None("what was there before isn't kept: read it first with docker::copy_out"),
            |lab, args| Box::pin(copy_in(lab, args)),
        ),
        reading(
            machine,
            Draft {
                name: "copy_out",
                doc: "Reads a file of a node; the node needn't run. At most 8 MiB of text. `not_found`: there is no such file.",
                params: const { &[LAB, NAME, PATH] },
                returns: "#{ content: string, mode: string }",
                example: example!(
                    "docker::copy_in(\"demo\", \"r1\", \"/etc/motd\", \"hello\"); docker::copy_out(\"demo\", \"r1\", \"/etc/motd\").content"
                ),
            },
            |lab, args| Box::pin(copy_out(lab, args)),
        ),
    ]
}

fn looking(machine: &Arc<Machine>) -> Vec<Op> {
    let mut wait = reading(
        machine,
        Draft {
            name: "wait_event",
            doc: "Waits for the next event of a node: `start`, `die`, `stop`, `kill`, `oom`, `restart`, `pause`, `unpause`, \
                  `health_status`, `health_status:healthy`, `health_status:unhealthy`. `wait_timeout`: there was none in time.",
            params: const {
                &[
                    LAB,
                    NAME,
                    Param::required("event", Kind::String, "Which: `die`."),
                    Param::required("timeout", Kind::Duration, "Longest wait: `\"1m\"`."),
                ]
            },
            returns: "#{ event: string, time: int, exit_code: int }",
            example: example!("try { docker::wait_event(\"demo\", \"r1\", \"die\", 50) } catch (e) { e.code }"),
        },
        |lab, args| Box::pin(wait_event(lab, args)),
    );
    wait.timeout_ms = EXEC_LONGEST_MS;
    vec![
        reading(
            machine,
            Draft {
                name: "logs",
                doc: "What a node has written to stdout and stderr: its last lines, at most 1 MiB of them.",
                params: const {
                    &[
                        LAB,
                        NAME,
                        Param::optional("options", Kind::Map, "`tail` (lines, 200 by default, at most 10,000)."),
                    ]
                },
                returns: "string",
                example: example!("docker::logs(\"demo\", \"r1\", #{ tail: 20 })"),
            },
            |lab, args| {
                Box::pin(async move {
                    let wanted: LogOptions = options(args, "options")?;
                    let node = lab.container(args.str("name")).await?;
                    let lines = lab.backend().logs(&node.id, wanted.tail.unwrap_or(200).min(LINES), OUTPUT_BYTES).await;
                    let lines =
                        lines.map_err(|fault| fault.problem(format!("the log of the node {}", args.str("name"))))?;
                    Ok(text(&lines, OUTPUT_BYTES).0.into())
                })
            },
        ),
        reading(
            machine,
            Draft {
                name: "stats",
                doc: "What a running node uses now, measured over a second. `cpus` is how many processors it keeps busy.",
                params: const { &[LAB, NAME] },
                returns: "#{ cpus: float, cpu_ns: int, memory_bytes: int, memory_limit_bytes: int, pids: int }",
                example: example!("docker::stats(\"demo\", \"r1\").memory_bytes"),
            },
            |lab, args| {
                Box::pin(async move {
                    let node = lab.container(args.str("name")).await?;
                    let stats = lab.backend().stats(&node.id).await;
                    stats.map_err(|fault| fault.problem(format!("what the node {} uses", args.str("name"))))
                })
            },
        ),
        wait,
    ]
}

async fn exec(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let argv = argv(args.get("argv"))?;
    let wanted: ExecOptions = options(args, "options")?;
    let (name, program) = (args.str("name"), argv[0].clone());
    let destination = format!("docker:{name}");
    let mut exec = Exec { argv, cwd: wanted.cwd, user: wanted.user, ..Exec::default() };
    for (name, value) in &wanted.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(format!("`{name}` can't be set in an environment")));
        }
        let value = match value {
            Value::Object(_) => lab.cx.reveal(value, &destination)?,
            value => scalar(name, value)?.into(),
        };
        exec.env.push(format!("{name}={}", value.as_str()).into());
    }
    if let Some(stdin) = wanted.stdin.filter(|stdin| !stdin.is_null()) {
        let stdin = lab.cx.reveal(&stdin, &destination)?;
        if stdin.len() > STDIN_BYTES {
            return Err(Problem::new(Code::LimitExceeded, "`stdin` is longer than 1 MiB").no_effect());
        }
        exec.stdin = Some(stdin);
    }
    exec.timeout =
        wanted.timeout.map_or(Ok(EXEC_TIMEOUT), |timeout| duration(&timeout, "timeout"))?.min(lab.cx.timeout());
    exec.output_bytes = wanted.output_bytes.unwrap_or(OUTPUT_BYTES).min(OUTPUT_BYTES);
    let node = lab.container(name).await?;
    if node.state != "running" {
        return Err(Problem::new(Code::Conflict, format!("the node {name} doesn't run: nothing can be run in it"))
            .help("start it with docker::start_node")
            .no_effect());
    }
    let what = format!("`{program}` in the node {name}");
    let finished = lab.backend().exec(&node.id, &exec).await.map_err(|fault| {
        // It may have begun: whether it is tried again is for the op's class to say.
        let mut problem = started_badly(&fault, &what);
        problem.no_effect = false;
        problem
    })?;
    match finished {
        None => {
            let message = format!("{what} took longer than {} ms and was killed", exec.timeout.as_millis());
            Err(Problem::new(Code::StepTimeout, message)
                .help("give it more time with `timeout`, or find out what it waits for"))
        }
        Some(finished) if wanted.ok_codes.unwrap_or_else(|| vec![0]).contains(&finished.code) => {
            Ok(shown(&finished, exec.output_bytes))
        }
        Some(finished) => Err(failed(&what, &finished)),
    }
}

fn shown(finished: &Finished, limit: usize) -> Value {
    let ((stdout, cut_out), (stderr, cut_err)) = (text(&finished.stdout, limit), text(&finished.stderr, limit));
    json!({ "code": finished.code, "stdout": stdout, "stderr": stderr, "truncated": finished.cut || cut_out || cut_err })
}

fn failed(what: &str, finished: &Finished) -> Problem {
    let from = if finished.stderr.is_empty() { &finished.stdout } else { &finished.stderr };
    let said = String::from_utf8_lossy(from);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(5)..].join("\n");
    let tail = if last.is_empty() { String::new() } else { format!(": {last}") };
    Problem::new(Code::CommandFailed, format!("{what} ended with code {}{tail}", finished.code))
        .data(json!({ "code": finished.code, "stderr": last }))
        .help("name other exit codes that are fine in `ok_codes`")
}

fn argv(value: &Value) -> Result<Vec<String>, Problem> {
    let items = value
        .as_array()
        .filter(|items| !items.is_empty() && items.len() <= ARGUMENTS)
        .ok_or_else(|| invalid("`argv` has to be an array of 1 to 1,000 strings, the program's name first"))?;
    items
        .iter()
        .map(|item| match item {
            Value::String(text) if text.contains('\0') => Err(invalid("an argument holds a NUL character")),
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Object(map) if map.contains_key("$secret") => Err(Problem::new(
                Code::SecretMisuse,
                "a secret can't be an argument of a program: everybody in the node and on the machine can read arguments",
            )
            .help("hand it over in `stdin` or in `env`")
            .no_effect()),
            _ => Err(invalid("every item of `argv` has to be a string or a number")),
        })
        .collect()
}

async fn copy_in(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let (name, path) = (args.str("name"), args.str("path"));
    let wanted: CopyOptions = options(args, "options")?;
    check_path(path)?;
    let content = lab.cx.reveal(args.get("content"), &format!("docker:{name}"))?;
    let packed = archive(&[File::new(path, content, wanted.mode.as_ref())?])?;
    let node = lab.container(name).await?;
    let answer = lab.backend().put(&node.id, "/", packed).await;
    answer.map_err(|fault| fault.problem(format!("{path} in the node {name}")))?;
    Ok(Value::Null)
}

async fn copy_out(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let (name, path) = (args.str("name"), args.str("path"));
    check_path(path)?;
    let node = lab.container(name).await?;
    let packed = lab.backend().get(&node.id, path, ARCHIVE_BYTES).await;
    let packed = packed.map_err(|fault| fault.problem(format!("{path} in the node {name}")))?;
    let (content, mode) = only_file(&packed, path)?;
    Ok(json!({ "content": content, "mode": format!("{mode:04o}") }))
}

async fn wait_event(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let (name, event) = (args.str("name"), args.str("event"));
    let timeout = duration(args.get("timeout"), "timeout")?;
    if !EVENTS.contains(&event) {
        return Err(
            invalid(format!("`{event}` isn't an event of a node")).help(format!("events are {}", EVENTS.join(", ")))
        );
    }
    let node = lab.container(name).await?;
    match tokio::time::timeout(timeout, lab.backend().event(&node.id, &[event], None)).await {
        Ok(answer) => answer.map_err(|fault| fault.problem(format!("waiting for an event of the node {name}"))),
        Err(_) => {
            let message = format!("the node {name} had no event `{event}` within {} ms", timeout.as_millis());
            Err(Problem::new(Code::WaitTimeout, message).data(json!({ "event": event })))
        }
    }
}

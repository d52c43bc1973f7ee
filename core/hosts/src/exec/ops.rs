//! What scripts see of `exec`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::backend::{Finished, OUTPUT_BYTES, Programs, Start};
use crate::{lab_space::Owners, support};

const DEFAULT_TIMEOUT_MS: u64 = 60_000;
const LONGEST_TIMEOUT_MS: u64 = 3_600_000;
const STDIN_BYTES: usize = 1 << 20;
const ARGUMENTS: usize = 1_000;

const PARAMS: &[Param] = &[
    Param::required(
        "argv",
        Kind::Array,
        "The program's declared name, then its arguments: `[\"ping\", \"-c\", \"1\", \"10.0.0.1\"]`.",
    ),
    Param::optional(
        "opts",
        Kind::Map,
        "`namespace` (name of a network namespace to run in: as a user of the organisation, with the machine's files read-only; only \
         organisations that are trusted rule its network), `stdin` (text or a secret), \
         `timeout` (a duration, 60 s by default, at most 1 h), `ok_codes` (exit codes that are no failure, `[0]` by default), `any_code` (true: none is), `cwd` (a declared folder \
         or one inside it), `env` (declared variables; values are text or secrets), `output_bytes` (most that is kept of \
         each of stdout and stderr, 1 MiB by default and at most).",
    ),
];

const RETURNS: &str = "#{ code: int, stdout: string, stderr: string, truncated: bool }";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    namespace: Option<String>,
    stdin: Option<Value>,
    timeout: Option<Value>,
    ok_codes: Option<Vec<i32>>,
    any_code: bool,
    cwd: Option<PathBuf>,
    env: BTreeMap<String, Value>,
    output_bytes: Option<usize>,
}

/// What calls need.
struct Means {
    programs: Programs,
    owners: Arc<dyn Owners>,
}

pub(super) fn module(programs: Programs, owners: Arc<dyn Owners>) -> HostModule {
    let means = Arc::new(Means { programs, owners });
    HostModule {
        name: "exec",
        doc: "Runs programs that the configuration declares, with an argument list and never through a shell. The \
              environment is empty but for PATH, LANG and what the call sets; a program never outlives its step.",
        ops: vec![
            op(
                &means,
                "run",
                EffectClass::AtMostOnce,
                "Runs a program whose effect must not happen twice. After a crash in the middle the step is in doubt, \
                 and an operator decides.\n\nA failure (`command_failed`) holds the exit code and the last lines of \
                 stderr; a program that was killed by a signal has code 128 + signal. `step_timeout`: it took longer \
                 than `timeout` and was killed with everything it had started.",
                r#"exec::run(["systemctl", "restart", "nginx"], #{ timeout: "20s" })"#,
            ),
            op(
                &means,
                "probe",
                EffectClass::Read,
                "Runs a program that only looks (ping, dig, cat): it is simply run again after a crash. Errors as for \
                 `exec::run`.",
                r#"exec::probe(["ping", "-c", "1", "-W", "1", "10.0.0.2"], #{ namespace: "left", ok_codes: [0, 1] }).code == 0"#,
            ),
            op(
                &means,
                "apply",
                EffectClass::Idempotent,
                "Runs a program for which twice is the same as once (`ip route replace`, `systemctl start`): it is run \
                 again after a crash. Errors as for `exec::run`.",
                r#"exec::apply(["ip", "route", "replace", "10.9.0.0/24", "via", "10.0.0.1"])"#,
            ),
        ],
    }
}

fn op(means: &Arc<Means>, name: &'static str, class: EffectClass, doc: &'static str, example: &'static str) -> Op {
    let means = means.clone();
    Op {
        name,
        doc,
        params: PARAMS,
        returns: RETURNS,
        permission: Permission::Needs { verb: "exec.run", scope: program_of, words: "run the program" },
        class,
        undo: Undo::None("what a program does is its own: register the way back with `on_rollback`"),
        resources: no_resources,
        timeout_ms: LONGEST_TIMEOUT_MS,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Assume(|_| json!({ "code": 0, "stdout": "", "stderr": "", "truncated": false })),
        example,
        run: Box::new(move |cx, args| perform(&means, cx, args)),
        lookup: None,
    }
}

fn program_of(args: &Args) -> Vec<String> {
    vec![args.get("argv")[0].as_str().unwrap_or_default().to_owned()]
}

fn perform(means: &Means, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let argv = argv(args.get("argv"))?;
    let options: Options = support::options(args, "opts")?;
    let output_bytes = options.output_bytes.unwrap_or(OUTPUT_BYTES).min(OUTPUT_BYTES);
    let ok_codes = options.ok_codes.clone().unwrap_or_else(|| vec![0]);
    let any_code = options.any_code;
    let start = start(means, cx, argv, options)?;
    let limit = start.timeout;
    let program = start.name.clone();
    let finished = cx.block_on(start.run(output_bytes))?;
    match finished {
        None => Err(Problem::new(
            Code::StepTimeout,
            format!("`{program}` took longer than {} ms and was killed", limit.as_millis()),
        )
        .help("give it more time with `timeout`, or find out what it waits for")),
        Some(finished) if any_code || ok_codes.contains(&finished.code) => Ok(finished.value(output_bytes)),
        Some(finished) => Err(failed(&program, &finished)),
    }
}

/// Everything about the call that can be refused is refused here, before anything has happened.
fn start(means: &Means, cx: &OpCx, argv: Vec<String>, options: Options) -> Result<Start, Problem> {
    let programs = &means.programs;
    let mut start = programs.start(argv)?;
    let destination = format!("exec:{}", start.name);
    for (name, value) in options.env {
        let value = cx.reveal(&value, &destination)?;
        start.set_env(programs, &name, &value)?;
    }
    if let Some(stdin) = options.stdin.filter(|stdin| !stdin.is_null()) {
        let stdin = cx.reveal(&stdin, &destination)?;
        if stdin.len() > STDIN_BYTES {
            return Err(Problem::new(Code::LimitExceeded, "`stdin` is longer than 1 MiB").no_effect());
        }
        start.stdin = Some(stdin);
    }
    if let Some(namespace) = &options.namespace {
        start.enter(programs, namespace, || means.owners.check(cx, namespace))?;
    }
    if let Some(cwd) = &options.cwd {
        start.stand_in(programs, cwd)?;
    }
    start.timeout = match &options.timeout {
        Some(timeout) => support::duration(timeout, "timeout")?,
        None => std::time::Duration::from_millis(DEFAULT_TIMEOUT_MS),
    }
    .min(cx.timeout());
    Ok(start)
}

fn argv(value: &Value) -> Result<Vec<String>, Problem> {
    let items = value
        .as_array()
        .filter(|items| !items.is_empty() && items.len() <= ARGUMENTS)
        .ok_or_else(|| support::invalid("`argv` has to be an array of 1 to 1,000 strings, the program's name first"))?;
    items
        .iter()
        .map(|item| match item {
            Value::String(text) if text.contains('\0') => Err(support::invalid("an argument holds a NUL character")),
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Object(map) if map.contains_key("$secret") => Err(Problem::new(
                Code::SecretMisuse,
                "a secret can't be an argument of a program: every user of the machine can read arguments",
            )
            .help("hand it over in `stdin` or in `env`")
            .no_effect()),
            _ => Err(support::invalid("every item of `argv` has to be a string or a number")),
        })
        .collect()
}

fn failed(program: &str, finished: &Finished) -> Problem {
    let last = finished.last_lines();
    let said = if last.is_empty() { String::new() } else { format!(": {last}") };
    Problem::new(Code::CommandFailed, format!("`{program}` ended with code {}{said}", finished.code))
        .data(json!({ "code": finished.code, "stderr": last }))
        .help("name other exit codes that are fine in `ok_codes`")
}

//! Lays the sources over one another, remembers where each value comes from, and checks the result.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem, time::parse_duration_ms};

use super::{defaults, file, keys::OPEN, settings::Config};

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--workflows`
    pub workflows: Option<PathBuf>,
    /// The machine's configuration, if the program is installed there: where neither a flag nor a folder names one.
    pub installed: Option<PathBuf>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the file.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The configuration in effect.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its values; paths are absolute.
    pub config: Config,
    /// The same as JSON, for showing.
    pub values: Value,
    /// Where each key's value comes from; keys that aren't here have their default.
    pub origins: BTreeMap<String, Origin>,
    /// Variables that look like ours and aren't.
    pub unknown_variables: Vec<String>,
}

/// Variables that begin with `WINDLASS_` and aren't settings.
const OTHER_VARIABLES: &[&str] = &[
    "WINDLASS_CONFIG",
    "WINDLASS_SERVER",
    "WINDLASS_TOKEN",
    "WINDLASS_INSTANCE_ID",
    "WINDLASS_INSTANCE_ID_OVERRIDE_OK",
    "WINDLASS_BIN",
    "WINDLASS_SKIPS",
    "WINDLASS_TEST_POSTGRES",
    "WINDLASS_FAILPOINT",
    "WINDLASS_FAILPOINTS",
];

/// Loads the configuration for a process that was started in `here`.
pub fn load(flags: &Flags, environment: &BTreeMap<String, String>, here: &Path) -> Result<Loaded, Problem> {
    let path = match &flags.config {
        Some(path) => Some(here.join(path)),
        None => above(here, |folder| folder.join("windlass.toml").is_file())
            .map(|folder| folder.join("windlass.toml"))
            .or_else(|| flags.installed.clone()),
    };
    let mut values = json!(Config::default());
    let mut origins = BTreeMap::new();
    if let Some(path) = &path {
        let file = file::read(path)?;
        lay_over(&mut values, file.values, "");
        let origin = |(key, line)| (key, Origin::File(path.clone(), line));
        origins.extend(file.lines.into_iter().map(origin));
    }
    let unknown_variables = read_environment(&mut values, &mut origins, environment)?;
    for (name, flag, value) in [("data", "--data", &flags.data), ("workflows", "--workflows", &flags.workflows)] {
        if let Some(value) = value {
            // A flag is relative to where it was typed.
            values[name] = json!(here.join(value));
            origins.insert(name.to_owned(), Origin::Flag(flag));
        }
    }
    let root = match &path {
        Some(path) => path.parent().unwrap_or(here).to_owned(),
        None => above(here, |folder| folder.join("workflows").is_dir()).unwrap_or_else(|| here.to_owned()),
    };
    for name in ["data", "workflows", "plugins"] {
        values[name] = json!(root.join(values[name].as_str().unwrap_or_default()));
    }
    let mut config: Config = serde_json::from_value(values)
        .map_err(|error| Problem::new(Code::Configuration, format!("the configuration can't be used: {error}")))?;
    defaults::fit_to_machine(&mut config, |key| !origins.contains_key(key));
    let loaded = Loaded { values: json!(config), config, origins, unknown_variables };
    check(&loaded)?;
    Ok(loaded)
}

fn above(here: &Path, fits: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    here.ancestors().find(|folder| fits(folder)).map(Path::to_owned)
}

/// Tables go key by key; everything else, and tables whose keys are the user's own, is replaced.
fn lay_over(below: &mut Value, above: Value, key: &str) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) if !OPEN.contains(&key) => {
            for (name, value) in above {
                let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                lay_over(below.entry(name).or_insert(Value::Null), value, &inner);
            }
        }
        (below, above) => *below = above,
    }
}

/// Every key with its value, tables opened.
pub(super) fn leaves(values: &Value) -> Vec<(String, &Value)> {
    fn collect<'a>(value: &'a Value, key: String, found: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) if !OPEN.contains(&key.as_str()) => {
                for (name, inner) in map {
                    let inner_key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    collect(inner, inner_key, found);
                }
            }
            other => found.push((key, other)),
        }
    }
    let mut found = Vec::new();
    collect(values, String::new(), &mut found);
    found
}

/// The environment variable of a key: `engine.workers` is `WINDLASS_ENGINE_WORKERS`.
pub(super) fn variable(key: &str) -> String {
    format!("WINDLASS_{}", key.replace(['.', '-'], "_").to_uppercase())
}

fn read_environment(
    values: &mut Value,
    origins: &mut BTreeMap<String, Origin>,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<String>, Problem> {
    let known: BTreeMap<String, (String, Value)> =
        leaves(values).into_iter().map(|(key, value)| (variable(&key), (key, value.clone()))).collect();
    let mut unknown = Vec::new();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        if OTHER_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let Some((key, present)) = known.get(name) else {
            unknown.push(name.clone());
            continue;
        };
        let value = typed(text, present).map_err(|expected| {
            Problem::new(Code::Configuration, format!("the environment variable {name} (`{key}`) has to be {expected}"))
                .data(json!({ "variable": name, "key": key }))
        })?;
        let pointer = format!("/{}", key.replace('.', "/"));
        let mut changed = values.clone();
        if let Some(place) = changed.pointer_mut(&pointer) {
            *place = value;
        }
        if let Err(error) = serde_json::from_value::<Config>(changed.clone()) {
            let message = format!("the environment variable {name} (`{key}`): {error}");
            return Err(Problem::new(Code::Configuration, message).data(json!({ "variable": name, "key": key })));
        }
        *values = changed;
        origins.insert(key.clone(), Origin::Environment(name.clone()));
    }
    Ok(unknown)
}

/// The text read as the kind of value that stands there now.
fn typed(text: &str, present: &Value) -> Result<Value, &'static str> {
    match present {
        Value::String(_) => Ok(text.into()),
        Value::Bool(_) => text.parse::<bool>().map(Value::from).map_err(|_| "true or false"),
        Value::Number(number) if number.is_f64() => text.parse::<f64>().map(Value::from).map_err(|_| "a number"),
        Value::Number(_) => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
        Value::Array(_) if !text.trim_start().starts_with('[') => {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
        }
        Value::Null => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        Value::Array(_) => serde_json::from_str(text).map_err(|_| "a list: a,b or [\"a\",\"b\"]"),
        Value::Object(_) => serde_json::from_str(text).map_err(|_| "a JSON object"),
    }
}

/// What no single type says: ranges, durations, patterns.
fn check(loaded: &Loaded) -> Result<(), Problem> {
    let (config, engine) = (&loaded.config, &loaded.config.engine);
    let at_least = |value: u64, least: u64| (value < least).then(|| format!("{value} is less than {least}"));
    let mut faults: Vec<(String, Option<String>)> = vec![
        ("engine.workers".into(), at_least(engine.workers as u64, 1)),
        ("engine.workers".into(), (engine.workers > 100_000).then(|| "more than 100000".into())),
        ("engine.lease_ms".into(), at_least(engine.lease_ms.try_into().unwrap_or(0), 1_000)),
        ("engine.poll_ms".into(), at_least(engine.poll_ms, 1)),
        ("engine.stack_bytes".into(), at_least(engine.stack_bytes as u64, 1 << 20)),
        ("engine.retention".into(), parse_duration_ms(&engine.retention).err().map(|error| error.to_string())),
        (
            "server.listen".into(),
            config
                .server
                .listen
                .parse::<std::net::SocketAddr>()
                .err()
                .map(|_| "isn't an address with a port: `127.0.0.1:7070`".into()),
        ),
        ("server.connections".into(), at_least(config.server.connections as u64, 1)),
        ("server.concurrency".into(), at_least(config.server.concurrency as u64, 1)),
        ("server.head_bytes".into(), at_least(config.server.head_bytes as u64, 8_192)),
        ("server.bodies_bytes".into(), at_least(config.server.bodies_bytes as u64, config.server.body_bytes as u64)),
        ("server.head_timeout_ms".into(), at_least(config.server.head_timeout_ms, 100)),
        ("server.request_timeout_ms".into(), at_least(config.server.request_timeout_ms, 100)),
        ("server.streams".into(), at_least(config.server.streams as u64, 1)),
        ("server.streams_each".into(), at_least(config.server.streams_each as u64, 1)),
        ("server.heartbeat_ms".into(), at_least(config.server.heartbeat_ms, 100)),
        ("server.recheck_ms".into(), at_least(config.server.recheck_ms, 100)),
        ("server.stall_ms".into(), at_least(config.server.stall_ms, 100)),
        ("auth.session_idle".into(), parse_duration_ms(&config.auth.session_idle).err().map(|error| error.to_string())),
        ("auth.session_max".into(), parse_duration_ms(&config.auth.session_max).err().map(|error| error.to_string())),
        ("labs.discovery_every".into(), bad_cadence(&config.labs.discovery_every)),
        ("labs.consoles".into(), at_least(config.labs.consoles as u64, 1)),
        ("labs.consoles_each".into(), at_least(config.labs.consoles_each as u64, 1)),
        ("labs.consoles_node".into(), at_least(config.labs.consoles_node as u64, 1)),
        ("labs.record_bytes".into(), at_least(config.labs.record_bytes, 4_096)),
        ("labs.recordings_bytes".into(), at_least(config.labs.recordings_bytes, config.labs.record_bytes)),
        (
            "labs.record_length".into(),
            parse_duration_ms(&config.labs.record_length).err().map(|error| error.to_string()),
        ),
        ("labs.console_idle".into(), parse_duration_ms(&config.labs.console_idle).err().map(|error| error.to_string())),
        ("log.level".into(), bad_level(&config.log.level)),
        ("database".into(), bad_database(&config.database)),
    ];
    for (pattern, grants) in &config.policy {
        for grant in grants.iter().filter(|grant| !windlass_script::permission::is_well_formed(grant)) {
            let fault = format!("`{grant}` isn't a grant (example: `net.write:lab`)");
            faults.push((format!("policy.{pattern}"), Some(fault)));
        }
    }
    let server = &config.server;
    let lists = [("server.trusted_proxies", &server.trusted_proxies), ("server.metrics_from", &server.metrics_from)];
    for (key, list) in lists {
        for network in list.iter().filter(|network| network.parse::<ipnet::IpNet>().is_err()) {
            faults.push((key.into(), Some(format!("`{network}` isn't a network (example: `10.0.0.0/8`)"))));
        }
    }
    if config.server.tls_cert.is_empty() != config.server.tls_key.is_empty() {
        faults.push(("server.tls_cert".into(), Some("`server.tls_cert` and `server.tls_key` belong together".into())));
    }
    for (name, entry) in &config.secrets {
        if let Err(problem) = crate::vault::check_name(name) {
            faults.push((format!("secrets.{name}"), Some(problem.message)));
        }
        let known = entry.from.strip_prefix("env:").or_else(|| entry.from.strip_prefix("file:"));
        if known.is_none_or(str::is_empty) {
            let fault = "`from` has to be `env:NAME` or `file:/path`; values don't belong into this file";
            faults.push((format!("secrets.{name}"), Some(fault.into())));
        }
    }
    match faults.into_iter().find_map(|(key, fault)| fault.map(|fault| (key, fault))) {
        None => Ok(()),
        Some((key, fault)) => Err(wrong_value(loaded, &key, &fault)),
    }
}

fn wrong_value(loaded: &Loaded, key: &str, fault: &str) -> Problem {
    let origin = loaded.origins.get(key).cloned().unwrap_or(Origin::Default);
    let problem = Problem::new(Code::Configuration, format!("{origin}: `{key}`: {fault}"))
        .help("`windlass config show --docs` lists every key with its meaning");
    match origin {
        Origin::File(path, line) => problem.data(json!({ "file": path, "line": line, "key": key })),
        _ => problem.data(json!({ "key": key })),
    }
}

/// How often labs are looked at: so often that it costs nothing, and so that nothing stays unseen for long.
fn bad_cadence(text: &str) -> Option<String> {
    match parse_duration_ms(text) {
        Ok(5_000..=300_000) => None,
        Ok(_) => Some("has to be from `5s` to `300s`".into()),
        Err(error) => Some(error.to_string()),
    }
}

fn bad_level(level: &str) -> Option<String> {
    tracing_subscriber::EnvFilter::try_new(level).err().map(|error| error.to_string())
}

fn bad_database(url: &str) -> Option<String> {
    let known =
        url.is_empty() || ["sqlite:", "postgres://", "postgresql://"].iter().any(|start| url.starts_with(start));
    (!known).then(|| "has to begin with `sqlite:` or `postgres://`".to_owned())
}

//! `plugin.toml`: what a plugin is, what it can do, what it may reach, and what it needs to be told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_model::{CallSite, Code, Problem};

use super::Refusal;

/// The contract that this program knows.
pub const API: u32 = 1;
/// Methods that a plugin may use.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Kinds of plugins, and what those of a kind can do. Each is a function of `main.rhai` with one parameter.
pub const KINDS: &[(&str, &[&str])] =
    &[("registrars", &["validate", "list_domains", "get_nameservers", "set_nameservers", "glue", "ds"])];

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name of its folder.
    pub id: String,
    /// Its author's number for it: `1.2.0`.
    pub version: String,
    /// The contract that it was written for.
    pub api: u32,
    /// Who wrote it.
    pub author: String,
    /// One line.
    #[serde(default)]
    pub title: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The kinds of refusal that its provider lets it tell apart; each has a recorded exchange.
    #[serde(default)]
    pub refusals: Vec<String>,
    /// What whoever uses it should know: a sentence for the table of registrars.
    #[serde(default)]
    pub notes: String,
    /// What whoever uses it fills in.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// What it may reach.
    #[serde(default)]
    pub hosts: Vec<Host>,
    /// What a call of it may use up.
    #[serde(default)]
    pub limits: Limits,
}

/// A field of its credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What the form says.
    pub label: String,
    /// Whether its value is never shown, not to the plugin either.
    #[serde(default)]
    pub secret: bool,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Where one finds it.
    #[serde(default)]
    pub help: String,
}

/// A host that it may reach over HTTPS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    pub host: String,
    /// With these methods.
    pub methods: Vec<String>,
    /// At these paths; `*` at the end stands for anything.
    pub paths: Vec<String>,
}

/// Bounds of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Operations of the script.
    pub operations: u64,
    /// Seconds, waiting included.
    pub seconds: u64,
    /// Requests.
    pub calls: u64,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Requests a minute, of all calls.
    pub requests_per_minute: u64,
    /// Calls at the same time.
    pub concurrency: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { operations: 1_000_000, seconds: 30, calls: 20, bytes: 4 << 20, requests_per_minute: 60, concurrency: 2 }
    }
}

/// What no plugin gets more of.
const MOST: Limits = Limits {
    operations: 10_000_000,
    seconds: 300,
    calls: 200,
    bytes: 64 << 20,
    requests_per_minute: 600,
    concurrency: 16,
};

impl Manifest {
    /// Reads and checks the manifest of plugin `name`: `registrars/example`.
    pub fn read(name: &str, text: &str) -> Result<Self, Problem> {
        let file = format!("{name}/plugin.toml");
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let site = CallSite { file: file.as_str().into(), line: u32::try_from(line).unwrap_or(1), column: 1 };
            Problem::new(Code::WorkflowInvalid, format!("{file}:{line}: {}", error.message())).at(site)
        })?;
        manifest.check(name).map_err(|what| {
            let site = CallSite { file: file.as_str().into(), line: 1, column: 1 };
            Problem::new(Code::WorkflowInvalid, format!("{file}: {what}")).at(site)
        })?;
        Ok(manifest)
    }

    /// What it may reach, as grants.
    pub fn grants(&self) -> Vec<String> {
        let mut grants = Vec::new();
        for host in &self.hosts {
            for method in &host.methods {
                grants.extend(host.paths.iter().map(|path| format!("http:{method} https://{}{path}", host.host)));
            }
        }
        grants
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let (kind, id) = name.split_once('/').unwrap_or((name, ""));
        if self.id != id {
            return Err(format!("`id` is `{}`, and the folder is `{id}`", self.id));
        }
        if self.api != API {
            return Err(format!("`api` is {}; this program knows {API}", self.api));
        }
        for (key, text) in [("version", &self.version), ("author", &self.author)] {
            if text.trim().is_empty() {
                return Err(format!("`{key}` is empty"));
            }
        }
        let known = KINDS.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, capabilities)| capabilities);
        if let Some(unknown) = self.capabilities.iter().find(|one| !known.contains(&one.as_str())) {
            return Err(format!("`{unknown}` is no capability of {kind}; they are {}", known.join(", ")));
        }
        if self.capabilities.is_empty() {
            return Err("`capabilities` is empty".into());
        }
        if let Some(unknown) = self.refusals.iter().find(|kind| Refusal::parse(kind).is_none()) {
            return Err(format!("`{unknown}` is no kind of refusal"));
        }
        self.hosts.iter().try_for_each(Host::check)?;
        self.limits.check()
    }
}

impl Host {
    fn check(&self) -> Result<(), String> {
        let host = &self.host;
        let label = |label: &str| {
            let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(known) && !label.starts_with('-')
        };
        let last = host.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
        if host.len() > 253 || !host.contains('.') || numeric || !host.split('.').all(label) {
            return Err(format!("`{host}` isn't the name of a host: no address, no port, no `*`, lower case"));
        }
        if self.methods.is_empty() || self.paths.is_empty() {
            return Err(format!("`{host}` needs `methods` and `paths`"));
        }
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(format!("`{method}` is no method; they are {}", METHODS.join(", ")));
        }
        let fits = |path: &&String| {
            let path = path.strip_suffix('*').unwrap_or(path);
            path.starts_with('/') && !path.contains("..") && !path.contains(['*', ' ', '?', '#'])
        };
        match self.paths.iter().find(|path| !fits(path)) {
            Some(path) => Err(format!("`{path}` is no path: `/v1/domains`, or `/v1/*`")),
            None => Ok(()),
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), String> {
        let all = [
            ("operations", self.operations, MOST.operations),
            ("seconds", self.seconds, MOST.seconds),
            ("calls", self.calls, MOST.calls),
            ("bytes", self.bytes, MOST.bytes),
            ("requests_per_minute", self.requests_per_minute, MOST.requests_per_minute),
            ("concurrency", self.concurrency, MOST.concurrency),
        ];
        match all.iter().find(|(_, value, most)| *value == 0 || value > most) {
            Some((key, value, most)) => Err(format!("`limits.{key}` is {value}; it is 1 to {most}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    const GOOD: &str = "id = \"example\"\nversion = \"1.0.0\"\napi = 1\nauthor = \"Ann\"\ncapabilities = [\"validate\", \"ds\"]\n\
        [credentials.token]\nlabel = \"Token\"\nsecret = true\n\
        [[hosts]]\nhost = \"api.example.net\"\nmethods = [\"GET\", \"PUT\"]\npaths = [\"/v1/*\"]\n";

    #[test]
    fn a_manifest_is_grants_and_what_is_odd_in_it_is_named() {
        let manifest = Manifest::read("registrars/example", GOOD).unwrap();
        assert_eq!(
            manifest.grants(),
            ["http:GET https://api.example.net/v1/*", "http:PUT https://api.example.net/v1/*"]
        );
        for (from, to, told) in [
            ("id = \"example\"", "id = \"other\"", "`id` is `other`"),
            ("api = 1", "api = 2", "`api` is 2"),
            ("\"ds\"", "\"rm\"", "`rm` is no capability"),
            ("[\"validate\", \"ds\"]", "[]", "`capabilities` is empty"),
            ("api.example.net", "127.0.0.1", "isn't the name of a host"),
            ("api.example.net", "*.example.net", "isn't the name of a host"),
            ("api.example.net", "api.example.net:8080", "isn't the name of a host"),
            ("\"PUT\"", "\"CONNECT\"", "`CONNECT` is no method"),
            ("/v1/*", "/v1/../x", "is no path"),
            ("/v1/*", "/*/x", "is no path"),
            ("[credentials", "[limits]\ncalls = 0\n[credentials", "`limits.calls` is 0"),
            ("author = \"Ann\"", "autor = \"Ann\"", "plugin.toml:4"),
        ] {
            let problem = Manifest::read("registrars/example", &GOOD.replace(from, to)).unwrap_err();
            assert!(problem.message.contains(told), "{to}: {}", problem.message);
            assert_eq!(&*problem.site.unwrap().file, "registrars/example/plugin.toml");
        }
    }
}

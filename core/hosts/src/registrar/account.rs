//! An account at a registrar, as scripts name it: a plugin, and what it needs to be told.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::{
    host::Args,
    plugin::{Credential, Manifest},
};

use crate::support::invalid;

/// `#{ plugin: "namecheap", credentials: #{ user: "ann", key: secret("namecheap-key") } }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    plugin: String,
    #[serde(default)]
    pub credentials: BTreeMap<String, Value>,
}

/// The plugin's name, for scopes; nobody is granted an odd one.
pub(super) fn plugin_of(args: &Args) -> Vec<String> {
    let name = args.get("account")["plugin"].as_str().unwrap_or("(no plugin)");
    vec![name.strip_prefix("registrars/").unwrap_or(name).to_owned()]
}

impl Account {
    pub fn read(args: &Args) -> Result<Self, Problem> {
        args.read("account")
    }

    /// `registrars/namecheap`.
    pub fn plugin(&self) -> String {
        let name = self.plugin.strip_prefix("registrars/").unwrap_or(&self.plugin);
        format!("registrars/{name}")
    }

    /// What the plugin sees of the credentials: all that the manifest asks for, and nothing else.
    pub fn seen(&self, manifest: &Manifest) -> Result<BTreeMap<String, Credential>, Problem> {
        seen(&self.credentials, manifest)
    }
}

/// The same for credentials that aren't an account's: those of the conformance kit.
pub(super) fn seen(
    credentials: &BTreeMap<String, Value>,
    manifest: &Manifest,
) -> Result<BTreeMap<String, Credential>, Problem> {
    if let Some(unknown) = credentials.keys().find(|name| !manifest.credentials.contains_key(*name)) {
        let known: Vec<&str> = manifest.credentials.keys().map(String::as_str).collect();
        return Err(invalid(format!("`{unknown}` is no field of its credentials; they are {}", known.join(", "))));
    }
    let mut seen = BTreeMap::new();
    for (name, field) in &manifest.credentials {
        let credential = match credentials.get(name) {
            None | Some(Value::Null) if field.optional => continue,
            None | Some(Value::Null) => {
                return Err(invalid(format!("the credentials need `{name}` ({})", field.label)));
            }
            Some(Value::Object(_)) => Credential::Secret,
            Some(Value::String(_)) if field.secret => {
                let message = format!("`{name}` ({}) is secret and stands here for everybody to read", field.label);
                return Err(Problem::new(Code::SecretMisuse, message)
                    .help(format!(
                        "keep it with `windlass secrets set NAME --to …`, and write `{name}: secret(\"NAME\")`"
                    ))
                    .no_effect());
            }
            Some(Value::String(text)) => Credential::Plain(text.clone()),
            Some(other) => return Err(invalid(format!("`{name}` has to be text or a secret, not {other}"))),
        };
        seen.insert(name.clone(), credential);
    }
    Ok(seen)
}

//! OpenID providers as the configuration describes them, with their secrets read from where they are kept.

use std::collections::BTreeMap;

use windlass_api::auth::oidc::OidcConfig;
use windlass_model::{Code, Problem};

use crate::{commands::users, config::Config, vault};

/// The providers.
pub fn configured(config: &Config) -> Result<BTreeMap<String, OidcConfig>, Problem> {
    let mut all = BTreeMap::new();
    for (name, entry) in &config.auth.oidc {
        let wrong = |key: &str, why: &str| {
            Problem::new(Code::Configuration, format!("`auth.oidc.{name}.{key}`: {why}"))
                .help("`windlass config show --docs` lists every key with its meaning")
        };
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            return Err(Problem::new(
                Code::Configuration,
                format!("`auth.oidc.{name}`: a provider's name stands in addresses"),
            )
            .help("lower-case letters, digits and `-`"));
        }
        let is_local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|start| {
            entry.issuer.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        if !entry.issuer.starts_with("https://") && !is_local {
            return Err(wrong("issuer", "has to begin with `https://`"));
        }
        let secret = match entry.client_secret.as_str() {
            "" => String::new(),
            from => vault::resolve(name, from).map_err(|problem| wrong("client_secret", &problem.message))?.to_string(),
        };
        let mut roles = BTreeMap::new();
        for (value, texts) in &entry.roles {
            let bindings = texts.iter().map(|text| users::binding(text, &entry.organisation)).collect::<Result<_, _>>();
            roles.insert(value.clone(), bindings.map_err(|problem| wrong("roles", &problem.message))?);
        }
        let provider = OidcConfig {
            issuer: entry.issuer.clone(),
            client_id: entry.client_id.clone(),
            client_secret: secret,
            email_domains: entry.email_domains.clone(),
            organisation: entry.organisation.clone(),
            roles_claim: entry.roles_claim.clone(),
            roles,
        };
        all.insert(name.clone(), provider);
    }
    Ok(all)
}

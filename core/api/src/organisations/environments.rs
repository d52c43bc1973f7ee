//! Environments: named places of an organisation that apps go into. Runs make them; the API lists them.

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::kept::{Environment, EnvironmentBody};
use crate::auth::{
    kept::{By, Kept},
    users::checked_name,
};

/// Of one organisation, at most.
const MOST: usize = 500;
/// Bytes of what is known of one, at most.
const FACTS_BYTES: usize = 64 << 10;

/// An environment to be.
#[derive(Clone, Debug)]
pub struct NewEnvironment {
    /// Its name.
    pub name: String,
    /// The domain that its apps are reached under.
    pub domain: Option<String>,
    /// The rest.
    pub facts: Value,
}

fn id(organisation: &str, name: &str) -> String {
    format!("{organisation}/{name}")
}

/// A domain as it is kept, if it can be one.
fn checked_domain(domain: &str) -> Result<String, Problem> {
    let ascii = domain.trim().trim_end_matches('.').to_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match ascii.len() <= 253 && ascii.contains('.') && ascii.split('.').all(label) {
        true => Ok(ascii),
        false => Err(Problem::new(Code::InvalidInput, format!("`{domain}` isn't a domain such as apps.acme.example"))
            .data(json!({ "pointer": "/domain" }))
            .no_effect()),
    }
}

/// An environment's parts, as they are kept.
pub fn checked(new: &NewEnvironment) -> Result<NewEnvironment, Problem> {
    if new.facts.to_string().len() > FACTS_BYTES {
        let message = format!("what is known of an environment has at most {FACTS_BYTES} bytes");
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    let domain = new.domain.as_deref().map(checked_domain).transpose()?;
    Ok(NewEnvironment { name: checked_name(&new.name)?, domain, facts: new.facts.clone() })
}

/// Keeps an environment for a step of a run; the step finds its own. Another one's is refused.
pub fn put(
    engine: &Engine,
    by: &By,
    organisation: &str,
    new: &NewEnvironment,
    (run, step): (&str, &str),
) -> Result<Environment, Problem> {
    let new = checked(new)?;
    let id = id(organisation, &new.name);
    let before = Environment::find(engine, &id)?;
    if let Some(found) = &before
        && found.body.made_by.as_deref() != Some(step)
    {
        let message = format!("the organisation `{organisation}` has an environment `{}` already", new.name);
        return Err(Problem::new(Code::Conflict, message).no_effect());
    }
    if before.is_none() && list(engine, organisation)?.len() >= MOST {
        let message = format!("the organisation `{organisation}` has {MOST} environments already");
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    let body = EnvironmentBody {
        name: new.name,
        domain: new.domain,
        facts: new.facts,
        run: Some(run.to_owned()),
        made_by: Some(step.to_owned()),
    };
    let was = before.as_ref().map_or(Value::Null, |before| json!(before.body));
    let kept = match before {
        Some(before) => Environment { body, ..before },
        None => Kept::new(&id, organisation, body),
    };
    let audited = by.audited(engine, "environment.put", (organisation, &id), was, json!(kept.body));
    audited.change(vec![kept.put()?])?;
    Environment::require(engine, &id)
}

/// Those of an organisation, by name.
pub fn list(engine: &Engine, organisation: &str) -> Result<Vec<Environment>, Problem> {
    let own = DocumentFilter { organisations: Some(vec![organisation.to_owned()]), ..DocumentFilter::default() };
    Environment::all(engine, &own, |_| true)
}

/// Removes one; with a step, only if that has made it.
pub fn remove(engine: &Engine, by: &By, organisation: &str, name: &str, step: Option<&str>) -> Result<bool, Problem> {
    let Some(found) = Environment::find(engine, &id(organisation, name))? else { return Ok(false) };
    if step.is_some() && found.body.made_by.as_deref() != step {
        return Ok(false);
    }
    let place = (organisation, found.id.as_str());
    by.audited(engine, "environment.delete", place, json!(found.body), Value::Null).change(vec![found.delete()])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_read_as_people_write_them_and_nothing_else_is_one() {
        assert_eq!(checked_domain("Apps.Acme.Example.").unwrap(), "apps.acme.example");
        for bad in ["", "acme", "a..b", "-a.b", "a-.b", "a b.c", "a/b.c", &format!("{}.b", "a".repeat(64))] {
            assert!(checked_domain(bad).is_err(), "{bad}");
        }
    }
}

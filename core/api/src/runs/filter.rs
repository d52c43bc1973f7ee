//! Which runs a list or a bulk command is about: parsed from a query or a body, narrowed to what the asker may see.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use windlass_model::{
    Code, Problem, RunId, RunState, WaitReason,
    query::{RunFilter, Scope},
};

use crate::{Permission, Principal};

/// Which runs. What isn't given doesn't filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Which {
    /// In one of these states: a comma list.
    pub(crate) state: Option<String>,
    /// Waiting for one of these, perhaps among others: a comma list of what runs tell in `waiting_on`.
    pub(crate) waiting_on: Option<String>,
    /// Of this workflow (`lab/grid`), or of all in a folder (`lab/*`).
    pub(crate) workflow: Option<String>,
    /// With this tag.
    pub(crate) tag: Option<String>,
    /// Launched at or after this time: RFC 3339, or milliseconds since 1970.
    pub(crate) since: Option<String>,
    /// Launched before this time: RFC 3339, or milliseconds since 1970.
    pub(crate) until: Option<String>,
    /// In which all of these words occur: id, workflow, tags, who launched it, texts of the input, the error's message.
    pub(crate) text: Option<String>,
    /// Of this organisation.
    pub(crate) organisation: Option<String>,
    /// Children of this run.
    pub(crate) parent: Option<String>,
    /// Whose id begins so.
    pub(crate) id: Option<String>,
    /// Whose input has these values: a field's name (top level only) and its value as text. In a query: `input.name=value`.
    pub(crate) input: BTreeMap<String, String>,
}

/// A list's query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) which: Which,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// The parameters of a list's query, for the OpenAPI document.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes what `parse` reads")]
pub(crate) struct Parameters {
    /// In one of these states: a comma list.
    state: Option<String>,
    /// Waiting for one of these, perhaps among others: a comma list of what runs tell in `waiting_on`.
    waiting_on: Option<String>,
    /// Of this workflow (`lab/grid`), or of all in a folder (`lab/*`).
    workflow: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// Launched at or after this time: RFC 3339, or milliseconds since 1970.
    since: Option<String>,
    /// Launched before this time: RFC 3339, or milliseconds since 1970.
    until: Option<String>,
    /// In which all of these words occur: id, workflow, tags, who launched it, texts of the input, the error's message.
    text: Option<String>,
    /// Of this organisation.
    organisation: Option<String>,
    /// Children of this run.
    parent: Option<String>,
    /// Whose id begins so.
    id: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// Fields of the input that one filter may ask for.
const INPUT_FIELDS: usize = 16;

fn wrong(name: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "parameter": name }))
}

/// Text of a query or a body, as databases can take it.
pub(crate) fn clean<'a>(name: &str, text: &'a str) -> Result<&'a str, Problem> {
    match text.contains('\0') {
        true => Err(wrong(name, format!("`{name}` has a NUL character"))),
        false => Ok(text),
    }
}

/// A time of a query.
pub(crate) fn time_ms(name: &str, text: &str) -> Result<i64, Problem> {
    let written = || text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond());
    text.parse::<i64>().ok().or_else(written).ok_or_else(|| {
        let message = format!("`{name}` isn't a time: `2026-01-31T12:00:00Z`, or milliseconds since 1970");
        wrong(name, message)
    })
}

impl Query {
    /// Reads a query. `input.` may be followed by any name; other unknown parameters are refused and named.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text)
            .map_err(|error| Problem::new(Code::InvalidInput, format!("the query can't be read: {error}")))?;
        let mut query = Self::default();
        for (name, value) in pairs {
            let value = clean(&name, &value)?.to_owned();
            if let Some(field) = name.strip_prefix("input.").filter(|field| !field.is_empty()) {
                query.which.input.insert(clean(&name, field)?.to_owned(), value);
                continue;
            }
            let which = &mut query.which;
            let place = match name.as_str() {
                "state" => &mut which.state,
                "waiting_on" => &mut which.waiting_on,
                "workflow" => &mut which.workflow,
                "tag" => &mut which.tag,
                "since" => &mut which.since,
                "until" => &mut which.until,
                "text" => &mut which.text,
                "organisation" => &mut which.organisation,
                "parent" => &mut which.parent,
                "id" => &mut which.id,
                "cursor" => &mut query.cursor,
                "limit" => {
                    let limit = value.parse().map_err(|_| wrong("limit", format!("`{value}` isn't a number")))?;
                    query.limit = Some(limit);
                    continue;
                }
                _ => {
                    return Err(wrong(&name, format!("there is no parameter `{name}`"))
                        .help("/api/openapi.json lists every parameter; fields of the input are `input.<name>`"));
                }
            };
            if place.replace(value).is_some() {
                return Err(wrong(&name, format!("`{name}` is given twice")));
            }
        }
        Ok(query)
    }
}

impl Which {
    /// The store's filter for it, within what the asker may do. `None`: there can't be any such run.
    pub(crate) fn within(&self, principal: &Principal, permission: Permission) -> Result<Option<RunFilter>, Problem> {
        if self.input.len() > INPUT_FIELDS {
            return Err(wrong("input", format!("at most {INPUT_FIELDS} fields of the input")));
        }
        let texts = [&self.workflow, &self.tag, &self.text, &self.organisation, &self.parent, &self.id];
        for text in texts.into_iter().flatten() {
            clean("filter", text)?;
        }
        let mut filter = RunFilter {
            states: self.states()?,
            waiting_on: self.reasons()?,
            tag: self.tag.clone(),
            parent: self.parent.as_deref().map(RunId::from),
            organisation: self.organisation.clone(),
            inputs: self.input.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            text: self.text.clone().filter(|text| !text.trim().is_empty()),
            since_ms: self.since.as_deref().map(|text| time_ms("since", text)).transpose()?,
            until_ms: self.until.as_deref().map(|text| time_ms("until", text)).transpose()?,
            id_prefix: self.id.clone(),
            scopes: principal.scopes(permission),
            ..RunFilter::default()
        };
        match self.workflow.as_deref().map(|name| name.strip_suffix("/*").ok_or(name)) {
            None => {}
            Some(Err(name)) => filter.workflow = Some(name.to_owned()),
            Some(Ok(folder)) => filter.scopes = Some(narrowed(filter.scopes.take(), folder)),
        }
        let nothing = filter.scopes.as_ref().is_some_and(Vec::is_empty);
        Ok((!nothing).then_some(filter))
    }

    fn states(&self) -> Result<Vec<RunState>, Problem> {
        let words = self.state.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty());
        let parsed = words.map(|word| {
            RunState::parse(word).ok_or_else(|| {
                let all: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
                wrong("state", format!("`{word}` isn't a state")).help(format!("states: {}", all.join(", ")))
            })
        });
        parsed.collect()
    }

    fn reasons(&self) -> Result<Vec<WaitReason>, Problem> {
        let list = self.waiting_on.iter().flat_map(|list| list.split(','));
        let parsed = list.map(str::trim).filter(|word| !word.is_empty()).map(|word| {
            WaitReason::parse(word).ok_or_else(|| {
                let all: Vec<&str> = WaitReason::ALL.iter().map(|reason| reason.as_str()).collect();
                wrong("waiting_on", format!("`{word}` is nothing that runs wait for"))
                    .help(format!("they wait for: {}", all.join(", ")))
            })
        });
        parsed.collect()
    }
}

/// What of the scopes lies in a folder of workflows.
fn narrowed(scopes: Option<Vec<Scope>>, folder: &str) -> Vec<Scope> {
    let everything = || vec![Scope { organisation: "*".into(), folder: "*".into() }];
    let narrow = |scope: Scope| {
        let inside = Scope { organisation: "*".into(), folder: folder.to_owned() };
        if inside.covers("*", &scope.folder) {
            return Some(scope);
        }
        scope.covers(&scope.organisation, folder).then(|| Scope { folder: folder.to_owned(), ..scope })
    };
    scopes.unwrap_or_else(everything).into_iter().filter_map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, auth::access::Proof};

    fn scope(organisation: &str, folder: &str) -> Scope {
        Scope { organisation: organisation.into(), folder: folder.into() }
    }

    #[test]
    fn a_query_is_read_and_what_is_unknown_is_named() {
        let query = Query::parse("state=running,failed&input.lab=a%20b&input.n=3&since=1970-01-01T00:00:01Z").unwrap();
        assert_eq!(query.which.input["lab"], "a b");
        assert_eq!(query.which.states().unwrap(), [RunState::Running, RunState::Failed]);
        assert_eq!(time_ms("since", query.which.since.as_deref().unwrap()).unwrap(), 1_000);
        for (text, named) in [
            ("colour=red", "colour"),
            ("input.=x", "input."),
            ("state=running&state=failed", "state"),
            ("limit=many", "limit"),
            ("tag=%00", "tag"),
        ] {
            assert_eq!(Query::parse(text).unwrap_err().data["parameter"], named, "{text}");
        }
        let waits = Query::parse("waiting_on=in_doubt,%20parked").unwrap().which;
        assert_eq!(waits.reasons().unwrap(), [WaitReason::InDoubt, WaitReason::Parked]);
        let wrong = Query::parse("waiting_on=godot").unwrap().which.reasons().unwrap_err();
        assert_eq!(wrong.data["parameter"], "waiting_on");
        assert_eq!(time_ms("since", "yesterday").unwrap_err().data["parameter"], "since");
    }

    #[test]
    fn a_folder_narrows_what_may_be_seen_and_never_widens_it() {
        assert_eq!(narrowed(None, "lab"), [scope("*", "lab")]);
        let held = vec![scope("acme", "*"), scope("acme", "lab/grid"), scope("acme", "web"), scope("*", "la")];
        assert_eq!(narrowed(Some(held), "lab"), [scope("acme", "lab"), scope("acme", "lab/grid")]);
    }

    #[test]
    fn who_may_see_nothing_there_gets_nothing() {
        let bindings = vec![(Role::Viewer, scope("acme", "web"))];
        let principal = Principal { proof: Proof::Token("t".into()), bindings, ..Principal::anonymous() };
        let which = Which { workflow: Some("lab/*".into()), ..Which::default() };
        assert!(which.within(&principal, Permission::Read).unwrap().is_none());
        let all = Which::default().within(&principal, Permission::Read).unwrap().unwrap();
        assert_eq!(all.scopes, Some(vec![scope("acme", "web")]));
        assert!(Which::default().within(&principal, Permission::Operate).unwrap().is_none());
    }
}

//! What a script says of things that it made or removed by other means than host modules: they stand in the inventory, too.

use rhai::Dynamic;
use serde_json::Value;
use windlass_model::{
    EffectClass, Facts, Outcome, Problem, ResourceChange, ResourceRef,
    facts::{Console, Money},
    journal::Begin,
};

use super::{Builtin, Call};
use crate::{
    dispatch::{self, Taken},
    host::{Args, Kind, Param, Permission},
    meter, perform,
    throw::Halt,
};

/// Characters of a provider's name, or of a kind, at most.
const WORD_CHARS: usize = 40;
/// Bytes of an id, at most.
const ID_BYTES: usize = 200;
/// Consoles of one thing, at most.
const CONSOLES: usize = 8;
/// What can be said of a thing.
const KEYS: &[&str] = &["provider", "kind", "id", "monthly_cost", "console"];

const CREATED: &str = "resource_created";
const DELETED: &str = "resource_deleted";
const WORDS: &str = "say what was made or removed with";

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: CREATED,
            doc: "Puts a thing into the inventory that the run made by `http`, `exec` or the like: `provider`, `kind` and `id` name it; \
                  `monthly_cost` (`\"4.90 EUR\"`) is what it costs in a month; `console` is how to get at it: an address (`https://…`), \
                  `#{ title, url }`, `#{ title, command }`, or an array of these. Everybody who sees the run sees them: no passwords. \
                  Said again of the same thing, the last time counts. Needs `inventory.write:PROVIDER`.\n\n\
                  It makes nothing, so it undoes nothing: remove the thing in `on_rollback`, and say so with `resource_deleted`. \
                  `invalid_argument`: it can't be recorded so, or the provider is a host module, which keeps its own inventory.",
            params: const { &[Param::required("resource", Kind::Map, "what was made")] },
            returns: "()",
            permission: Permission::Needs { verb: "inventory.write", scope: provider_of_map, words: WORDS },
            example: "resource_created(#{ provider: \"acme\", kind: \"server\", id: \"4711\", monthly_cost: \"4.90 EUR\",\n\
                      console: \"https://console.example.net/servers/4711\" });\n\
                      on_rollback(\"delete it\", || resource_deleted(\"acme\", \"server\", \"4711\"));",
            run: created,
        },
        Builtin {
            name: DELETED,
            doc: "Takes a thing out of the inventory that `resource_created` put there, in this run or another: it is gone. Of one that isn't there nothing is \
                  recorded. Needs `inventory.write:PROVIDER`.",
            params: const {
                &[
                    Param::required("provider", Kind::String, "who kept it: `acme`"),
                    Param::required("kind", Kind::String, "what it was: `server`"),
                    Param::required("id", Kind::String, "its identity there"),
                ]
            },
            returns: "()",
            permission: Permission::Needs { verb: "inventory.write", scope: provider, words: WORDS },
            example: "resource_deleted(\"acme\", \"server\", \"4711\");",
            run: deleted,
        },
    ]
}

fn provider_of_map(args: &Args) -> Vec<String> {
    args.values().first().map(|map| vec![named_by(&map["provider"])]).unwrap_or_default()
}

fn provider(args: &Args) -> Vec<String> {
    args.values().first().map(|value| vec![named_by(value)]).unwrap_or_default()
}

/// What isn't a name is one that only a grant for all of them covers.
fn named_by(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn created(call: &Call) -> Result<Dynamic, Halt> {
    record(call, |call| {
        let map = call.json(call.arg(0).ok_or_else(|| call.wrong(0, "a map"))?)?;
        let (resource, _) = read(&map).map_err(|fault| refused(call, &fault))?;
        Ok((map, ResourceChange::Creates(resource)))
    })
}

fn deleted(call: &Call) -> Result<Dynamic, Halt> {
    record(call, |call| {
        let [provider, kind, id] = [call.text(0)?, call.text(1)?, call.text(2)?];
        let resource = named(&provider, &kind, &id).map_err(|fault| refused(call, &fault))?;
        Ok((Value::from(vec![provider, kind, id]), ResourceChange::Destroys(resource)))
    })
}

fn refused(call: &Call, fault: &str) -> Problem {
    call.invalid(format!("can't record this: {fault}"))
}

/// A step that does nothing but change the inventory, in the commit of its outcome.
fn record(call: &Call, said: impl FnOnce(&Call) -> Result<(Value, ResourceChange), Problem>) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    meter::weigh_call()?;
    let text = call.args_text(&run)?;
    let name = &call.entry.name;
    let mut change = None;
    let permit = || {
        call.permit(&run)?;
        let (words, what) = said(call)?;
        let (ResourceChange::Creates(resource) | ResourceChange::Destroys(resource)) = &what;
        if run.shell.catalog.has_module(&resource.provider) {
            let module = &resource.provider;
            let fault = format!("`{module}` is a host module, and records itself what it makes");
            return Err(refused(call, &fault).into());
        }
        if run.scrubber.value(words.clone()) != words {
            return Err(refused(call, "a secret's value is in it, and everybody who sees the run would see it").into());
        }
        change = Some(what);
        Ok(())
    };
    let mut step = match dispatch::take(&run, name, &text, &|| call.site(&run), permit)? {
        Taken::Recorded(path, outcome) => return dispatch::seen(&path, outcome),
        Taken::Fresh(path, digest) => {
            dispatch::plain_call(path, name, EffectClass::Idempotent, &text, digest, call.site(&run))
        }
    };
    step.resources = change.into_iter().collect();
    match run.journal.begin(&step) {
        Begin::Perform | Begin::Recover => {
            perform::settled(&step, run.journal.finish(&step, Outcome::Value("null".into())))
        }
        Begin::Recorded(outcome) => dispatch::seen(&step.path, outcome),
        Begin::Stop(stop) => Err(stop.into()),
    }
}

/// What `resource_created` was told of a thing, from the arguments that its step recorded.
pub fn told(op: &str, args: &str) -> Facts {
    if op != CREATED {
        return Facts::default();
    }
    let args: Value = serde_json::from_str(args).unwrap_or_default();
    read(&args[0]).map(|(_, facts)| facts).unwrap_or_default()
}

/// The thing and what is known of it. The error completes "can't record this: …".
fn read(map: &Value) -> Result<(ResourceRef, Facts), String> {
    let fields = map.as_object().ok_or("it isn't a map")?;
    if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("it doesn't know `{key}` (it knows {})", KEYS.join(", ")));
    }
    let text = |key: &str| fields.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` isn't a text"));
    let resource = named(text("provider")?, text("kind")?, text("id")?)?;
    let monthly_cost = match fields.get("monthly_cost") {
        None | Some(Value::Null) => None,
        Some(cost) => {
            let text = cost.as_str().ok_or("`monthly_cost` isn't a text such as \"4.90 EUR\"")?;
            Some(Money::parse(text).map_err(|fault| format!("`monthly_cost` {fault}"))?)
        }
    };
    let consoles = match fields.get("console") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.len() > CONSOLES => {
            return Err(format!("it has {} consoles, more than {CONSOLES}", items.len()));
        }
        Some(Value::Array(items)) => items.iter().map(console).collect::<Result<_, _>>()?,
        Some(one) => vec![console(one)?],
    };
    Ok((resource, Facts { monthly_cost, consoles }))
}

fn console(value: &Value) -> Result<Console, String> {
    let wrong = || "a console is an address, `#{ title, url }` or `#{ title, command }`".to_owned();
    if let Some(url) = value.as_str() {
        return Console::link("Console", url).map_err(|fault| format!("the console {fault}"));
    }
    let fields = value.as_object().ok_or_else(wrong)?;
    let title = fields.get("title").and_then(Value::as_str).ok_or_else(wrong)?;
    let made = match (fields.len(), fields.get("url"), fields.get("command")) {
        (2, Some(Value::String(url)), None) => Console::link(title, url),
        (2, None, Some(Value::String(command))) => Console::command(title, command),
        _ => return Err(wrong()),
    };
    made.map_err(|fault| format!("the console {fault}"))
}

fn named(provider: &str, kind: &str, id: &str) -> Result<ResourceRef, String> {
    for (what, word) in [("provider", provider), ("kind", kind)] {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if word.is_empty() || word.len() > WORD_CHARS || !word.bytes().all(fits) {
            return Err(format!("`{what}` isn't 1 to {WORD_CHARS} lower-case letters, digits, `-` and `_`"));
        }
    }
    if id.is_empty() || id.len() > ID_BYTES || id.chars().any(char::is_control) {
        return Err(format!("`id` isn't 1 to {ID_BYTES} bytes without control characters"));
    }
    Ok(ResourceRef { provider: provider.into(), kind: kind.into(), id: id.into() })
}

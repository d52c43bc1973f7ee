//! The ops that tell a named target: one for each service.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    courier::Courier,
    delivery::{self, LONGEST_MS},
    email,
    note::{Note, Severity},
    target::{Target, Targets, Way, is_name},
};

const TITLE_CHARS: usize = 250;
const TEXT_BYTES: usize = 64 << 10;
const DATA_BYTES: usize = 256 << 10;

const PARAMS: &[Param] = &[Param::required(
    "message",
    Kind::Map,
    "`target` (the name of a target), `title` (one line of at most 250 characters), `text`, `severity` (`info`, `warning`, `error` or \
     `critical`), `link` (an address with more). What a service has no room for is cut off.",
)];

const WEBHOOK: &[Param] = &[Param::required(
    "message",
    Kind::Map,
    "`target` (the name of a target), `kind` (what happened: `order.paid`), `data` (a map of at most 256 KiB); `title`, `text`, \
     `severity` and `link` as for the others, put into `data` where it has none of its own.",
)];

/// The only parameter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    target: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    severity: Severity,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    data: Value,
}

/// What differs between the services.
struct Shape {
    way: Way,
    verb: &'static str,
    words: &'static str,
    doc: &'static str,
    params: &'static [Param],
    example: &'static str,
}

const SHAPES: [Shape; 5] = [
    Shape {
        way: Way::Ntfy,
        verb: "notify.ntfy",
        words: "send messages to ntfy targets",
        doc: "Publishes to a topic of an ntfy server. `critical` has the highest priority, `info` the usual one.",
        params: PARAMS,
        example: r#"notify::ntfy(#{ target: "phones", title: "acme is down", severity: "critical" }).delivered"#,
    },
    Shape {
        way: Way::Discord,
        verb: "notify.discord",
        words: "send messages to Discord targets",
        doc: "Writes to a channel at Discord. Nobody is called by name, whatever stands in the text.",
        params: PARAMS,
        example: r#"notify::discord(#{ target: "ops", title: "acme is there", text: "It took two minutes." }).delivered"#,
    },
    Shape {
        way: Way::Slack,
        verb: "notify.slack",
        words: "send messages to Slack targets",
        doc: "Writes to a channel at Slack. `&`, `<` and `>` are shown as they are: nobody is called by name.",
        params: PARAMS,
        example: r#"notify::slack(#{ target: "ops", title: "acme is there", link: "https://console.acme.test" }).delivered"#,
    },
    Shape {
        way: Way::Mattermost,
        verb: "notify.mattermost",
        words: "send messages to Mattermost targets",
        doc: "Writes to a channel of a Mattermost server. Nobody is called by name.",
        params: PARAMS,
        example: r#"notify::mattermost(#{ target: "ops", title: "acme is there", severity: "warning" }).delivered"#,
    },
    Shape {
        way: Way::Webhook,
        verb: "notify.webhook",
        words: "send signed messages to webhook targets",
        doc: "Posts `#{ type, timestamp, data }` as JSON, signed with the target's key as Standard Webhooks has it (`webhook-id`, \
              `webhook-timestamp`, `webhook-signature`): the webhooks of another Windlass take it.",
        params: WEBHOOK,
        example: r#"notify::webhook(#{ target: "shop", kind: "order.paid", data: #{ order: 7 } }).delivered"#,
    },
];

/// The real ops.
pub(super) fn ops(courier: &Arc<Courier>, targets: &Arc<dyn Targets>) -> Vec<Op> {
    SHAPES.iter().map(|shape| op(shape, Some((courier.clone(), targets.clone())))).collect()
}

/// The ops for rehearsals.
pub(super) fn rehearsals() -> Vec<Op> {
    SHAPES.iter().map(|shape| op(shape, None)).collect()
}

fn op(shape: &Shape, real: Option<(Arc<Courier>, Arc<dyn Targets>)>) -> Op {
    let (way, name) = (shape.way, shape.way.as_str());
    Op {
        name,
        doc: shape.doc,
        params: shape.params,
        returns: delivery::RETURNS,
        permission: Permission::Needs { verb: shape.verb, scope: target_of, words: shape.words },
        // As with mail: what is found after a crash is that nobody can know.
        class: EffectClass::Keyed,
        undo: Undo::None("what was read can't be unread"),
        resources: no_resources,
        timeout_ms: delivery::OP_TIMEOUT_MS,
        // It tries again by itself, within its ten seconds.
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Assume(|args| {
            let secret = email::refuse_secrets(args).err().map(|problem| problem.message);
            delivery::assumed(secret.or_else(|| read(args).err()).as_deref())
        }),
        example: shape.example,
        run: Box::new(move |cx, args| {
            email::refuse_secrets(args)?;
            match &real {
                Some((courier, targets)) => send(cx, args, way, courier, &**targets),
                None => Ok(delivery::undelivered(cx, name, "nothing is sent in a rehearsal")),
            }
        }),
        lookup: Some(Box::new(move |cx, _| Ok(Some(delivery::interrupted(cx, name))))),
    }
}

fn target_of(args: &Args) -> Vec<String> {
    args.get("message")["target"].as_str().map(str::to_owned).into_iter().collect()
}

fn read(args: &Args) -> Result<(String, Note), String> {
    let given: Given = args.read("message").map_err(|problem| problem.message)?;
    if !is_name(&given.target) {
        return Err("`target` is the name of a target".into());
    }
    let title = given.title.trim().to_owned();
    if title.chars().count() > TITLE_CHARS || title.chars().any(char::is_control) {
        return Err(format!("a title is one line of at most {TITLE_CHARS} characters"));
    }
    if title.is_empty() && given.kind.is_empty() {
        return Err("a message has a `title`".into());
    }
    if given.text.len() > TEXT_BYTES || given.data.to_string().len() > DATA_BYTES {
        return Err(format!("`text` has at most {TEXT_BYTES} bytes, `data` {DATA_BYTES}"));
    }
    let leads = |link: &String| link.len() <= 2_000 && (link.starts_with("https://") || link.starts_with("http://"));
    if given.link.as_ref().is_some_and(|link| !leads(link)) {
        return Err("a `link` begins with https://".into());
    }
    let Given { target, text, severity, link, kind, data, .. } = given;
    Ok((target, Note { title, text, html: None, severity, link, kind, data, at_ms: 0 }))
}

fn send(cx: &OpCx, args: &Args, way: Way, courier: &Courier, targets: &dyn Targets) -> Result<Value, Problem> {
    let name = way.as_str();
    let (called, note) = match read(args) {
        Ok(read) => read,
        Err(why) => return Ok(delivery::undelivered(cx, name, &why)),
    };
    let target = match find(cx, &called, way, courier, targets) {
        Ok(target) => target,
        Err(why) => return Ok(delivery::undelivered(cx, name, &why)),
    };
    let at_ms = jiff::Timestamp::now().as_millisecond();
    let kind = if note.kind.is_empty() { "message".to_owned() } else { note.kind.clone() };
    let note = Note { kind, at_ms, ..note };
    let id = format!("wl_{}", &blake3::hash(cx.key.as_bytes()).to_hex()[..32]);
    let reveal = |secret: &str, to: &str| cx.reveal(&json!({ "$secret": secret }), to);
    let holds = Arc::new(cx.holder());
    delivery::deliver(cx, name, Duration::from_millis(LONGEST_MS), async |handed, only| {
        courier.attempt((&target, &note, &id), only, &reveal, handed, holds.clone()).await
    })
}

/// The organisation's own target, else one of the configuration.
fn find(cx: &OpCx, name: &str, way: Way, courier: &Courier, targets: &dyn Targets) -> Result<Target, String> {
    let failed = |problem: Problem| match problem.code {
        Code::RunNotFound => "nobody knows whose this run is".to_owned(),
        _ => problem.message,
    };
    let own = targets.find(&cx.run, name).map_err(failed)?;
    let found = match own {
        Some(target) => target,
        None => {
            let organisation = targets.organisation(&cx.run).map_err(failed)?;
            courier.named(&organisation, name).ok_or_else(|| format!("there is no target `{name}`"))??
        }
    };
    match found.way == way {
        true => Ok(found),
        false => Err(format!("`{name}` is a target of {}", found.way.as_str())),
    }
}

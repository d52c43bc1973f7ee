//! What all kinds have in common: make, look at, list, change name and labels, delete, protect.

mod table;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use windlass_model::{EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, Kind as Of, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    arguments::{self, PROJECT, Reference, project, reference},
    assume,
    client::{Cloud, Project},
    make::{self, Kind, actions},
    marks,
    shapes::shape,
};
use crate::support::invalid;

/// A server takes a minute at most, an image of one a few; waiting for the project's budget is part of it.
pub(in crate::hetzner) const TIMEOUT_MS: u64 = 900_000;
/// As the official client: five times again, after 1 s, 2 s, 4 s, …
pub(in crate::hetzner) const RETRY: RetryPolicy =
    RetryPolicy { attempts: 6, first_delay_ms: 1_000, max_delay_ms: 60_000 };

const NAME: Param = Param::required("name", Of::String, "Its name, unique in the project.");
const WHAT: Param = Param::required("what", Of::Any, "Its id, its name, or what an op gave.");
const FILTER: Param = Param::optional(
    "opts",
    Of::Map,
    "`labels` (a selector such as `env=prod,!old`, or a map), `name`, `status`, `mine` (only what this run has made), `standing` \
     (only what is whole and meant to stay: made by runs of this organisation that have completed).",
);
const CHANGES: Param = Param::required(
    "changes",
    Of::Map,
    "`name`, `labels` (all of them; those of Windlass stay), `auto_delete` of a primary IP.",
);

pub(in crate::hetzner) fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    table::specs().into_iter().flat_map(|spec| of_kind(cloud, spec)).collect()
}

fn of_kind(cloud: &Arc<Cloud>, spec: table::Spec) -> Vec<Op> {
    let table::Spec { kind, names, read, write, doc, returns, params, known, example, creates, destroys } = spec;
    let [create, delete, get, list, update, protect] = names;
    let [to_create, to_delete, to_update, to_protect] = write;
    let [example_create, example_delete, example_get, example_list, example_update] =
        example.map(table::named_for(kind));
    let (made, found, removed, seen, listed, changed, guarded) =
        (cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone());
    let plain = |name, doc, params, returns, permission, class, example, rehearse, run| Op {
        name,
        doc,
        params,
        returns,
        permission,
        class,
        undo: Undo::None("nothing was made"),
        resources: no_resources,
        timeout_ms: TIMEOUT_MS,
        retry: RETRY,
        rehearse,
        example,
        run,
        lookup: None,
    };
    let mut ops = vec![
        Op {
            class: EffectClass::Keyed,
            undo: Undo::Op { name: delete, args: |args| vec![args.get("project").clone(), args.get("name").clone()] },
            resources: creates,
            lookup: Some(Box::new(move |cx, args| {
                let project = project(&found, cx, args)?;
                cx.block_on(make::lookup(cx, &project, kind))
            })),
            ..plain(
                create,
                doc,
                params,
                returns,
                to_create,
                EffectClass::Keyed,
                example_create,
                Rehearse::Assume(assume::made),
                Box::new(move |cx, args| {
                    let project = project(&made, cx, args)?;
                    let opts = arguments::creation(cx, args, known)?;
                    cx.block_on(creation(cx, &project, kind, args.str("name"), opts))
                }),
            )
        },
        Op {
            undo: Undo::None("what is gone can't be brought back"),
            resources: destroys,
            ..plain(
                delete,
                "Deletes it, if a run has made it; what others made is refused (`conflict`). What is in use by something \
                that is on its way out is tried again for a while. Gone already: `deleted` is false.",
                &[PROJECT, WHAT],
                "#{ deleted: bool }",
                to_delete,
                EffectClass::Idempotent,
                example_delete,
                Rehearse::Assume(assume::deleted),
                Box::new(move |cx, args| {
                    let project = project(&removed, cx, args)?;
                    let wanted = reference(args.get("what"), "what")?;
                    cx.block_on(make::delete(cx, &project, kind, &wanted))
                }),
            )
        },
        plain(
            get,
            "Looks at one. `not_found` when there is none.",
            &[PROJECT, WHAT],
            returns,
            read,
            EffectClass::Read,
            example_get,
            Rehearse::Assume(assume::looked_at),
            Box::new(move |cx, args| {
                let project = project(&seen, cx, args)?;
                let wanted = reference(args.get("what"), "what")?;
                cx.block_on(async {
                    let found = kind.need(&project, &wanted).await?;
                    // The provider's own images are everybody's to look at.
                    if project.is_bound() && kind.plural != "images" {
                        project.admit(&kind.words(), &found)?;
                    }
                    Ok(shape(found))
                })
            }),
        ),
    ];
    let read_again = match &ops[2].permission {
        Permission::Needs { verb, scope, words } => Permission::Needs { verb, scope: *scope, words },
        Permission::Free => Permission::Free,
    };
    ops.push(plain(
        list,
        "Lists those that fit, all pages of them.",
        &[PROJECT, FILTER],
        "array",
        read_again,
        EffectClass::Read,
        example_list,
        Rehearse::Assume(assume::nothing),
        Box::new(move |cx, args| {
            let project = project(&listed, cx, args)?;
            let query = filter(cx, &project, kind, args)?;
            cx.block_on(async {
                let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let mut found = project.all(&format!("/{}", kind.plural), &query).await?;
                if args.get("opts")["standing"] == true {
                    let stands: Vec<_> =
                        found.iter().map(|one| super::adopt::stands(&project, one)).collect::<Result<_, _>>()?;
                    let mut stands = stands.into_iter();
                    found.retain(|_| stands.next() == Some(true));
                }
                Ok(found.into_iter().map(shape).collect())
            })
        }),
    ));
    ops.push(Op {
        undo: Undo::None("what it was before isn't kept"),
        ..plain(
            update,
            "Changes its name or labels.",
            &[PROJECT, WHAT, CHANGES],
            returns,
            to_update,
            EffectClass::Idempotent,
            example_update,
            Rehearse::Assume(assume::looked_at),
            Box::new(move |cx, args| {
                let project = project(&changed, cx, args)?;
                let wanted = reference(args.get("what"), "what")?;
                cx.block_on(change(&project, kind, &wanted, args.get("changes")))
            }),
        )
    });
    if let Some(example) = table::protection_example(kind) {
        ops.push(Op {
            undo: Undo::None("whether it was protected before isn't kept"),
            ..plain(
                protect,
                "Protects it against deletion, also by the provider's console, or takes that away.",
                const { &[PROJECT, WHAT, Param::required("on", Of::Bool, "Whether it is to be protected.")] },
                returns,
                to_protect,
                EffectClass::Idempotent,
                example,
                Rehearse::Assume(assume::looked_at),
                Box::new(move |cx, args| {
                    let project = project(&guarded, cx, args)?;
                    let wanted = reference(args.get("what"), "what")?;
                    let on = args.bool("on", true);
                    cx.block_on(protection(&project, kind, &wanted, on))
                }),
            )
        });
    }
    ops
}

/// The option of all kinds that takes what is there already: see `adopt`.
pub(in crate::hetzner) const ADOPT: &str = "adopt";

/// Fields that name other things, and the kind that they name. `firewalls` of a server stand in objects of their own.
const REFERENCES: &[(&str, &str, &str)] = &[
    ("networks", "networks", "network"),
    ("network", "networks", "network"),
    ("volumes", "volumes", "volume"),
    ("server", "servers", "server"),
    ("assignee_id", "servers", "server"),
    ("placement_group", "placement_groups", "placement_group"),
    ("firewalls", "firewalls", "firewall"),
    ("ssh_keys", "ssh_keys", "ssh_key"),
];

/// The id of a thing that is named somehow; a number is taken as it is, unless the run may use only what is its organisation's.
pub(in crate::hetzner) async fn id_of(
    project: &Project,
    plural: &str,
    singular: &str,
    value: &Value,
) -> Result<i64, Problem> {
    match reference(value, singular)? {
        Reference::Id(id) if !project.is_bound() => Ok(id),
        named => {
            let found = project.need(plural, singular, &named).await?;
            if project.is_bound() {
                project.admit(&singular.replace('_', " "), &found)?;
            }
            found["id"].as_i64().ok_or_else(|| invalid(format!("that {singular} has no id")))
        }
    }
}

async fn creation(
    cx: &OpCx,
    project: &Project,
    kind: Kind,
    name: &str,
    mut opts: Map<String, Value>,
) -> Result<Value, Problem> {
    let labels = marks::labels(cx, project, opts.remove("labels"))?;
    let again = opts.remove(ADOPT) == Some(Value::Bool(true));
    for (field, plural, singular) in REFERENCES {
        let Some(given) = opts.get_mut(*field) else { continue };
        match given {
            Value::Array(items) => {
                for item in items.iter_mut() {
                    let id = id_of(project, plural, singular, item).await?;
                    // Keys are wanted as text, and firewalls in objects.
                    *item = match *field {
                        "firewalls" => json!({ "firewall": id }),
                        "ssh_keys" => json!(id.to_string()),
                        _ => json!(id),
                    };
                }
            }
            Value::Null => {}
            one => *one = json!(id_of(project, plural, singular, one).await?),
        }
    }
    if let (Some(targets), "load_balancers") = (opts.get_mut("targets").and_then(Value::as_array_mut), kind.plural) {
        for target in targets.iter_mut().filter(|target| !target["server"].is_null()) {
            let id = id_of(project, "servers", "server", &target["server"]).await?;
            target["server"] = json!({ "id": id });
        }
    }
    if let Some(image) = opts.get_mut("image") {
        *image = super::acts::image(project, image).await?;
    }
    bound(project, kind, &mut opts).await?;
    if kind.plural == "images" {
        return image(project, name, &opts, labels).await;
    }
    for (field, of, value) in [
        ("type", "placement_groups", json!("spread")),
        ("mode", "zones", json!("primary")),
        ("assignee_type", "primary_ips", json!("server")),
    ] {
        if kind.plural == of && !opts.contains_key(field) {
            opts.insert(field.into(), value);
        }
    }
    if let (Some(services), "load_balancers") = (opts.get_mut("services").and_then(Value::as_array_mut), kind.plural) {
        services.iter_mut().for_each(super::acts::whole_service);
    }
    opts.insert("name".into(), json!(name));
    opts.insert("labels".into(), labels);
    make::create(cx, project, kind, &Value::Object(opts), again).await
}

/// What stands deeper in the options, for a run that may use only what is its organisation's.
async fn bound(project: &Project, kind: Kind, opts: &mut Map<String, Value>) -> Result<(), Problem> {
    if !project.is_bound() {
        return Ok(());
    }
    for field in ["ipv4", "ipv6"] {
        let address = opts.get("public_net").map_or(&Value::Null, |net| &net[field]);
        if !address.is_null() {
            id_of(project, "primary_ips", "primary_ip", address).await?;
        }
    }
    let places = if kind.plural == "firewalls" { "apply_to" } else { "targets" };
    for place in opts.get_mut(places).and_then(Value::as_array_mut).into_iter().flatten() {
        if !place["server"].is_null() {
            id_of(project, "servers", "server", &place["server"]).await?;
        }
        if let Some(selector) = place["label_selector"]["selector"].as_str() {
            let narrowed = marks::narrowed(project, selector);
            place["label_selector"]["selector"] = json!(narrowed);
        }
    }
    Ok(())
}

/// An image is made by an action of its server.
async fn image(project: &Project, name: &str, opts: &Map<String, Value>, labels: Value) -> Result<Value, Problem> {
    let server = opts.get("server").and_then(Value::as_i64).ok_or_else(|| invalid("`server` is needed"))?;
    let body = json!({ "description": name, "type": "snapshot", "labels": labels });
    let answer = project.post(&format!("/servers/{server}/actions/create_image"), &body).await?;
    let whole = async {
        project.wait(&actions(&answer)).await?;
        make::object(project, Kind { plural: "images", singular: "image", acts: true }, &answer["image"]).await
    };
    whole.await.map_err(|mut problem| {
        problem.no_effect = false;
        problem
    })
}

fn filter(cx: &OpCx, project: &Project, kind: Kind, args: &Args) -> Result<Vec<(&'static str, String)>, Problem> {
    let opts = arguments::options(args, &["labels", "name", "status", "mine", "standing", "type", "architecture"])?;
    let mut selectors = Vec::new();
    match opts.get("labels") {
        None | Some(Value::Null) => {}
        Some(Value::String(selector)) => selectors.push(selector.clone()),
        Some(Value::Object(labels)) => {
            selectors
                .extend(labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())));
        }
        Some(_) => return Err(invalid("`labels` has to be a selector or a map")),
    }
    if opts.get("mine").and_then(Value::as_bool) == Some(true) {
        selectors.push(format!("{}={}", marks::RUN, cx.run));
    }
    // The provider's own images carry no labels.
    if project.is_bound() && kind.plural != "images" {
        selectors.push(marks::narrowed(project, ""));
    }
    let mut query = Vec::new();
    if !selectors.is_empty() {
        query.push(("label_selector", selectors.join(",")));
    }
    for name in ["name", "status", "type", "architecture"] {
        match opts.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => query.push((name, text.clone())),
            Some(_) => return Err(invalid(format!("`{name}` has to be text"))),
        }
    }
    Ok(query)
}

async fn change(project: &Project, kind: Kind, wanted: &Reference, changes: &Value) -> Result<Value, Problem> {
    let Value::Object(changes) = changes else { return Err(invalid("`changes` has to be a map")) };
    if let Some(strange) =
        changes.keys().find(|name| !["name", "labels", "auto_delete", "description"].contains(&name.as_str()))
    {
        return Err(invalid(format!("`{strange}` can't be changed this way")));
    }
    let held = kind.need(project, wanted).await?;
    project.admit(&kind.words(), &held)?;
    let mut body = Value::Object(changes.clone());
    if !body["labels"].is_null() {
        body["labels"] = marks::relabelled(&held["labels"], &body["labels"])?;
    }
    let mut answer = project.put(&format!("/{}/{}", kind.plural, held["id"]), &body).await?;
    Ok(shape(answer[kind.singular].take()))
}

async fn protection(project: &Project, kind: Kind, wanted: &Reference, on: bool) -> Result<Value, Problem> {
    let held = kind.need(project, wanted).await?;
    project.admit(&kind.words(), &held)?;
    if held["protection"]["delete"] != on {
        let mut body = json!({ "delete": on });
        if kind.plural == "servers" {
            body["rebuild"] = json!(on);
        }
        let path = format!("/{}/{}/actions/change_protection", kind.plural, held["id"]);
        project.wait(&actions(&project.post(&path, &body).await?)).await?;
    }
    make::object(project, kind, &held).await
}

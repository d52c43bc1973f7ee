//! What can be ordered, and whether a token is good: reads that change nothing.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind as Of, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    arguments::{PROJECT, options, project, scope},
    assume,
    client::{Cloud, Project},
    kinds::RETRY,
    shapes::price,
};

const ALONE: &[Param] = &[PROJECT];
const WHERE: &[Param] = &[
    PROJECT,
    Param::optional(
        "opts",
        Of::Map,
        "`location` (only what is offered there, with its price there), `architecture` (`x86` or `arm`).",
    ),
];

pub(super) fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    vec![
        Op {
            rehearse: Rehearse::Assume(|_| json!({ "valid": true, "writes": true, "reason": "", "message": "" })),
            ..look(
                cloud,
                (
                    "check_token",
                    ALONE,
                    r#"hetzner::check_token("acme").valid"#,
                    "#{ valid: bool, writes: bool, reason: string, message: string }",
                    "Whether the project's token is good (`valid`), and whether it may change things (`writes`), found out without changing \
                 anything. `reason` is `invalid_credentials` or `insufficient_rights`, and `message` says it in words.",
                ),
                |_, _, project| cx_block(project, |project| async move { check(&project).await }),
            )
        },
        Op {
            rehearse: Rehearse::Assume(|_| {
                json!([{ "name": "cx23", "cores": 2, "memory_gb": 4.0, "disk_gb": 40, "architecture": "x86",
                "cpu_type": "shared", "locations": ["fsn1"], "available": ["fsn1"], "price_hourly": 0.0056, "price_monthly": 3.49, "currency": "EUR" }])
            }),
            ..look(
                cloud,
                (
                    "server_types",
                    WHERE,
                    r#"hetzner::server_types("acme", #{ location: "fsn1" }).filter(|size| size.cores >= 2)[0].name"#,
                    "array",
                    "What servers can be ordered: `name`, `description`, `category`, `cores`, `memory_gb`, `disk_gb`, `architecture`, \
                 `cpu_type`, `locations`, `available` (locations with stock, as far as the provider tells), `price_hourly` and \
                 `price_monthly` (net, in `currency`; of `location`, else of the cheapest). Sizes that are about to be withdrawn are \
                 left out.",
                ),
                |_, args, project| {
                    let opts = options(args, &["location", "architecture"])?;
                    let text = |name: &str| opts.get(name).and_then(Value::as_str).map(str::to_owned);
                    let (location, architecture) = (text("location"), text("architecture"));
                    cx_block(project, |project| async move { sizes(&project, location, architecture).await })
                },
            )
        },
        Op {
            rehearse: Rehearse::Assume(|_| {
                json!([{ "name": "lb11", "max_services": 5, "max_targets": 25, "price_hourly": 0.0086,
                "price_monthly": 5.39, "currency": "EUR" }])
            }),
            ..look(
                cloud,
                (
                    "load_balancer_types",
                    WHERE,
                    r#"hetzner::load_balancer_types("acme")[0].name"#,
                    "array",
                    "What load balancers can be ordered: `name`, `max_services`, `max_targets`, `max_connections`, `price_hourly` and \
                 `price_monthly` (net, in `currency`).",
                ),
                |_, args, project| {
                    let opts = options(args, &["location", "architecture"])?;
                    let location = opts.get("location").and_then(Value::as_str).map(str::to_owned);
                    cx_block(project, |project| async move { balancers(&project, location).await })
                },
            )
        },
        look(
            cloud,
            (
                "locations",
                ALONE,
                r#"hetzner::locations("acme").len()"#,
                "array",
                "Where things can be: `name`, `city`, `country`, `network_zone`, `description`.",
            ),
            |_, _, project| {
                cx_block(project, |project| async move {
                    let mut all = project.all("/locations", &[]).await?;
                    for one in &mut all {
                        if let Some(fields) = one.as_object_mut() {
                            fields.retain(|name, _| !["latitude", "longitude"].contains(&name.as_str()));
                        }
                    }
                    Ok(json!(all))
                })
            },
        ),
        Op {
            rehearse: Rehearse::Assume(|_| json!({ "currency": "EUR", "vat_rate": "19.000000" })),
            ..look(
                cloud,
                (
                    "prices",
                    ALONE,
                    r#"hetzner::prices("acme").currency"#,
                    "map",
                    "All prices as the provider tells them: `currency`, `vat_rate`, `volume` (a GB a month), `primary_ips`, \
                 `server_types`, `load_balancer_types`, `image`, `server_backup`.",
                ),
                |_, _, project| {
                    cx_block(project, |project| async move { Ok(project.get("/pricing").await?["pricing"].take()) })
                },
            )
        },
        look(
            cloud,
            ("isos", ALONE, r#"hetzner::isos("acme").len()"#, "array", "ISO images that a server can start from."),
            |_, _, project| cx_block(project, |project| async move { Ok(json!(project.all("/isos", &[]).await?)) }),
        ),
        Op {
            params: const { &[PROJECT, Param::required("actions", Of::Array, "Ids of actions; at most 1000.")] },
            rehearse: Rehearse::Assume(|_| Value::Null),
            timeout_ms: super::kinds::TIMEOUT_MS,
            ..look(
                cloud,
                (
                    "wait_for",
                    ALONE,
                    r#"hetzner::wait_for("acme", [])"#,
                    "()",
                    "Waits until actions that something else has begun have ended. `command_failed` when one ends in an error.",
                ),
                |_, args, project| {
                    let ids: Vec<i64> = args.read("actions")?;
                    if ids.len() > 1_000 {
                        return Err(crate::support::invalid("at most 1000 actions"));
                    }
                    cx_block(project, |project| async move { project.wait(&ids).await.map(|()| Value::Null) })
                },
            )
        },
    ]
}

type Answer<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;

fn cx_block<'a, F>(project: Project, work: impl FnOnce(Project) -> F) -> Result<Answer<'a>, Problem>
where
    F: Future<Output = Result<Value, Problem>> + Send + 'a,
{
    Ok(Box::pin(work(project)))
}

/// Name, parameters, example, shape of the result, documentation.
type Words = (&'static str, &'static [Param], &'static str, &'static str, &'static str);

fn look(
    cloud: &Arc<Cloud>,
    (name, params, example, returns, doc): Words,
    ask: fn(&OpCx, &Args, Project) -> Result<Answer<'static>, Problem>,
) -> Op {
    let cloud = cloud.clone();
    Op {
        name,
        doc,
        params,
        returns,
        permission: Permission::Needs {
            verb: "hetzner.read",
            scope,
            words: "look at what can be ordered in the Hetzner",
        },
        class: EffectClass::Read,
        undo: Undo::None("nothing was changed"),
        resources: no_resources,
        timeout_ms: 120_000,
        retry: RETRY,
        rehearse: Rehearse::Assume(assume::nothing),
        example,
        run: Box::new(move |cx, args| {
            let project = project(&cloud, cx, args)?;
            let answer = ask(cx, args, project)?;
            cx.block_on(answer)
        }),
        lookup: None,
    }
}

async fn check(project: &Project) -> Result<Value, Problem> {
    let answer = |valid: bool, writes: bool, problem: Option<&Problem>| {
        let (reason, message) =
            problem.map_or((Value::from(""), ""), |one| (one.data["reason"].clone(), one.message.as_str()));
        Ok(json!({ "valid": valid, "writes": writes, "reason": reason, "message": message }))
    };
    match project.get("/locations?per_page=1").await {
        Ok(_) => {}
        Err(problem) if problem.code == Code::PermissionDenied => return answer(false, false, Some(&problem)),
        Err(problem) => return Err(problem),
    }
    // Whether it may write is told before what is to be changed is looked for; there is no such thing, and nothing in the change.
    match project.put("/placement_groups/1", &json!({})).await {
        Err(problem) if problem.code == Code::PermissionDenied => answer(true, false, Some(&problem)),
        Err(problem) if problem.code != Code::NotFound => Err(problem),
        _ => answer(true, true, None),
    }
}

async fn sizes(project: &Project, location: Option<String>, architecture: Option<String>) -> Result<Value, Problem> {
    let location = location.as_deref();
    let (all, currency) = (project.all("/server_types", &[]).await?, project.currency().await?);
    let sizes = all.iter().filter(|one| architecture.as_deref().is_none_or(|wanted| one["architecture"] == wanted));
    let sizes = sizes.filter_map(|one| {
        let places = one["locations"].as_array()?.iter().filter(|place| place["deprecation"].is_null());
        let places: Vec<&Value> = places.collect();
        let named = |all: &[&Value]| all.iter().map(|place| place["name"].clone()).collect::<Vec<_>>();
        if places.is_empty() || location.is_some_and(|wanted| !places.iter().any(|place| place["name"] == wanted)) {
            return None;
        }
        let stocked: Vec<&Value> = places.iter().copied().filter(|place| place["available"] != false).collect();
        Some(json!({
            "name": one["name"], "description": one["description"], "category": one["category"], "cores": one["cores"],
            "memory_gb": one["memory"], "disk_gb": one["disk"], "architecture": one["architecture"],
            "cpu_type": one["cpu_type"], "locations": named(&places), "available": named(&stocked),
            "price_hourly": price(one, location, "price_hourly"), "price_monthly": price(one, location, "price_monthly"),
            "currency": currency,
        }))
    });
    Ok(sizes.collect())
}

async fn balancers(project: &Project, location: Option<String>) -> Result<Value, Problem> {
    let location = location.as_deref();
    let (all, currency) = (project.all("/load_balancer_types", &[]).await?, project.currency().await?);
    let on_sale = all.iter().filter(|one| one["deprecated"].is_null());
    let shown = on_sale.map(|one| {
        json!({
            "name": one["name"], "description": one["description"], "max_services": one["max_services"],
            "max_targets": one["max_targets"], "max_connections": one["max_connections"],
            "price_hourly": price(one, location, "price_hourly"), "price_monthly": price(one, location, "price_monthly"),
            "currency": currency,
        })
    });
    Ok(shown.collect())
}

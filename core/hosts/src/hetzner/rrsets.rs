//! Record sets of the provider's DNS zones.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, ResourceChange, resource::ResourceRef};
use windlass_script::host::{Args, Effect, Kind as Of, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    arguments::{PROJECT, Reference, options, project, project_name, scope, shown},
    assume,
    client::{Cloud, Project},
    kinds::{RETRY, TIMEOUT_MS},
    make::actions,
    marks,
    refusal::provider_code,
};

const ZONE: Param = Param::required("zone", Of::String, "The zone's name.");
const NAME: Param =
    Param::required("name", Of::String, "The set's name in the zone: `www`, or `@` for the zone itself.");
const TYPE: Param = Param::required("type", Of::String, "`A`, `AAAA`, `CNAME`, `TXT`, …");
const VALUES: Param =
    Param::required("values", Of::Array, "Values as in a zone file; those of TXT stand in quotation marks.");
const OPTS: Param = Param::optional("opts", Of::Map, "`ttl` (seconds; the zone's by default), `labels`.");
const SET: &[Param] = &[PROJECT, ZONE, NAME, TYPE];
const WHOLE: &[Param] = &[PROJECT, ZONE, NAME, TYPE, VALUES, OPTS];
const RETURNS: &str = "#{ name: string, type: string, ttl: int, records: array, labels: map }";

pub(super) fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    let (made, found, set, gone, listed, exported) =
        (cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone(), cloud.clone());
    vec![
        Op {
            class: EffectClass::Keyed,
            undo: Undo::Op { name: "delete_rrset", args: |args| args.values().iter().take(4).cloned().collect() },
            resources: |args| change(args, ResourceChange::Creates),
            lookup: Some(Box::new(move |cx, args| {
                let project = project(&found, cx, args)?;
                cx.block_on(async { Ok(one(&project, args).await?.filter(|set| marks::made_by(set, &cx.key))) })
            })),
            ..op(
                "create_rrset",
                WHOLE,
                r#"hetzner::create_zone("acme", "example.com"); hetzner::create_rrset("acme", "example.com", "www", "A", ["192.0.2.1"], #{ ttl: 300 })"#,
                "Makes a record set. `conflict` when it is there already.",
                Box::new(move |cx, args| {
                    let project = project(&made, cx, args)?;
                    cx.block_on(create(cx, &project, args))
                }),
            )
        },
        Op {
            undo: Undo::None("what stood there before isn't kept"),
            ..op(
                "set_records",
                WHOLE,
                r#"hetzner::create_zone("acme", "example.com"); hetzner::create_rrset("acme", "example.com", "www", "A", ["192.0.2.1"]); hetzner::set_records("acme", "example.com", "www", "A", ["192.0.2.2"])"#,
                "Replaces all records of a set that a run has made.",
                Box::new(move |cx, args| {
                    let project = project(&set, cx, args)?;
                    cx.block_on(replace(&project, args))
                }),
            )
        },
        Op {
            undo: Undo::None("what is gone can't be brought back"),
            resources: |args| change(args, ResourceChange::Destroys),
            rehearse: Rehearse::Assume(assume::deleted),
            returns: "#{ deleted: bool }",
            ..op(
                "delete_rrset",
                SET,
                r#"hetzner::create_zone("acme", "example.com"); hetzner::create_rrset("acme", "example.com", "www", "A", ["192.0.2.1"]); hetzner::delete_rrset("acme", "example.com", "www", "A")"#,
                "Deletes a record set that a run has made.",
                Box::new(move |cx, args| {
                    let project = project(&gone, cx, args)?;
                    cx.block_on(delete(cx, &project, args))
                }),
            )
        },
        Op {
            rehearse: Rehearse::Assume(assume::nothing),
            returns: "array",
            ..read(
                "list_rrsets",
                r#"hetzner::create_zone("acme", "example.com"); hetzner::list_rrsets("acme", "example.com").len()"#,
                "All record sets of a zone.",
                Box::new(move |cx, args| {
                    let project = project(&listed, cx, args)?;
                    cx.block_on(async { Ok(json!(project.all(&format!("/zones/{}/rrsets", zone(args)?), &[]).await?)) })
                }),
            )
        },
        Op {
            rehearse: Rehearse::Assume(|_| json!("$TTL 3600\n")),
            returns: "string",
            ..read(
                "export_zone",
                r#"hetzner::create_zone("acme", "example.com"); hetzner::export_zone("acme", "example.com")"#,
                "A zone as a zone file.",
                Box::new(move |cx, args| {
                    let project = project(&exported, cx, args)?;
                    cx.block_on(async {
                        Ok(project.get(&format!("/zones/{}/zonefile", zone(args)?)).await?["zonefile"].take())
                    })
                }),
            )
        },
    ]
}

fn op(name: &'static str, params: &'static [Param], example: &'static str, doc: &'static str, run: Effect) -> Op {
    Op {
        name,
        doc,
        params,
        returns: RETURNS,
        permission: Permission::Needs {
            verb: "hetzner.zone.write",
            scope,
            words: "make, change and delete DNS zones in the Hetzner",
        },
        class: EffectClass::Idempotent,
        undo: Undo::None("nothing was made"),
        resources: no_resources,
        timeout_ms: TIMEOUT_MS,
        retry: RETRY,
        rehearse: Rehearse::Assume(assume::looked_at),
        example,
        run,
        lookup: None,
    }
}

fn read(name: &'static str, example: &'static str, doc: &'static str, run: Effect) -> Op {
    Op {
        permission: Permission::Needs { verb: "hetzner.zone.read", scope, words: "look at DNS zones of the Hetzner" },
        class: EffectClass::Read,
        ..op(name, &[PROJECT, ZONE], example, doc, run)
    }
}

fn change(args: &Args, change: fn(ResourceRef) -> ResourceChange) -> Vec<ResourceChange> {
    let parts = ["zone", "name", "type"].map(|name| shown(args.get(name)));
    let id = format!("{}/{}", project_name(args), parts.join("/"));
    vec![change(ResourceRef { provider: "hetzner".into(), kind: "rrset".into(), id: id.into() })]
}

/// A part of a path: nothing in it may lead elsewhere.
fn part(text: &str, what: &str) -> Result<String, Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@*".contains(&byte);
    if text.is_empty() || text == "." || text == ".." || !text.bytes().all(fits) {
        return Err(crate::support::invalid(format!("`{what}` can't be `{text}`")));
    }
    Ok(text.replace('@', "%40").replace('*', "%2A"))
}

fn zone(args: &Args) -> Result<String, Problem> {
    part(args.str("zone").trim_end_matches('.'), "zone")
}

fn path(args: &Args) -> Result<String, Problem> {
    Ok(format!("/zones/{}/rrsets/{}/{}", zone(args)?, part(args.str("name"), "name")?, part(args.str("type"), "type")?))
}

async fn one(project: &Project, args: &Args) -> Result<Option<Value>, Problem> {
    match project.get(&path(args)?).await {
        Ok(mut answer) => Ok(Some(answer["rrset"].take())),
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn records(args: &Args) -> Result<Vec<Value>, Problem> {
    let values: Vec<String> = args.read("values")?;
    Ok(values.into_iter().map(|value| json!({ "value": value })).collect())
}

async fn create(cx: &OpCx, project: &Project, args: &Args) -> Result<Value, Problem> {
    let mut opts = options(args, &["ttl", "labels"])?;
    let labels = marks::labels(cx, project, opts.remove("labels"))?;
    let mut body =
        json!({ "name": args.str("name"), "type": args.str("type"), "labels": labels, "records": records(args)? });
    if let Some(ttl) = opts.get("ttl") {
        body["ttl"] = ttl.clone();
    }
    path(args)?;
    if project.is_bound() {
        let zone = Reference::Name(args.str("zone").trim_end_matches('.').to_owned());
        project.admit("zone", &project.need("zones", "zone", &zone).await?)?;
    }
    match project.post(&format!("/zones/{}/rrsets", zone(args)?), &body).await {
        Ok(answer) => {
            let whole = async {
                project.wait(&actions(&answer)).await?;
                Ok(answer["rrset"].clone())
            };
            whole.await.map_err(|mut problem: Problem| {
                problem.no_effect = false;
                problem
            })
        }
        Err(problem) if provider_code(&problem) == "uniqueness_error" => match one(project, args).await? {
            Some(set) if marks::made_by(&set, &cx.key) => Ok(set),
            _ => Err(problem.help("`hetzner::set_records` changes a set that is there")),
        },
        Err(problem) => Err(problem),
    }
}

async fn replace(project: &Project, args: &Args) -> Result<Value, Problem> {
    let opts = options(args, &["ttl"])?;
    let path = path(args)?;
    let held = one(project, args).await?;
    let missing =
        || Problem::new(Code::NotFound, format!("there is no record set {} {}", args.str("name"), args.str("type")));
    project.admit("record set", &held.ok_or_else(|| missing().no_effect())?)?;
    let body = json!({ "records": records(args)? });
    project.wait(&actions(&project.post(&format!("{path}/actions/set_records"), &body).await?)).await?;
    if let Some(ttl) = opts.get("ttl") {
        project
            .wait(&actions(&project.post(&format!("{path}/actions/change_ttl"), &json!({ "ttl": ttl })).await?))
            .await?;
    }
    Ok(one(project, args).await?.unwrap_or_default())
}

async fn delete(cx: &OpCx, project: &Project, args: &Args) -> Result<Value, Problem> {
    let Some(set) = one(project, args).await? else { return Ok(json!({ "deleted": false })) };
    match &cx.undoes {
        Some(key) if !marks::made_by(&set, key) => return Ok(json!({ "deleted": false })),
        Some(_) => {}
        None => project.admit("record set", &set)?,
    }
    match project.delete(&path(args)?).await {
        Ok(answer) => project.wait(&actions(&answer)).await?,
        Err(problem) if problem.code == Code::NotFound => {}
        Err(problem) => return Err(problem),
    }
    Ok(json!({ "deleted": true }))
}

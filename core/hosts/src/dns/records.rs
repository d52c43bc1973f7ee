//! Ops that change records.

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::Problem;
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Undo};

use super::ops::{Here, SERVER_OPTS, WRITE, ZONE, denied, json, only, scope, undoing};
use crate::{
    authority::{self, Change, Changed, Delegation, Plan, Rrset, Update},
    support::invalid,
};

const RRSETS: Param = Param::required(
    "rrsets",
    Kind::Any,
    "One or an array of `#{ name, type, ttl, records }` (or one `record`); the TTL is in seconds, 3600 if it is left out.",
);
const GONE: Param = Param::required("rrsets", Kind::Any, "One or an array of `#{ name, type }`.");
const WRITE_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`force` (needs `dns.force`): though something isn't ours, or the zone's own name servers change; `server`.",
);
const PLAN: Param = Param::required("plan", Kind::Map, "What `dns::plan` gave.");
const NAMES: Param = Param::required("names", Kind::Array, "The names that the step changed.");
const CHILD: Param = Param::required("child", Kind::String, "The zone below.");
const DELEGATION: Param = Param::required(
    "to",
    Kind::Map,
    "`nameservers`, `ds` (none: it is unsigned for the world), `ttl` in seconds (300 if it is left out).",
);

const WORDS: &str = "change DNS names and zones below";
const CHANGED: &str = "#{ created: int, updated: int, deleted: int, unchanged: int }";

pub(super) fn ops(here: &Here) -> Vec<Op> {
    let write = |scope| Permission::Needs { verb: WRITE, scope, words: WORDS };
    let undo = |args| Undo::Op { name: "restore", args };
    vec![
        Op {
            doc: "Puts rrsets there, or replaces those of the same name and type: all of them or, if one is wrong, none. What is so \
                  already isn't written again. They carry our mark. The undo puts back what stood there, unless somebody else has changed it since.",
            params: &[ZONE, RRSETS, WRITE_OPTS],
            returns: CHANGED,
            permission: write(|args| names(args, "rrsets")),
            undo: undo(|args| undo_of(args, names(args, "rrsets"))),
            example: r#"dns::create_zone("a.example.net"); dns::replace("a.example.net", [#{ name: "@", type: "A", ttl: 300, records: ["192.0.2.1"] }, #{ name: "www", type: "CNAME", record: "a.example.net" }]).created"#,
            ..here.change("replace", replace)
        },
        Op {
            doc: "Removes rrsets, all of them or none; one that isn't there is no error. The undo puts back what stood there.",
            params: &[ZONE, GONE, WRITE_OPTS],
            returns: CHANGED,
            permission: write(|args| names(args, "rrsets")),
            undo: undo(|args| undo_of(args, names(args, "rrsets"))),
            example: r#"dns::create_zone("a.example.net"); dns::delete("a.example.net", #{ name: "www", type: "CNAME" }).unchanged"#,
            ..here.change("delete", delete)
        },
        Op {
            doc: "Applies what `dns::plan` gave, all of it or nothing. Errors: `precondition_failed` if the zone has changed since, \
                  so that nothing is applied that nobody has looked at; `conflict` if the plan is refused and that isn't forced.",
            params: &[PLAN, WRITE_OPTS],
            returns: CHANGED,
            permission: write(planned),
            undo: undo(|args| {
                vec![
                    args.get("plan")["zone"].clone(),
                    json!(planned(args)),
                    json!({ "server": args.get("opts")["server"] }),
                ]
            }),
            example: r#"dns::create_zone("a.example.net"); dns::apply(dns::plan("a.example.net", [#{ name: "@", type: "A", records: ["192.0.2.1"] }])).created"#,
            ..here.change("apply", apply)
        },
        Op {
            doc: "Takes back what a step did to records: the undo of `replace`, `delete`, `apply`, `delegate` and `undelegate`. Does \
                  nothing when called by hand. Whether there was something to take back. Errors: `conflict` if somebody else has changed it since.",
            params: &[ZONE, NAMES, SERVER_OPTS],
            returns: "bool",
            permission: write(|args| {
                let names = args.get("names").as_array().into_iter().flatten();
                names.map(|name| scope(authority::name(name.as_str().unwrap_or_default()))).collect()
            }),
            undo: Undo::None("it is an undo itself"),
            example: r#"dns::create_zone("a.example.net"); dns::restore("a.example.net", ["www.a.example.net"])"#,
            ..here.change("restore", |here, cx, args| {
                let Some((key, hand)) = undoing(cx) else { return Ok(false.into()) };
                let (zone, server) = here.place(args)?;
                cx.block_on(server.restore(&zone, &key, &hand)).map(Value::Bool)
            })
        },
        Op {
            doc: "Puts a zone's name servers and DS records into its parent zone, in one change. A signed zone without its DS is \
                  unsigned for the world; a DS that fits no key takes it off the Internet: give what `dns::create_zone` or `dns::ds` says.",
            params: &[ZONE, CHILD, DELEGATION, WRITE_OPTS],
            returns: CHANGED,
            permission: write(child),
            undo: undo(|args| undo_of(args, child(args))),
            example: r#"dns::create_zone("example.net"); let zone = dns::create_zone("a.example.net"); dns::delegate("example.net", "a.example.net", #{ nameservers: ["ns1.example.net"], ds: zone.ds }).created"#,
            ..here.change("delegate", delegate)
        },
        Op {
            doc: "Takes a zone's name servers and DS records out of its parent zone, in one change.",
            params: &[ZONE, CHILD, WRITE_OPTS],
            returns: CHANGED,
            permission: write(child),
            undo: undo(|args| undo_of(args, child(args))),
            example: r#"dns::create_zone("example.net"); dns::undelegate("example.net", "a.example.net").unchanged"#,
            ..here.change("undelegate", |here, cx, args| {
                let (zone, server, name) = parent_and_child(here, args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                json(&cx.block_on(server.undelegate(&zone, &name, &hand))?)
            })
        },
    ]
}

/// One or several, as they were written.
fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

fn full(zone: &str, name: &Value) -> String {
    scope(authority::name(zone).and_then(|zone| authority::within(&zone, name.as_str().unwrap_or_default())))
}

fn names(args: &Args, of: &str) -> Vec<String> {
    let mut names: Vec<String> =
        several(args.get(of)).iter().map(|rrset| full(args.str("zone"), &rrset["name"])).collect();
    names.sort();
    names.dedup();
    // A call without any touches the zone at least as a question.
    if names.is_empty() { vec![scope(authority::name(args.str("zone")))] } else { names }
}

fn planned(args: &Args) -> Vec<String> {
    let plan = args.get("plan");
    let all = |key: &str| plan[key].as_array().into_iter().flatten();
    let zone = plan["zone"].as_str().unwrap_or_default();
    let touched = all("create").chain(all("delete")).chain(all("update").map(|update| &update["to"]));
    let mut names: Vec<String> = touched.map(|rrset| full(zone, &rrset["name"])).collect();
    names.sort();
    names.dedup();
    if names.is_empty() { vec![scope(authority::name(zone))] } else { names }
}

fn child(args: &Args) -> Vec<String> {
    vec![scope(authority::name(args.str("child")))]
}

fn undo_of(args: &Args, names: Vec<String>) -> Vec<Value> {
    vec![args.get("zone").clone(), json!(names), json!({ "server": args.get("opts")["server"] })]
}

/// LUA records are code that runs on the name server.
fn check_code<'a>(cx: &OpCx, rrsets: impl Iterator<Item = &'a Rrset>) -> Result<(), Problem> {
    for rrset in rrsets {
        if rrset.kind == "LUA" && !cx.is_granted("dns.lua", &rrset.name) {
            return Err(denied("dns.lua", &rrset.name, "a LUA record, which is code on the name server,"));
        }
    }
    Ok(())
}

fn replace(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (zone, server) = here.place(args)?;
    let hand = here.hand(cx, &zone, only(args)?.force)?;
    let read = several(args.get("rrsets")).into_iter().map(|value| Rrset::read(&zone, value));
    let rrsets = read.collect::<Result<Vec<_>, _>>()?;
    check_code(cx, rrsets.iter())?;
    let changes = rrsets.into_iter().map(Change::Replace).collect();
    json(&cx.block_on(server.change(&zone, changes, &hand))?)
}

fn delete(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (zone, server) = here.place(args)?;
    let hand = here.hand(cx, &zone, only(args)?.force)?;
    let changes = several(args.get("rrsets")).into_iter().map(|value| {
        let (Some(name), Some(kind)) = (value["name"].as_str(), value["type"].as_str()) else {
            return Err(invalid("what is deleted is named by `name` and `type`"));
        };
        Ok(Change::Delete { name: authority::within(&zone, name)?, kind: kind.to_ascii_uppercase() })
    });
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    json(&cx.block_on(server.change(&zone, changes, &hand))?)
}

/// A plan may have been written by hand: its rrsets are read as any others are.
fn reread(zone: &str, plan: Plan) -> Result<Plan, Problem> {
    let read = |rrset: Rrset| Rrset::read(zone, &rrset.shown());
    let all = |rrsets: Vec<Rrset>| rrsets.into_iter().map(read).collect::<Result<Vec<_>, _>>();
    let update = plan.update.into_iter().map(|Update { from, to }| Ok(Update { from: read(from)?, to: read(to)? }));
    Ok(Plan {
        zone: zone.to_owned(),
        create: all(plan.create)?,
        update: update.collect::<Result<_, Problem>>()?,
        delete: all(plan.delete)?,
        unchanged: plan.unchanged,
        refused: plan.refused,
    })
}

fn apply(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let options = only(args)?;
    let plan: Plan = args.read("plan")?;
    let zone = authority::name(&plan.zone)?;
    let plan = reread(&zone, plan)?;
    let server = here.servers.of(&zone, options.server.as_deref())?;
    let hand = here.hand(cx, &zone, options.force)?;
    check_code(cx, plan.create.iter().chain(plan.update.iter().map(|update| &update.to)))?;
    let done: Changed = cx.block_on(server.apply(&zone, &plan, &hand))?;
    json(&done)
}

fn parent_and_child(here: &Here, args: &Args) -> Result<(String, std::sync::Arc<authority::Server>, String), Problem> {
    let (zone, server) = here.place(args)?;
    let child = authority::name(args.str("child"))?;
    if !authority::below(&zone, &child) {
        return Err(invalid(format!("{child} isn't below {zone}")));
    }
    Ok((zone, server, child))
}

fn delegate(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct To {
        nameservers: Vec<String>,
        #[serde(default)]
        ds: Vec<String>,
        #[serde(default = "minutes")]
        ttl: u32,
    }
    const fn minutes() -> u32 {
        300
    }
    let (zone, server, child) = parent_and_child(here, args)?;
    let to: To = args.read("to")?;
    let hand = here.hand(cx, &zone, only(args)?.force)?;
    let to = Delegation { nameservers: to.nameservers, ds: to.ds, ttl: to.ttl };
    json(&cx.block_on(server.delegate(&zone, &child, &to, &hand))?)
}

//! Sessions: who is at a console now, and who was.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::Problem;
use windlass_script::host::{Kind as Of, Op, Param, Undo, no_resources};

use super::{Draft, LAB, changing, connections::listing, reading};
use crate::{
    guacamole::{
        client::Web,
        lab::{Kind, Lab},
    },
    support::{self, invalid},
};

/// Entries of a history, at most.
const ENTRIES: usize = 1_000;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    limit: Option<usize>,
}

/// The lab's connections: their names by what Guacamole knows them by.
async fn names(lab: &Lab<'_>) -> Result<BTreeMap<String, String>, Problem> {
    Ok(lab.things(Kind::Connection).await?.into_iter().map(|thing| (thing.id, thing.name)).collect())
}

/// Sessions on the lab's connections, each with what Guacamole knows it by.
async fn active(lab: &Lab<'_>) -> Result<Vec<Value>, Problem> {
    let (names, all) = (names(lab).await?, lab.desk.get("/activeConnections").await?);
    let sessions = all.as_object().into_iter().flatten().filter_map(|(id, session)| {
        let name = names.get(session["connectionIdentifier"].as_str()?)?;
        Some(json!({ "id": id, "connection": name, "user": session["username"], "since_ms": session["startDate"],
                     "from": session["remoteHost"] }))
    });
    Ok(sessions.collect())
}

async fn kill(lab: &Lab<'_>, id: &str) -> Result<Value, Problem> {
    // Only sessions on connections of the lab are found, so no other one is ended.
    if !active(lab).await?.iter().any(|session| session["id"] == id) {
        return Ok(json!({ "ended": false }));
    }
    if id.contains('/') {
        return Err(invalid("a session's id has no slash"));
    }
    lab.desk.patch("/activeConnections", &json!([{ "op": "remove", "path": format!("/{id}") }])).await?;
    Ok(json!({ "ended": true }))
}

async fn history(lab: &Lab<'_>, limit: usize) -> Result<Value, Problem> {
    let (names, all) = (names(lab).await?, lab.desk.get("/history/connections?order=-startDate").await?);
    let entries = all.as_array().into_iter().flatten().filter_map(|entry| {
        let name = names.get(entry["connectionIdentifier"].as_str()?)?;
        Some(json!({ "connection": name, "user": entry["username"], "from": entry["remoteHost"], "start_ms": entry["startDate"],
                     "end_ms": entry["endDate"], "active": entry["active"] }))
    });
    Ok(entries.take(limit).collect())
}

pub(super) fn ops(web: &Arc<Web>) -> Vec<Op> {
    vec![
        listing(
            web,
            "active",
            "Sessions on the lab's connections that are open now; times are milliseconds since 1970.",
            "#{ id: string, connection: string, user: string, since_ms: int, from: string }",
            r#"guacamole::active("demo").len()"#,
            |lab, _| Box::pin(async { Ok(Value::Array(active(lab).await?)) }),
        ),
        changing(
            web,
            Draft {
                name: "kill",
                doc: "Ends a session on a connection of the lab, by its `id` in `active`. One that isn't there has ended: `ended` is false.",
                params: const { &[LAB, Param::required("id", Of::String, "What `active` calls it.")] },
                returns: "#{ ended: bool }",
                example: r#"guacamole::kill("demo", "6a2d3c1e-0000-4000-8000-000000000000").ended"#,
                assume: |_| json!({ "ended": false }),
                body: |lab, args| Box::pin(kill(lab, args.str("id"))),
            },
            Undo::None("whoever was there connects again"),
            no_resources,
        ),
        reading(
            web,
            Draft {
                name: "history",
                doc: "Who used the lab's connections, the last first, of the thousand that Guacamole tells of all of them. `end_ms` is `()` while it lasts.",
                params: const { &[LAB, Param::optional("options", Of::Map, "`limit`: entries, at most 1000 (100).")] },
                returns: "[#{ connection: string, user: string, from: string, start_ms: int, end_ms: int, active: bool }]",
                example: r#"guacamole::history("demo", #{ limit: 10 }).len()"#,
                assume: |_| json!([]),
                body: |lab, args| {
                    Box::pin(async {
                        let options: Options = support::options(args, "options")?;
                        let limit = options.limit.unwrap_or(100);
                        if !(1..=ENTRIES).contains(&limit) {
                            return Err(invalid(format!("`limit` is from 1 to {ENTRIES}")));
                        }
                        history(lab, limit).await
                    })
                },
            },
        ),
    ]
}

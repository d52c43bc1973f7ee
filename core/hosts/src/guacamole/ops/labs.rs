//! A lab as a whole: what Guacamole is, a lab brought into step, a lab removed.

use std::sync::Arc;

use serde_json::json;
use windlass_model::{ResourceChange, ResourceRef};
use windlass_script::host::{Args, Kind as Of, Op, Param, Undo};

use super::{Draft, LAB, changing, reading, thing};
use crate::guacamole::{arguments::Connection, client::Web, sync};

const CONNECTIONS: Param = Param::required(
    "connections",
    Of::Array,
    "Maps as `create_connection` takes them; each `group` that isn't there is made.",
);

fn created(args: &Args) -> Vec<ResourceChange> {
    let wanted = args.get("connections").as_array().into_iter().flatten();
    wanted.map(|one| ResourceChange::Creates(thing("connection", args, &one["name"]))).collect()
}

pub(super) fn ops(web: &Arc<Web>) -> Vec<Op> {
    vec![
        reading(
            web,
            Draft {
                name: "info",
                doc: "Whether Guacamole can be used for a lab: who Windlass is there, where it is, and what it may do. It logs in, so a \
                      wrong password is found here.",
                params: &[LAB],
                returns: "#{ url: string, user: string, datasource: string, guacd: string, system_permissions: [string] }",
                example: r#"guacamole::info("demo").datasource"#,
                assume: |_| json!({ "url": "", "user": "windlass", "datasource": "postgresql", "guacd": "", "system_permissions": [] }),
                body: |lab, _| {
                    Box::pin(async {
                        let own = lab.desk.get("/self").await?;
                        let rights = lab.desk.get("/self/effectivePermissions").await?;
                        let config = lab.desk.web.config();
                        Ok(json!({ "url": lab.desk.base, "user": own["username"], "datasource": config.datasource,
                                   "guacd": config.guacd, "system_permissions": rights["systemPermissions"] }))
                    })
                },
            },
        ),
        changing(
            web,
            Draft {
                name: "sync_lab",
                doc: "Brings the lab's connections into step with these: makes what is missing, changes what differs, removes what the \
                      lab has beyond them, groups included. The same again changes nothing. What others have put into the lab's \
                      groups stays, and so do those groups. As its undo, what the step has made is removed; what it changed \
                      stays as it is, because what stood there before may have been a secret, which isn't kept twice.",
                params: &[LAB, CONNECTIONS],
                returns: "#{ group: string, created: [string], updated: [string], removed: [string], unchanged: int, \
                          groups_removed: [string], groups_kept: array }",
                example: r#"guacamole::sync_lab("demo", [#{ name: "r1", protocol: "vnc", parameters: #{ hostname: "127.0.0.1", port: 5901 } }]).created"#,
                assume: |args| {
                    let wanted = args.get("connections").as_array().cloned().unwrap_or_default();
                    let names: Vec<_> = wanted.into_iter().map(|mut one| one["name"].take()).collect();
                    json!({ "group": "1", "created": names, "updated": [], "removed": [], "unchanged": 0, "groups_removed": [], "groups_kept": [] })
                },
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: Vec<Connection> = args.read("connections")?;
                        sync::sync(lab, &wanted).await
                    })
                },
            },
            Undo::Op { name: "clean", args: |args| vec![args.get("lab").clone()] },
            created,
        ),
        changing(
            web,
            Draft {
                name: "clean",
                doc: "Removes all that carries the lab's mark: sharing profiles, connections, users with their generated passwords, user \
                      groups, groups. A group in which others have put something stays, and is told. Nothing left: `removed` is 0. As an \
                      undo it removes only what its step has made.",
                params: &[LAB],
                returns: "#{ removed: int, kept: [#{ group: string, inside: [string] }] }",
                example: r#"guacamole::clean("demo").removed"#,
                assume: |_| json!({ "removed": 0, "kept": [] }),
                body: |lab, _| Box::pin(sync::clean(lab)),
            },
            Undo::None("what is gone can't be brought back; `sync_lab` makes it anew"),
            |args| vec![ResourceChange::Destroys(ResourceRef::everything_below("guacamole", args.str("lab")))],
        ),
    ]
}

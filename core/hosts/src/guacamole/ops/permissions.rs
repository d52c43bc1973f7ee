//! Permissions, and sharing profiles: what others may be shown of a session.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::ResourceChange;
use windlass_script::host::{Args, Kind as Of, Op, Param, Undo, no_resources};

use super::{
    Draft, LAB, NAME, changing,
    connections::{list, listing},
    making, reading, thing,
};
use crate::guacamole::{
    allowed, arguments,
    client::Web,
    lab::Kind,
    rights::{self, Right, Who},
};

const WHO: Param =
    Param::required("who", Of::Map, "`#{ user: \"ann\" }` or `#{ user_group: \"students\" }`, of the lab.");
const RIGHTS: Param = Param::required(
    "permissions",
    Of::Array,
    "Maps: `connection`, `group` or `sharing_profile` of the lab, and `permissions` (`[\"READ\"]`, and to revoke `UPDATE`, `DELETE`, `ADMINISTER`, too).",
);
const PROFILE: Param = Param::required(
    "sharing_profile",
    Of::Map,
    "`name`, `connection` of the lab, `parameters` (`read-only`: true), `attributes`.",
);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    name: String,
    connection: String,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

pub(super) fn ops(web: &Arc<Web>) -> Vec<Op> {
    let mut ops = permissions(web);
    ops.extend(profiles(web));
    ops
}

fn permissions(web: &Arc<Web>) -> Vec<Op> {
    vec![
        changing(
            web,
            Draft {
                name: "grant",
                doc: "Lets a user or a user group of the lab use things of the lab; who may read a connection may read the lab's groups \
                      around it, too, or wouldn't find it. There already is fine. As its undo, what wasn't there before is taken back.",
                params: &[LAB, WHO, RIGHTS],
                returns: "#{ granted: int }",
                example: r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::create_connection("demo", #{ name: "r1", protocol: "vnc" }); guacamole::grant("demo", #{ user: "ann" }, [#{ connection: "r1" }]).granted"#,
                assume: |args| json!({ "granted": args.get("permissions").as_array().map_or(0, Vec::len) }),
                body: |lab, args| {
                    Box::pin(async {
                        let (who, wanted): (Who, Vec<Right>) = (args.read("who")?, args.read("permissions")?);
                        rights::grant(lab, &who, &wanted).await
                    })
                },
            },
            Undo::Op {
                name: "revoke",
                args: |args: &Args| {
                    vec![args.get("lab").clone(), args.get("who").clone(), args.get("permissions").clone()]
                },
            },
            no_resources,
        ),
        changing(
            web,
            Draft {
                name: "revoke",
                doc: "Takes permissions back. Not there is fine. As an undo it takes back what its step has granted, and wasn't there before.",
                params: &[LAB, WHO, RIGHTS],
                returns: "#{ revoked: int }",
                example: r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::create_connection("demo", #{ name: "r1", protocol: "vnc" }); guacamole::revoke("demo", #{ user: "ann" }, [#{ connection: "r1" }]).revoked"#,
                assume: |args| json!({ "revoked": args.get("permissions").as_array().map_or(0, Vec::len) }),
                body: |lab, args| {
                    Box::pin(async {
                        let (who, wanted): (Who, Vec<Right>) = (args.read("who")?, args.read("permissions")?);
                        rights::revoke(lab, &who, &wanted).await
                    })
                },
            },
            Undo::None("`grant` gives them back"),
            no_resources,
        ),
        reading(
            web,
            Draft {
                name: "permissions",
                doc: "What a user or a user group of the lab may do with things of the lab, by their names.",
                params: &[LAB, WHO],
                returns: "#{ connections: map, groups: map, sharing_profiles: map, system: [string] }",
                example: r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::permissions("demo", #{ user: "ann" }).connections"#,
                assume: |_| json!({ "connections": {}, "groups": {}, "sharing_profiles": {}, "system": [] }),
                body: |lab, args| {
                    Box::pin(async {
                        let who: Who = args.read("who")?;
                        rights::permissions(lab, &who).await
                    })
                },
            },
        ),
    ]
}

fn profiles(web: &Arc<Web>) -> Vec<Op> {
    const RETURNS: &str = "#{ id: string, name: string, connection_id: string, attributes: map, run: string }";
    vec![
        making(
            web,
            Draft {
                name: "create_sharing_profile",
                doc: "A way to show a connection's session to others, such as one in which they only look.",
                params: &[LAB, PROFILE],
                returns: RETURNS,
                example: r#"guacamole::create_connection("demo", #{ name: "r1", protocol: "vnc" }); guacamole::create_sharing_profile("demo", #{ name: "watch r1", connection: "r1", parameters: #{ "read-only": true } }).name"#,
                assume: |args| json!({ "id": "1", "name": args.get("sharing_profile")["name"], "connection_id": "1", "attributes": {}, "run": "" }),
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: Profile = args.read("sharing_profile")?;
                        arguments::name("sharing profile", &wanted.name)?;
                        let connection = lab.need(Kind::Connection, &wanted.connection).await?;
                        let body = json!({ "primaryConnectionIdentifier": connection.id, "name": wanted.name,
                                           "parameters": arguments::parameters(lab, allowed::SHARED, &wanted.parameters)?,
                                           "attributes": arguments::attributes(allowed::PROFILE, &wanted.attributes)? });
                        let made = lab.make(Kind::Profile, &wanted.name, body).await?;
                        Ok(lab.shown(Kind::Profile, &made, &[]))
                    })
                },
            },
            Undo::Op {
                name: "remove_sharing_profile",
                args: |args| vec![args.get("lab").clone(), args.get("sharing_profile")["name"].clone()],
            },
            |args| vec![ResourceChange::Creates(thing("sharing_profile", args, &args.get("sharing_profile")["name"]))],
            |lab, _| {
                Box::pin(async { Ok(lab.made(Kind::Profile).await?.map(|made| lab.shown(Kind::Profile, &made, &[]))) })
            },
        ),
        changing(
            web,
            Draft {
                name: "remove_sharing_profile",
                doc: "Removes a sharing profile of the lab. As an undo it removes only what its step has made.",
                params: &[LAB, NAME],
                returns: "#{ removed: bool }",
                example: r#"guacamole::remove_sharing_profile("demo", "watch r1").removed"#,
                assume: |_| json!({ "removed": false }),
                body: |lab, args| {
                    Box::pin(async { Ok(json!({ "removed": lab.remove(Kind::Profile, args.str("name")).await? })) })
                },
            },
            Undo::None("what is gone can't be brought back"),
            |args| vec![ResourceChange::Destroys(thing("sharing_profile", args, args.get("name")))],
        ),
        listing(
            web,
            "sharing_profiles",
            "The lab's sharing profiles, by name.",
            RETURNS,
            r#"guacamole::sharing_profiles("demo").len()"#,
            |lab, _| Box::pin(list(lab, Kind::Profile)),
        ),
    ]
}

//! Connections and the groups that they stand in.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::ResourceChange;
use windlass_script::host::{Args, Kind as Of, Op, Param, Undo};

use super::{Draft, LAB, NAME, changing, making, reading, thing};
use crate::{
    guacamole::{
        allowed,
        arguments::{self, Connection},
        client::Web,
        lab::Kind,
        marks::encoded,
        sync::with_kept,
    },
    support::{self, invalid},
};

const CONNECTION: Param = Param::required(
    "connection",
    Of::Map,
    "`name`, `protocol` (`vnc`, `ssh`, `telnet`, `rdp`); `parameters`: what guacd is told, text, numbers, truth values or \
     secrets (`hostname`, `port`, `username`, `password`, `private-key`, …; none that names files of guacd's host); `group`: one of the lab's; `attributes`: Guacamole's own \
     settings (`max-connections`).",
);
const GROUP: Param = Param::required(
    "group",
    Of::Map,
    "`name`; `group`: the lab's group that it stands in; `balancing`: one connection of it is chosen; `attributes`.",
);
const CHANGES: Param = Param::required(
    "changes",
    Of::Map,
    "`protocol`, `parameters` (those that are named; `()` removes one), `group`, `attributes`: what is left out stays as it is.",
);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    balancing: bool,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Changes {
    protocol: Option<String>,
    parameters: BTreeMap<String, Value>,
    group: Option<String>,
    attributes: BTreeMap<String, Value>,
}

const RETURNS: &str = "#{ id: string, name: string, group: string, protocol: string, active: int, link: string, attributes: map, run: string }";

fn assumed(args: &Args) -> Value {
    let name = args.get("connection")["name"].as_str().unwrap_or(args.str("name")).to_owned();
    json!({ "id": "1", "name": name, "group": null, "protocol": "vnc", "active": 0, "link": "", "attributes": {}, "run": "" })
}

fn assumed_group(args: &Args) -> Value {
    json!({ "id": "1", "name": args.get("group")["name"], "group": null, "type": "ORGANIZATIONAL", "attributes": {}, "run": "" })
}

pub(super) fn ops(web: &Arc<Web>) -> Vec<Op> {
    let mut ops = connections(web);
    ops.extend(groups(web));
    ops
}

fn connections(web: &Arc<Web>) -> Vec<Op> {
    vec![
        making(
            web,
            Draft {
                name: "create_connection",
                doc: "A connection in the lab's group. `link` is where people open it, once they are logged in.",
                params: &[LAB, CONNECTION],
                returns: RETURNS,
                example: r#"guacamole::create_connection("demo", #{ name: "r1", protocol: "telnet", parameters: #{ hostname: "127.0.0.1", port: 2323 } }).link"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: Connection = args.read("connection")?;
                        wanted.check()?;
                        let parent = lab.parent(wanted.group.as_deref()).await?;
                        let body = wanted.body(lab, &parent)?;
                        let made = lab.make(Kind::Connection, &wanted.name, body).await?;
                        Ok(lab.shown(Kind::Connection, &made, &lab.things(Kind::Group).await?))
                    })
                },
            },
            Undo::Op {
                name: "remove_connection",
                args: |args| vec![args.get("lab").clone(), args.get("connection")["name"].clone()],
            },
            |args| vec![ResourceChange::Creates(thing("connection", args, &args.get("connection")["name"]))],
            |lab, _| {
                Box::pin(async {
                    let groups = lab.things(Kind::Group).await?;
                    Ok(lab.made(Kind::Connection).await?.map(|made| lab.shown(Kind::Connection, &made, &groups)))
                })
            },
        ),
        changing(
            web,
            Draft {
                name: "update_connection",
                doc: "Changes a connection of the lab. Sessions that are open go on as they are.",
                params: &[LAB, NAME, CHANGES],
                returns: RETURNS,
                example: r#"guacamole::create_connection("demo", #{ name: "r1", protocol: "vnc" }); guacamole::update_connection("demo", "r1", #{ parameters: #{ port: 5902 } }).name"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let changes: Changes = support::options(args, "changes")?;
                        let connection = lab.need(Kind::Connection, args.str("name")).await?;
                        let path = format!("{}/{}/parameters", Kind::Connection.path(), encoded(&connection.id));
                        let mut parameters = lab.desk.get(&path).await?;
                        let protocol =
                            changes.protocol.as_deref().or(connection.object["protocol"].as_str()).unwrap_or_default();
                        arguments::protocol(protocol)?;
                        for (name, value) in arguments::parameters(lab, allowed::of(protocol), &changes.parameters)? {
                            parameters[name] = value;
                        }
                        let parent = match &changes.group {
                            Some(group) => lab.need(Kind::Group, group).await?.id.into(),
                            None => connection.object["parentIdentifier"].clone(),
                        };
                        let body = json!({ "parentIdentifier": parent, "name": connection.name, "protocol": protocol, "identifier": connection.id,
                                           "parameters": parameters, "attributes": arguments::attributes(allowed::CONNECTION, &changes.attributes)? });
                        lab.write(Kind::Connection, &connection, with_kept(&connection, body)).await?;
                        let now = lab.need(Kind::Connection, &connection.name).await?;
                        Ok(lab.shown(Kind::Connection, &now, &lab.things(Kind::Group).await?))
                    })
                },
            },
            Undo::None("what stood there before may be a secret, which isn't kept twice"),
            windlass_script::host::no_resources,
        ),
        changing(
            web,
            Draft {
                name: "remove_connection",
                doc: "Removes a connection of the lab, its sharing profiles with it. One that isn't there is removed: `removed` is \
                      false. As an undo it removes only what its step has made.",
                params: &[LAB, NAME],
                returns: "#{ removed: bool }",
                example: r#"guacamole::remove_connection("demo", "r1").removed"#,
                assume: |_| json!({ "removed": false }),
                body: |lab, args| {
                    Box::pin(async { Ok(json!({ "removed": lab.remove(Kind::Connection, args.str("name")).await? })) })
                },
            },
            Undo::None("what is gone can't be brought back"),
            |args| vec![ResourceChange::Destroys(thing("connection", args, args.get("name")))],
        ),
        reading(
            web,
            Draft {
                name: "connection",
                doc: "One connection of the lab, without its parameters: secrets may stand there.",
                params: &[LAB, NAME],
                returns: RETURNS,
                example: r#"guacamole::connection("demo", "r1").id"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let found = lab.need(Kind::Connection, args.str("name")).await?;
                        Ok(lab.shown(Kind::Connection, &found, &lab.things(Kind::Group).await?))
                    })
                },
            },
        ),
        listing(
            web,
            "connections",
            "The lab's connections, by name.",
            RETURNS,
            r#"guacamole::connections("demo").len()"#,
            |lab, _| Box::pin(list(lab, Kind::Connection)),
        ),
    ]
}

/// All of a kind, as scripts see them.
pub(super) async fn list(lab: &super::Lab<'_>, kind: Kind) -> Result<Value, windlass_model::Problem> {
    let groups = lab.things(Kind::Group).await?;
    Ok(lab.things(kind).await?.iter().map(|thing| lab.shown(kind, thing, &groups)).collect())
}

/// An op that gives a list.
pub(super) fn listing(
    web: &Arc<Web>,
    name: &'static str,
    doc: &'static str,
    returns: &'static str,
    example: &'static str,
    body: super::Body,
) -> Op {
    reading(web, Draft { name, doc, params: &[LAB], returns, example, assume: |_| json!([]), body })
}

fn groups(web: &Arc<Web>) -> Vec<Op> {
    const GROUP_RETURNS: &str =
        "#{ id: string, name: string, group: string, type: string, attributes: map, run: string }";
    vec![
        making(
            web,
            Draft {
                name: "create_group",
                doc: "A group for connections, within the lab's.",
                params: &[LAB, GROUP],
                returns: GROUP_RETURNS,
                example: r#"guacamole::create_group("demo", #{ name: "routers" }).name"#,
                assume: assumed_group,
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: Group = args.read("group")?;
                        arguments::name("group", &wanted.name)?;
                        let kind = if wanted.balancing { "BALANCING" } else { "ORGANIZATIONAL" };
                        let parent = lab.parent(wanted.group.as_deref()).await?;
                        let body = json!({ "parentIdentifier": parent, "name": wanted.name, "type": kind,
                                           "attributes": arguments::attributes(allowed::CONNECTION, &wanted.attributes)? });
                        let made = lab.make(Kind::Group, &wanted.name, body).await?;
                        Ok(lab.shown(Kind::Group, &made, &lab.things(Kind::Group).await?))
                    })
                },
            },
            Undo::Op {
                name: "remove_group",
                args: |args| vec![args.get("lab").clone(), args.get("group")["name"].clone()],
            },
            |args| vec![ResourceChange::Creates(thing("group", args, &args.get("group")["name"]))],
            |lab, _| {
                Box::pin(async {
                    let groups = lab.things(Kind::Group).await?;
                    Ok(lab.made(Kind::Group).await?.map(|made| lab.shown(Kind::Group, &made, &groups)))
                })
            },
        ),
        changing(
            web,
            Draft {
                name: "update_group",
                doc: "Changes a group of the lab: `group` (where it stands), `attributes`. What is left out stays as it is.",
                params: const { &[LAB, NAME, Param::required("changes", Of::Map, "`group`, `attributes`.")] },
                returns: GROUP_RETURNS,
                example: r#"guacamole::create_group("demo", #{ name: "routers" }); guacamole::update_group("demo", "routers", #{ attributes: #{ "max-connections": 5 } }).name"#,
                assume: |args| json!({ "id": "1", "name": args.get("name"), "group": null, "type": "ORGANIZATIONAL", "attributes": {}, "run": "" }),
                body: |lab, args| {
                    Box::pin(async {
                        let changes: Changes = support::options(args, "changes")?;
                        if changes.protocol.is_some() || !changes.parameters.is_empty() {
                            return Err(invalid("a group has no protocol and no parameters"));
                        }
                        let group = lab.need(Kind::Group, args.str("name")).await?;
                        let mut body = group.object.clone();
                        if let Some(parent) = &changes.group {
                            body["parentIdentifier"] = lab.need(Kind::Group, parent).await?.id.into();
                        }
                        body["attributes"] = arguments::attributes(allowed::CONNECTION, &changes.attributes)?.into();
                        lab.write(Kind::Group, &group, with_kept(&group, body)).await?;
                        let now = lab.need(Kind::Group, &group.name).await?;
                        Ok(lab.shown(Kind::Group, &now, &lab.things(Kind::Group).await?))
                    })
                },
            },
            Undo::None("what stood there before isn't kept"),
            windlass_script::host::no_resources,
        ),
        changing(
            web,
            Draft {
                name: "remove_group",
                doc: "Removes a group of the lab in which nothing stands (`conflict`: Guacamole would remove all that is in it, whosever it \
                      is). As an undo it removes only what its step has made.",
                params: &[LAB, NAME],
                returns: "#{ removed: bool }",
                example: r#"guacamole::remove_group("demo", "routers").removed"#,
                assume: |_| json!({ "removed": false }),
                body: |lab, args| {
                    Box::pin(async { Ok(json!({ "removed": lab.remove(Kind::Group, args.str("name")).await? })) })
                },
            },
            Undo::None("what is gone can't be brought back"),
            |args| vec![ResourceChange::Destroys(thing("group", args, args.get("name")))],
        ),
        listing(
            web,
            "groups",
            "The lab's groups, by name, without the one that holds them all.",
            GROUP_RETURNS,
            r#"guacamole::groups("demo").len()"#,
            |lab, _| Box::pin(list(lab, Kind::Group)),
        ),
    ]
}

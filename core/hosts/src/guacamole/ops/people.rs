//! Users and user groups. Their names are the whole Guacamole's: no two labs can have one of the same name.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Problem, ResourceChange};
use windlass_script::host::{Args, Kind as Of, Op, Param, Undo, no_resources};
use zeroize::Zeroizing;

use super::{
    Draft, LAB, NAME, changing,
    connections::{list, listing},
    making, thing,
};
use crate::{
    guacamole::{
        allowed, arguments,
        client::Web,
        lab::{Kind, Lab},
        marks::encoded,
        sync::with_kept,
    },
    lab_names::check_name,
    support::{self, invalid},
};

/// Bytes of chance in a password.
const CHANCE: usize = 24;

const USER: Param = Param::required(
    "user",
    Of::Map,
    "`name`; `password`: a secret (left out: a random one is made, and kept as a secret of the organisation's); `to`: where the made one \
     may go, beside Guacamole (`[\"claim:*\"]`); `attributes`: `guac-full-name`, `expired`, `timezone`, ….",
);
const MEMBER: Param = Param::required("user", Of::String, "A user of the lab.");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    #[serde(default)]
    password: Value,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Changes {
    password: Value,
    attributes: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserGroup {
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

/// The secret that a generated password is, as it was asked for.
fn secret_name(lab: &Lab<'_>, user: &str) -> String {
    format!("guacamole/{}/{user}", lab.id.name)
}

/// The password, and the name of the secret that it is if it was made here.
fn password(lab: &Lab<'_>, user: &User) -> Result<(Zeroizing<String>, Option<String>), Problem> {
    let destination = lab.desk.web.destination();
    match &user.password {
        Value::Null => {}
        Value::String(_) => return Err(plain_password()),
        secret => return Ok((lab.reveal(secret)?, None)),
    }
    let mut to = vec![destination.to_owned()];
    to.extend(user.to.iter().cloned());
    let step = (&lab.cx.run, lab.cx.key.as_str());
    let secret = lab.desk.web.passwords().make(step, &secret_name(lab, &user.name), CHANCE, &to)?;
    // In a rehearsal nothing is made, and nobody logs in.
    let value = match lab.cx.rehearsal {
        true => Zeroizing::new("rehearsed".to_owned()),
        false => lab.cx.reveal(&json!({ "$secret": secret }), destination)?,
    };
    Ok((value, Some(secret)))
}

fn plain_password() -> Problem {
    Problem::new(windlass_model::Code::SecretMisuse, "a password has to be a secret")
        .help(
            "keep it with `windlass secrets set`, and write `password: secret(\"…\")`; left out, a random one is made",
        )
        .no_effect()
}

/// Forgets the password that was made for a user who is gone; for an undo only if its step has made it.
pub(in crate::guacamole) fn forget_password(lab: &Lab<'_>, user: &str) -> Result<(), Problem> {
    match check_name("user", user) {
        Ok(()) => lab.desk.web.passwords().forget(&lab.cx.run, &secret_name(lab, user), lab.cx.undoes.as_deref()),
        Err(_) => Ok(()),
    }
}

fn assumed(args: &Args) -> Value {
    let name = args.get("user")["name"].as_str().unwrap_or(args.str("name")).to_owned();
    json!({ "id": name, "name": name, "attributes": {}, "run": "", "secret": format!("made/rehearsal/guacamole/{}/{name}", args.str("lab")) })
}

const RETURNS: &str = "#{ id: string, name: string, attributes: map, run: string, secret: string }";

pub(super) fn ops(web: &Arc<Web>) -> Vec<Op> {
    let mut ops = users(web);
    ops.extend(user_groups(web));
    ops
}

fn users(web: &Arc<Web>) -> Vec<Op> {
    vec![
        making(
            web,
            Draft {
                name: "create_user",
                doc: "A user, who may do nothing yet (`grant`). Without `password` a random one is made: `secret(made.secret)` is it, called \
                      `made/<organisation>/guacamole/<lab>/<user>`. A name of Guacamole's other users is refused (`conflict`).",
                params: &[LAB, USER],
                returns: RETURNS,
                example: r#"guacamole::create_user("demo", #{ name: "ann" }).secret"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: User = args.read("user")?;
                        check_name("user", &wanted.name)?;
                        let mut attributes = arguments::attributes(allowed::USER, &wanted.attributes)?;
                        let (password, secret) = password(lab, &wanted)?;
                        if let Some(secret) = &secret {
                            attributes.insert("windlass-secret".into(), secret.clone().into());
                        }
                        let body = json!({ "username": wanted.name, "password": *password, "attributes": attributes });
                        let made = lab.make(Kind::User, &wanted.name, body).await?;
                        Ok(shown(lab, &made))
                    })
                },
            },
            Undo::Op {
                name: "remove_user",
                args: |args| vec![args.get("lab").clone(), args.get("user")["name"].clone()],
            },
            |args| vec![ResourceChange::Creates(thing("user", args, &args.get("user")["name"]))],
            |lab, _| Box::pin(async { Ok(lab.made(Kind::User).await?.map(|made| shown(lab, &made))) }),
        ),
        changing(
            web,
            Draft {
                name: "update_user",
                doc: "Changes a user of the lab: `password` (a secret), `attributes`. What is left out stays as it is.",
                params: const { &[LAB, NAME, Param::required("changes", Of::Map, "`password`, `attributes`.")] },
                returns: RETURNS,
                example: r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::update_user("demo", "ann", #{ attributes: #{ "guac-full-name": "Ann" } }).name"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let changes: Changes = support::options(args, "changes")?;
                        let user = lab.need(Kind::User, args.str("name")).await?;
                        let mut body = json!({ "username": user.id, "attributes": arguments::attributes(allowed::USER, &changes.attributes)? });
                        match &changes.password {
                            Value::Null => {}
                            Value::String(_) => return Err(plain_password()),
                            secret => {
                                body["password"] = lab.reveal(secret)?.to_string().into();
                            }
                        }
                        lab.write(Kind::User, &user, with_kept(&user, body)).await?;
                        Ok(shown(lab, &lab.need(Kind::User, &user.name).await?))
                    })
                },
            },
            Undo::None("the password that was there before isn't known"),
            no_resources,
        ),
        changing(
            web,
            Draft {
                name: "remove_user",
                doc: "Removes a user of the lab, and the password that was made for it. One that isn't there is removed: `removed` is \
                      false. As an undo it removes only what its step has made.",
                params: &[LAB, NAME],
                returns: "#{ removed: bool }",
                example: r#"guacamole::remove_user("demo", "ann").removed"#,
                assume: |_| json!({ "removed": false }),
                body: |lab, args| {
                    Box::pin(async {
                        let removed = lab.remove(Kind::User, args.str("name")).await?;
                        forget_password(lab, args.str("name"))?;
                        Ok(json!({ "removed": removed }))
                    })
                },
            },
            Undo::None("what is gone can't be brought back"),
            |args| vec![ResourceChange::Destroys(thing("user", args, args.get("name")))],
        ),
        listing(web, "users", "The lab's users, by name.", RETURNS, r#"guacamole::users("demo").len()"#, |lab, _| {
            Box::pin(list(lab, Kind::User))
        }),
    ]
}

fn shown(lab: &Lab<'_>, user: &crate::guacamole::lab::Thing) -> Value {
    let mut shown = lab.shown(Kind::User, user, &[]);
    shown["secret"] = user.object["attributes"]["windlass-secret"].clone();
    shown
}

fn user_groups(web: &Arc<Web>) -> Vec<Op> {
    const USER_GROUP: Param = Param::required("user_group", Of::Map, "`name`, `attributes`.");
    const GROUP_RETURNS: &str = "#{ id: string, name: string, attributes: map, run: string }";
    let assumed =
        |args: &Args| json!({ "id": "1", "name": args.get("user_group")["name"], "attributes": {}, "run": "" });
    vec![
        making(
            web,
            Draft {
                name: "create_user_group",
                doc: "A group of users, who may do what it may.",
                params: const { &[LAB, USER_GROUP] },
                returns: GROUP_RETURNS,
                example: r#"guacamole::create_user_group("demo", #{ name: "students" }).name"#,
                assume: assumed,
                body: |lab, args| {
                    Box::pin(async {
                        let wanted: UserGroup = args.read("user_group")?;
                        check_name("user group", &wanted.name)?;
                        let body = json!({ "identifier": wanted.name, "attributes": arguments::attributes(allowed::USER_GROUP, &wanted.attributes)? });
                        let made = lab.make(Kind::UserGroup, &wanted.name, body).await?;
                        Ok(lab.shown(Kind::UserGroup, &made, &[]))
                    })
                },
            },
            Undo::Op {
                name: "remove_user_group",
                args: |args| vec![args.get("lab").clone(), args.get("user_group")["name"].clone()],
            },
            |args| vec![ResourceChange::Creates(thing("user_group", args, &args.get("user_group")["name"]))],
            |lab, _| {
                Box::pin(async {
                    Ok(lab.made(Kind::UserGroup).await?.map(|made| lab.shown(Kind::UserGroup, &made, &[])))
                })
            },
        ),
        changing(
            web,
            Draft {
                name: "remove_user_group",
                doc: "Removes a user group of the lab; its users stay. As an undo it removes only what its step has made.",
                params: &[LAB, NAME],
                returns: "#{ removed: bool }",
                example: r#"guacamole::remove_user_group("demo", "students").removed"#,
                assume: |_| json!({ "removed": false }),
                body: |lab, args| {
                    Box::pin(async { Ok(json!({ "removed": lab.remove(Kind::UserGroup, args.str("name")).await? })) })
                },
            },
            Undo::None("what is gone can't be brought back"),
            |args| vec![ResourceChange::Destroys(thing("user_group", args, args.get("name")))],
        ),
        membership(
            web,
            "add_member",
            "Puts a user of the lab into a user group of the lab. In it already is fine.",
            "add",
            r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::create_user_group("demo", #{ name: "students" }); guacamole::add_member("demo", "students", "ann")"#,
            |lab, args| Box::pin(member(lab, args, "add")),
        ),
        membership(
            web,
            "remove_member",
            "Takes a user of the lab out of a user group of the lab. Not in it is fine.",
            "remove",
            r#"guacamole::create_user("demo", #{ name: "ann" }); guacamole::create_user_group("demo", #{ name: "students" }); guacamole::remove_member("demo", "students", "ann")"#,
            |lab, args| Box::pin(member(lab, args, "remove")),
        ),
        listing(
            web,
            "user_groups",
            "The lab's user groups, by name.",
            GROUP_RETURNS,
            r#"guacamole::user_groups("demo").len()"#,
            |lab, _| Box::pin(list(lab, Kind::UserGroup)),
        ),
    ]
}

fn membership(
    web: &Arc<Web>,
    name: &'static str,
    doc: &'static str,
    word: &str,
    example: &'static str,
    body: super::Body,
) -> Op {
    let undo = match word {
        "add" => {
            Undo::None("somebody may have been in the group before; whoever removes the group or the user ends it")
        }
        _ => Undo::None("`add_member` puts the user back"),
    };
    let draft = Draft {
        name,
        doc,
        params: const { &[LAB, Param::required("user_group", Of::String, "A user group of the lab."), MEMBER] },
        returns: "()",
        example,
        assume: |_| Value::Null,
        body,
    };
    changing(web, draft, undo, no_resources)
}

async fn member(lab: &Lab<'_>, args: &Args, op: &str) -> Result<Value, Problem> {
    let group = lab.need(Kind::UserGroup, args.str("user_group")).await?;
    let user = lab.need(Kind::User, args.str("user")).await?;
    if group.id.is_empty() || user.id.is_empty() {
        return Err(invalid("Guacamole told of a user or a group without a name"));
    }
    let path = format!("{}/{}/memberUsers", Kind::UserGroup.path(), encoded(&group.id));
    lab.desk.patch(&path, &json!([{ "op": op, "path": "/", "value": user.id }])).await?;
    Ok(Value::Null)
}

//! Ops that make, take over and remove zones.

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem, ResourceChange, ResourceRef};
use windlass_script::host::{Args, Kind, Lookup, Op, OpCx, Param, Permission, Undo};

use super::ops::{FORCE, Here, SERVER_OPTS, ZONE, denied, json, of_zone, only, scope, undoing};
use crate::{
    authority::{self, Created, NewZone},
    support::{self, invalid},
};

const CREATE_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`nameservers` (those of the server's configuration by default), `dnssec` (true by default: it is signed), `kind` (\"Native\" \
     by default, or \"Master\"), `adopt` (false by default: whether a zone of ours and of the same organisation that is there is taken), `server`.",
);
const FORCE_OPTS: Param =
    Param::optional("opts", Kind::Map, "`force` (needs `dns.force`): though it isn't ours; `server`.");
const METADATA_KIND: Param = Param::required(
    "kind",
    Kind::String,
    "Its kind: one of your own that begins with `X-`, `SOA-EDIT…`, `PUBLISH-…`; or, with the grant `dns.force`, any other, such as \
     `ALLOW-AXFR-FROM`.",
);
const ORGANISATION: Param = Param::required("organisation", Kind::String, "Whose it is from now on.");
const VALUES: Param = Param::required("values", Kind::Array, "Its values; none remove it.");

const FORCE_WORDS: &str = "take over and overwrite what others have made in the DNS zones";

pub(super) fn ops(here: &Here) -> Vec<Op> {
    let look = here.clone();
    let lookup: Lookup = Box::new(move |cx, args| {
        let (zone, server) = look.place(args)?;
        // Going on with it puts the marks there that are missing.
        match cx.block_on(server.made_by(&zone, &cx.key))? {
            Some(_) => create(&look, cx, args).map(Some),
            None => Ok(None),
        }
    });
    vec![
        Op {
            doc: "Makes a zone, signed, with a serial that rises with every change. It carries the mark of this step; its undo \
                  removes only what does, and the mark of the run's organisation, whose runs alone change it from then on (and the \
                  platform's). `ds` holds what its parent needs: see `dns::delegate`.\n\nWith `adopt`, the \
                  zone of a run that has completed is taken as it is (`created` is false): no undo of this run removes it. What any \
                  other run has left that executes no more becomes this step's (`created` is true), with its records; the old run's \
                  undo doesn't find it any more.\n\nErrors: `conflict` if a zone of that name is \
                  there that isn't ours, is another step's and `adopt` isn't said, or is of a run that hasn't ended; or if it would hide records of a zone above; \
                  `permission_denied` below a zone of another organisation; `name_refused` below a domain of a pool.",
            params: &[ZONE, CREATE_OPTS],
            returns: "#{ name: string, kind: string, serial: int, dnssec: bool, server: string, created: bool, ds: [string] }",
            class: EffectClass::Keyed,
            undo: Undo::Op { name: "remove_created", args: undo_create },
            resources: |args| vec![ResourceChange::Creates(resource(args))],
            example: r#"dns::create_zone("a.example.net", #{ nameservers: ["ns1.example.net", "ns2.example.net"] }).ds.len()"#,
            lookup: Some(lookup),
            ..here.change("create_zone", create)
        },
        Op {
            doc: "Removes a zone that this run's `dns::create_zone` has made: its undo. Does nothing when called by hand. Whether \
                  there was something to remove.",
            returns: "bool",
            undo: Undo::None("it is an undo itself"),
            resources: |args| vec![ResourceChange::Destroys(resource(args))],
            example: r#"dns::remove_created("a.example.net")"#,
            ..here.change("remove_created", |here, cx, args| {
                let Some((key, hand)) = undoing(cx) else { return Ok(false.into()) };
                let (zone, server) = here.place(args)?;
                cx.block_on(server.remove_made(&zone, &key, &hand)).map(Value::Bool)
            })
        },
        Op {
            doc: "Removes a zone that is ours, with its records and keys. Whether it was there. Take its delegation out of the parent \
                  first (`dns::undelegate`), and wait for as long as others may remember it.",
            params: &[ZONE, FORCE_OPTS],
            returns: "bool",
            undo: Undo::None("its keys are gone with it; a zone that is made again has others"),
            resources: |args| vec![ResourceChange::Destroys(resource(args))],
            example: r#"dns::create_zone("a.example.net"); dns::delete_zone("a.example.net")"#,
            ..here.change("delete_zone", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                cx.block_on(server.remove(&zone, &hand)).map(Value::Bool)
            })
        },
        Op {
            doc: "Takes over a zone that somebody else has made: everything in it is ours to change from then on.",
            returns: "()",
            permission: Permission::Needs { verb: FORCE, scope: of_zone, words: FORCE_WORDS },
            undo: Undo::Op { name: "disclaim", args: |args| args.values().to_vec() },
            example: r#"dns::create_zone("a.example.net"); dns::claim("a.example.net")"#,
            ..here.change("claim", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, false)?;
                cx.block_on(server.claim(&zone, &hand)).map(|()| Value::Null)
            })
        },
        Op {
            doc: "Gives back a zone that was taken over with `dns::claim`; what was written meanwhile stays. Whether it was taken over.",
            returns: "bool",
            permission: Permission::Needs { verb: FORCE, scope: of_zone, words: FORCE_WORDS },
            undo: Undo::None("whether it is to be taken over again is for somebody to say: `dns::claim`"),
            example: r#"dns::create_zone("a.example.net"); dns::disclaim("a.example.net")"#,
            ..here.change("disclaim", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, false)?;
                cx.block_on(server.disclaim(&zone, cx.undoes.as_deref(), &hand)).map(Value::Bool)
            })
        },
        Op {
            doc: "Gives a zone to an organisation, whose runs may change it from then on: one that was made before zones carried that \
                  mark, or by the platform. Only runs of the platform may (`permission_denied`).",
            params: &[ZONE, ORGANISATION, SERVER_OPTS],
            returns: "()",
            permission: Permission::Needs { verb: FORCE, scope: of_zone, words: FORCE_WORDS },
            undo: Undo::None("whose it was before isn't kept"),
            example: r#"dns::create_zone("a.example.net"); dns::assign("a.example.net", "acme")"#,
            ..here.change("assign", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let organisation = args.str("organisation");
                let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
                if organisation.is_empty() || organisation.len() > 64 || !organisation.bytes().all(known) {
                    return Err(invalid(format!("`{organisation}` can't be an organisation's name")));
                }
                let hand = here.hand(cx, &zone, false)?;
                cx.block_on(server.assign(&zone, organisation, &hand)).map(|()| Value::Null)
            })
        },
        Op {
            doc: "Notes something about a zone beside its records. Which kinds there are, and what they mean, the name server's \
                  manual says. Those that let others change, copy or see the zone need the grant `dns.force`; kinds that hold our own \
                  marks can't be written, and neither can those that run code on the server.",
            params: &[ZONE, METADATA_KIND, VALUES, SERVER_OPTS],
            returns: "()",
            undo: Undo::None("register what puts the old values back with `on_rollback`"),
            example: r#"dns::create_zone("a.example.net"); dns::set_metadata("a.example.net", "X-CUSTOMER", ["acme"])"#,
            ..here.change("set_metadata", set_metadata)
        },
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    nameservers: Vec<String>,
    dnssec: bool,
    kind: String,
    adopt: bool,
    #[serde(rename = "server")]
    _server: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { nameservers: Vec::new(), dnssec: true, kind: "Native".into(), adopt: false, _server: None }
    }
}

fn undo_create(args: &Args) -> Vec<Value> {
    let server = args.get("opts")["server"].clone();
    vec![args.get("zone").clone(), json!({ "server": server })]
}

fn resource(args: &Args) -> ResourceRef {
    ResourceRef { provider: "dns".into(), kind: "zone".into(), id: scope(authority::name(args.str("zone"))).into() }
}

fn create(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (zone, server) = here.place(args)?;
    let options: Options = support::options(args, "opts")?;
    if !["Native", "Master"].contains(&options.kind.as_str()) {
        return Err(invalid(format!("`kind` is \"Native\" or \"Master\", and not \"{}\"", options.kind)));
    }
    let nameservers = options.nameservers.iter().map(|name| authority::name(name)).collect::<Result<Vec<_>, _>>()?;
    if nameservers.is_empty() && server.config.nameservers.is_empty() {
        return Err(invalid(format!("{zone} needs name servers"))
            .help(format!("give `nameservers`, here or under [hosts.dns.servers.{}]", server.name)));
    }
    let new =
        NewZone { name: zone.clone(), kind: options.kind, nameservers, dnssec: options.dnssec, account: String::new() };
    let hand = here.hand(cx, &zone, false)?;
    let adopts = options.adopt.then_some(&*here.organisations);
    shown(&cx.block_on(server.create(new, adopts, &hand))?, &server.name)
}

fn shown(created: &Created, server: &str) -> Result<Value, Problem> {
    let mut value = json(&created.zone)?;
    if let Some(map) = value.as_object_mut() {
        map.remove("account");
    }
    value["server"] = server.into();
    value["created"] = created.created.into();
    value["ds"] = json!(created.ds);
    Ok(value)
}

fn set_metadata(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (zone, server) = here.place(args)?;
    let kind = args.str("kind").to_ascii_uppercase();
    if kind.is_empty() || kind.len() > 32 || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(invalid("`kind` is 1 to 32 letters, digits and hyphens"));
    }
    let ours = ["X-OWNER", "X-ORGANISATION", "X-MAKER"].contains(&kind.as_str()) || kind.starts_with("X-UNDO-");
    if ours || kind.starts_with("LUA-") || kind == "ENABLE-LUA-RECORDS" {
        return Err(invalid(format!(
            "`{kind}` can't be written: it holds a mark of ours, or runs code on the name server"
        )));
    }
    // Whoever may change records may not let others do so: what isn't known to be harmless needs more.
    let harmless = ["X-", "SOA-EDIT", "PUBLISH-"].iter().any(|known| kind.starts_with(known));
    if !harmless && !cx.is_granted(FORCE, &zone) {
        return Err(denied(FORCE, &zone, &format!("the metadata `{kind}`")));
    }
    let values: Vec<String> = args.read("values")?;
    if values.len() > 100 || values.iter().any(|value| value.len() > 4_096) {
        return Err(invalid("metadata has at most 100 values of 4096 bytes"));
    }
    let hand = here.hand(cx, &zone, false)?;
    cx.block_on(server.note(&zone, &kind, &values, &hand)).map(|()| Value::Null)
}

//! Ops that look.

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse};

use super::{
    ask, delegation, demand,
    ops::{Here, READ, SERVER_OPTS, ZONE, json, only, scope},
    resolve, survey, zonefile,
};
use crate::{
    authority::{self, Rrset, ZoneHead, plan},
    support,
};

const FILTER: Param = Param::optional("opts", Kind::Map, "`name` and `type`: only those; `server`.");
const TEXT: Param =
    Param::required("text", Kind::String, "The text of a zone file (RFC 1035), without `$INCLUDE`; at most 4 MiB.");
const DESIRED: Param = Param::required("desired", Kind::Array, "All rrsets that the zone should have.");
const PLAN_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`delete` (true by default): what is ours and isn't desired goes; `server`. The zone's own NS are compared only if they are desired.",
);
const TEXT_OF_NAME: Param =
    Param::required("name", Kind::String, "A name in any script, with or without the last dot.");
pub(super) const NAME: Param = Param::required("name", Kind::String, "The zone to look at.");
const CHECK_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`nameservers`: those that are expected; they are asked though the parent doesn't name them yet.",
);

const TRANSFER_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`from`: the name of another server, that has the zone now and hands it out to this one; `server`.",
);

pub(super) const CHECK_WORDS: &str = "ask the public name servers about";
pub(super) const RRSETS: &str = "[#{ name: string, type: string, ttl: int, records: [string], owner: string }]";

pub(super) fn ops(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "The zones that are there, and that the run may read.",
            params: &[SERVER_OPTS],
            returns: "[#{ name: string, kind: string, serial: int, dnssec: bool, server: string }]",
            // What isn't granted isn't shown.
            permission: Permission::Needs { verb: READ, scope: |_| Vec::new(), words: "read the DNS zones" },
            example: r#"dns::create_zone("a.example.net"); dns::zones().len() >= 1"#,
            ..here.look("zones", |here, cx, args| {
                let options = only(args)?;
                let mut found = Vec::new();
                for server in here
                    .servers
                    .all()
                    .iter()
                    .filter(|server| options.server.as_ref().is_none_or(|name| *name == server.name))
                {
                    let zones = cx.block_on(server.backend.zones())?;
                    found.extend(
                        zones
                            .iter()
                            .filter(|zone| cx.is_granted(READ, &zone.name))
                            .map(|zone| shown(zone, &server.name)),
                    );
                }
                Ok(Value::Array(found))
            })
        },
        Op {
            doc: "A zone, or `()` if there is none. `ours` says whether everything in it is ours to change.",
            returns: "#{ name: string, kind: string, serial: int, dnssec: bool, server: string, ours: bool }",
            example: r#"dns::create_zone("a.example.net"); dns::zone("a.example.net").ours"#,
            ..here.look("zone", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                only(args)?;
                let found = cx.block_on(async {
                    let Some(head) = server.backend.zone(&zone).await? else { return Ok(None) };
                    let ours = server.owns(&head).await?;
                    Ok(Some((head, ours)))
                })?;
                Ok(found.map_or(Value::Null, |(head, ours)| {
                    let mut value = shown(&head, &server.name);
                    value["ours"] = ours.into();
                    value
                }))
            })
        },
        Op {
            doc: "The name servers that a zone of this name has, or would have if it were made: those of its server's configuration.",
            returns: "[string]",
            example: r#"dns::nameservers("a.example.net").len()"#,
            ..here.look("nameservers", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                only(args)?;
                let own = cx.block_on(server.backend.rrsets(&zone, Some(zone.as_str())));
                let own = own.ok().and_then(|found| found.into_iter().find(|rrset| rrset.kind == "NS"));
                let names = own.map_or_else(|| server.config.nameservers.clone(), |rrset| rrset.records);
                names.iter().map(|name| authority::name(name).map(Value::String)).collect()
            })
        },
        Op {
            doc: "Rrsets of a zone. `owner` is whose mark one carries, or `()`.",
            params: &[ZONE, FILTER],
            returns: RRSETS,
            example: r#"dns::create_zone("a.example.net"); dns::rrsets("a.example.net", #{ name: "@", type: "NS" }).len()"#,
            ..here.look("rrsets", rrsets)
        },
        Op {
            doc: "What the name server notes about a zone beside its records, by kind.",
            returns: "map",
            example: r#"dns::create_zone("a.example.net"); dns::metadata("a.example.net").len()"#,
            ..here.look("metadata", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                json(&cx.block_on(server.backend.metadata(&zone))?)
            })
        },
        Op {
            doc: "The keys that sign a zone. `dnskey` is the content of the DNSKEY, `ds` those of its DS records (SHA-256).",
            returns: "[#{ id: int, type: string, active: bool, published: bool, dnskey: string, ds: [string] }]",
            example: r#"dns::create_zone("a.example.net"); dns::keys("a.example.net").len()"#,
            ..here.look("keys", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                json(&cx.block_on(server.backend.keys(&zone))?)
            })
        },
        Op {
            doc: "Contents of the DS records that the parent needs for a zone; none if it isn't signed.",
            returns: "[string]",
            example: r#"dns::create_zone("a.example.net"); dns::ds("a.example.net").len()"#,
            ..here.look("ds", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                json(&cx.block_on(server.ds(&zone))?)
            })
        },
        Op {
            doc: "A zone as the text of a zone file.",
            returns: "string",
            example: r#"dns::create_zone("a.example.net"); dns::zone_file("a.example.net").contains("SOA")"#,
            ..here.look("zone_file", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                Ok(cx.block_on(server.backend.export(&zone))?.into())
            })
        },
        Op {
            doc: "A zone as its name server hands it out to others (AXFR), without what it makes itself: SOA and signatures. Where \
                  it does so, `axfr` says in the server's configuration (else `unsupported`); with `from` another server is asked, by its name. In a \
                  rehearsal it is empty.",
            params: &[ZONE, TRANSFER_OPTS],
            returns: RRSETS,
            rehearse: Rehearse::Assume(|_| json!([])),
            example: r#"dns::transfer("a.example.net").len()"#,
            ..here.look("transfer", transfer)
        },
        Op {
            doc: "Reads the text of a zone file into rrsets; with `dns::plan` and `dns::apply`, this imports a zone. The SOA and \
                  signatures are left out: the name server makes them.",
            params: &[ZONE, TEXT],
            returns: RRSETS,
            example: r#"dns::parse("a.example.net", "$TTL 300\n@ IN A 192.0.2.1\nwww IN CNAME @\n").len()"#,
            ..here.look("parse", |_, _, args| {
                let zone = authority::name(args.str("zone"))?;
                Ok(zonefile::parse(&zone, args.str("text"))?.iter().map(Rrset::shown).collect())
            })
        },
        Op {
            doc: "What would have to change for a zone to hold these rrsets and no others of ours: for `dns::apply`, and for \
                  whoever approves it. `refused` says why it wouldn't be applied unless that is forced: more than 30 % of 10 or more rrsets \
                  would change or go, the zone's own name servers would change, or something that isn't ours.",
            params: &[ZONE, DESIRED, PLAN_OPTS],
            returns: "#{ zone: string, create: array, update: [#{ from: map, to: map }], delete: array, unchanged: int, refused: [string] }",
            example: r#"dns::create_zone("a.example.net"); dns::plan("a.example.net", [#{ name: "@", type: "A", records: ["192.0.2.1"] }]).create.len()"#,
            ..here.look("plan", make_plan)
        },
        Op {
            doc: "A domain's name as it is kept and compared: in ASCII, lower case, without the last dot.",
            params: &[TEXT_OF_NAME],
            returns: "string",
            permission: Permission::Free,
            example: r#"ensure(dns::name("Bücher.Example.") == "xn--bcher-kva.example", "one form")"#,
            ..here.look("name", |_, _, args| authority::name(args.str("name")).map(Value::String))
        },
        Op {
            doc: "How the world sees a zone: asks every server of the parent and every server of the zone, over DNS. `ok`: the \
                  parent's servers agree on the name servers, every one of them answers with authority, all have one serial, and nothing is in \
                  `problems`. `secure`: the parent has a DS, and at every server a DNSKEY fits it and the signatures of keys and SOA are \
                  right. `ttl`: seconds for which others may remember what the parent says. In a rehearsal all is assumed to be well.",
            params: &[NAME, CHECK_OPTS],
            returns: "#{ name: string, ok: bool, delegated: bool, secure: bool, parent: string, nameservers: [string], ds: [string], ttl: int, serial: int, parents: array, servers: array, problems: [string] }",
            permission: Permission::Needs { verb: "dns.check", scope: of_name, words: CHECK_WORDS },
            rehearse: Rehearse::Assume(|args| {
                json!({
                    "name": args.str("name"), "ok": true, "delegated": true, "secure": true, "parent": "", "nameservers": [],
                    "ds": [], "ttl": 0, "serial": 1, "parents": [], "servers": [], "problems": [],
                })
            }),
            example: r#"dns::check("a.example.net").ok"#,
            ..here.look("check", check)
        },
        demand::op(here),
        survey::op(here),
    ]
}

/// The scope of what asks the world about a name.
pub(super) fn of_name(args: &Args) -> Vec<String> {
    vec![scope(authority::name(args.str("name")))]
}

fn shown(zone: &ZoneHead, server: &str) -> Value {
    json!({ "name": zone.name, "kind": zone.kind, "serial": zone.serial, "dnssec": zone.dnssec, "server": server })
}

fn rrsets(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Filter {
        name: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        #[serde(rename = "server")]
        _server: Option<String>,
    }
    let (zone, server) = here.place(args)?;
    let filter: Filter = support::options(args, "opts")?;
    let name = filter.name.map(|name| authority::within(&zone, &name)).transpose()?;
    let found = cx.block_on(server.backend.rrsets(&zone, name.as_deref()))?;
    let kind = filter.kind.map(|kind| kind.to_ascii_uppercase());
    let wanted = found.iter().filter(|rrset| kind.as_ref().is_none_or(|kind| *kind == rrset.kind));
    Ok(wanted.map(Rrset::shown).collect())
}

fn transfer(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Options {
        from: Option<String>,
        #[serde(rename = "server")]
        _server: Option<String>,
    }
    let (zone, server) = here.place(args)?;
    let options: Options = support::options(args, "opts")?;
    let name = resolve::parsed(&zone).map_err(support::invalid)?;
    let failed = |why: String| Problem::new(Code::Unavailable, format!("{zone} can't be transferred: {why}"));
    let records = match options.from {
        // Most servers of others refuse, and do so again: a failure isn't tried once more.
        Some(from) => {
            let from = authority::name(&from)?;
            cx.block_on(async {
                let mut why = format!("{from} has no address");
                for address in here.resolver.addresses(&from, &[]).await.map_err(failed)? {
                    match ask::transfer(address, &name).await {
                        Ok(records) => return Ok(records),
                        Err(error) => why = error,
                    }
                }
                Err(failed(why).no_effect())
            })?
        }
        None => {
            let address = server.config.axfr.parse().map_err(|_| {
                let message = format!("the name server `{}` isn't known to hand out zones", server.name);
                Problem::new(Code::Unsupported, message).help(format!(
                    "set `axfr` under [hosts.dns.servers.{}] to its address, such as 192.0.2.1:53",
                    server.name
                ))
            })?;
            let failed = |why: String| failed(why).retryable();
            cx.block_on(async { ask::transfer(address, &name).await.map_err(failed) })?
        }
    };
    Ok(zonefile::rrsets(&zone, records.iter())?.iter().map(Rrset::shown).collect())
}

fn make_plan(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Options {
        delete: bool,
        #[serde(rename = "server")]
        _server: Option<String>,
    }
    impl Default for Options {
        fn default() -> Self {
            Self { delete: true, _server: None }
        }
    }
    let (zone, server) = here.place(args)?;
    let options: Options = support::options(args, "opts")?;
    let desired = args.get("desired").as_array().into_iter().flatten().map(|value| Rrset::read(&zone, value));
    let desired = desired.collect::<Result<Vec<_>, _>>()?;
    let (present, ours) = cx.block_on(async {
        let head = server.head(&zone).await?;
        Ok((server.backend.rrsets(&zone, None).await?, server.owns(&head).await?))
    })?;
    json(&plan(&zone, &present, &desired, options.delete, |rrset| ours || server.marked(rrset)))
}

fn check(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Options {
        nameservers: Vec<String>,
    }
    let name = authority::name(args.str("name"))?;
    let options: Options = support::options(args, "opts")?;
    let expected = options.nameservers.iter().map(|server| authority::name(server)).collect::<Result<Vec<_>, _>>()?;
    let failed = |why: String| Problem::new(Code::Unavailable, format!("{name} can't be looked at: {why}")).retryable();
    let found = cx.block_on(async { delegation::look(here, &name, &expected).await.map_err(failed) })?;
    json(&found)
}

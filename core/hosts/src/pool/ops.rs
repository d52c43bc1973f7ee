//! What scripts see of `pool`.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{
    Args, HostModule, Kind, Lookup, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources,
};

use super::{Holder, Pool, Proof, Row};
use crate::{
    authority,
    owner::{self, Organisations, PLATFORM},
    support::{self, invalid},
};

const READ: &str = "pool.read";
const WRITE: &str = "pool.write";

const DOMAIN: Param = Param::required("domain", Kind::String, "The domain of the pool, such as `omani.works`.");
const LABEL: Param = Param::required("label", Kind::String, "The one label below it, in any script.");
const RESERVE_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`ttl`: how long it holds without this run, 10 m by default; `organisation`: whom it is for, if the run is one of the platform; else it is the run's; `adopt` (false): \
     a name of the same organisation that a run has which executes no more is taken; `points_to`: the address \
     that such a name points to if it is given out, without which it is somebody's.",
);
const ADDRESSES: Param = Param::required("addresses", Kind::Any, "An IPv4 address, or an array of 1 to 16.");
const COMMIT_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`adopt` (false): also a name of the same organisation that a run has given out to these addresses which completed.",
);
const LIST_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`domain`: only names under this one; `names`: only these, 1000 at most; `after`: only names after this one; `limit` (1000).",
);
/// Names that are looked up at once.
const NAMES: usize = 1_000;

type Work = fn(&Here, &OpCx, &Args) -> Result<Value, Problem>;

pub(super) fn module(pool: Arc<Pool>, organisations: Arc<dyn Organisations>) -> HostModule {
    let here = Here { pool, organisations };
    HostModule {
        name: "pool",
        doc: "Names under domains of the house, for customers who bring none. A name is free, reserved (for 10 minutes, or as long as \
              its run is open), active, or resting after it was given back. Reserving makes its zone, signed, with NS and DS in the \
              parent; committing writes the six records `@ * console api gitea harbor`.\n\nErrors of all ops: `name_refused` (no such \
              pool, kept for the house, not a label), `conflict` (somebody has it), `not_found` (nobody has it), `permission_denied` \
              (also: another run reserved it, it is another organisation's, or the domain's names aren't given to this one), `limit_exceeded` (the \
              organisation has too many reserved), `gone` (the reservation has run out), and those of `dns`.",
        ops: reads(&here).into_iter().chain(changes(&here)).chain(ways_back(&here)).collect(),
    }
}

#[derive(Clone)]
struct Here {
    pool: Arc<Pool>,
    organisations: Arc<dyn Organisations>,
}

impl Here {
    fn look(&self, name: &'static str, work: Work) -> Op {
        let here = self.clone();
        Op {
            name,
            doc: "",
            params: &[DOMAIN, LABEL],
            returns: "",
            permission: Permission::Needs { verb: READ, scope, words: "look at the pool's names" },
            class: EffectClass::Read,
            undo: Undo::None("nothing was changed"),
            resources: no_resources,
            timeout_ms: 60_000,
            retry: RetryPolicy::NETWORK,
            rehearse: Rehearse::Backend,
            example: "",
            run: Box::new(move |cx, args| work(&here, cx, args)),
            lookup: None,
        }
    }

    fn change(&self, name: &'static str, work: Work) -> Op {
        Op {
            class: EffectClass::Idempotent,
            permission: Permission::Needs {
                verb: WRITE,
                scope,
                words: "reserve, give out and take back the pool's names",
            },
            ..self.look(name, work)
        }
    }
}

fn reads(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "Whether a name can be had; if not, `reason` is `unsupported-pool`, `reserved`, `taken` or `invalid-format`, and \
                  `detail` says it in words.",
            returns: "#{ available: bool, reason: string, detail: string }",
            example: r#"pool::check("example.net", "acme").available"#,
            ..here.look("check", |here, cx, args| {
                let refused = cx.block_on(here.pool.check(args.str("domain"), args.str("label")))?;
                Ok(match refused {
                    None => json!({ "available": true, "reason": null, "detail": "" }),
                    Some(refused) => json!({ "available": false, "reason": refused.reason, "detail": refused.detail }),
                })
            })
        },
        Op {
            doc: "Names that aren't free, in the order of the alphabet: those of the run's organisation (the platform's runs see all) that the run may read.",
            params: &[LIST_OPTS],
            returns: "[#{ name: string, domain: string, label: string, state: string, organisation: string, addresses: [string], since_ms: int, until_ms: int, run: string? }]",
            // What isn't granted isn't shown.
            permission: Permission::Needs { verb: READ, scope: |_| Vec::new(), words: "look at the pool's names" },
            example: r#"pool::list().len()"#,
            ..here.look("list", |here, cx, args| {
                #[derive(Default, Deserialize)]
                #[serde(deny_unknown_fields, default)]
                struct Options {
                    domain: Option<String>,
                    names: Option<BTreeSet<String>>,
                    after: Option<String>,
                    limit: Option<u32>,
                }
                let options: Options = support::options(args, "opts")?;
                let limit = options.limit.unwrap_or(1_000).clamp(1, 10_000);
                let organisation = here.organisations.of(&cx.run)?;
                let after = options.after.as_deref();
                let wanted = |row: &Row| {
                    options.domain.as_ref().is_none_or(|domain| row.domain == *domain)
                        && (organisation == PLATFORM || row.organisation == organisation)
                        && cx.is_granted(READ, &row.name)
                };
                let rows = match &options.names {
                    Some(names) if names.len() > NAMES => {
                        return Err(invalid(format!("`names` has {} names, and may have {NAMES}", names.len())));
                    }
                    Some(names) => {
                        let later = |row: &Row| after.is_none_or(|after| row.name.as_str() > after) && wanted(row);
                        here.pool.named(names)?.into_iter().filter(later).take(limit as usize).collect()
                    }
                    None => here.pool.list_where(after, limit, wanted)?,
                };
                Ok(rows.iter().map(shown).collect())
            })
        },
    ]
}

fn changes(here: &Here) -> Vec<Op> {
    let look = here.clone();
    let lookup: Lookup = Box::new(move |cx, args| {
        // The step has a row already: going on with it makes what is missing.
        match look.pool.is_of(&full(args)?, &cx.key)? {
            true => reserve(&look, cx, args).map(Some),
            false => Ok(None),
        }
    });
    vec![
        Op {
            doc: "Reserves a name: its zone is made and signed, and NS and DS stand in the parent when this returns. It holds as \
                  long as this run is open, and for `ttl` after that. Undone by giving the name back.\n\nWith `adopt`: what a run that \
                  completed has given out to the address in `points_to` stays as it is, and no undo of this run gives it back; what any other run has left that executes \
                  no more becomes this step's, and the old run's undo doesn't find it any more. What a run has that hasn't ended, and \
                  what rests, is `conflict`. What is missing of the zone and its delegation is made.",
            params: &[DOMAIN, LABEL, RESERVE_OPTS],
            returns: "#{ name: string, until_ms: int, nameservers: [string], ds: [string] }",
            class: EffectClass::Keyed,
            undo: Undo::Op { name: "give_up", args: |args| args.values()[..2].to_vec() },
            resources: |args| vec![ResourceChange::Creates(resource(args))],
            example: r#"pool::reserve("example.net", "acme").name"#,
            lookup: Some(lookup),
            ..here.change("reserve", reserve)
        },
        Op {
            doc: "Lets a reservation of this run hold for 10 minutes (`reservation_s`) from now on, also when the run ends before; when it \
                  runs out. While the run is open, it needn't.",
            params: &[DOMAIN, LABEL],
            returns: "int",
            undo: Undo::None("it only runs out later"),
            example: r#"pool::reserve("example.net", "acme"); pool::renew("example.net", "acme")"#,
            ..here.change("renew", |here, cx, args| {
                here.pool.renew(args.str("domain"), args.str("label"), &Proof::Run(&cx.run)).map(Value::from)
            })
        },
        Op {
            doc: "Gives a name out that this run has reserved: `@ * console api gitea harbor` point to these addresses, for 300 s each. \
                  The run may repeat it, also to point elsewhere. What was reserved over HTTP is given out there, with its token. \
                  What another run has given out (`adopt`) stays that one's: its missing records are written, and not undone.",
            params: &[DOMAIN, LABEL, ADDRESSES, COMMIT_OPTS],
            returns: "#{ name: string, addresses: [string], names: [string] }",
            undo: Undo::Op { name: "withdraw", args: |args| args.values()[..2].to_vec() },
            example: r#"pool::reserve("example.net", "acme"); pool::commit("example.net", "acme", "192.0.2.1").addresses"#,
            ..here.change("commit", |here, cx, args| {
                let addresses: Vec<String> = match args.get("addresses") {
                    Value::String(one) => vec![one.clone()],
                    _ => args.read("addresses")?,
                };
                still_ours(cx)?;
                let organisation = here.organisations.of(&cx.run)?;
                let proof = match args.get("opts")["adopt"] == true {
                    true => Proof::Adopts(&cx.run, &organisation, &*here.organisations),
                    false => Proof::Run(&cx.run),
                };
                let done = here.pool.commit(args.str("domain"), args.str("label"), &proof, &addresses, Some(&cx.key));
                let done = cx.block_on(done)?;
                serde_json::to_value(done).map_err(|error| Problem::new(Code::Internal, error.to_string()))
            })
        },
        Op {
            doc: "Gives a name of the run's organisation back (the platform's runs: anybody's): its delegation goes at once; if it was given out, it rests for 300 s (`rest_s`), and its zone and \
                  its place in the book go after that. Whether anybody had it: to repeat it is no error.",
            returns: "bool",
            undo: Undo::None("the zone's keys are gone with it, and somebody else may have the name by then"),
            resources: |args| vec![ResourceChange::Destroys(resource(args))],
            example: r#"pool::reserve("example.net", "acme"); pool::release("example.net", "acme")"#,
            ..here.change("release", |here, cx, args| {
                still_ours(cx)?;
                let organisation = here.organisations.of(&cx.run)?;
                let proof = Proof::Organisation(&organisation);
                match cx.block_on(here.pool.release(args.str("domain"), args.str("label"), &proof)) {
                    Err(problem) if problem.code == Code::NotFound => Ok(false.into()),
                    other => other.map(|_| true.into()),
                }
            })
        },
    ]
}

fn ways_back(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "Gives back a name that a step of this run has reserved: the undo of `pool::reserve`. Does nothing when called by hand.",
            returns: "bool",
            undo: Undo::None("it is an undo itself"),
            resources: |args| vec![ResourceChange::Destroys(resource(args))],
            example: r#"pool::give_up("example.net", "acme")"#,
            ..here.change("give_up", |here, cx, args| {
                let Some(key) = &cx.undoes else { return Ok(false.into()) };
                still_ours(cx)?;
                cx.block_on(here.pool.release_of(args.str("domain"), args.str("label"), key)).map(Value::Bool)
            })
        },
        Op {
            doc: "Takes the records of a name back that a step of this run has committed: the undo of `pool::commit`; the name is \
                  reserved again. Does nothing when called by hand.",
            returns: "bool",
            undo: Undo::None("it is an undo itself"),
            example: r#"pool::withdraw("example.net", "acme")"#,
            ..here.change("withdraw", |here, cx, args| {
                let Some(key) = &cx.undoes else { return Ok(false.into()) };
                still_ours(cx)?;
                cx.block_on(here.pool.withdraw(args.str("domain"), args.str("label"), key)).map(Value::Bool)
            })
        },
    ]
}

fn reserve(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Options {
        ttl: Value,
        organisation: String,
        adopt: bool,
        points_to: Option<String>,
    }
    let options: Options = support::options(args, "opts")?;
    let own = here.organisations.of(&cx.run)?;
    let organisation = match options.organisation.as_str() {
        "" => own,
        named if named == own || own == PLATFORM => named.to_owned(),
        named => return Err(owner::refused(&format!("a name that is for `{named}`"), &own)),
    };
    let ttl_s = match &options.ttl {
        Value::Null => None,
        given => Some(support::duration(given, "ttl")?.as_secs().max(1)),
    };
    let adopts = options.adopt.then(|| here.organisations.clone());
    let holder = Holder {
        key: cx.key.clone(),
        run: Some(cx.run.clone()),
        organisation,
        holds: Box::new(cx.holder()),
        adopts,
        points_to: options.points_to,
    };
    still_ours(cx)?;
    let reserved = cx.block_on(here.pool.reserve(args.str("domain"), args.str("label"), &holder, ttl_s))?;
    // Not the token: a run proves what is its own by being itself, and what it returns stands in the journal.
    Ok(json!({
        "name": reserved.name, "until_ms": reserved.until_ms, "nameservers": reserved.nameservers, "ds": reserved.ds,
    }))
}

fn still_ours(cx: &OpCx) -> Result<(), Problem> {
    match cx.holder()() {
        true => Ok(()),
        false => Err(Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect()),
    }
}

fn full(args: &Args) -> Result<String, Problem> {
    let (domain, label) = (authority::name(args.str("domain"))?, args.str("label"));
    match label.is_empty() {
        true => Err(invalid("the label is empty")),
        false => authority::name(&format!("{label}.{domain}")),
    }
}

/// What can't be read is shown as it is refused: to whoever may ask for anything at all of the domain.
fn scope(args: &Args) -> Vec<String> {
    let domain = || authority::name(args.str("domain")).map(|domain| format!("(not a label).{domain}"));
    vec![full(args).or_else(|_| domain()).unwrap_or_else(|_| "(not a domain name)".into())]
}

fn resource(args: &Args) -> ResourceRef {
    ResourceRef { provider: "pool".into(), kind: "name".into(), id: scope(args).concat().into() }
}

fn shown(row: &Row) -> Value {
    json!({
        "name": row.name, "domain": row.domain, "label": row.label, "state": row.state, "organisation": row.organisation,
        "addresses": row.addresses, "since_ms": row.since_ms, "until_ms": row.until_ms, "run": row.run,
    })
}

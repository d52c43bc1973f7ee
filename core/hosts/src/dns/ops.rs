//! What scripts see of `dns`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{keys, read, records, resolve::Resolver, zones};
use crate::{
    authority::{self, Hand, Server, Servers},
    owner::Organisations,
    support,
};

pub(super) const READ: &str = "dns.read";
pub(super) const WRITE: &str = "dns.write";
pub(super) const FORCE: &str = "dns.force";

const TIMEOUT_MS: u64 = 60_000;

pub(super) const ZONE: Param =
    Param::required("zone", Kind::String, "The zone, with or without a dot at its end, in any script.");
pub(super) const SERVER_OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`server`: a name server of the configuration; without it, the one that serves the zone.",
);

pub(super) fn module(here: Here) -> HostModule {
    let ops = read::ops(&here).into_iter().chain(zones::ops(&here)).chain(records::ops(&here)).chain(keys::ops(&here));
    HostModule {
        name: "dns",
        doc: "Zones and records on authoritative name servers (PowerDNS) that the configuration names, DNSSEC, delegations, and \
              how the world sees them. Names are in any script, with or without the last dot; results have them in ASCII without \
              it. What carries no mark of ours is left alone. An rrset is `#{ name, type, ttl, records }`: the name is `@`, one \
              label, or the full name; contents are as in a zone file, and texts needn't be quoted.\n\nErrors of all ops: \
              `permission_denied`, `invalid_argument` (a name, a content, or the server refuses), `not_found` (no such zone), \
              `conflict` (somebody else's), `configuration` (no such server, a wrong key), `unavailable` (tried again), \
              `step_timeout`.",
        ops: ops.collect(),
    }
}

/// What all ops share.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) servers: Arc<Servers>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) organisations: Arc<dyn Organisations>,
}

pub(super) type Work = fn(&Here, &OpCx, &Args) -> Result<Value, Problem>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Only {
    pub(super) server: Option<String>,
    pub(super) force: bool,
}

impl Here {
    pub(super) fn new(servers: Arc<Servers>, resolver: Resolver, organisations: Arc<dyn Organisations>) -> Self {
        Self { servers, resolver: Arc::new(resolver), organisations }
    }

    /// An op that only looks at one zone.
    pub(super) fn look(&self, name: &'static str, work: Work) -> Op {
        let here = self.clone();
        Op {
            name,
            doc: "",
            params: &[ZONE, SERVER_OPTS],
            returns: "",
            permission: Permission::Needs { verb: READ, scope: of_zone, words: "read the DNS zones" },
            class: EffectClass::Read,
            undo: Undo::None("nothing was changed"),
            resources: no_resources,
            timeout_ms: TIMEOUT_MS,
            retry: RetryPolicy::NETWORK,
            rehearse: Rehearse::Backend,
            example: "",
            run: Box::new(move |cx, args| work(&here, cx, args)),
            lookup: None,
        }
    }

    /// An op that changes one zone, and that may be repeated.
    pub(super) fn change(&self, name: &'static str, work: Work) -> Op {
        Op {
            permission: Permission::Needs { verb: WRITE, scope: of_zone, words: "change DNS names and zones below" },
            class: EffectClass::Idempotent,
            ..self.look(name, work)
        }
    }

    /// The zone and its server; `opts` are those that every op has.
    pub(super) fn place(&self, args: &Args) -> Result<(String, Arc<Server>), Problem> {
        let named = args.get("opts")["server"].as_str();
        let zone = authority::name(args.str("zone"))?;
        let server = self.servers.of(&zone, named)?;
        Ok((zone, server))
    }

    /// Who writes, for a call. To force needs a grant of its own, for the zone.
    pub(super) fn hand(&self, cx: &OpCx, zone: &str, force: bool) -> Result<Hand, Problem> {
        if force && !cx.is_granted(FORCE, zone) {
            return Err(denied(FORCE, zone, "`force`"));
        }
        let organisation = self.organisations.of(&cx.run)?;
        let runs = Some(self.organisations.clone());
        Ok(Hand { key: Some(cx.key.clone()), force, organisation, pool: false, runs, holds: Box::new(cx.holder()) })
    }
}

/// Who takes something back, for an undo, which finds what the step left by the step's key, and leaves nothing for an undo itself.
pub(super) fn undoing(cx: &OpCx) -> Option<(String, Hand)> {
    let key = cx.undoes.clone()?;
    Some((key, Hand { force: true, holds: Box::new(cx.holder()), ..Hand::of_platform() }))
}

pub(super) fn denied(verb: &str, scope: &str, what: &str) -> Problem {
    let grant = format!("{verb}:{scope}");
    Problem::new(Code::PermissionDenied, format!("{what} needs the grant `{grant}`, which this run doesn't have"))
        .help(format!(
            "Add \"{grant}\" to `permissions` in the workflow's header, and have the server's policy allow it."
        ))
        .data(serde_json::json!({ "grant": grant }))
        .no_effect()
}

pub(super) fn only(args: &Args) -> Result<Only, Problem> {
    support::options(args, "opts")
}

/// What can't be read is granted to nobody.
pub(super) fn scope(name: Result<String, Problem>) -> String {
    name.unwrap_or_else(|_| "(not a domain name)".into())
}

pub(super) fn of_zone(args: &Args) -> Vec<String> {
    vec![scope(authority::name(args.str("zone")))]
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value)
        .map_err(|error| Problem::new(Code::Internal, format!("the result can't be written: {error}")))
}

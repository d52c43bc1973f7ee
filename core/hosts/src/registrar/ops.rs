//! What scripts see of `registrar`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    Office, Plugins, Source,
    account::{Account, plugin_of},
    call, names, office,
    previous::{self, Thing},
    scene::InRun,
};

const ACCOUNT: Param = Param::required(
    "account",
    Kind::Map,
    "`plugin`, the name of an approved plugin, and `credentials`, the fields that its manifest asks for; those that are \
     secret are given as `secret(\"name\")`.",
);
const DOMAIN: Param =
    Param::required("domain", Kind::String, "A registered domain; letters of any script, a dot at the end or not.");
const JUST: &[Param] = &[ACCOUNT];
const OF_DOMAIN: &[Param] = &[ACCOUNT, DOMAIN];
const WITH_SERVERS: &[Param] =
    &[ACCOUNT, DOMAIN, Param::required("servers", Kind::Array, "Two to thirteen names of name servers.")];
const WITH_RECORDS: &[Param] = &[
    ACCOUNT,
    DOMAIN,
    Param::required(
        "records",
        Kind::Array,
        "`#{ key_tag, algorithm, digest_type, digest }` each; none unsigns the domain.",
    ),
];
const HOST: Param = Param::required("host", Kind::String, "A name inside the domain: `ns1.example.net`.");
const OF_HOST: &[Param] = &[ACCOUNT, DOMAIN, HOST];
const WITH_ADDRESSES: &[Param] =
    &[ACCOUNT, DOMAIN, HOST, Param::required("addresses", Kind::Array, "Its addresses; none removes the record.")];

type Desk = Option<(Arc<Office>, Arc<dyn Plugins>)>;
type Body = fn(&Errand<'_>, &Args) -> Result<Value, Problem>;

/// An op, in what differs.
struct Shape {
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: &'static str,
    verb: &'static str,
    scope: fn(&Args) -> Vec<String>,
    words: &'static str,
    class: EffectClass,
    undo: Undo,
    assume: fn(&Args) -> Value,
    example: &'static str,
    body: Body,
}

pub(super) fn module(desk: Desk) -> HostModule {
    HostModule {
        name: "registrar",
        doc: "What registrars can do for domains, through plugins: scripts with a manifest, which an admin approved for the \
              run's organisation. A plugin reaches the hosts of its manifest and nothing else, and never sees the value of \
              a credential.\n\nErrors of all ops: `registrar_refused` with `data.kind`: `invalid_credentials`, \
              `insufficient_rights`, `ip_not_allowed`, `account_not_eligible`, `domain_not_in_account`, `unsupported_tld`, \
              `unsupported_operation` or `rejected`; `unavailable` with `rate_limited` (and `data.retry_after`, which the next \
              attempt waits for) or `provider_unavailable`; `permission_denied` for a plugin that isn't approved, or that \
              asks for what its manifest doesn't declare; `limit_exceeded`.",
        ops: shapes().into_iter().map(|shape| op(desk.clone(), shape)).collect(),
    }
}

fn domain_of(args: &Args) -> Vec<String> {
    vec![names::ascii(args.str("domain")).unwrap_or_else(|_| "(not a domain)".into())]
}

fn account_and_domain(args: &Args) -> Vec<Value> {
    vec![args.get("account").clone(), args.get("domain").clone()]
}

fn assumed_servers(_: &Args) -> Value {
    json!(["ns1.registrar.example", "ns2.registrar.example"])
}

fn assumed_change(args: &Args) -> Value {
    let last = args.values().last().cloned().unwrap_or_default();
    json!({ "changed": true, "taken": false, "before": [], "now": last })
}

fn assumed_restore(_: &Args) -> Value {
    json!({ "restored": true })
}

fn shapes() -> Vec<Shape> {
    const CHANGED: &str = "#{ changed: bool, taken: bool, before: array, now: array }";
    let nothing = "nothing was changed";
    let read = |name, doc, params, returns, assume, example, body| Shape {
        name,
        doc,
        params,
        returns,
        verb: "registrar.read",
        scope: domain_of,
        words: "see what registrars hold for",
        class: EffectClass::Read,
        undo: Undo::None(nothing),
        assume,
        example,
        body,
    };
    let about = |name, doc, returns, verb, words, assume, example, body| Shape {
        name,
        doc,
        params: JUST,
        returns,
        verb,
        scope: plugin_of,
        words,
        class: EffectClass::Read,
        undo: Undo::None(nothing),
        assume,
        example,
        body,
    };
    let (ns, ds, glue) = (
        ("registrar.set_ns", "change the name servers of"),
        ("registrar.set_ds", "change the DS records of"),
        ("registrar.set_glue", "change the addresses of name servers in"),
    );
    let set = |name, doc, params, (verb, words): (&'static str, &'static str), undo, example, body| Shape {
        name,
        doc,
        params,
        returns: CHANGED,
        verb,
        scope: domain_of,
        words,
        class: EffectClass::Idempotent,
        undo,
        assume: assumed_change,
        example,
        body,
    };
    let restore = |name, doc, params, (verb, words): (&'static str, &'static str), example, body| Shape {
        name,
        doc,
        params,
        returns: "#{ restored: bool }",
        verb,
        scope: domain_of,
        words,
        class: EffectClass::Idempotent,
        undo: Undo::None("it is an undo itself"),
        assume: assumed_restore,
        example,
        body,
    };
    vec![
        about(
            "validate",
            "Asks the registrar whether the credentials are good, and changes nothing. What a plugin tells besides stands in \
             `account`; `can` are the plugin's capabilities: `set_nameservers`, `ds` and others.",
            "#{ valid: bool, account: any, can: [string] }",
            "registrar.validate",
            "try credentials at",
            |_| json!({ "valid": true, "account": null, "can": ["validate", "get_nameservers", "set_nameservers", "ds"] }),
            "registrar::validate(#{ plugin: \"namecheap\", credentials: #{ user: \"ann\", key: secret(\"namecheap-key\") } }).valid",
            |errand, _| {
                let account = errand.call("validate", json!({}))?;
                Ok(json!({ "valid": true, "account": account, "can": errand.source.manifest.capabilities }))
            },
        ),
        about(
            "list_domains",
            "The domains of the account, sorted, in ASCII.",
            "array of string",
            "registrar.list",
            "list the domains at",
            |_| json!([]),
            "registrar::list_domains(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }).len()",
            |errand, _| Ok(json!(names::listed(&errand.call("list_domains", json!({}))?))),
        ),
        read(
            "get_nameservers",
            "The name servers that the registrar holds for the domain, sorted, in ASCII.",
            OF_DOMAIN,
            "array of string",
            assumed_servers as fn(&Args) -> Value,
            "registrar::get_nameservers(#{ plugin: \"godaddy\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \"example.net\")",
            (|errand, args| errand.servers(&errand.domain(args)?)) as Body,
        ),
        set(
            "set_nameservers",
            "Sets the domain's name servers, if they aren't that already. What was there is kept, and an undo puts it back, \
             unless somebody has changed it since. That the registrar took it doesn't mean that the parent's servers have it: \
             look with `dns`.",
            WITH_SERVERS,
            ns,
            Undo::Op { name: "restore_nameservers", args: account_and_domain },
            "registrar::set_nameservers(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \
             \"example.net\", [\"ns1.example.org\", \"ns2.example.org\"]).changed",
            |errand, args| {
                let (domain, wanted) = (errand.domain(args)?, json!(names::servers(args.get("servers"))?));
                errand.change(&errand.nameservers(&domain), &wanted)
            },
        ),
        restore(
            "restore_nameservers",
            "The undo of `set_nameservers`.",
            OF_DOMAIN,
            ns,
            "registrar::restore_nameservers(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \"example.net\")",
            |errand, args| errand.restore(&errand.nameservers(&errand.domain(args)?)),
        ),
        read(
            "get_ds",
            "The DS records that the parent has through the registrar, sorted.",
            OF_DOMAIN,
            "array of #{ key_tag: int, algorithm: int, digest_type: int, digest: string }",
            (|_| json!([])) as fn(&Args) -> Value,
            "registrar::get_ds(#{ plugin: \"ovh\", credentials: #{ app_key: \"x\", app_secret: secret(\"a\"), consumer_key: secret(\"b\") } }, \"example.net\")",
            (|errand, args| errand.records(&errand.domain(args)?)) as Body,
        ),
        set(
            "set_ds",
            "Sets the domain's DS records; none takes it out of the chain of trust. What was there is kept, and an undo puts it \
             back.",
            WITH_RECORDS,
            ds,
            Undo::Op { name: "restore_ds", args: account_and_domain },
            "registrar::set_ds(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \"example.net\", []).changed",
            |errand, args| {
                let (domain, wanted) = (errand.domain(args)?, json!(names::records(args.get("records"))?));
                errand.change(&errand.signers(&domain), &wanted)
            },
        ),
        restore(
            "restore_ds",
            "The undo of `set_ds`.",
            OF_DOMAIN,
            ds,
            "registrar::restore_ds(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \"example.net\")",
            |errand, args| errand.restore(&errand.signers(&errand.domain(args)?)),
        ),
        read(
            "get_glue",
            "The addresses that the registry holds for a name server inside the domain.",
            OF_HOST,
            "array of string",
            (|_| json!([])) as fn(&Args) -> Value,
            "registrar::get_glue(#{ plugin: \"namecheap\", credentials: #{ user: \"ann\", key: secret(\"a\") } }, \"example.net\", \"ns1.example.net\")",
            (|errand, args| {
                let domain = errand.domain(args)?;
                errand.glue(&domain, &host_in(&domain, args)?)
            }) as Body,
        ),
        set(
            "set_glue",
            "Sets the addresses of a name server inside the domain (glue). What was there is kept, and an undo puts it back.",
            WITH_ADDRESSES,
            glue,
            Undo::Op {
                name: "restore_glue",
                args: |args| vec![args.get("account").clone(), args.get("domain").clone(), args.get("host").clone()],
            },
            "registrar::set_glue(#{ plugin: \"namecheap\", credentials: #{ user: \"ann\", key: secret(\"a\") } }, \"example.net\", \
             \"ns1.example.net\", [\"192.0.2.1\"]).changed",
            |errand, args| {
                let domain = errand.domain(args)?;
                let (host, wanted) = (host_in(&domain, args)?, json!(names::addresses(args.get("addresses"))?));
                errand.with_glue(&domain, &host, |thing| errand.change(thing, &wanted))
            },
        ),
        restore(
            "restore_glue",
            "The undo of `set_glue`.",
            OF_HOST,
            glue,
            "registrar::restore_glue(#{ plugin: \"porkbun\", credentials: #{ key: secret(\"a\"), secret: secret(\"b\") } }, \"example.net\", \"ns1.example.net\")",
            |errand, args| {
                let domain = errand.domain(args)?;
                errand.with_glue(&domain, &host_in(&domain, args)?, |thing| errand.restore(thing))
            },
        ),
    ]
}

fn host_in(domain: &str, args: &Args) -> Result<String, Problem> {
    let host = names::ascii(args.str("host"))?;
    match host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')) {
        true => Ok(host),
        false => {
            Err(crate::support::invalid(format!("`{host}` isn't inside `{domain}`; only such hosts have glue there")))
        }
    }
}

fn op(desk: Desk, shape: Shape) -> Op {
    let body = shape.body;
    Op {
        name: shape.name,
        doc: shape.doc,
        params: shape.params,
        returns: shape.returns,
        permission: Permission::Needs { verb: shape.verb, scope: shape.scope, words: shape.words },
        class: shape.class,
        undo: shape.undo,
        resources: no_resources,
        timeout_ms: 330_000,
        retry: RetryPolicy::NETWORK,
        rehearse: Rehearse::Assume(shape.assume),
        example: shape.example,
        run: Box::new(move |cx, args| {
            let absent = || Problem::new(Code::Internal, "a rehearsal asks no registrar").no_effect();
            let (office, plugins) = desk.as_ref().ok_or_else(absent)?;
            let account = Account::read(args)?;
            let source = plugins.approved(&account.plugin(), &cx.run)?;
            let whose = office::Account::of(&plugins.organisation(&cx.run)?, &source, &account.credentials);
            body(&Errand { cx, office, plugins: &**plugins, source, account, whose }, args)
        }),
        lookup: None,
    }
}

/// One op's call: which plugin, for whom.
struct Errand<'a> {
    cx: &'a OpCx,
    office: &'a Office,
    plugins: &'a dyn Plugins,
    source: Arc<Source>,
    account: Account,
    whose: office::Account,
}

/// Writes what is to be there.
type Write<'a> = Box<dyn Fn(&Value) -> Result<(), Problem> + 'a>;

/// The parts of a `Thing`, kept while it is used.
struct Parts<'a> {
    what: &'static str,
    domain: String,
    host: String,
    read: Box<dyn Fn() -> Result<Value, Problem> + 'a>,
    write: Write<'a>,
}

impl Errand<'_> {
    fn call(&self, function: &str, request: Value) -> Result<Value, Problem> {
        let (manifest, credentials) = (&self.source.manifest, &self.account.credentials);
        let seen: BTreeMap<_, _> = self.account.seen(manifest)?;
        let scene = InRun { cx: self.cx, office: self.office, manifest, credentials };
        call::perform(self.office, (&self.source, self.whose), &scene, &seen, (function, &request))
    }

    fn domain(&self, args: &Args) -> Result<String, Problem> {
        names::ascii(args.str("domain"))
    }

    fn servers(&self, domain: &str) -> Result<Value, Problem> {
        Ok(json!(names::listed(&self.call("get_nameservers", json!({ "domain": domain }))?)))
    }

    fn records(&self, domain: &str) -> Result<Value, Problem> {
        let records = self.call("ds", json!({ "domain": domain, "action": "get" }))?;
        names::records(&records).map(|records| json!(records)).map_err(|problem| self.odd(&problem))
    }

    fn glue(&self, domain: &str, host: &str) -> Result<Value, Problem> {
        let found = self.call("glue", json!({ "domain": domain, "host": host, "action": "get" }))?;
        names::addresses(&found).map(|found| json!(found)).map_err(|problem| self.odd(&problem))
    }

    fn odd(&self, problem: &Problem) -> Problem {
        let message = format!("{} returned something odd: {}", self.source.name, problem.message);
        Problem::new(Code::ScriptError, message).help("Tell the plugin's author.")
    }

    fn nameservers<'a>(&'a self, domain: &str) -> Parts<'a> {
        let (reads, writes) = (domain.to_owned(), domain.to_owned());
        Parts {
            what: "name servers",
            domain: domain.to_owned(),
            host: String::new(),
            read: Box::new(move || self.servers(&reads)),
            write: Box::new(move |servers| {
                self.call("set_nameservers", json!({ "domain": writes, "nameservers": servers })).map(drop)
            }),
        }
    }

    fn signers<'a>(&'a self, domain: &str) -> Parts<'a> {
        let (reads, writes) = (domain.to_owned(), domain.to_owned());
        Parts {
            what: "DS records",
            domain: domain.to_owned(),
            host: String::new(),
            read: Box::new(move || self.records(&reads)),
            write: Box::new(move |records| {
                self.call("ds", json!({ "domain": writes, "action": "set", "records": records })).map(drop)
            }),
        }
    }

    fn with_glue(
        &self,
        domain: &str,
        host: &str,
        work: impl FnOnce(&Parts<'_>) -> Result<Value, Problem>,
    ) -> Result<Value, Problem> {
        work(&Parts {
            what: "addresses of a name server",
            domain: domain.to_owned(),
            host: host.to_owned(),
            read: Box::new(|| self.glue(domain, host)),
            write: Box::new(|addresses| {
                let request = json!({ "domain": domain, "host": host, "action": "set", "addresses": addresses });
                self.call("glue", request).map(drop)
            }),
        })
    }

    fn change(&self, parts: &Parts<'_>, wanted: &Value) -> Result<Value, Problem> {
        let done = previous::change(self.cx, self.plugins, &parts.thing(), wanted)?;
        Ok(json!({ "changed": done.changed, "taken": done.taken, "before": done.before, "now": wanted }))
    }

    fn restore(&self, parts: &Parts<'_>) -> Result<Value, Problem> {
        previous::restore(self.cx, self.plugins, &parts.thing())
    }
}

impl Parts<'_> {
    fn thing(&self) -> Thing<'_> {
        Thing { what: self.what, domain: &self.domain, host: &self.host, read: &*self.read, write: &*self.write }
    }
}

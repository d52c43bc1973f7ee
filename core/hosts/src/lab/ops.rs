//! What scripts see of `lab`.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    document::Document,
    import, normal, plan,
    quota::{self, Config},
    spec::{self, Size},
    text, write,
};
use crate::{lab_id::LabId, owner::Organisations, support};

const DOCUMENT: Param = Param::required("document", Kind::Map, "A lab's document, as `lab::schema()` describes it.");
const TEXT: Param = Param::required("text", Kind::String, "YAML or JSON, at most 1 MiB.");

const CHECKED: &str = "#{ document: map, organisation: string, key: string, size: map, digests: map, pings: map }";

struct Inner {
    config: Config,
    organisations: Arc<dyn Organisations>,
}

type Body = fn(&Inner, &OpCx, &Args) -> Result<Value, Problem>;

struct Draft {
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: &'static str,
    example: &'static str,
    body: Body,
}

pub(super) fn module(config: Config, organisations: Arc<dyn Organisations>) -> HostModule {
    let inner = Arc::new(Inner { config, organisations });
    HostModule {
        name: "lab",
        doc: "Documents of labs: checked, compared with what is there, and read from other tools' topologies. It makes and changes nothing \
              itself: the workflows in the folder `lab` do, with `net`, `docker` and `qemu`.",
        ops: drafts().into_iter().map(|draft| op(&inner, draft)).collect(),
    }
}

fn op(inner: &Arc<Inner>, draft: Draft) -> Op {
    let (inner, body) = (inner.clone(), draft.body);
    Op {
        name: draft.name,
        doc: draft.doc,
        params: draft.params,
        returns: draft.returns,
        permission: Permission::Free,
        class: EffectClass::Read,
        undo: Undo::None("it changes nothing"),
        resources: no_resources,
        timeout_ms: 30_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: draft.example,
        run: Box::new(move |cx, args| body(&inner, cx, args)),
        lookup: None,
    }
}

fn drafts() -> Vec<Draft> {
    vec![
        Draft {
            name: "schema",
            doc: "The schema of a lab's document (JSON Schema 2020-12).",
            params: &[],
            returns: "map",
            example: "lab::schema().title",
            body: |_, _, _| Ok(normal::schema()),
        },
        Draft {
            name: "parse",
            doc: "Reads a lab's document from text, and checks it as `lab::check` does. Errors say the line and the column.",
            params: const {
                &[TEXT, Param::optional("what", Kind::String, "What the text is called in errors: a file's name.")]
            },
            returns: CHECKED,
            example: "lab::parse(\"name: demo\\nnodes: [{ name: r1 }]\\n\").document.nodes[0].kind",
            body: |inner, cx, args| {
                let what = if args.str("what").is_empty() { "the document" } else { args.str("what") };
                let read = text::read(what, args.str("text"))?;
                checked(inner, cx, &normal::normalise(what, &read.value, Some(&read))?)
            },
        },
        Draft {
            name: "check",
            doc: "Checks a lab's document, and brings it into its normal form: copies and defaults written out, in a stable order. The normal \
                  form is a document, too, and its normal form is itself.\n\n\
                  `key` tells the lab from those of other organisations, `size` is what it asks of the machine (`nodes`, `cpus`, \
                  `memory_mb`), `digests` tell nodes, networks and links that differ, `pings` has the address for each check or drill that pings a node. \
                  Errors: `invalid_input` with all mistakes in `data.faults` (`code`, `pointer`, `message`).",
            params: &[DOCUMENT],
            returns: CHECKED,
            example: "lab::check(#{ name: \"demo\", nodes: [#{ name: \"r{n}\", count: 3 }] }).size.nodes",
            body: |inner, cx, args| checked(inner, cx, &document(args)?),
        },
        Draft {
            name: "plan",
            doc: "What has to be done so that what is there is what the document says, in the order in which it can be done: `same` if nothing \
                  differs, `summary` and `differences` (`action`: add, change, replace, start, remove; `kind`, `name`, `why`) for people, and the \
                  arguments of the calls that do it. What can be changed as it runs is a change; what can't (an image) is made anew, and its \
                  links with it. Errors: `conflict`: something is in the way that isn't the lab's.",
            params: const {
                &[
                    DOCUMENT,
                    Param::required(
                        "actual",
                        Kind::Map,
                        "`net` (of `net::describe`), `docker` (of `docker::nodes`), `qemu` (of `qemu::machines`), and `kept`: the document that the \
                         lab was made from, if it is known. It tells what was taken out of it since. `tried`: what deployments have tried since \
                         that failed, which may have left something behind; a plan's own `tried` is what to keep until it has ended well. \
                         `fresh`: namespaces that were made for this document a moment ago.",
                    ),
                ]
            },
            returns: "#{ lab: string, same: bool, summary: string, counts: map, differences: array, … }",
            example: "let wanted = #{ name: \"demo\", nodes: [#{ name: \"r1\" }] };\n\
                      let first = lab::plan(wanted, #{ net: net::describe(\"demo\") }); ensure(!first.same, first.summary);\n\
                      net::build(\"demo\", first.base);\n\
                      lab::plan(wanted, #{ net: net::describe(\"demo\") }).summary",
            body: |_, _, args| plan::plan(&document(args)?, args.get("actual")),
        },
        Draft {
            name: "quota",
            doc: "The quota of the run's organisation, or `()` if it has none. What isn't in it isn't limited.",
            params: &[],
            returns: "#{ labs: int?, nodes: int?, cpus: float?, memory_mb: int? }",
            example: "lab::quota() == ()",
            body: |inner, cx, _| Ok(json!(inner.config.of(&inner.organisations.of(&cx.run)?))),
        },
        Draft {
            name: "admit",
            doc: "Checks that the run's organisation may have a lab of this size beside its others: `limit_exceeded` names the quota that would \
                  be exceeded. Quotas stand in the configuration, under `[hosts.lab.quotas.ORGANISATION]`. Hold a lock between the count of the \
                  others and the entry of this one, as `lab/deploy` does.",
            params: const {
                &[
                    Param::required("lab", Kind::String, "The lab's name."),
                    Param::required("size", Kind::Map, "Its size, as `lab::check` tells it."),
                    Param::required(
                        "others",
                        Kind::Map,
                        "The sizes of the organisation's labs as they were counted, by name; this one may be among them.",
                    ),
                    Param::optional(
                        "there",
                        Kind::Map,
                        "What is there of them: `net` (of `net::labs`), `docker` and `qemu`. A lab that wasn't counted, or has more, counts \
                         as what is there of it.",
                    ),
                ]
            },
            returns: "()",
            example: "lab::admit(\"demo\", #{ nodes: 3, cpus: 0.0, memory_mb: 0 }, #{ other: #{ nodes: 2, cpus: 0.0, memory_mb: 0 } })",
            body: admit,
        },
        Draft {
            name: "import_topology",
            doc: "Makes a lab's document of another tool's topology: containerlab (YAML), EVE-NG (.unl) or nova-ve (JSON); `format` says which. \
                  `not_taken` lists what has no place in it: `place` (in the text), `what` and `why`.",
            params: const {
                &[
                    TEXT,
                    Param::optional(
                        "files",
                        Kind::Map,
                        "The contents of files that a containerlab topology names, by the path that it gives them.",
                    ),
                ]
            },
            returns: "#{ format: string, document: map, not_taken: array of #{ place: string, what: string, why: string } }",
            example: "lab::import_topology(\"name: demo\\ntopology:\\n  nodes:\\n    r1: { kind: linux, image: alpine }\\n\").document.nodes[0].image",
            body: |_, _, args| {
                let files: BTreeMap<String, String> = support::options(args, "files")?;
                let imported = import::import_topology("the topology", args.str("text"), &files)?;
                Ok(json!({ "format": imported.format, "document": imported.document, "not_taken": imported.not_taken }))
            },
        },
        Draft {
            name: "yaml",
            doc: "A document as YAML, for people to read and to keep.",
            params: const { &[Param::required("document", Kind::Any, "The document, or any other value.")] },
            returns: "string",
            example: "lab::yaml(#{ name: \"demo\", nodes: [#{ name: \"r1\" }] })",
            body: |_, _, args| Ok(write::yaml(args.get("document")).into()),
        },
    ]
}

fn document(args: &Args) -> Result<Document, Problem> {
    normal::normalise("the document", args.get("document"), None)
}

fn checked(inner: &Inner, cx: &OpCx, document: &Document) -> Result<Value, Problem> {
    let id = LabId::of(&*inner.organisations, cx, &document.name)?;
    let address = |to: &str| document.address_of(to).map(|net| net.addr().to_string());
    let drilled = document.drills.iter().map(|drill| drill.ping.as_str());
    let pings = document.checks.iter().filter_map(|check| check.ping.as_deref()).chain(drilled);
    let pings: BTreeMap<&str, String> = pings.map(|to| (to, address(to).unwrap_or_else(|| to.to_owned()))).collect();
    Ok(json!({ "document": document, "organisation": id.organisation, "key": id.key, "size": spec::size(document),
        "digests": spec::digests(document), "pings": pings }))
}

fn admit(inner: &Inner, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Others(BTreeMap<String, Size>);
    let id = LabId::of(&*inner.organisations, cx, args.str("lab"))?;
    let (size, others) = (args.read::<Size>("size")?, args.read::<Others>("others")?);
    let there: quota::There = support::options(args, "there")?;
    let others = quota::with_what_is_there(others.0, &there);
    quota::admit(&inner.config, &id.organisation, &id.name, size, &others)?;
    Ok(Value::Null)
}

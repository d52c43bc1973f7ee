//! Labs as they stand: the document that a lab was made from, what of it is there now, and what differs. What changes a lab is a
//! workflow of the folder `lab`; this only looks, checks and compares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem, document::DocumentFilter};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::kept::{Organisation, PLATFORM},
    runs::filter::clean,
};

/// Where runs keep the documents of their organisation's labs.
const KEPT: &str = "lab/";
/// Where they keep, beside a lab's document, what was tried since and didn't end well.
const TRIED: &str = "/.tried";
/// Bytes of a document that is checked, compared or imported.
const DOCUMENT_BYTES: usize = 2 << 20;

/// Labs of this machine, and what is known of their documents.
pub trait Labs: Send + Sync {
    /// What carries a lab's mark now: `net`, `docker` and `qemu`, each as the module tells it, and `unknown`: what couldn't be looked at,
    /// with the reason. It may block.
    fn look(&self, organisation: &str, lab: &str) -> Result<Value, Problem>;

    /// What would have to be done so that what was looked at becomes what the document says.
    fn plan(&self, document: &Value, actual: &Value) -> Result<Value, Problem>;

    /// A document in its normal form, with its size; or everything that is wrong with it.
    fn check(&self, document: &Value) -> Result<Checked, Problem>;

    /// The same of text.
    fn parse(&self, text: &str) -> Result<Checked, Problem>;

    /// A document of another tool's topology.
    fn import(&self, text: &str, files: &BTreeMap<String, String>) -> Result<Imported, Problem>;

    /// The schema of documents.
    fn schema(&self) -> Value;
}

/// A document that is right.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LabChecked")]
pub struct Checked {
    /// In its normal form: copies and defaults written out.
    pub document: Value,
    /// The normal form as YAML.
    pub yaml: String,
    /// What it asks of the machine: `nodes`, `cpus`, `memory_mb`.
    pub size: Value,
}

/// What became of another tool's topology.
#[derive(Serialize, JsonSchema)]
pub struct Imported {
    /// Which tool's it was: `containerlab`, `eve-ng`, `nova-ve`.
    pub format: String,
    /// The document.
    pub document: Value,
    /// The document as YAML.
    pub yaml: String,
    /// What has no place in it: `place` in the text, `what`, `why`.
    pub not_taken: Value,
}

/// A lab whose document is known.
#[derive(Serialize, JsonSchema)]
struct LabRow {
    /// Whose it is.
    organisation: String,
    /// What its organisation calls it.
    lab: String,
    /// How many nodes its document has.
    nodes: usize,
    /// How many networks.
    networks: usize,
    /// How many links.
    links: usize,
}

/// A lab.
#[derive(Serialize, JsonSchema)]
struct LabView {
    /// Whose it is.
    organisation: String,
    /// What its organisation calls it.
    lab: String,
    /// The document that it was made from; null if it isn't known.
    document: Value,
    /// What carries its mark now: `net`, `docker`, `qemu`, and `unknown`: what couldn't be looked at, with the reason.
    actual: Value,
    /// What differs, as `lab::plan` tells it; null if the document isn't known.
    plan: Value,
    /// Why it can't be said what differs, if it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    unplanned: Option<String>,
}

/// Whose.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WhoseQuery {
    /// The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all.
    pub(crate) organisation: Option<String>,
}

/// A document, as text or as a value.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    /// YAML or JSON; mistakes then have lines and columns.
    text: Option<String>,
    /// The document itself.
    document: Option<Value>,
}

/// What is to be compared with what is there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    /// Whose lab it is to be; the platform's if nothing is said.
    organisation: Option<String>,
    /// The document; its name says which lab.
    document: Value,
}

/// Another tool's topology.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    /// The topology: containerlab (YAML), EVE-NG (.unl) or nova-ve (JSON).
    text: String,
    /// Contents of files that it names, by path.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/api/v1/labs", "labs", "Labs whose documents are known")
            .access(Access::Can(Permission::Read))
            .query::<WhoseQuery>()
            .answers::<Vec<LabRow>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::get("/api/v1/labs/{lab}", "labs", "A lab: its document, what is there, and what differs")
            .access(Access::Can(Permission::Read))
            .query::<WhoseQuery>()
            .answers::<LabView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Unsupported])
            .handle(show),
    ];
    routes.extend(documents());
    routes
}

fn documents() -> Vec<Route> {
    let wrong: &[Code] = &[Code::InvalidInput, Code::InvalidArgument, Code::Unsupported];
    vec![
        Route::get("/api/v1/lab-documents/schema", "labs", "The JSON Schema of labs' documents")
            .access(Access::Known)
            .answers::<Value>(200)
            .problems(&[Code::Unsupported])
            .handle(|request| Answer::json(&labs(&request)?.schema())),
        Route::post("/api/v1/lab-documents/check", "labs", "Check a lab's document")
            .describe(
                "Changes nothing. All mistakes at once stand in `data.faults`: `code`, `pointer`, `message`, and `line` and `column` of text.",
            )
            .access(Access::Known)
            .body::<CheckBody>()
            .body_bytes(DOCUMENT_BYTES)
            .answers::<Checked>(200)
            .problems(wrong)
            .handle(check),
        Route::post("/api/v1/lab-documents/import", "labs", "Make a lab's document of another tool's topology")
            .access(Access::Known)
            .body::<ImportBody>()
            .body_bytes(DOCUMENT_BYTES)
            .answers::<Imported>(200)
            .problems(wrong)
            .handle(|request| {
                let body: ImportBody = request.json()?;
                Answer::json(&labs(&request)?.import(&body.text, &body.files)?)
            }),
        Route::post("/api/v1/lab-documents/plan", "labs", "Compare a document with what is there")
            .describe("What `lab/deploy` would do with it now; nothing is done.")
            .access(Access::Can(Permission::Read))
            .body::<PlanBody>()
            .body_bytes(DOCUMENT_BYTES)
            .answers::<Value>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Conflict, Code::Unsupported])
            .handle(plan),
    ]
}

pub(crate) fn labs(request: &Request) -> Result<&dyn Labs, Problem> {
    request.api.labs.as_deref().ok_or_else(|| Problem::new(Code::Unsupported, "this server has no labs"))
}

/// Labs are things of the folder `lab`.
pub(crate) fn may(request: &Request, permission: Permission, organisation: &str, lab: &str) -> bool {
    request.may(permission, organisation, &format!("lab/{lab}"))
}

fn no_lab(lab: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no lab `{lab}`"))
}

/// The key under which a lab's document is kept. The platform's labs are called by their names alone.
fn key(organisation: &str, lab: &str) -> String {
    if organisation == PLATFORM { format!("{KEPT}{lab}") } else { format!("{KEPT}{organisation}/{lab}") }
}

/// The name of the lab whose document stands under a key; `None`: something else stands there.
fn named<'a>(organisation: &str, key: &'a str) -> Option<&'a str> {
    let rest = key.strip_prefix(KEPT)?;
    let name = if organisation == PLATFORM { rest } else { rest.strip_prefix(organisation)?.strip_prefix('/')? };
    (!name.is_empty() && !name.starts_with('.') && !name.contains('/')).then_some(name)
}

/// Organisations whose labs whoever asks may see some of.
pub(crate) fn organisations(request: &Request, wanted: Option<&str>) -> Result<Vec<String>, Problem> {
    if let Some(wanted) = wanted {
        return Ok(vec![clean("organisation", wanted)?.to_owned()]);
    }
    let scopes = request.principal.scopes(Permission::Read);
    let everywhere = scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope.organisation == "*"));
    let mut all: Vec<String> = match everywhere {
        true => {
            let all = Organisation::all(&request.api.engine, &DocumentFilter::default(), |_| true)?;
            all.into_iter().map(|organisation| organisation.id).chain([PLATFORM.to_owned()]).collect()
        }
        false => scopes.unwrap_or_default().into_iter().map(|scope| scope.organisation).collect(),
    };
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let mut rows = Vec::new();
    for organisation in organisations(&request, query.organisation.as_deref())? {
        for (key, document) in request.api.engine.stored(&organisation, KEPT)? {
            let Some(lab) =
                named(&organisation, &key).filter(|lab| may(&request, Permission::Read, &organisation, lab))
            else {
                continue;
            };
            let count = |part: &str| document[part].as_array().map_or(0, Vec::len);
            let (nodes, networks, links) = (count("nodes"), count("networks"), count("links"));
            rows.push(LabRow { organisation: organisation.clone(), lab: lab.to_owned(), nodes, networks, links });
        }
    }
    Answer::json(&rows)
}

/// The lab's organisation, if whoever asks may do this with its labs. One of which they may not is as if it weren't there.
pub(crate) fn whose(
    request: &Request,
    permission: Permission,
    named: Option<&str>,
    lab: &str,
) -> Result<String, Problem> {
    let may = |organisation: &str| may(request, permission, organisation, lab);
    let found = match named {
        Some(named) => Some(clean("organisation", named)?.to_owned()),
        None if may(PLATFORM) => Some(PLATFORM.to_owned()),
        None => {
            let scopes = request.principal.scopes(permission).unwrap_or_default();
            scopes.into_iter().map(|scope| scope.organisation).find(|organisation| may(organisation))
        }
    };
    found.filter(|organisation| may(organisation)).ok_or_else(|| no_lab(lab))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let lab = clean("lab", request.parameter("lab"))?.to_owned();
    let organisation = whose(&request, Permission::Read, query.organisation.as_deref(), &lab)?;
    let document = kept_document(&request, &organisation, &lab)?;
    let mut actual = labs(&request)?.look(&organisation, &lab)?;
    let nothing = ["net", "docker", "qemu"].iter().all(|part| is_empty(&actual[part]));
    if document.is_null() && nothing {
        return Err(no_lab(&lab));
    }
    let mut unplanned = None;
    let plan = if document.is_null() {
        Value::Null
    } else {
        actual["kept"] = document.clone();
        actual["tried"] = tried(&request, &organisation, &lab)?;
        let plan = labs(&request)?.plan(&document, &actual);
        plan.unwrap_or_else(|problem| {
            unplanned = Some(problem.message);
            Value::Null
        })
    };
    if let Some(all) = actual.as_object_mut() {
        all.remove("kept");
        all.remove("tried");
    }
    Answer::json(&LabView { organisation, lab, document, actual, plan, unplanned })
}

/// Whether a module tells of nothing.
fn is_empty(told: &Value) -> bool {
    let none = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    if told.is_object() { none(&told["namespaces"]) && none(&told["links"]) } else { none(told) }
}

fn kept_document(request: &Request, organisation: &str, lab: &str) -> Result<Value, Problem> {
    stored(request, organisation, &key(organisation, lab))
}

/// What deployments of a lab have tried that didn't end well.
fn tried(request: &Request, organisation: &str, lab: &str) -> Result<Value, Problem> {
    stored(request, organisation, &(key(organisation, lab) + TRIED))
}

fn stored(request: &Request, organisation: &str, key: &str) -> Result<Value, Problem> {
    let found = request.api.engine.stored(organisation, key)?;
    Ok(found.into_iter().find(|(its, _)| its == key).map_or(Value::Null, |(_, document)| document))
}

fn check(request: Request) -> Result<Answer, Problem> {
    let body: CheckBody = request.json()?;
    let labs = labs(&request)?;
    match (&body.text, &body.document) {
        (Some(text), None) => Answer::json(&labs.parse(text)?),
        (None, Some(document)) => Answer::json(&labs.check(document)?),
        _ => Err(Problem::new(Code::InvalidInput, "either `text` or `document`").data(json!({ "pointer": "/text" }))),
    }
}

fn plan(request: Request) -> Result<Answer, Problem> {
    let body: PlanBody = request.json()?;
    let labs = labs(&request)?;
    let document = labs.check(&body.document)?.document;
    let lab = document["name"].as_str().unwrap_or_default().to_owned();
    let organisation = whose(&request, Permission::Read, body.organisation.as_deref(), &lab)?;
    let mut actual = labs.look(&organisation, &lab)?;
    actual["kept"] = kept_document(&request, &organisation, &lab)?;
    actual["tried"] = tried(&request, &organisation, &lab)?;
    Answer::json(&labs.plan(&document, &actual)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_labs_only() {
        for organisation in [PLATFORM, "acme"] {
            assert_eq!(named(organisation, &key(organisation, "demo")), Some("demo"));
            assert_eq!(named(organisation, "lab/.ledger/acme/demo"), None);
            assert_eq!(named(organisation, &(key(organisation, "demo") + TRIED)), None);
            assert_eq!(named(organisation, "lab/"), None);
        }
        assert_eq!(named(PLATFORM, "lab/acme/demo"), None);
        assert_eq!(named("acme", "lab/demo"), None);
        assert_eq!(named("acme", "lab/acmes/demo"), None);
    }
}

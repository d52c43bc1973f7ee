//! Drafts: what somebody has filled in for a launch and hasn't launched. Each person has one of a workflow, and finds it on
//! every device. Nothing that the workflow's schema calls secret is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem,
    document::{Change, Document, DocumentFilter, Expected},
};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{self, kept::User},
    runs, workflows,
};

/// The kind of document.
const KIND: &str = "draft";
/// How long one is kept after its last change.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Bytes of a request.
const BODY_BYTES: usize = 256 << 10;
/// Drafts of one person, at most.
const DRAFTS: u32 = 50;
/// Bytes of a step's name.
const STEP_BYTES: usize = 200;

/// What is filled in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DraftBody {
    /// The input so far; it need not fit yet.
    input: Value,
    /// The step of the form that it was filled in up to.
    #[serde(default)]
    step: String,
}

/// A draft as it is kept.
#[derive(Serialize, Deserialize)]
struct Body {
    workflow: String,
    input: Value,
    step: String,
}

/// A draft.
#[derive(Serialize, JsonSchema)]
struct DraftView {
    /// The workflow.
    workflow: String,
    /// Its input so far, without what the schema calls secret.
    input: Value,
    /// The step of the form that it was filled in up to.
    step: String,
    /// For `If-Match`: rises with every change.
    version: i64,
    /// When it was begun.
    created_at_ms: i64,
    /// When it was last changed.
    updated_at_ms: i64,
    /// When it goes by itself.
    expires_at_ms: Option<i64>,
}

/// A draft that was kept.
#[derive(Serialize, JsonSchema)]
struct DraftKept {
    /// For `If-Match`.
    version: i64,
}

pub(crate) fn routes() -> Vec<Route> {
    let launch = Access::Can(Permission::Launch);
    vec![
        Route::get("/api/v1/drafts", "drafts", "List your drafts")
            .access(launch)
            .answers::<Vec<DraftView>>(200)
            .handle(list),
        Route::get("/api/v1/drafts/{name*}", "drafts", "Show your draft of a workflow's input")
            .access(launch)
            .answers::<DraftView>(200)
            .problems(&[Code::WorkflowNotFound, Code::NotFound])
            .handle(show),
        Route::put("/api/v1/drafts/{name*}", "drafts", "Keep your draft of a workflow's input")
            .describe(
                "For 30 days after the last change. With `If-Match` (the version that you have seen) it is refused if you have \
                 changed or removed it elsewhere since; with `If-None-Match: *` if you have one already.",
            )
            .headers(auth::PRECONDITIONS)
            .access(launch)
            .body::<DraftBody>()
            .body_bytes(BODY_BYTES)
            .answers::<DraftKept>(200)
            .problems(&[Code::WorkflowNotFound, Code::InvalidInput, Code::PreconditionFailed, Code::LimitExceeded])
            .handle(put),
        Route::delete("/api/v1/drafts/{name*}", "drafts", "Throw your draft away")
            .access(launch)
            .answers_nothing()
            .problems(&[Code::WorkflowNotFound, Code::NotFound])
            .handle(delete),
    ]
}

/// Before the workflow's name in the id of everything that is this person's.
fn of_person(request: &Request) -> Result<String, Problem> {
    let name = request.principal.person();
    // The next one of the same name is somebody else.
    let user = User::find(&request.api.engine, name)?;
    let one = user.map_or_else(|| name.to_owned(), |user| format!("{name}\n{}", user.body.uid));
    // A name may have any characters; its digest has none that end it.
    Ok(format!("{}/", blake3::hash(one.as_bytes()).to_hex()))
}

fn read(document: &Document) -> Result<DraftView, Problem> {
    let body: Body = serde_json::from_value(document.body.clone())
        .map_err(|error| Problem::new(Code::Storage, format!("a draft can't be read: {error}")))?;
    Ok(DraftView {
        workflow: body.workflow,
        input: body.input,
        step: body.step,
        version: document.version,
        created_at_ms: document.created_at_ms,
        updated_at_ms: document.updated_at_ms,
        expires_at_ms: document.expires_at_ms,
    })
}

fn all(request: &Request) -> Result<Vec<Document>, Problem> {
    let id_prefix = Some(of_person(request)?);
    let filter = DocumentFilter { kind: KIND.into(), id_prefix, limit: DRAFTS, ..DocumentFilter::default() };
    let mut found = request.api.engine.documents(&filter)?;
    let now_ms = request.api.engine.now_ms();
    found.retain(|document| is_kept(document, now_ms));
    Ok(found)
}

/// Whether its time hasn't run out; what has is removed some time later.
fn is_kept(document: &Document, now_ms: i64) -> bool {
    document.expires_at_ms.is_none_or(|until_ms| until_ms > now_ms)
}

fn list(request: Request) -> Result<Answer, Problem> {
    let mut drafts = all(&request)?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    drafts.retain(|draft| workflows::visible(&request, Permission::Launch, &draft.workflow));
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.updated_at_ms));
    Answer::json(&drafts)
}

/// The workflow of the path, its draft's id, and the draft.
fn find(request: &Request) -> Result<(String, String, Option<Document>), Problem> {
    let workflow = workflows::named(request, Permission::Launch)?;
    let id = of_person(request)? + &workflow;
    let found = request.api.engine.document(KIND, &id)?;
    let now_ms = request.api.engine.now_ms();
    Ok((workflow, id, found.filter(|document| is_kept(document, now_ms))))
}

fn none(workflow: &str) -> Problem {
    Problem::new(Code::NotFound, format!("you have no draft of `{workflow}`"))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (workflow, _, found) = find(&request)?;
    Answer::json(&read(&found.ok_or_else(|| none(&workflow))?)?)
}

fn put(request: Request) -> Result<Answer, Problem> {
    let (workflow, id, before) = find(&request)?;
    let mut body: DraftBody = request.json()?;
    let refused = |pointer: &str, message: &str| {
        Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer })))
    };
    let Some(fields) = body.input.as_object_mut() else { return refused("/input", "the input has to be an object") };
    if body.step.len() > STEP_BYTES {
        return refused("/step", &format!("a step's name has at most {STEP_BYTES} bytes"));
    }
    let header = request.api.scripts.header(&workflow)?;
    for name in windlass_engine::secret_fields(&header.inputs) {
        fields.remove(&name);
    }
    let expected = auth::expected(&request, before.as_ref().map(|draft| draft.version))?;
    if before.is_none() && all(&request)?.len() >= DRAFTS as usize {
        let message = format!("you have {DRAFTS} drafts; no more are kept");
        return Err(Problem::new(Code::LimitExceeded, message).help("launch one of them, or throw one away"));
    }
    let engine = &request.api.engine;
    let expires_at_ms = Some(engine.now_ms() + KEPT_MS);
    let change = Change::Put {
        kind: KIND.into(),
        id,
        organisation: runs::organisation_of_launch(&request, None, &workflow)?,
        body: json!(Body { workflow, input: body.input, step: body.step }),
        keys: Vec::new(),
        expires_at_ms,
        expected,
    };
    let version = engine.change(vec![change]).map_err(auth::overtaken)?.first().copied().unwrap_or_default();
    Answer::json(&DraftKept { version })
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let (workflow, id, found) = find(&request)?;
    found.ok_or_else(|| none(&workflow))?;
    request.api.engine.change(vec![Change::Delete { kind: KIND.into(), id, expected: Expected::Any }])?;
    Ok(Answer::nothing())
}

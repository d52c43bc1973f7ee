//! Plans: rehearsals that are kept, so that what somebody looked at is what is launched. A plan is of one workflow's sources
//! and one input; a launch that names it is refused when either is another one by then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem,
    document::{Change, Document, DocumentFilter, Expected},
    journal::Pinned,
};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
    runs,
};

/// The kind of document that says what was planned.
const KIND: &str = "plan";
/// The kind that holds what a run would do; lists don't read it.
const STEPS: &str = "plan_steps";
/// What stands before a plan's id in the tag of a run that was launched with it.
pub(crate) const PLAN_TAG: &str = "plan:";
/// How long a plan is kept.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Bytes of a plan as JSON, at most.
const BYTES: usize = 1 << 20;
/// Plans that are read at once for a list.
const PIECE: u32 = 200;
/// What stands where a secret was.
const BLOT: &str = "•••";
/// Characters from which on a secret is looked for in the steps: shorter ones would blot out half of the text.
const SECRET_CHARS: usize = 4;

/// What to rehearse and keep.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    /// The workflow: `area/name`.
    workflow: String,
    /// Its input, as for a launch.
    #[serde(default)]
    input: Value,
    /// The organisation that it is for; if none is named, the one that you may launch this workflow in.
    organisation: Option<String>,
}

/// Which plans.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PlansQuery {
    /// Of this workflow.
    workflow: Option<String>,
    /// Of this organisation.
    organisation: Option<String>,
    /// Plans on a page, 1 to 500.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A plan as it is kept.
#[derive(Serialize, Deserialize)]
struct Body {
    workflow: String,
    version: Option<i64>,
    sources: String,
    digest: String,
    state: String,
    input: Value,
    removed: Vec<String>,
    /// Digest of the whole input, sealed: a secret that can be guessed can't be tried out on it.
    input_seal: String,
    by: String,
}

/// A plan in a list.
#[derive(Serialize, JsonSchema)]
struct PlanInShort {
    /// Its id, for a launch.
    id: String,
    /// The workflow.
    workflow: String,
    /// Number of the version that was in use.
    version: Option<i64>,
    /// Digest of its sources: what a run would have been pinned to.
    sources: String,
    /// Whether these sources are still in use.
    current: bool,
    /// Digest of what a run would do.
    digest: String,
    /// How the rehearsal ended.
    state: String,
    /// The organisation that it is for.
    organisation: String,
    /// Who planned it.
    by: String,
    /// When, in milliseconds since 1970.
    at_ms: i64,
    /// When it goes by itself.
    expires_at_ms: Option<i64>,
}

/// A plan.
#[derive(Serialize, JsonSchema)]
struct PlanShown {
    /// As in a list.
    #[serde(flatten)]
    short: PlanInShort,
    /// Its input with the schema's defaults, and without what the schema calls secret.
    input: Value,
    /// Fields of the input that aren't kept, for they are secret.
    removed: Vec<String>,
    /// What a run would do, as the rehearsal answered.
    plan: Value,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/plans", "plans", "List plans, newest first")
            .access(Access::Can(Permission::Read))
            .query::<PlansQuery>()
            .answers::<Page<PlanInShort>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/plans", "plans", "Rehearse a workflow, and keep the plan")
            .describe(
                "It is kept for 30 days. A launch with its id in `plan` is refused if the workflow or the input is another one \
                 by then; its run carries the tag `plan:<id>`.",
            )
            .access(Access::Can(Permission::Launch))
            .body::<NewPlan>()
            .answers::<PlanShown>(201)
            .problems(&[
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::InvalidInput,
                Code::LimitExceeded,
                Code::Conflict,
            ])
            .handle(create),
        Route::get("/api/v1/plans/{id}", "plans", "Show a plan")
            .access(Access::Can(Permission::Read))
            .answers::<PlanShown>(200)
            .problems(&[Code::NotFound])
            .handle(show),
    ]
}

fn read(document: &Document) -> Result<Body, Problem> {
    serde_json::from_value(document.body.clone())
        .map_err(|error| Problem::new(Code::Storage, format!("a plan can't be read: {error}")))
}

/// A plan that whoever asks may see; any other is as if it weren't there.
fn find(request: &Request, id: &str) -> Result<(Document, Body), Problem> {
    let none = || Problem::new(Code::NotFound, format!("there is no plan `{id}`"));
    let id = runs::text("plan", id)?;
    let document = request.api.engine.document(KIND, id)?.ok_or_else(none)?;
    let body = read(&document)?;
    match request.may(Permission::Read, &document.organisation, &body.workflow) {
        true => Ok((document, body)),
        false => Err(none()),
    }
}

fn in_short(request: &Request, document: &Document, body: &Body) -> PlanInShort {
    let now = request.api.scripts.digest(&body.workflow).ok();
    PlanInShort {
        id: document.id.clone(),
        workflow: body.workflow.clone(),
        version: body.version,
        sources: body.sources.clone(),
        current: now.as_ref() == Some(&body.sources),
        digest: body.digest.clone(),
        state: body.state.clone(),
        organisation: document.organisation.clone(),
        by: body.by.clone(),
        at_ms: document.created_at_ms,
        expires_at_ms: document.expires_at_ms,
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: PlansQuery = request.query()?;
    let texts = [("workflow", &query.workflow), ("organisation", &query.organisation), ("cursor", &query.cursor)];
    for (name, text) in texts {
        runs::text(name, text.as_deref().unwrap_or_default())?;
    }
    let limit = page::limit(query.limit);
    let (mut items, mut after) = (Vec::new(), query.cursor);
    loop {
        let organisations = query.organisation.clone().map(|one| vec![one]);
        let filter = DocumentFilter {
            kind: KIND.into(),
            organisations,
            after,
            newest_first: true,
            limit: PIECE,
            ..DocumentFilter::default()
        };
        let piece = request.api.engine.documents(&filter)?;
        after = piece.last().map(|document| document.id.clone());
        for document in &piece {
            let body = read(document)?;
            let asked = query.workflow.as_ref().is_none_or(|workflow| *workflow == body.workflow);
            if asked && request.may(Permission::Read, &document.organisation, &body.workflow) {
                items.push(in_short(&request, document, &body));
            }
        }
        if piece.len() < PIECE as usize || items.len() > limit as usize {
            return Answer::json(&Page::of(items, limit, |item| item.id.clone()));
        }
    }
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (document, body) = find(&request, request.parameter("id"))?;
    let steps = request.api.engine.document(STEPS, &document.id)?;
    Answer::json(&shown(&request, &document, body, steps.map_or(Value::Null, |steps| steps.body)))
}

fn shown(request: &Request, document: &Document, body: Body, plan: Value) -> PlanShown {
    let short = in_short(request, document, &body);
    PlanShown { short, input: body.input, removed: body.removed, plan }
}

fn create(request: Request) -> Result<Answer, Problem> {
    let new: NewPlan = request.json()?;
    let workflow = runs::text("workflow", &new.workflow)?.to_owned();
    let organisation = runs::organisation_of_launch(&request, new.organisation, &workflow)?;
    let input = if new.input.is_null() { json!({}) } else { new.input };
    let engine = &request.api.engine;
    let (pinned, input) = engine.prepared(&workflow, input).map_err(|problem| runs::below("/input", problem))?;
    let version = request.api.scripts.version(&workflow);
    let by = request.principal.person().to_owned();
    let plan = request.api.scripts.rehearse(&workflow, None, input.clone(), &by)?;
    if plan["sources"] != pinned.digest.as_str() {
        let message = format!("`{workflow}` was changed while it was rehearsed");
        return Err(Problem::new(Code::Conflict, message).help("plan it again").retryable());
    }
    let removed = windlass_engine::secret_fields(&pinned.workflow.inputs);
    let plan = without(&plan, &input, &removed)?;
    let id = ulid::Ulid::new().to_string().to_lowercase();
    let mut kept = input.clone();
    if let Some(fields) = kept.as_object_mut() {
        removed.iter().for_each(|name| drop(fields.remove(name)));
    }
    let text = |key: &str| plan[key].as_str().unwrap_or_default().to_owned();
    let body = Body {
        version,
        sources: pinned.digest.to_string(),
        digest: text("digest"),
        state: text("state"),
        removed: removed.into_iter().filter(|name| input.get(name).is_some()).collect(),
        input_seal: request.api.secrets.seal(&context(&id), &digest(&input))?,
        input: kept,
        workflow,
        by,
    };
    let expires_at_ms = Some(engine.now_ms() + KEPT_MS);
    let put = |kind: &str, body: Value| Change::Put {
        kind: kind.into(),
        id: id.clone(),
        organisation: organisation.clone(),
        body,
        keys: Vec::new(),
        expires_at_ms,
        expected: Expected::Absent,
    };
    let after = json!({ "workflow": body.workflow, "sources": body.sources, "digest": body.digest });
    let audited = request.audited("plan.create", &organisation, &id, Value::Null, after);
    audited.change(vec![put(KIND, json!(body)), put(STEPS, plan)])?;
    let (document, body) = find(&request, &id)?;
    let steps = engine.document(STEPS, &id)?.map_or(Value::Null, |steps| steps.body);
    Answer::created(&format!("/api/v1/plans/{id}"), &shown(&request, &document, body, steps))
}

/// What a seal is bound to.
fn context(id: &str) -> String {
    format!("plan/{id}")
}

/// The plan without the values of secret fields, within its bound.
fn without(plan: &Value, input: &Value, secret: &[String]) -> Result<Value, Problem> {
    let mut values = Vec::new();
    secret.iter().filter_map(|name| input.get(name)).for_each(|value| collect(value, &mut values));
    // The longest first: one may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let plan = blotted(plan, &values);
    let bytes = plan.to_string().len();
    if bytes > BYTES {
        let message = format!("the plan has {bytes} bytes; at most {BYTES} are kept");
        return Err(Problem::new(Code::LimitExceeded, message).help("rehearse it without keeping the plan"));
    }
    Ok(plan)
}

/// Texts in a secret value: as they are, and as they stand in JSON text.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() >= SECRET_CHARS => {
            let quoted = value.to_string();
            let inner = quoted[1..quoted.len() - 1].to_owned();
            texts.extend((inner != *text).then_some(inner));
            texts.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        _ => {}
    }
}

fn blotted(value: &Value, secrets: &[String]) -> Value {
    match value {
        Value::String(text) => secrets.iter().fold(text.clone(), |text, secret| text.replace(secret, BLOT)).into(),
        Value::Array(items) => items.iter().map(|item| blotted(item, secrets)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), blotted(field, secrets))).collect(),
        other => other.clone(),
    }
}

/// Digest of an input, whatever the order of its fields.
fn digest(input: &Value) -> String {
    fn canonical(value: &Value, text: &mut String) {
        match value {
            Value::Object(fields) => {
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort();
                text.push('{');
                for name in names {
                    *text += &Value::from(name.as_str()).to_string();
                    text.push(':');
                    canonical(&fields[name], text);
                    text.push(',');
                }
                text.push('}');
            }
            Value::Array(items) => {
                text.push('[');
                for item in items {
                    canonical(item, text);
                    text.push(',');
                }
                text.push(']');
            }
            other => *text += &other.to_string(),
        }
    }
    let mut text = String::new();
    canonical(input, &mut text);
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// The plan that a run was launched with. The workflow's own tags come before those of the launch.
pub(crate) fn of_run(tags: &[String]) -> Option<&str> {
    tags.iter().rev().find_map(|tag| tag.strip_prefix(PLAN_TAG))
}

/// A plan that a launch names.
pub(crate) struct Agreed {
    id: String,
    sources: String,
    input: String,
}

impl Agreed {
    /// The plan of this workflow in this organisation.
    pub(crate) fn find(request: &Request, id: &str, workflow: &str, organisation: &str) -> Result<Self, Problem> {
        let at_plan = |problem: Problem| problem.data(json!({ "pointer": "/plan" }));
        let (document, body) = find(request, id).map_err(at_plan)?;
        if body.workflow != workflow || document.organisation != organisation {
            let message =
                format!("plan `{id}` is of `{}` in the organisation `{}`", body.workflow, document.organisation);
            return Err(at_plan(Problem::new(Code::PreconditionFailed, message)));
        }
        let input = request.api.secrets.unseal(&context(id), &body.input_seal)?;
        Ok(Self { id: id.to_owned(), sources: body.sources, input })
    }

    /// The tag that its runs carry.
    pub(crate) fn tag(&self) -> String {
        format!("{PLAN_TAG}{}", self.id)
    }

    /// Refuses what isn't as it was planned: these are the sources and the input that the launch would pin.
    pub(crate) fn require(&self, pinned: &Pinned, input: &Value) -> Result<(), Problem> {
        let refused = |pointer: &str, message: String, data: Value| {
            let mut data = data;
            data["pointer"] = pointer.into();
            Err(Problem::new(Code::PreconditionFailed, message)
                .help("nothing was launched; plan it again, and look at what it would do now")
                .data(data))
        };
        let (id, name) = (&self.id, &pinned.workflow.name);
        if pinned.digest.as_str() != self.sources {
            let data = json!({ "planned": self.sources, "now": pinned.digest });
            return refused("/plan", format!("`{name}` was changed after plan `{id}` was made"), data);
        }
        if digest(input) != self.input {
            return refused("/input", format!("the input isn't that of plan `{id}`"), json!({}));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inputs_digest_knows_no_order_and_forgets_nothing() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":{"x":[1,2],"y":"z"}}"#).unwrap();
        let same: Value = serde_json::from_str(r#"{"b":{"y":"z","x":[1,2]},"a":1}"#).unwrap();
        assert_eq!(digest(&one), digest(&same));
        for other in [r#"{"a":1,"b":{"x":[2,1],"y":"z"}}"#, r#"{"a":"1","b":{"x":[1,2],"y":"z"}}"#, "{}"] {
            assert_ne!(digest(&one), digest(&serde_json::from_str(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn secrets_are_not_kept_wherever_they_stand() {
        let input = json!({ "key": "s3cret\"quoted", "login": { "word": "hunter22" }, "plain": "open" });
        let plan = json!({ "plan": [{ "args": "[\"s3cret\\\"quoted\",\"open\"]" }], "text": "with hunter22 inside" });
        let kept = without(&plan, &input, &["key".into(), "login".into()]).unwrap().to_string();
        assert!(!kept.contains("s3cret") && !kept.contains("hunter22") && kept.contains("open"), "{kept}");
        let long = json!({ "text": "x".repeat(BYTES) });
        assert_eq!(without(&long, &input, &[]).unwrap_err().code, Code::LimitExceeded);
    }
}

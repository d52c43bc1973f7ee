//! Drawings: the text of a lab's document as people edit it, with what `lab/deploy` hasn't made yet. One of each lab, which all who
//! may launch its workflows share; it stays when the lab is destroyed, until somebody throws it away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{
    Code, Problem,
    document::{Change, Document, DocumentFilter, Expected},
};

use crate::{
    Access, Answer, Permission, Request, Route, auth,
    labs::{WhoseQuery, labs, may, organisations, whose},
    runs::filter::clean,
};

/// The kind of document.
pub(crate) const KIND: &str = "lab_drawing";
/// Bytes of a text.
const TEXT_BYTES: usize = 1 << 20;
/// Bytes of a request: text grows when it is put into JSON.
const BODY_BYTES: usize = 2 << 20;
/// Drawings of one organisation, at most.
const DRAWINGS: u32 = 200;
/// Characters of `base`.
const BASE: usize = 100;

/// What is drawn.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DrawingBody {
    /// The document, YAML or JSON. It needn't be right yet.
    text: String,
    /// What tells the deployed document from which this was made; whoever draws chooses it.
    #[serde(default)]
    base: String,
}

/// A drawing as it is kept.
#[derive(Serialize, Deserialize)]
struct Body {
    lab: String,
    text: String,
    base: String,
    by: String,
    nodes: usize,
    networks: usize,
    links: usize,
}

/// A drawing.
#[derive(Serialize, JsonSchema)]
struct DrawingView {
    /// Whose lab it is.
    organisation: String,
    /// What its organisation calls it.
    lab: String,
    /// The document, YAML or JSON.
    text: String,
    /// What was said of the deployed document from which it was made.
    base: String,
    /// Who changed it last.
    by: String,
    /// For `If-Match`: rises with every change.
    version: i64,
    /// When it was last changed.
    updated_at_ms: i64,
}

/// A drawing without its text.
#[derive(Serialize, JsonSchema)]
struct DrawingRow {
    /// Whose lab it is.
    organisation: String,
    /// What its organisation calls it.
    lab: String,
    /// How many nodes it had when it could be read last.
    nodes: usize,
    /// How many networks.
    networks: usize,
    /// How many links.
    links: usize,
    /// Who changed it last.
    by: String,
    /// When it was last changed.
    updated_at_ms: i64,
}

/// A drawing that was kept.
#[derive(Serialize, JsonSchema)]
struct DrawingKept {
    /// For `If-Match`.
    version: i64,
}

pub(crate) fn routes() -> Vec<Route> {
    const PATH: &str = "/api/v1/labs/{lab}/drawing";
    vec![
        Route::get("/api/v1/lab-drawings", "labs", "Labs that somebody has drawn")
            .access(Access::Can(Permission::Read))
            .query::<WhoseQuery>()
            .answers::<Vec<DrawingRow>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::get(PATH, "labs", "A lab's document as it is being edited")
            .access(Access::Can(Permission::Read))
            .query::<WhoseQuery>()
            .answers::<DrawingView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput])
            .handle(show),
        Route::put(PATH, "labs", "Keep a lab's document as it is being edited")
            .describe(
                "Nothing is deployed, and the text needn't be right yet. With `If-Match` (the version that you have seen) it is refused \
                 (`precondition_failed`) if somebody else has changed it since, or thrown it away; with `If-None-Match: *` if \
                 somebody has drawn this lab already.",
            )
            .headers(auth::PRECONDITIONS)
            .access(Access::Can(Permission::Launch))
            .query::<WhoseQuery>()
            .body::<DrawingBody>()
            .body_bytes(BODY_BYTES)
            .answers::<DrawingKept>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::PreconditionFailed, Code::LimitExceeded])
            .handle(put),
        Route::delete(PATH, "labs", "Throw away what was drawn of a lab; the lab itself stays")
            .access(Access::Can(Permission::Launch))
            .query::<WhoseQuery>()
            .answers_nothing()
            .problems(&[Code::NotFound, Code::InvalidInput])
            .handle(delete),
    ]
}

fn read(document: &Document) -> Result<Body, Problem> {
    serde_json::from_value(document.body.clone())
        .map_err(|error| Problem::new(Code::Storage, format!("a drawing can't be read: {error}")))
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let mut rows = Vec::new();
    for organisation in organisations(&request, query.organisation.as_deref())? {
        for document in of_organisation(&request, &organisation)? {
            let Body { lab, nodes, networks, links, by, .. } = read(&document)?;
            if !may(&request, Permission::Read, &organisation, &lab) {
                continue;
            }
            let (organisation, updated_at_ms) = (organisation.clone(), document.updated_at_ms);
            rows.push(DrawingRow { organisation, lab, nodes, networks, links, by, updated_at_ms });
        }
    }
    Answer::json(&rows)
}

fn of_organisation(request: &Request, organisation: &str) -> Result<Vec<Document>, Problem> {
    request.api.engine.documents(&DocumentFilter {
        kind: KIND.into(),
        id_prefix: Some(format!("{organisation}/")),
        limit: DRAWINGS,
        ..DocumentFilter::default()
    })
}

/// The lab of the path, if whoever asks may do this with it: its organisation, its name, and what is drawn of it.
fn find(request: &Request, permission: Permission) -> Result<(String, String, Option<Document>), Problem> {
    let query: WhoseQuery = request.query()?;
    let lab = clean("lab", request.parameter("lab"))?.to_owned();
    let organisation = whose(request, permission, query.organisation.as_deref(), &lab)?;
    let found = request.api.engine.document(KIND, &format!("{organisation}/{lab}"))?;
    Ok((organisation, lab, found))
}

fn none(lab: &str) -> Problem {
    Problem::new(Code::NotFound, format!("nothing is drawn of the lab `{lab}`"))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (organisation, lab, found) = find(&request, Permission::Read)?;
    let document = found.ok_or_else(|| none(&lab))?;
    let Body { text, base, by, .. } = read(&document)?;
    let (version, updated_at_ms) = (document.version, document.updated_at_ms);
    Answer::json(&DrawingView { organisation, lab, text, base, by, version, updated_at_ms })
}

fn put(request: Request) -> Result<Answer, Problem> {
    let (organisation, lab, before) = find(&request, Permission::Launch)?;
    let body: DrawingBody = request.json()?;
    let refused = |pointer: &str, message: String| {
        Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer })))
    };
    if body.text.len() > TEXT_BYTES {
        return refused("/text", format!("a document has at most {TEXT_BYTES} bytes"));
    }
    if body.base.chars().count() > BASE {
        return refused("/base", format!("at most {BASE} characters"));
    }
    // A name that no document may have would never be found again.
    let named =
        |name: &str| name.len() <= 48 && name.chars().all(|one| one.is_ascii_alphanumeric() || "._-".contains(one));
    if !named(&lab) || !lab.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return refused("/lab", format!("`{lab}` is no name of a lab: letters, digits, `.`, `_` and `-`, at most 48"));
    }
    let expected = auth::expected(&request, before.as_ref().map(|drawing| drawing.version))?;
    if before.is_none() && of_organisation(&request, &organisation)?.len() >= DRAWINGS as usize {
        let message = format!("`{organisation}` has {DRAWINGS} drawings of labs; no more are kept");
        return Err(Problem::new(Code::LimitExceeded, message).help("throw away one that nobody needs"));
    }
    let mut kept = Body {
        lab: lab.clone(),
        text: body.text,
        base: body.base,
        by: request.principal.person().to_owned(),
        nodes: 0,
        networks: 0,
        links: 0,
    };
    // What can't be read just now has as many as it had.
    match labs(&request).and_then(|labs| labs.parse(&kept.text)) {
        Ok(checked) => {
            let count = |part: &str| checked.document[part].as_array().map_or(0, Vec::len);
            (kept.nodes, kept.networks, kept.links) = (count("nodes"), count("networks"), count("links"));
        }
        Err(_) => {
            if let Some(old) = before.as_ref().and_then(|drawing| read(drawing).ok()) {
                (kept.nodes, kept.networks, kept.links) = (old.nodes, old.networks, old.links);
            }
        }
    }
    let change = Change::Put {
        kind: KIND.into(),
        id: format!("{organisation}/{lab}"),
        organisation,
        body: json!(kept),
        keys: Vec::new(),
        expires_at_ms: None,
        expected,
    };
    let version =
        request.api.engine.change(vec![change]).map_err(auth::overtaken)?.first().copied().unwrap_or_default();
    Answer::json(&DrawingKept { version })
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let (organisation, lab, found) = find(&request, Permission::Launch)?;
    found.ok_or_else(|| none(&lab))?;
    let id = format!("{organisation}/{lab}");
    request.api.engine.change(vec![Change::Delete { kind: KIND.into(), id, expected: Expected::Any }])?;
    Ok(Answer::nothing())
}

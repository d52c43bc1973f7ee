//! Consoles of labs' nodes, over WebSockets: terminals that several people look at and one types in, screens, and recordings.

mod capture;
mod guacamole;
mod hub;
mod outbox;
mod query;
mod recordings;
mod rfb;
mod seats;
mod session;
mod shelf;
mod tunnel;
mod viewer;
mod words;

use std::{sync::Arc, time::Instant};

use http::{HeaderName, HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, audit::NewAudit};

pub(crate) use self::hub::ConsoleHub;
pub use self::recordings::RecordingConfig;
use self::{
    hub::{Key, Visit, aside},
    query::{ConsoleQuery, Mode, WhoseQuery},
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::kept::PLATFORM,
    events::Guard,
    runs::filter::clean,
    services::{ConsoleKind, LabNode, Size},
};

/// How consoles behave.
#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    /// People at consoles at once.
    pub all: usize,
    /// Consoles that one of them may have open, tokens included.
    pub each: usize,
    /// People at the consoles of one node.
    pub node: usize,
    /// Bytes of one message to a console.
    pub message_bytes: usize,
    /// Bytes that may wait for one who looks.
    pub queue_bytes: usize,
    /// Bytes that who comes late is shown.
    pub scrollback_bytes: usize,
    /// Milliseconds without anything shown or typed after which a console is closed.
    pub idle_ms: u64,
    /// Milliseconds that a terminal waits for somebody to come back.
    pub linger_ms: u64,
    /// Milliseconds that a terminal waits while nobody takes anything.
    pub patience_ms: u64,
    /// How they are recorded.
    pub recordings: RecordingConfig,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            all: 256,
            each: 16,
            node: 16,
            message_bytes: 64 << 10,
            queue_bytes: 1 << 20,
            scrollback_bytes: 256 << 10,
            idle_ms: 3_600_000,
            linger_ms: 30_000,
            patience_ms: 2_000,
            recordings: RecordingConfig::default(),
        }
    }
}

/// The consoles of a node.
#[derive(Serialize, JsonSchema)]
struct ConsolesView {
    /// The organisation whose lab it is.
    organisation: String,
    /// What can be opened now.
    kinds: Vec<ConsoleKind>,
    /// Whether you may type, or only look.
    may_type: bool,
}

const PROTOCOL: &str = "Becomes a WebSocket (HTTP/1.1). Binary frames are the bytes of the terminal, in both directions; text \
    frames are JSON: `{\"resize\":{\"cols\":80,\"rows\":24}}` and `{\"type\":true}` (take the keyboard; `false`: give it up) to the \
    server, `{\"viewers\":2,\"typist\":\"ann\",\"typing\":true,\"size\":{…},\"recording\":null}`, `{\"error\":{…}}` and \
    `{\"exit\":0}` from it. Screens (`vnc`: bytes of RFB in binary frames; `guac`: instructions in text frames) pass as they are. \
    Close codes: 1000 it has ended, 1001 the server stops, 1009 a message was too large, 4400 not understood, 4401 you may not be \
    here any more, 4403 it couldn't be opened (with `explain=1`), 4404 the node is gone, 4408 nothing has happened for too long, \
    4429 you took too little of what was shown. A browser's page has to be this server's own. `guac` is spoken as \
    guacamole-common-js speaks it (subprotocol `guacamole`), and its close reasons are Guacamole's status codes.";

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/api/v1/labs/{lab}/nodes/{node}/consoles", "labs", "The consoles that a node has")
            .access(Access::Can(Permission::WatchConsoles))
            .query::<WhoseQuery>()
            .answers::<ConsolesView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Unsupported])
            .stream(list),
        Route::get("/api/v1/labs/{lab}/nodes/{node}/console", "labs", "Open a console of a node")
            .describe(PROTOCOL)
            .access(Access::Can(Permission::WatchConsoles))
            .query::<ConsoleQuery>()
            .answers_raw(101, "application/octet-stream")
            .problems(&[
                Code::NotFound,
                Code::InvalidInput,
                Code::Unsupported,
                Code::TooManyRequests,
                Code::Unavailable,
                Code::SecretNotFound,
                Code::SecretMisuse,
            ])
            .stream(open),
    ];
    routes.extend(capture::routes());
    routes.extend(shelf::routes());
    routes
}

/// Labs are things of the folder `lab`: who may something there may it with labs.
fn folder(lab: &str) -> String {
    format!("lab/{lab}")
}

fn no_lab(lab: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no lab `{lab}`, or none with such a node"))
}

/// The lab's organisation, whose consoles whoever asks may look at. One that they may not see is as if it weren't there.
fn organisation(request: &Request, named: Option<&str>) -> Result<String, Problem> {
    let lab = clean("lab", request.parameter("lab"))?;
    let may = |organisation: &str| request.may(Permission::WatchConsoles, organisation, &folder(lab));
    let own = || {
        let scopes = request.principal.scopes(Permission::WatchConsoles).unwrap_or_default();
        scopes.into_iter().map(|scope| scope.organisation).find(|organisation| organisation != "*" && may(organisation))
    };
    let organisation = match named {
        Some(named) => Some(clean("organisation", named)?.to_owned()).filter(|named| may(named)),
        None if may(PLATFORM) => Some(PLATFORM.to_owned()),
        None => own(),
    };
    organisation.ok_or_else(|| no_lab(lab))
}

fn node(request: &Request, organisation: String) -> Result<LabNode, Problem> {
    let part = |name| clean(name, request.parameter(name)).map(str::to_owned);
    Ok(LabNode { organisation, lab: part("lab")?, node: part("node")? })
}

async fn list(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let organisation = organisation(&request, query.organisation.as_deref())?;
    let may_type = request.may(Permission::UseConsoles, &organisation, &folder(request.parameter("lab")));
    let node = node(&request, organisation)?;
    let kinds = request.api.consoles.kinds(&node).await?;
    Answer::json(&ConsolesView { organisation: node.organisation, kinds, may_type })
}

async fn open(mut request: Request) -> Result<Answer, Problem> {
    let query: ConsoleQuery = request.query()?;
    let (api, hub) = (request.api.clone(), request.api.consoles.clone());
    // A page of another site could have a browser send our cookie along.
    api.auth.refuse_foreign_page(&request.principal, &request.headers, &api.config)?;
    let upgrade = request.upgrade.take().ok_or_else(|| {
        Problem::new(Code::InvalidInput, "a console is a WebSocket, and the request doesn't ask for one")
            .help("send `Upgrade: websocket` over HTTP/1.1; `windlass console` does")
    })?;
    let place = node(&request, organisation(&request, query.organisation.as_deref())?)?;
    let may_type = query.mode == Mode::Type;
    if may_type {
        request.require(Permission::UseConsoles, &place.organisation, &folder(&place.lab))?;
    }
    let size = words::checked(Size { cols: query.cols, rows: query.rows })?;
    let screen = query.screen()?;
    let kinds = hub.kinds(&place).await?;
    if !kinds.contains(&query.kind) {
        let known: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let message = format!("{} has no {} console", place.node, query.kind.as_str());
        let has = if known.is_empty() { "none now".to_owned() } else { known.join(", ") };
        return Err(Problem::new(Code::NotFound, message).help(format!("it has {has}")));
    }
    let seat = hub.seats.take(request.principal.person(), &place)?;
    let (name, login) = query.terminal()?;
    let key = Key { node: place.clone(), kind: query.kind, name, login };
    let who = request.principal.actor();
    let target = format!("{}/{} {}", place.lab, place.node, query.kind.as_str());
    let mut after =
        json!({ "mode": if may_type { "type" } else { "watch" }, "login": query.user, "secret": query.secret });
    if let Some(of) = query.of {
        after["of"] = of.as_str().into();
    }
    let entry: NewAudit = request.entry("console.open", &place.organisation, &target, Value::Null, after);
    let record = query.record > 0 && may_type;
    let kind = query.kind;
    let opened = match kind.is_terminal() {
        true => hub.terminal(&api, &key, !may_type, size).await.map(|terminal| (Some(terminal), None)),
        false => hub.tunnel(&key, !may_type, (size, screen)).await.map(|source| (None, Some(source))),
    };
    let (terminal, source) = match opened {
        Err(problem) if query.explain > 0 => {
            let refused = upgrade.on_upgrade(move |socket| viewer::refuse(socket, kind, problem));
            return Ok(upgraded(&request, refused));
        }
        opened => opened?,
    };
    if let Some(session) = &terminal
        && (record || hub.config.recordings.always)
    {
        hub.record(session, &key, &who).await?;
    }
    // What is shown from here on was asked for by somebody who is named.
    let (engine, written) = (api.engine.clone(), entry.clone());
    aside(move || engine.audit(written)).await?;
    let mut visit = Visit {
        guard: Guard::new(&request, std::time::Duration::from_millis(api.config.events.recheck_ms)),
        who,
        may_type,
        size,
        place,
        message_bytes: hub.config.message_bytes,
        idle_ms: hub.config.idle_ms,
        received: 0,
        shown: None,
        entry,
        began: Instant::now(),
        api: api.clone(),
        _seat: seat,
    };
    let bytes = hub.config.message_bytes.saturating_mul(4);
    let upgrade = upgrade
        .max_message_size(bytes)
        .max_frame_size(bytes)
        .max_write_buffer_size(hub.config.queue_bytes.max(1 << 20) * 2);
    let reply = upgrade.on_upgrade(move |socket| async move {
        let end = match (terminal, source) {
            (Some(session), _) => viewer::serve(socket, &session, &mut visit).await,
            (None, Some(source)) => {
                let gone = hub.gone(&api, &key);
                tunnel::serve(socket, source, kind, &mut visit, (gone, api.stopping())).await
            }
            (None, None) => return,
        };
        visit.ended(&end).await;
    });
    Ok(upgraded(&request, reply))
}

/// The answer to whoever comes with a WebSocket, in the protocol that they ask for.
fn upgraded(request: &Request, reply: impl warp::Reply) -> Answer {
    let mut answer = Answer::upgraded(reply);
    if let Some(protocol) = protocol(request) {
        let name = HeaderName::from_static("sec-websocket-protocol");
        answer.headers.push((name, HeaderValue::from_static(protocol)));
    }
    answer
}

/// The protocol that a page's library insists on, if it names one that is ours.
fn protocol(request: &Request) -> Option<&'static str> {
    let offered = request.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offered: Vec<&str> =
        offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(',')).collect();
    ["guacamole", "binary"].into_iter().find(|known| offered.iter().any(|offer| offer.trim() == *known))
}

impl ConsoleHub {
    /// None, for a server that has no labs.
    pub(crate) fn none() -> Arc<Self> {
        Self::new(&ConsoleConfig::default(), None)
    }
}

//! Streams of events: a run's own, and everybody's. What was sent is a cursor that can be resumed; the database tells what
//! comes after it, so that nothing is lost or told twice however often a connection breaks.

mod feed;
mod frame;
mod guard;
mod hub;
mod run;
mod seats;
mod stream;

use std::time::Duration;

use http::{HeaderName, header};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use windlass_model::{Code, Problem};

use self::{
    feed::{FeedQuery, FeedSource},
    run::RunSource,
    stream::follow,
};
use crate::{Access, Answer, Permission, Request, Route, answer::Pieces};

pub(crate) use guard::Guard;
pub use hub::Hub;

/// How streams of events behave.
#[derive(Clone, Debug)]
pub struct EventsConfig {
    /// Milliseconds of silence after which a comment shows that the stream lives.
    pub heartbeat_ms: u64,
    /// Milliseconds after which a client should come back when its connection breaks.
    pub retry_ms: u64,
    /// Milliseconds after which it is looked at again whether whoever follows still may.
    pub recheck_ms: u64,
    /// Streams at once, in all.
    pub streams: usize,
    /// Streams at once of one user, tokens included.
    pub streams_each: usize,
    /// Reads of the database at once for those who are behind.
    pub reads: usize,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            heartbeat_ms: 15_000,
            retry_ms: 2_000,
            recheck_ms: 30_000,
            streams: 8_192,
            streams_each: 2_048,
            reads: 8,
        }
    }
}

/// Where to go on.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RunEventsQuery {
    /// Only events after this number; the header `Last-Event-ID` goes before it.
    after: Option<i64>,
}

const HEADERS: &[(&str, &str)] = &[("Last-Event-ID", "The last id that was received: the stream goes on after it")];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/runs/{id}/events", "events", "Follow a run")
            .describe(
                "Server-sent events: first those that are there, then those that come. `id` is the event's number, `event` \
                 its kind, `data` the event. Ends with `done` when the run has ended and everything was sent; whoever comes \
                 back after that gets 204. A comment every 15 seconds shows that the stream lives.",
            )
            .access(Access::Can(Permission::Read))
            .headers(HEADERS)
            .query::<RunEventsQuery>()
            .answers_raw(200, "text/event-stream")
            .answers_nothing()
            .problems(&[Code::RunNotFound, Code::InvalidInput, Code::TooManyRequests, Code::Unavailable])
            .stream(run_events),
        Route::get("/api/v1/events", "events", "Follow everything that you may see")
            .describe(
                "Server-sent events of all runs that the asker may read, and of workflows. `id` is a cursor to go on from. \
                 Without a cursor the stream begins now. It has no end; a right that is taken away ends it.",
            )
            .access(Access::Can(Permission::Read))
            .headers(HEADERS)
            .query::<FeedQuery>()
            .answers_raw(200, "text/event-stream")
            .problems(&[Code::InvalidInput, Code::TooManyRequests, Code::Unavailable])
            .stream(all_events),
    ]
}

async fn run_events(request: Request) -> Result<Answer, Problem> {
    let query: RunEventsQuery = request.query()?;
    let seat = request.api.events.seat(request.principal.person())?;
    let api = request.api.clone();
    let cursor = match last_event_id(&request)? {
        Some(text) => number(text)?,
        None => query.after.unwrap_or(0),
    };
    if cursor < 0 {
        return Err(wrong("after", "a cursor isn't below 0"));
    }
    let guard = Guard::new(&request, Duration::from_millis(api.config.events.recheck_ms));
    let (reader, hub) = (api.clone(), api.events.clone());
    // One who comes back may have had everything.
    let look = move || {
        let run = request.run(Permission::Read)?;
        let nothing_left = cursor > 0 && run.state.is_ended() && reader.engine.events(&run.id, cursor, 1)?.is_empty();
        Ok((run, nothing_left))
    };
    let (run, nothing_left) = hub.read(look).await?;
    if nothing_left {
        return Ok(Answer::nothing());
    }
    let source = RunSource::new(&api, &run.id, run.organisation, run.workflow, cursor);
    Ok(answer(follow(api, source, guard, seat)))
}

async fn all_events(request: Request) -> Result<Answer, Problem> {
    let query: FeedQuery = request.query()?;
    let seat = request.api.events.seat(request.principal.person())?;
    let api = request.api.clone();
    let after = last_event_id(&request)?.map(str::to_owned).or_else(|| query.after.clone());
    let kinds = query.kinds();
    let filter = query.filter(&request.principal)?;
    let guard = Guard::new(&request, Duration::from_millis(api.config.events.recheck_ms));
    // Before the first look: what is committed after it rings.
    let news = api.engine.watch_kinds(kinds);
    let engine = api.engine.clone();
    let begin = move || match after.as_deref() {
        None => engine.feed_end().map(Some),
        Some("first") => Ok(None),
        // Whether it is one, is known before the stream begins.
        Some(cursor) => engine.feed(Some(cursor), &Default::default(), 1).map(|_| after),
    };
    let cursor = api.events.read(begin).await?;
    Ok(answer(follow(api.clone(), FeedSource::new(&api, news, filter, cursor), guard, seat)))
}

/// Waits so long. A sleep of nothing would wait for the clock's next millisecond.
async fn rest(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A stream that nothing on the way keeps, packs or holds back.
fn answer(pieces: Pieces) -> Answer {
    Answer::stream("text/event-stream", pieces)
        .header(header::CACHE_CONTROL, "no-cache, no-transform")
        // Some proxies (Caddy before 2.7) don't read the line above, and pack whatever isn't said to be packed already.
        .header(header::CONTENT_ENCODING, "identity")
        .header(HeaderName::from_static("x-accel-buffering"), "no")
}

fn last_event_id(request: &Request) -> Result<Option<&str>, Problem> {
    match request.headers.get("last-event-id") {
        None => Ok(None),
        Some(value) => {
            let text = value.to_str().map_err(|_| wrong("Last-Event-ID", "`Last-Event-ID` isn't text"))?.trim();
            Ok((!text.is_empty()).then_some(text))
        }
    }
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| wrong("Last-Event-ID", &format!("`{text}` isn't the number of an event")))
}

fn wrong(parameter: &str, message: &str) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "parameter": parameter }))
}

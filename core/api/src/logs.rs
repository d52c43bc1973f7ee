//! What a run logged, line by line. A line's number never changes, so that a link to it lasts. Long logs are read in pages,
//! and places on the way are remembered: line 90,000 isn't counted from the first one every time.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use http::header;
use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Event, EventKind, Problem, RunId};

use crate::{Access, Answer, Permission, Request, Route, runs::filter::time_ms};

/// Which lines.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct LogQuery {
    /// In which this text occurs, in any case.
    q: Option<String>,
    /// Which this regular expression fits.
    regex: Option<String>,
    /// At least as grave as this: `debug`, `info`, `warn`, `error`.
    level: Option<String>,
    /// Logged at or after this time: RFC 3339, or milliseconds since 1970.
    since: Option<String>,
    /// Of branches of this step: `7`, `7/b1`.
    step: Option<String>,
    /// From this line on; lines count from 1.
    from: Option<u64>,
    /// At most so many lines: 1 to 5000, 500 if nothing is said.
    lines: Option<u32>,
    /// The last so many lines; no cursor, no `from`.
    tail: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// One line.
#[derive(Serialize, JsonSchema)]
struct LogLine {
    /// Its number in the log, from 1. It never changes.
    line: u64,
    /// Number of its event.
    seq: i64,
    /// When it was committed.
    at_ms: i64,
    /// `debug`, `info`, `warn` or `error`.
    level: String,
    /// What was logged.
    message: String,
    /// Facts that were logged with it.
    fields: Value,
    /// The branch that it comes from: empty for the run itself, `7/b1/` for the second branch of step 7.
    lane: String,
    /// Where in the script: file, line, column.
    site: Value,
}

/// Lines of a log.
#[derive(Serialize, JsonSchema)]
struct LogPage {
    /// The lines, oldest first.
    lines: Vec<LogLine>,
    /// `?cursor=` of what comes next. There may be fewer lines than asked for, or none, and still more to come: one answer
    /// searches through 20,000 events at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Events that one answer searches through, at most.
const SEARCHED: usize = 20_000;
/// Events that are read at once.
const READ: u32 = 1_000;
/// Bytes of an expression, and of what it compiles to.
const REGEX_BYTES: usize = 1_000;
const REGEX_COMPILED: usize = 1 << 20;
/// Lines of a download, at most.
const DOWNLOADED: usize = 200_000;

pub(crate) fn routes() -> Vec<Route> {
    let look = |path, summary| {
        Route::get(path, "runs", summary)
            .access(Access::Can(Permission::Read))
            .query::<LogQuery>()
            .problems(&[Code::RunNotFound, Code::InvalidInput])
    };
    vec![
        look("/api/v1/runs/{id}/logs", "What a run logged: searched, filtered, by lines")
            .answers::<LogPage>(200)
            .handle(page),
        look("/api/v1/runs/{id}/logs.txt", "What a run logged, as text to download")
            .describe("Takes the same filters; at most 200,000 lines.")
            .answers_raw(200, "text/plain; charset=utf-8")
            .handle(download),
    ]
}

/// What a line has to be.
struct Sieve {
    text: Option<String>,
    regex: Option<Regex>,
    level: usize,
    since_ms: i64,
    lane: Option<String>,
}

const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

fn wrong(name: &str, message: String) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "parameter": name }))
}

impl Sieve {
    fn of(query: &LogQuery) -> Result<Self, Problem> {
        let level = match query.level.as_deref() {
            None => 0,
            Some(level) => LEVELS.iter().position(|known| *known == level).ok_or_else(|| {
                wrong("level", format!("`{level}` isn't a level")).help(format!("levels: {}", LEVELS.join(", ")))
            })?,
        };
        let regex = query.regex.as_deref().map(compiled).transpose()?;
        let since_ms = query.since.as_deref().map(|text| time_ms("since", text)).transpose()?;
        let lane = query.step.as_deref().map(|step| format!("{}/", step.trim_end_matches('/')));
        let text = query.q.as_deref().filter(|text| !text.is_empty()).map(str::to_lowercase);
        Ok(Self { text, regex, level, since_ms: since_ms.unwrap_or(i64::MIN), lane })
    }

    fn passes(&self, line: &LogLine) -> bool {
        let level = LEVELS.iter().position(|known| *known == line.level).unwrap_or(1);
        if level < self.level || line.at_ms < self.since_ms {
            return false;
        }
        if self.lane.as_deref().is_some_and(|lane| !line.lane.starts_with(lane)) {
            return false;
        }
        if self.text.is_none() && self.regex.is_none() {
            return true;
        }
        let whole = whole(line);
        self.text.as_deref().is_none_or(|text| whole.to_lowercase().contains(text))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(&whole))
    }
}

fn compiled(text: &str) -> Result<Regex, Problem> {
    if text.len() > REGEX_BYTES {
        return Err(wrong("regex", format!("the expression has more than {REGEX_BYTES} bytes")));
    }
    // This engine's time is linear in the text, whatever the expression; its size is bounded here.
    RegexBuilder::new(text)
        .size_limit(REGEX_COMPILED)
        .dfa_size_limit(REGEX_COMPILED)
        .build()
        .map_err(|error| wrong("regex", format!("the expression can't be read: {error}")))
}

/// The line with its fields, as it is searched and downloaded.
fn whole(line: &LogLine) -> String {
    let mut text = line.message.clone();
    for (name, value) in line.fields.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("  {name}={value}"));
    }
    text
}

fn line(number: u64, event: Event) -> LogLine {
    let Event { seq, at_ms, path, mut data, .. } = event;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lane = path.as_deref().and_then(|path| path.rsplit_once('#')).map(|(lane, _)| lane.to_owned());
    LogLine {
        line: number,
        seq,
        at_ms,
        level: data["level"].as_str().unwrap_or("info").to_owned(),
        message: text(&data["message"]),
        fields: data.get_mut("fields").map(Value::take).unwrap_or_default(),
        lane: lane.unwrap_or_default(),
        site: data.get_mut("site").map(Value::take).unwrap_or_default(),
    }
}

/// A place in a log: so many lines are among the events up to this one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    seq: i64,
    lines: u64,
    /// Counted here, and not told by a cursor: only then it is worth remembering.
    counted: bool,
}

const BEGINNING: Mark = Mark { seq: 0, lines: 0, counted: true };

/// Places that were passed, by run: every `READ` events one. What is committed never changes, so they stay true.
#[derive(Default)]
struct Marks {
    runs: HashMap<RunId, Arc<Mutex<Vec<Mark>>>>,
}

/// Runs whose places are remembered; beyond that all are forgotten, and found again.
const REMEMBERED: usize = 256;

static MARKS: LazyLock<Mutex<Marks>> = LazyLock::new(Mutex::default);

fn marks(run: &RunId) -> Arc<Mutex<Vec<Mark>>> {
    let mut marks = MARKS.lock();
    if marks.runs.len() >= REMEMBERED && !marks.runs.contains_key(run) {
        marks.runs.clear();
    }
    marks.runs.entry(run.clone()).or_default().clone()
}

/// Walks through a run's events from a mark on; `each` gets every line and says whether to go on. The mark after the last
/// event that was looked at, and whether there may be more.
fn walk(
    engine: &Engine,
    run: &RunId,
    from: Mark,
    searched: usize,
    mut each: impl FnMut(LogLine) -> bool,
) -> Result<(Mark, bool), Problem> {
    let known = from.counted.then(|| marks(run));
    let (mut at, mut looked_at) = (from, 0);
    loop {
        let events = engine.events(run, at.seq, READ)?;
        let full = events.len() == READ as usize;
        for event in events {
            at.seq = event.seq;
            looked_at += 1;
            if event.kind == EventKind::Log {
                at.lines += 1;
                if !each(line(at.lines, event)) {
                    return Ok((at, true));
                }
            }
        }
        if !full {
            return Ok((at, false));
        }
        if let Some(mut known) = known.as_ref().map(|known| known.lock())
            && known.last().is_none_or(|last| last.seq + i64::from(READ) <= at.seq)
        {
            known.push(at);
        }
        if looked_at >= searched {
            return Ok((at, true));
        }
    }
}

/// The last remembered mark for which this holds (it holds for a beginning of the log).
fn nearest(run: &RunId, holds: impl Fn(&Mark) -> bool) -> Mark {
    let known = marks(run);
    let known = known.lock();
    let count = known.partition_point(holds);
    count.checked_sub(1).map_or(BEGINNING, |last| known[last])
}

/// Number of a run's last event. Numbers have no gap, so that a few looks find it.
pub(crate) fn last_event(engine: &Engine, run: &RunId) -> Result<i64, Problem> {
    let there = |seq: i64| engine.events(run, seq - 1, 1).map(|events| !events.is_empty());
    let mut low = 0;
    let mut high = 64;
    while there(high)? {
        low = high;
        high *= 8;
    }
    // An event has the number `low`, or it is 0; none has the number `high`.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if there(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

/// Where to begin: at the cursor, at a line, or at the first one.
fn begin(engine: &Engine, run: &RunId, query: &LogQuery) -> Result<Mark, Problem> {
    if let Some(cursor) = &query.cursor {
        let parts = cursor.split_once('-').and_then(|(seq, lines)| Some((seq.parse().ok()?, lines.parse().ok()?)));
        let (seq, lines) = parts.ok_or_else(|| wrong("cursor", "the cursor can't be read: begin again".into()))?;
        return Ok(Mark { seq, lines, counted: false });
    }
    let from = query.from.unwrap_or(1).max(1);
    let mut mark = nearest(run, |mark| mark.lines < from);
    // On to the line before, past what nobody has counted yet.
    while mark.lines + 1 < from {
        let (at, more) = walk(engine, run, mark, usize::MAX, |line| line.line + 1 < from)?;
        mark = at;
        if !more {
            break;
        }
    }
    Ok(mark)
}

fn page(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?.id;
    let query: LogQuery = request.query()?;
    let sieve = Sieve::of(&query)?;
    let engine = &request.api.engine;
    if let Some(tail) = query.tail {
        let lines = tail_of(engine, &run, &sieve, (tail as usize).clamp(1, 5_000))?;
        return Answer::json(&LogPage { lines, next: None });
    }
    let limit = query.lines.unwrap_or(500).clamp(1, 5_000) as usize;
    let from = begin(engine, &run, &query)?;
    let mut lines = Vec::new();
    let (at, more) = walk(engine, &run, from, SEARCHED, |line| {
        if sieve.passes(&line) {
            lines.push(line);
        }
        lines.len() < limit
    })?;
    let next = more.then(|| format!("{}-{}", at.seq, at.lines));
    Answer::json(&LogPage { lines, next })
}

/// The last lines that pass: looked for from the end, stretch by stretch.
fn tail_of(engine: &Engine, run: &RunId, sieve: &Sieve, count: usize) -> Result<Vec<LogLine>, Problem> {
    // Counts the lines up to the end once; the marks that this leaves are where the stretches begin.
    let (end, _) = walk(engine, run, nearest(run, |_| true), usize::MAX, |_| true)?;
    let mut found: Vec<LogLine> = Vec::new();
    let (mut upper, mut searched) = (end.seq, 0);
    while found.len() < count && upper > 0 && searched < SEARCHED {
        let from = nearest(run, |mark| mark.seq < upper);
        let mut stretch = Vec::new();
        walk(engine, run, from, READ as usize * 2, |line| {
            let inside = line.seq <= upper;
            if inside && sieve.passes(&line) {
                stretch.push(line);
            }
            inside
        })?;
        stretch.append(&mut found);
        found = stretch;
        searched += (upper - from.seq) as usize;
        upper = from.seq;
    }
    found.drain(..found.len().saturating_sub(count));
    Ok(found)
}

fn download(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?.id;
    let query: LogQuery = request.query()?;
    let sieve = Sieve::of(&query)?;
    let engine = &request.api.engine;
    let mut text = String::new();
    let mut put = |line: &LogLine| {
        let at = jiff::Timestamp::from_millisecond(line.at_ms).map(|at| at.to_string()).unwrap_or_default();
        text.push_str(&format!("{at} {:5} {}\n", line.level, whole(line)));
    };
    match query.tail {
        Some(tail) => tail_of(engine, &run, &sieve, tail as usize)?.iter().for_each(&mut put),
        None => {
            let limit = query.lines.map_or(DOWNLOADED, |lines| lines as usize).min(DOWNLOADED);
            let mut count = 0;
            walk(engine, &run, begin(engine, &run, &query)?, usize::MAX, |line| {
                if sieve.passes(&line) {
                    put(&line);
                    count += 1;
                }
                count < limit
            })?;
        }
    }
    Ok(Answer::bytes("text/plain; charset=utf-8", text)
        .header(header::CONTENT_DISPOSITION, &crate::artifacts::disposition(&format!("{run}.log")))
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"))
}

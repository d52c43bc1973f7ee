//! Metrics in Prometheus' text format: runs, steps, commits, the queue, streams, requests, the process itself.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use windlass_engine::stats::{BUCKETS_MICROS, Histogram, Reading};
use windlass_model::{Code, Problem, RunState, audit::AuditFilter};

use crate::{Access, Answer, Api, Permission, Request, Route};

/// Method, route and status of requests.
type Series = (&'static str, &'static str, u16);

/// What the API counts of itself.
#[derive(Default)]
pub(crate) struct Metrics {
    /// By method, route and status. Routes and methods come from the table, so that callers can't make new ones.
    requests: RwLock<BTreeMap<Series, Arc<Histogram>>>,
    /// Connections that were dropped because the other end took nothing.
    pub(crate) stalled: Arc<AtomicU64>,
}

impl Metrics {
    pub(crate) fn observe(&self, method: &str, route: &'static str, status: u16, took: Duration) {
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = known.into_iter().find(|known| *known == method).unwrap_or("other");
        let key = (method, route, status);
        if let Some(histogram) = self.requests.read().get(&key) {
            histogram.observe(took);
            return;
        }
        self.requests.write().entry(key).or_default().observe(took);
    }
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/metrics", "operations", "Metrics for Prometheus")
            .describe("From the networks of `server.metrics_from`, or with a token that may read everywhere.")
            .access(Access::Public)
            .answers_raw(200, "text/plain; version=0.0.4; charset=utf-8")
            .problems(&[Code::Unauthenticated, Code::PermissionDenied])
            .handle(show),
    ]
}

/// They tell of all organisations. Whoever comes from a network that may read them needs no name, unless a proxy stands
/// there that passes on what comes from elsewhere.
fn admit(request: &Request) -> Result<(), Problem> {
    let near = request.api.config.metrics_from.iter().any(|network| network.contains(&request.address));
    match (near && !request.relayed, request.principal.is_known()) {
        (true, _) => Ok(()),
        (false, true) => request.require(Permission::Read, "*", "*"),
        (false, false) => Err(Problem::new(Code::Unauthenticated, "metrics aren't for everybody")
            .help("send a token that may read everywhere, or name your network in `server.metrics_from`")),
    }
}

fn show(request: Request) -> Result<Answer, Problem> {
    admit(&request)?;
    let (api, mut text) = (&request.api, Page::default());
    let counts = api.engine.counts()?;
    text.family("windlass_runs", "gauge", "Runs that are stored, by state.");
    for state in RunState::ALL {
        let count = counts.iter().find(|(known, _)| known == state).map_or(0, |(_, count)| *count);
        text.sample("windlass_runs", &[("state", state.as_str())], count);
    }
    let (active, threads) = api.engine.load();
    text.single("windlass_active_runs", "gauge", "Runs under evaluation in this process.", active as u64);
    text.single("windlass_script_threads", "gauge", "Threads that scripts may use.", threads as u64);
    let age = api.engine.queue_age_ms()?;
    text.family(
        "windlass_queue_age_seconds",
        "gauge",
        "How long the run that has waited longest for a worker has done so.",
    );
    text.sample("windlass_queue_age_seconds", &[], seconds(age.unsigned_abs() * 1_000));
    let stats = api.engine.stats();
    text.family("windlass_step_seconds", "histogram", "How long steps took, by op.");
    for (op, reading) in stats.steps() {
        text.histogram("windlass_step_seconds", &[("op", &op)], &reading);
    }
    text.family("windlass_commit_seconds", "histogram", "How long commits took, each with all that waited.");
    text.histogram("windlass_commit_seconds", &[], &stats.commits.read());
    let commands = stats.commands.load(Ordering::Relaxed);
    text.single("windlass_committed_commands_total", "counter", "Commands in those commits.", commands);
    text.single("windlass_event_streams", "gauge", "Streams of events that are open.", api.events.open() as u64);
    text.single("windlass_consoles", "gauge", "People at consoles of labs' nodes.", api.consoles.open() as u64);
    let dropped = api.metrics.stalled.load(Ordering::Relaxed);
    let help = "Connections that were dropped because the other end took nothing: streams, as a rule.";
    text.single("windlass_stalled_connections_total", "counter", help, dropped);
    text.family("windlass_auth_failures_total", "counter", "Log-ins and tokens that were refused, by what was wrong.");
    for (how, count) in api.auth.failures() {
        text.sample("windlass_auth_failures_total", &[("how", how)], count);
    }
    let newest = api.engine.audit_log(&AuditFilter { limit: 1, ..AuditFilter::default() })?;
    let entries = newest.first().map_or(0, |entry| entry.seq.unsigned_abs());
    text.single("windlass_audit_entries_total", "counter", "Entries that the audit log was given.", entries);
    retention(api, &mut text)?;
    text.family("windlass_http_request_seconds", "histogram", "How long requests took; streams until they began.");
    for ((method, route, status), histogram) in api.metrics.requests.read().iter() {
        let labels = [("method", *method), ("route", *route), ("status", &status.to_string())];
        text.histogram("windlass_http_request_seconds", &labels, &histogram.read());
    }
    text.process();
    Ok(Answer::bytes("text/plain; version=0.0.4; charset=utf-8", text.0))
}

/// What the janitor's last turn came to, on whichever server it was.
fn retention(api: &Api, text: &mut Page) -> Result<(), Problem> {
    let Some(turn) = api.engine.document("janitor", "retention")? else { return Ok(()) };
    let done_ms = turn.body["done_at_ms"].as_u64().unwrap_or(0);
    text.family("windlass_retention_done_seconds", "gauge", "When the last turn of the janitor was done, since 1970.");
    text.sample("windlass_retention_done_seconds", &[], done_ms / 1_000);
    text.family("windlass_retention_removed", "gauge", "What it removed, by kind.");
    for what in ["runs", "artifacts", "documents", "recordings"] {
        let count = turn.body["removed"][what].as_u64().unwrap_or(0);
        text.sample("windlass_retention_removed", &[("what", what)], count);
    }
    let longest_ms = turn.body["removed"]["longest_ms"].as_u64().unwrap_or(0);
    text.family("windlass_retention_commit_seconds", "gauge", "The longest commit of it.");
    text.sample("windlass_retention_commit_seconds", &[], seconds(longest_ms * 1_000));
    Ok(())
}

/// The text as it grows. Writing into a String can't fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{} {value}", written(labels));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], reading: &Reading) {
        let bounds = BUCKETS_MICROS.iter().map(|micros| seconds(*micros)).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&reading.cumulative) {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, seconds(reading.micros));
        self.sample(&format!("{name}_count"), labels, reading.count());
    }

    /// What the system says of this process; left out where it doesn't.
    fn process(&mut self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        if let Some(kilobytes) = kilobytes {
            let help = "Memory of this process.";
            self.single("process_resident_memory_bytes", "gauge", help, kilobytes * 1_024);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.single("process_open_fds", "gauge", "Files and sockets that are open.", open.count() as u64);
        }
    }
}

fn seconds(micros: u64) -> String {
    format!("{}", micros as f64 / 1e6)
}

/// `{a="b"}`, with what would end the text escaped.
fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cant_break_out() {
        assert_eq!(written(&[("op", "a\"b\\c\nd")]), r#"{op="a\"b\\c\nd"}"#);
    }

    #[test]
    fn strange_methods_make_no_new_series() {
        let metrics = Metrics::default();
        for method in ["BREW", "STEEP", "GET"] {
            metrics.observe(method, "/x", 405, Duration::ZERO);
        }
        assert_eq!(metrics.requests.read().len(), 2);
    }
}

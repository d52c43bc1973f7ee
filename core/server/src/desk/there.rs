//! A server, asked over HTTP. Its stream of events only wakes; what is shown is read page by page, as from a database.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, LazyLock, mpsc},
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use windlass_engine::{Launch, Launched, Restarted, RunDiff, Verdict};
use windlass_model::{
    Bundle, Code, Event, Problem, RunId, StepPath, Workflow,
    query::{ApprovalRecord, RunFilter, RunRecord},
    resource::ResourceRecord,
    step::StepRecord,
    time::Clock as _,
    undo::{StuckAction, UndoRecord},
    wait::{Decision, Resolution},
};

use super::{Asked, Bulk, Desk, Done, News, Preview, Why, http::Http};

/// Items of one page.
const PAGE: u32 = 500;
/// How long to wait before a stream that broke off is asked for again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// A server.
pub struct Remote {
    http: Http,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<Value>,
}

#[derive(Deserialize)]
struct LaunchedAnswer {
    id: String,
    existing: bool,
}

#[derive(Deserialize)]
struct BulkAnswer {
    count: Option<u64>,
    more: bool,
    items: Vec<RunRecord>,
    results: Vec<Done>,
    next: Option<String>,
}

impl From<LaunchedAnswer> for Launched {
    fn from(answer: LaunchedAnswer) -> Self {
        Self { run: answer.id.as_str().into(), existing: answer.existing }
    }
}

impl Remote {
    /// The server at this address, with this token.
    pub fn new(server: &str, token: &str) -> Result<Self, Problem> {
        Ok(Self { http: Http::new(server, token)? })
    }

    /// Its address and the token for it.
    pub fn place(&self) -> (&str, &str) {
        self.http.place()
    }

    /// Waits for something that isn't a request.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.http.runtime.block_on(work)
    }

    /// Anything that is answered with JSON.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.http.get(path)
    }

    /// Sends JSON, and reads what is answered.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        self.http.post(path, body)
    }

    /// Sends JSON that takes the place of what is there.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        self.http.put(path, body)
    }

    /// Sends JSON that changes what is there.
    pub fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        self.http.patch(path, body)
    }

    /// The same, if what is there still has this version.
    pub fn patch_if<T: DeserializeOwned>(&self, path: &str, body: &Value, version: i64) -> Result<T, Problem> {
        self.http.patch_if(path, body, version)
    }

    /// Writes an answer as it comes, however long it is.
    pub fn copy(&self, path: &str, out: &mut impl Write) -> Result<(), Problem> {
        self.http.copy(path, out)
    }

    /// Removes what is there.
    pub fn delete(&self, path: &str) -> Result<(), Problem> {
        self.http.delete(path)
    }

    /// Anything that is answered with text.
    pub fn text(&self, path: &str) -> Result<String, Problem> {
        self.http.text(path)
    }

    /// All workflows, in short.
    pub fn workflows(&self) -> Result<Vec<Value>, Problem> {
        self.list("/workflows", &[], usize::MAX)
    }

    /// All items of a list, up to so many.
    pub fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        limit: usize,
    ) -> Result<Vec<T>, Problem> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let size = (limit - items.len()).min(PAGE as usize);
            let mut parts: Vec<String> =
                query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            parts.push(format!("limit={size}"));
            parts.extend(cursor.iter().map(|cursor| format!("cursor={}", encoded(cursor))));
            let page: Page<T> = self.http.get(&format!("{path}?{}", parts.join("&")))?;
            items.extend(page.items);
            cursor = page.next.and_then(|next| next.as_str().map(str::to_owned));
            if cursor.is_none() || items.len() >= limit {
                return Ok(items);
            }
        }
    }

    fn command(&self, run: &RunId, verb: &str, body: &Value) -> Result<(), Problem> {
        let _: Value = self.http.post(&format!("/runs/{run}/{verb}"), body)?;
        Ok(())
    }
}

/// Text as it may stand in a path's segment or in a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A workflow's path: what can't be a name is refused before it is read as another path.
pub fn workflow_path(name: &str) -> Result<String, Problem> {
    if !windlass_script::is_valid_name(name) {
        return Err(Problem::new(Code::WorkflowNotFound, format!("`{name}` isn't a workflow's name"))
            .help("Names look like `lab/two-routers`: letters, digits, `-` and `_`, parts separated by `/`."));
    }
    Ok(format!("/workflows/{}", encoded_name(name)))
}

/// What stands behind names where something of them is read or done.
static BEHIND_NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| windlass_api::routes().behind_names());

/// A name of several parts at the end of a path: one that ends like what is done with one is told from that by `%2F`.
pub fn encoded_name(name: &str) -> String {
    let path = encoded_path(name);
    match path.rsplit_once('/') {
        Some((before, last)) if BEHIND_NAMES.contains(last) => format!("{before}%2F{last}"),
        _ => path,
    }
}

/// A name of several parts in a path: what separates its parts stays, everything else is escaped.
pub fn encoded_path(name: &str) -> String {
    name.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// A filter in the words of the API.
fn which(filter: &RunFilter) -> Value {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let reasons: Vec<&str> = filter.waiting_on.iter().map(|reason| reason.as_str()).collect();
    let folder = filter.scopes.iter().flatten().next().map(|scope| format!("{}/*", scope.folder));
    let inputs: serde_json::Map<String, Value> =
        filter.inputs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let mut all = json!({
        "state": (!states.is_empty()).then(|| states.join(",")),
        "waiting_on": (!reasons.is_empty()).then(|| reasons.join(",")),
        "workflow": filter.workflow.clone().or(folder),
        "tag": filter.tag,
        "since": filter.since_ms.map(|at_ms| at_ms.to_string()),
        "until": filter.until_ms.map(|at_ms| at_ms.to_string()),
        "text": filter.text,
        "organisation": filter.organisation,
        "id": filter.id_prefix,
        "input": (!inputs.is_empty()).then_some(inputs),
    });
    if let Some(map) = all.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    all
}

impl Desk for Remote {
    fn run(&self, run: &RunId) -> Result<Option<RunRecord>, Problem> {
        match self.http.get(&format!("/runs/{}", encoded(run.as_str()))) {
            Err(problem) if problem.code == Code::RunNotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn find(&self, part: &str) -> Result<RunRecord, Problem> {
        let none = || {
            Problem::new(Code::RunNotFound, format!("there is no run `{part}`"))
                .help("`windlass runs ls` lists the runs")
        };
        // Anything else would be read as another path, or as every run.
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(none());
        }
        if let Some(run) = self.run(&part.into())? {
            return Ok(run);
        }
        let mut found: Vec<RunRecord> = self.list("/runs", &[("id", part.to_lowercase())], 2)?;
        match (found.pop(), found.pop()) {
            (Some(run), None) => Ok(run),
            (Some(_), Some(_)) => Err(Problem::new(Code::Usage, format!("several runs begin with `{part}`"))
                .help("give more of the id, or all of it")),
            (None, _) => Err(none()),
        }
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Problem> {
        let asked = which(filter);
        let mut query: Vec<(&str, String)> = Vec::new();
        let inputs: Vec<(String, String)> =
            filter.inputs.iter().map(|(name, value)| (format!("input.{}", encoded(name)), value.clone())).collect();
        for (name, value) in asked.as_object().into_iter().flatten() {
            query.extend(value.as_str().map(|value| (name.as_str(), value.to_owned())));
        }
        query.extend(inputs.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let limit = if filter.limit == 0 { 50 } else { filter.limit };
        self.list("/runs", &query, limit as usize)
    }

    fn steps(&self, run: &RunId) -> Result<Vec<StepRecord>, Problem> {
        self.list(&format!("/runs/{run}/steps"), &[], usize::MAX)
    }

    fn events(&self, run: &RunId, after: i64, limit: u32) -> Result<Vec<Event>, Problem> {
        let page: Page<Event> =
            self.http.get(&format!("/runs/{run}/history?after={after}&limit={}", limit.min(1_000)))?;
        Ok(page.items)
    }

    fn undo_list(&self, run: &RunId) -> Result<Vec<UndoRecord>, Problem> {
        self.http.get(&format!("/runs/{run}/undo"))
    }

    fn resources(&self, run: Option<&RunId>, open_only: bool) -> Result<Vec<ResourceRecord>, Problem> {
        match run {
            Some(run) => self.http.get(&format!("/runs/{run}/resources?all={}", !open_only)),
            None => {
                let all = "creating,live,adopted,destroying,gone".to_owned();
                let query = if open_only { Vec::new() } else { vec![("state", all)] };
                self.list("/resources", &query, usize::MAX)
            }
        }
    }

    fn approvals(&self, run: &RunId) -> Result<Vec<ApprovalRecord>, Problem> {
        let all: Vec<ApprovalRecord> = self.http.get(&format!("/runs/{run}/approvals"))?;
        Ok(all.into_iter().filter(|approval| !approval.settled).collect())
    }

    fn sources(&self, run: &RunId) -> Result<Arc<Bundle>, Problem> {
        self.http.get(&format!("/runs/{run}/sources")).map(Arc::new)
    }

    fn export(&self, run: &RunId) -> Result<Value, Problem> {
        self.http.get(&format!("/runs/{run}/export"))
    }

    fn diff(&self, first: &RunId, second: &RunId) -> Result<RunDiff, Problem> {
        self.http.get(&format!("/runs/{first}/diff?with={second}"))
    }

    fn watch(&self, run: &RunId, after: i64) -> Box<dyn News> {
        let (tell, told) = mpsc::sync_channel(1);
        let request = self.http.request(reqwest::Method::GET, &format!("/runs/{run}/events?after={after}"));
        let task = self.http.runtime.spawn(async move {
            // Without the stream, whoever follows looks again by themselves: this only tells them sooner.
            while let Some(again) = request.try_clone() {
                if let Ok(mut answer) = again.send().await {
                    while let Ok(Some(_)) = answer.chunk().await {
                        // One wake-up that waits is enough.
                        let _ = tell.try_send(());
                    }
                }
                tokio::time::sleep(RECONNECT_AFTER).await;
            }
        });
        Box::new(Stream { told, task })
    }

    fn now_ms(&self) -> i64 {
        windlass_engine::SystemClock::default().now_ms()
    }

    fn launch(&self, launch: Launch, plan: Option<&str>) -> Result<Launched, Problem> {
        let mut body = json!({ "workflow": launch.workflow, "input": launch.input, "tags": launch.tags });
        if let Some(plan) = plan {
            body["plan"] = plan.into();
        }
        if !launch.organisation.is_empty() {
            body["organisation"] = launch.organisation.into();
        }
        let key = launch.idempotency_key.unwrap_or_default();
        let headers = [("idempotency-key", key.as_str())];
        let headers = if key.is_empty() { &headers[..0] } else { &headers[..] };
        self.http.post_with::<LaunchedAnswer>("/runs", &body, headers).map(Launched::from)
    }

    fn cancel(&self, run: &RunId, _by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.command(run, "cancel", &json!({ "reason": reason }))
    }

    fn signal(&self, run: &RunId, name: &str, payload: Value, _by: &str, id: Option<String>) -> Result<(), Problem> {
        self.command(run, "signal", &json!({ "name": name, "payload": payload, "id": id }))
    }

    fn decide(&self, run: &RunId, path: &StepPath, decision: Decision) -> Result<(), Problem> {
        let Decision { approved, comment, form, digest, .. } = decision;
        let body = json!({ "approved": approved, "comment": comment, "form": form, "digest": digest });
        self.command(run, &format!("approvals/{}/decision", path), &body)
    }

    fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, _by: &str) -> Result<(), Problem> {
        let (word, result) = super::words(&resolution);
        self.command(run, "resolve", &json!({ "step": path.to_string(), "resolution": word, "result": result }))
    }

    fn stick(&self, run: &RunId, _by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.command(run, "stick", &json!({ "reason": reason }))
    }

    fn unstick(&self, run: &RunId, action: StuckAction, _by: &str) -> Result<(), Problem> {
        self.command(run, "unstick", &json!({ "action": action }))
    }

    fn unpark(&self, run: &RunId, _by: &str) -> Result<(), Problem> {
        self.command(run, "unpark", &json!({}))
    }

    fn retry(&self, run: &RunId, _by: &str) -> Result<Launched, Problem> {
        self.http.post::<LaunchedAnswer>(&format!("/runs/{run}/retry"), &json!({})).map(Launched::from)
    }

    fn restart(
        &self,
        run: &RunId,
        from: Option<&StepPath>,
        current: bool,
        dry_run: bool,
        _by: &str,
    ) -> Result<Restarted, Problem> {
        let from = from.map(ToString::to_string);
        self.http
            .post(&format!("/runs/{run}/restart"), &json!({ "current": current, "dry_run": dry_run, "from": from }))
    }

    fn upgrade(&self, run: &RunId, dry_run: bool, _by: &str) -> Result<Verdict, Problem> {
        self.http.post(&format!("/runs/{run}/upgrade"), &json!({ "dry_run": dry_run }))
    }

    fn prune(&self, _by: &str) -> Result<u64, Problem> {
        Err(Problem::new(Code::Usage, "a server removes old runs by itself")
            .help("`engine.retention` in its windlass.toml says when, and `retention` in a workflow's header"))
    }

    fn inbox(&self, all: bool, organisation: Option<&str>) -> Result<Vec<Asked>, Problem> {
        let mut query = vec![("all", all.to_string())];
        query.extend(organisation.map(|organisation| ("organisation", organisation.to_owned())));
        self.list("/approvals", &query, usize::MAX)
    }

    fn preview(&self, filter: &RunFilter, action: Bulk) -> Result<Preview, Problem> {
        let body = json!({ "filter": which(filter), "action": action, "preview": true });
        let BulkAnswer { count, more, items, .. } = self.post("/runs/bulk", &body)?;
        Ok(Preview { count: count.unwrap_or_default(), more, items })
    }

    fn bulk(
        &self,
        filter: &RunFilter,
        expected: Option<u64>,
        action: Bulk,
        why: Why<'_>,
    ) -> Result<Vec<Done>, Problem> {
        let mut body = json!({ "filter": which(filter), "action": action, "preview": false,
                               "expected_count": expected, "reason": why.reason });
        // Of this call: what is launched for a run is launched once for each key.
        let key = format!("windlass-{:032x}", rand::random::<u128>());
        let mut all = Vec::new();
        loop {
            let page: BulkAnswer = self.http.post_with("/runs/bulk", &body, &[("idempotency-key", &key)])?;
            all.extend(page.results);
            let Some(next) = page.next else { return Ok(all) };
            body["cursor"] = next.into();
        }
    }

    fn workflow_names(&self) -> Result<Vec<String>, Problem> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let all: Vec<Named> = self.list("/workflows", &[], usize::MAX)?;
        Ok(all.into_iter().map(|workflow| workflow.name).collect())
    }

    fn workflow(&self, name: &str) -> Result<Workflow, Problem> {
        let shown: Value = self.http.get(&workflow_path(name)?)?;
        serde_json::from_value(shown["workflow"].clone()).map_err(|error| {
            Problem::new(Code::Unavailable, format!("the server's answer about `{name}` can't be read: {error}"))
        })
    }

    fn runtime(&self) -> tokio::runtime::Handle {
        self.http.runtime.handle().clone()
    }

    fn executes(&self) -> bool {
        false
    }

    fn is_executed(&self) -> Result<bool, Problem> {
        Ok(true)
    }

    fn try_take_over(&mut self) -> Result<bool, Problem> {
        Ok(false)
    }

    fn knows_roles(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) {
        self.http.runtime.shutdown_background();
    }
}

/// A stream of events that wakes.
struct Stream {
    told: mpsc::Receiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl News for Stream {
    fn wait(&mut self, timeout: Duration) {
        if self.told.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Disconnected) {
            std::thread::sleep(timeout);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;

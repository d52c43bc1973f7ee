//! OVH: requests are signed with the server's time, and a change of name servers is a task that takes a while.

use std::sync::Arc;

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::book::{Book, Domain, SECRET, Standing, are_servers, standing};
use crate::{Clock, Failure, Request, Response, Simulator};

/// The application that the credentials are for.
pub(super) const APP_KEY: &str = "sim-application";
/// How far a timestamp may be off, in seconds.
const DRIFT_S: i64 = 60;
/// How long a task takes, in milliseconds.
const TASK_MS: i64 = 1_500;

struct Task {
    domain: String,
    due_ms: i64,
    servers: Vec<String>,
    fails: bool,
    applied: bool,
}

pub(super) struct Ovh {
    book: Arc<Book>,
    clock: Clock,
    tasks: Mutex<Vec<Task>>,
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    let class = if status == 404 { "Client::NotFound" } else { "Client::Forbidden" };
    let mut body = json!({ "class": class, "message": message });
    if !code.is_empty() {
        body["errorCode"] = code.into();
        body["httpCode"] = status.to_string().into();
    }
    Response::json(status, &body)
}

fn signed(method: &str, url: &str, body: &str, consumer: &str, time: &str) -> String {
    let text = format!("{SECRET}+{consumer}+{method}+{url}+{body}+{time}");
    let digest = Sha1::digest(text.as_bytes());
    digest.iter().fold("$1$".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Ovh {
    pub fn new(book: Arc<Book>, clock: Clock) -> Self {
        Self { book, clock, tasks: Mutex::default() }
    }

    /// Whoever asks, if the signature is right.
    fn standing(&self, request: &Request) -> Result<Standing, Response> {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let (app, consumer) = (header("x-ovh-application"), header("x-ovh-consumer"));
        if app != APP_KEY {
            return Err(refused(403, "INVALID_KEY", "Invalid application key"));
        }
        let standing =
            standing(&consumer).ok_or_else(|| refused(403, "INVALID_CREDENTIAL", "This credential is not valid"))?;
        let time = header("x-ovh-timestamp");
        let now_s = self.clock.now_ms() / 1_000;
        if time.parse::<i64>().map_or(true, |time| (time - now_s).abs() > DRIFT_S) {
            return Err(refused(400, "QUERY_TIME_OUT", "Query out of time"));
        }
        // A client that was told the simulator's address signs that; one that was sent here signs the name it asked for.
        let host = header("host");
        let local = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with('[');
        let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
        let url = format!("{}://{host}{}{query}", if local { "http" } else { "https" }, request.path);
        let body = String::from_utf8_lossy(&request.body);
        let right = signed(request.method.as_str(), &url, &body, &consumer, &time);
        match header("x-ovh-signature") == right {
            true => Ok(standing),
            false => Err(refused(400, "INVALID_SIGNATURE", "Invalid signature")),
        }
    }

    /// Tasks whose time has come have happened.
    fn settle(&self) {
        let now_ms = self.clock.now_ms();
        for task in self.tasks.lock().iter_mut().filter(|task| !task.applied && !task.fails && task.due_ms <= now_ms) {
            task.applied = true;
            let servers = task.servers.clone();
            self.book.change(&task.domain, |domain| domain.nameservers = servers);
        }
    }

    fn update(&self, request: &Request, name: &str, domain: &Domain, later: Option<&Failure>) -> Response {
        let body = request.json().unwrap_or_default();
        let hosts = body["nameServers"].as_array().into_iter().flatten().filter_map(|one| one["host"].as_str());
        let servers: Vec<String> = hosts.map(str::to_owned).collect();
        if domain.closed {
            return refused(403, "FORBIDDEN", "Operation not allowed on this domain");
        }
        if !are_servers(&servers) {
            return refused(400, "", "Invalid name servers");
        }
        let mut tasks = self.tasks.lock();
        let due_ms = self.clock.now_ms() + TASK_MS;
        tasks.push(Task { domain: name.into(), due_ms, servers, fails: later.is_some(), applied: false });
        Response::json(200, &self.task(&tasks, tasks.len() - 1))
    }

    fn task(&self, tasks: &[Task], index: usize) -> Value {
        let task = tasks.get(index);
        let over = task.is_some_and(|task| task.due_ms <= self.clock.now_ms());
        let status = match task {
            Some(task) if over && task.fails => "error",
            Some(_) if over => "done",
            _ => "doing",
        };
        json!({ "id": index + 1, "function": "DomainDnsUpdate", "status": status, "canCancel": false,
                "domain": task.map(|task| task.domain.as_str()) })
    }

    fn glue(&self, request: &Request, name: &str, domain: &Domain, rest: &[&str]) -> Response {
        let body = request.json().unwrap_or_default();
        let list = body["ips"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let addresses: Vec<String> = list.map(str::to_owned).collect();
        let task = || Response::json(200, &json!({ "id": 1, "function": "DomainHostUpdate", "status": "done" }));
        let shown = |host: &str| match domain.glue.get(host) {
            Some(all) => Response::json(200, &json!({ "host": host, "ips": all })),
            None => refused(404, "", "The requested object (host) does not exist"),
        };
        match (&request.method, rest) {
            (&Method::GET, []) => Response::json(200, &json!(domain.glue.keys().collect::<Vec<_>>())),
            (&Method::GET, [host]) => shown(host),
            (&Method::POST, []) | (&Method::POST, [_, "update"]) => {
                let host = rest.first().copied().or(body["host"].as_str()).unwrap_or_default().to_owned();
                if rest.is_empty() == domain.glue.contains_key(&host) || addresses.is_empty() {
                    return refused(409, "", "This glue record exists already, or has no address");
                }
                self.book.change(name, |domain| domain.glue.insert(host, addresses));
                task()
            }
            (&Method::DELETE, [host]) => {
                self.book.change(name, |domain| domain.glue.remove(*host));
                task()
            }
            _ => refused(404, "", "Got an invalid (or empty) URL"),
        }
    }
}

impl Simulator for Ovh {
    fn operation(&self, request: &Request) -> String {
        let parts = request.segments();
        let parts: Vec<&str> = parts.iter().skip(1).map(String::as_str).collect();
        let get = request.method == Method::GET;
        match parts.as_slice() {
            ["auth", "time"] => "time",
            ["domain"] => "domains.list",
            ["domain", _] if get => "domains.get",
            ["domain", _] => "domains.set_type",
            ["domain", _, "nameServer"] => "nameservers.list",
            ["domain", _, "nameServer", _] => "nameservers.get",
            ["domain", _, "nameServers", "update"] => "nameservers.update",
            ["domain", _, "task", _] => "tasks.get",
            ["domain", _, "glueRecord", ..] if get => "glue.get",
            ["domain", _, "glueRecord", ..] => "glue.set",
            _ => "unknown",
        }
        .into()
    }

    fn answer(&self, request: &Request, later: Option<&Failure>) -> Response {
        self.settle();
        let operation = self.operation(request);
        if operation == "time" {
            return Response::json(200, &json!(self.clock.now_ms() / 1_000));
        }
        let standing = match self.standing(request) {
            Ok(standing) => standing,
            Err(refusal) => return refusal,
        };
        let changes = matches!(operation.as_str(), "domains.set_type" | "nameservers.update" | "glue.set");
        match standing {
            Standing::ReadOnly if changes => return refused(403, "NOT_GRANTED_CALL", "This call has not been granted"),
            Standing::Elsewhere => return refused(403, "FORBIDDEN", "This credential can't be used from this IP"),
            Standing::Ineligible => return refused(460, "", "This service is expired"),
            _ => {}
        }
        let parts = request.segments();
        let parts: Vec<&str> = parts.iter().skip(1).map(String::as_str).collect();
        let Some(name) = parts.get(1).copied() else { return Response::json(200, &json!(self.book.names())) };
        let Some(domain) = self.book.get(name) else { return refused(404, "", "This service does not exist") };
        match (operation.as_str(), parts.get(3).copied()) {
            ("domains.get", _) => {
                Response::json(200, &json!({ "domain": name, "nameServerType": "external", "dnssecSupported": true }))
            }
            ("domains.set_type", _) => Response::json(200, &Value::Null),
            ("nameservers.list", _) => {
                // The last id is one that goes away.
                let ids: Vec<usize> = (1..=domain.nameservers.len() + 1).collect();
                Response::json(200, &json!(ids))
            }
            ("nameservers.get", Some(id)) => {
                let index = id.parse::<usize>().unwrap_or_default();
                let host = index.checked_sub(1).and_then(|index| domain.nameservers.get(index));
                let gone = host.is_none();
                let host = host.map_or("old.registrar.example", String::as_str);
                Response::json(
                    200,
                    &json!({ "id": index, "host": host, "ip": null, "isUsed": !gone, "toDelete": gone }),
                )
            }
            ("nameservers.update", _) => self.update(request, name, &domain, later),
            ("tasks.get", Some(id)) => {
                let index = id.parse::<usize>().unwrap_or_default().saturating_sub(1);
                Response::json(200, &self.task(&self.tasks.lock(), index))
            }
            ("glue.get" | "glue.set", _) => self.glue(request, name, &domain, parts.get(3..).unwrap_or_default()),
            _ => refused(404, "", "Got an invalid (or empty) URL"),
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        refused(failure.status, &failure.code, failure.message.as_deref().unwrap_or("Internal server error"))
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        refused(429, "TOO_MANY_REQUESTS", "Too many requests").header("retry-after", seconds.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_all_of_the_request() {
        let right = signed("GET", "https://eu.api.ovh.com/1.0/domain", "", "CKey", "1700000000");
        assert!(right.starts_with("$1$") && right.len() == 43);
        for other in [
            signed("PUT", "https://eu.api.ovh.com/1.0/domain", "", "CKey", "1700000000"),
            signed("GET", "https://eu.api.ovh.com/1.0/domain/", "", "CKey", "1700000000"),
            signed("GET", "https://eu.api.ovh.com/1.0/domain", " ", "CKey", "1700000000"),
            signed("GET", "https://eu.api.ovh.com/1.0/domain", "", "CKex", "1700000000"),
            signed("GET", "https://eu.api.ovh.com/1.0/domain", "", "CKey", "1700000001"),
        ] {
            assert_ne!(right, other);
        }
    }
}

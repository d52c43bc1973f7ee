//! INWX: JSON-RPC in a session, with a one-time password for those who want one.

use std::{collections::BTreeMap, sync::Arc};

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha1::Sha1;

use super::book::{Book, Standing, USER, are_servers, standing};
use crate::{Clock, Failure, Request, Response, Simulator};

/// A user who logs in with a one-time password, too.
pub const USER_WITH_TAN: &str = "ann-with-tan";
/// The seed of that user's one-time passwords, in base32.
pub const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const SEED_BYTES: &[u8] = b"12345678901234567890";
/// Seconds that a one-time password is shown.
const STEP_S: i64 = 30;

struct Session {
    standing: Standing,
    locked: bool,
}

#[derive(Default)]
struct Sessions {
    by_cookie: BTreeMap<String, Session>,
    count: u64,
    last_step: i64,
}

pub(super) struct Inwx {
    book: Arc<Book>,
    clock: Clock,
    sessions: Mutex<Sessions>,
}

fn done(code: u16, result: Value) -> Response {
    let message =
        if code == 1500 { "Command completed successfully; ending session" } else { "Command completed successfully" };
    Response::json(
        200,
        &json!({ "code": code, "msg": message, "resData": result, "svTRID": "20260101-1", "runtime": 0.01 }),
    )
}

fn refused(code: u16, message: &str, reason: &str) -> Response {
    let mut body = json!({ "code": code, "msg": message, "svTRID": "20260101-1", "runtime": 0.01 });
    if !reason.is_empty() {
        body["reason"] = reason.into();
    }
    Response::json(200, &body)
}

fn tan(step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(SEED_BYTES) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
    let word = hash.iter().skip(at).take(4).fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

impl Inwx {
    pub fn new(book: Arc<Book>, clock: Clock) -> Self {
        Self { book, clock, sessions: Mutex::default() }
    }

    fn login(&self, params: &Value) -> Response {
        let (user, pass) = (params["user"].as_str().unwrap_or_default(), params["pass"].as_str().unwrap_or_default());
        let known = standing(pass).filter(|_| user == USER || user == USER_WITH_TAN);
        let Some(standing) = known else { return refused(2200, "Authentication error", "") };
        match standing {
            // Neither text stands in its documents.
            Standing::Elsewhere => return refused(2200, "Authentication error", "IP address is not allowed"),
            Standing::Ineligible => return refused(2201, "Authorization error", "API access is disabled"),
            _ => {}
        }
        let mut sessions = self.sessions.lock();
        sessions.count += 1;
        let cookie = format!("{:032x}", sessions.count * 0x9e37_79b9);
        let locked = user == USER_WITH_TAN;
        sessions.by_cookie.insert(cookie.clone(), Session { standing, locked });
        let tfa = if locked { "GOOGLE-AUTH" } else { "0" };
        done(1000, json!({ "customerId": 4711, "accountId": 4711, "tfa": tfa }))
            .header("set-cookie", format!("domrobot={cookie}; path=/; secure; httponly"))
    }

    fn unlock(&self, cookie: &str, params: &Value) -> Response {
        let given = params["tan"].as_str().map(str::to_owned).unwrap_or_else(|| params["tan"].to_string());
        let now = self.clock.now_ms() / 1_000 / STEP_S;
        let mut sessions = self.sessions.lock();
        let last = sessions.last_step;
        let step = (now - 1..=now + 1).find(|step| *step > last && tan(*step) == given);
        let Some(step) = step else { return refused(2200, "Authentication error", "Invalid or used TAN") };
        sessions.last_step = step;
        if let Some(session) = sessions.by_cookie.get_mut(cookie) {
            session.locked = false;
        }
        done(1000, json!({ "tfa": "GOOGLE-AUTH" }))
    }

    fn of_domain(&self, method: &str, params: &Value) -> Response {
        let name = params["domain"].as_str().unwrap_or_default();
        let Some(domain) = self.book.get(name) else { return refused(2303, "Object does not exist", "") };
        if method == "domain.info" {
            return done(
                1000,
                json!({ "domain": name, "ns": domain.nameservers, "status": "OK", "transferLock": domain.closed }),
            );
        }
        let list = params["ns"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let servers: Vec<String> = list.map(str::to_owned).collect();
        if domain.closed {
            return refused(2304, "Object status prohibits operation", "Update is locked");
        }
        if !are_servers(&servers) {
            return refused(2005, "Parameter value syntax error", "ns");
        }
        self.book.change(name, |domain| domain.nameservers = servers);
        done(1000, json!({}))
    }
}

fn method(request: &Request) -> (String, Value) {
    let body = request.json().unwrap_or_default();
    (body["method"].as_str().unwrap_or("unknown").to_owned(), body["params"].clone())
}

impl Simulator for Inwx {
    fn operation(&self, request: &Request) -> String {
        method(request).0
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let (method, params) = method(request);
        if method == "account.login" {
            return self.login(&params);
        }
        let cookies = request.header("cookie").unwrap_or_default();
        let cookie = cookies.split("; ").find_map(|pair| pair.strip_prefix("domrobot=")).unwrap_or_default().to_owned();
        let session = self.sessions.lock().by_cookie.get(&cookie).map(|session| (session.standing, session.locked));
        let Some((standing, locked)) = session else { return refused(2200, "Authentication error", "") };
        match method.as_str() {
            "account.unlock" => return self.unlock(&cookie, &params),
            "account.logout" => {
                self.sessions.lock().by_cookie.remove(&cookie);
                return done(1500, Value::Null);
            }
            _ if locked => return refused(2200, "Authentication error", "Account is locked: a TAN is needed"),
            "domain.update" if standing == Standing::ReadOnly => return refused(2201, "Authorization error", ""),
            _ => {}
        }
        match method.as_str() {
            "account.info" => done(1000, json!({ "accountId": 4711, "username": USER, "lock": "0" })),
            "domain.list" => {
                let number = |name: &str, default: usize| {
                    params[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
                };
                let (page, limit) = (number("page", 1).max(1), number("pagelimit", 20).clamp(1, 1_000));
                let names = self.book.names();
                let count = names.len();
                let shown = names.into_iter().skip((page - 1) * limit).take(limit);
                let shown: Vec<Value> = shown.map(|name| json!({ "domain": name, "status": "OK" })).collect();
                done(1000, json!({ "count": count, "domain": shown }))
            }
            "domain.info" | "domain.update" => self.of_domain(&method, &params),
            _ => refused(2000, "Unknown command", ""),
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        let message = failure.message.as_deref().unwrap_or("Command failed");
        match failure.status {
            200 => refused(failure.code.parse().unwrap_or(2400), message, ""),
            status => Response::text(status, failure.code.clone()),
        }
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        Response::text(429, "too many requests").header("retry-after", seconds.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_passwords_are_those_of_the_standard() {
        assert_eq!((tan(59 / STEP_S), tan(1_111_111_109 / STEP_S)), ("287082".into(), "081804".into()));
    }
}

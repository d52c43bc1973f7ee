//! GoDaddy: REST with a key and its secret in one header.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::book::{Book, Domain, SECRET, Standing, are_servers, standing};
use crate::{Failure, Request, Response, Simulator};

pub(super) struct GoDaddy {
    pub book: Arc<Book>,
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "code": code, "message": message }))
}

fn shown(name: &str, domain: &Domain) -> Value {
    json!({
        "domain": name, "domainId": 1_002_251 + name.len(), "status": "ACTIVE", "createdAt": "2020-05-01T10:00:00.000Z",
        "expires": "2030-05-01T10:00:00.000Z", "locked": domain.closed, "renewAuto": true, "privacy": false,
        "nameServers": domain.nameservers,
    })
}

impl GoDaddy {
    fn list(&self, request: &Request) -> Response {
        let limit = request.query("limit").map_or(Ok(100), str::parse::<usize>);
        let Some(limit) = limit.ok().filter(|limit| (1..=1000).contains(limit)) else {
            return refused(422, "INVALID_QUERY", "`limit` is 1 to 1000");
        };
        let names = self.book.names().into_iter();
        let after = names.filter(|name| request.query("marker").is_none_or(|marker| name.as_str() > marker));
        let page: Vec<Value> = after
            .take(limit)
            .filter_map(|name| {
                let mut one = shown(&name, &self.book.get(&name)?);
                // The list leaves them out unless they are asked for.
                one["nameServers"] = Value::Null;
                Some(one)
            })
            .collect();
        Response::json(200, &json!(page))
    }

    fn update(&self, request: &Request, name: &str) -> Response {
        let Ok(body) = request.json() else { return refused(400, "MALFORMED_BODY", "The body isn't JSON") };
        let Some(list) = body["nameServers"].as_array() else { return Response::empty(204) };
        let servers: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if !are_servers(&servers) {
            let fields = json!([{ "code": "UNEXPECTED_VALUE", "path": "nameServers", "message": "at least 2 items" }]);
            let body =
                json!({ "code": "INVALID_BODY", "message": "Request body doesn't fulfill schema", "fields": fields });
            return Response::json(422, &body);
        }
        if self.book.get(name).is_some_and(|domain| domain.closed) {
            return refused(409, "INVALID_STATUS", "The domain isn't eligible for a change of name servers");
        }
        self.book.change(name, |domain| domain.nameservers = servers);
        Response::empty(204)
    }
}

impl Simulator for GoDaddy {
    fn operation(&self, request: &Request) -> String {
        match (&request.method, request.segments().len()) {
            (&Method::GET, 2) => "domains.list",
            (&Method::GET, 3) => "domains.get",
            (&Method::PATCH, 3) => "domains.update",
            _ => "unknown",
        }
        .into()
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let operation = self.operation(request);
        let key = request.header("authorization").and_then(|text| text.strip_prefix("sso-key "));
        let Some((key, secret)) = key.and_then(|key| key.split_once(':')) else {
            return refused(401, "MISSING_CREDENTIALS", "Unauthorized : Credentials must be specified");
        };
        match standing(key).filter(|_| secret == SECRET) {
            None => {
                return refused(401, "UNABLE_TO_AUTHENTICATE", "Unauthorized : Could not authenticate API key/secret");
            }
            // It tells an account with too few domains in the same words as a missing right.
            Some(Standing::Ineligible | Standing::Elsewhere) => {
                return refused(403, "ACCESS_DENIED", "Authenticated user is not allowed access");
            }
            Some(Standing::ReadOnly) if operation == "domains.update" => {
                return refused(403, "ACCESS_DENIED", "Authenticated user is not allowed access");
            }
            Some(_) => {}
        }
        let parts = request.segments();
        let name = parts.get(2).map(String::as_str).unwrap_or_default();
        match operation.as_str() {
            "domains.list" => self.list(request),
            "unknown" => refused(404, "NOT_FOUND", "Not Found : Requested entity not found"),
            _ => match self.book.get(name) {
                None => refused(404, "NOT_FOUND", &format!("Not Found : Domain {name} not found for shopper")),
                Some(domain) if operation == "domains.get" => Response::json(200, &shown(name, &domain)),
                Some(_) => self.update(request, name),
            },
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        refused(failure.status, &failure.code, failure.message.as_deref().unwrap_or("Internal server error"))
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        let body = json!({ "code": "TOO_MANY_REQUESTS", "message": "Too many requests", "retryAfterSec": seconds });
        Response::json(429, &body).header("retry-after", seconds.to_string())
    }
}

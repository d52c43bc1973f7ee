//! Cloudflare: zones and registered domains, whose name servers can be read and never set.

use std::sync::Arc;

use serde_json::{Value, json};

use super::book::{Book, Standing, standing};
use crate::{Failure, Request, Response, Simulator};

pub(super) struct Cloudflare {
    pub book: Arc<Book>,
}

const ACCOUNT: &str = "01a7362d577a6c3019a474fd6f485823";

fn done(result: Value) -> Response {
    Response::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": result }))
}

fn paged(all: Vec<Value>, request: &Request) -> Response {
    let number = |name: &str, default: usize| request.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, per_page) = (number("page", 1).max(1), number("per_page", 20).clamp(1, 50));
    let (total, pages) = (all.len(), all.len().div_ceil(per_page).max(1));
    let items: Vec<Value> = all.into_iter().skip((page - 1) * per_page).take(per_page).collect();
    let info =
        json!({ "page": page, "per_page": per_page, "count": items.len(), "total_count": total, "total_pages": pages });
    Response::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": items, "result_info": info }))
}

fn refused(status: u16, code: u32, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    Response::json(status, &json!({ "success": false, "errors": errors, "messages": [], "result": null }))
}

impl Simulator for Cloudflare {
    fn operation(&self, request: &Request) -> String {
        let parts = request.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [_, _, "user", "tokens", "verify"] => "tokens.verify",
            [_, _, "accounts"] => "accounts.list",
            [_, _, "accounts", _, "registrar", "domains"] => "domains.list",
            [_, _, "zones"] => "zones.list",
            _ => "unknown",
        }
        .into()
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let operation = self.operation(request);
        let token = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let Some(token) = token else { return refused(400, 6003, "Invalid request headers") };
        let standing = standing(token);
        match (standing, operation.as_str()) {
            (None, "tokens.verify") => return refused(401, 1000, "Invalid API Token"),
            (None, _) => return refused(403, 10000, "Authentication error"),
            (Some(Standing::Elsewhere), _) => {
                return refused(403, 9109, "Cannot use the access token from location: 198.51.100.7");
            }
            (Some(Standing::Ineligible), "tokens.verify") => {}
            (Some(Standing::Ineligible), _) => return refused(403, 9109, "Unauthorized to access requested resource"),
            (Some(Standing::Good | Standing::ReadOnly), _) => {}
        }
        match operation.as_str() {
            "tokens.verify" => done(json!({ "id": "f267e341f3dd4697bd3b9f71dd96247f", "status": "active" })),
            "accounts.list" => paged(vec![json!({ "id": ACCOUNT, "name": "Ann", "type": "standard" })], request),
            "domains.list" => {
                let domain = |name: String| json!({ "name": name, "current_registrar": "Cloudflare", "locked": true });
                paged(self.book.names().into_iter().map(domain).collect(), request)
            }
            "zones.list" => {
                let names = self.book.names().into_iter();
                let wanted = names.filter(|name| request.query("name").is_none_or(|wanted| wanted == name));
                let zone = |name: String| {
                    let servers = self.book.get(&name).map(|domain| domain.nameservers).unwrap_or_default();
                    json!({ "id": format!("{:032x}", name.len()), "name": name, "status": "active",
                        "name_servers": servers, "original_name_servers": servers })
                };
                paged(wanted.map(zone).collect(), request)
            }
            _ => refused(404, 7003, "Could not route to that path, perhaps your object identifier is invalid?"),
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        let message = failure.message.as_deref().unwrap_or("Internal error");
        refused(failure.status, failure.code.parse().unwrap_or(1), message)
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        refused(429, 971, "Please wait and consider throttling your request speed")
            .header("retry-after", seconds.to_string())
    }
}

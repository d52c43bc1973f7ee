//! Dynadot's third interface: everything is a command in the query, the key as well; one request at a time.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::book::{Book, Standing, are_servers, standing};
use crate::{Failure, Request, Response, Simulator};

pub(super) struct Dynadot {
    book: Arc<Book>,
    /// Name servers that the account knows: a domain takes no others.
    known: Mutex<BTreeSet<String>>,
}

impl Dynadot {
    pub fn new(book: Arc<Book>) -> Self {
        let known = ["dns1.registrar.example", "dns2.registrar.example"].map(str::to_owned).into();
        Self { book, known: Mutex::new(known) }
    }
}

/// `set_ns` is answered as `SetNsResponse`.
fn named(command: &str) -> String {
    let part = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_uppercase() + rest
    };
    match command {
        "list_domain" => "ListDomainInfoResponse".into(),
        command => command.split('_').map(part).collect::<String>() + "Response",
    }
}

/// A success has a number for its code.
fn done(command: &str, more: Value) -> Response {
    let mut body = Map::from_iter([("ResponseCode".into(), json!(0)), ("Status".into(), json!("success"))]);
    body.extend(more.as_object().cloned().unwrap_or_default());
    Response::json(200, &json!({ named(command): body }))
}

/// An error has text there.
fn refused(command: &str, error: &str) -> Response {
    let body = json!({ "ResponseCode": "-1", "Status": "error", "Error": error });
    Response::json(200, &json!({ named(command): body }))
}

fn unheard(error: &str) -> Response {
    Response::json(200, &json!({ "Response": { "ResponseCode": "-1", "Error": error } }))
}

impl Simulator for Dynadot {
    fn operation(&self, request: &Request) -> String {
        request.query("command").unwrap_or("unknown").to_ascii_lowercase()
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let command = self.operation(request);
        match standing(request.query("key").unwrap_or_default()) {
            None => return unheard("invalid key"),
            // Neither text stands in its documents; they are what its forum quotes.
            Some(Standing::Elsewhere) => return unheard("ip not allowed"),
            Some(Standing::Ineligible) => return unheard("api access is not enabled for this account"),
            Some(Standing::ReadOnly) if !matches!(command.as_str(), "account_info" | "list_domain" | "get_ns") => {
                return refused(&command, "no permission");
            }
            Some(_) => {}
        }
        let name = request.query("domain").unwrap_or_default();
        let missing = || refused(&command, "could not find domain in your account");
        match command.as_str() {
            "account_info" => {
                done(&command, json!({ "AccountInfo": { "Username": "ann", "AccountPrice": "Regular" } }))
            }
            "list_domain" => {
                let domains: Vec<Value> = self.book.names().into_iter().map(|name| json!({ "Name": name })).collect();
                done(&command, json!({ "MainDomains": domains }))
            }
            "get_ns" => match self.book.get(name) {
                None => missing(),
                Some(domain) => {
                    let hosts = domain.nameservers.iter().enumerate();
                    let content: Map<String, Value> =
                        hosts.map(|(index, host)| (format!("Host{index}"), json!(host))).collect();
                    done(&command, json!({ "NsContent": content }))
                }
            },
            "add_ns" => {
                let host = request.query("host").unwrap_or_default();
                match host.contains('.') && self.known.lock().insert(host.to_owned()) {
                    true => done(&command, json!({ "Server": { "Host": host } })),
                    false => refused(&command, "name server already exists"),
                }
            }
            "set_ns" => {
                let hosts = (0..13).map_while(|index| request.query(&format!("ns{index}")).map(str::to_owned));
                let hosts: Vec<String> = hosts.collect();
                let known = self.known.lock().clone();
                match self.book.get(name) {
                    None => missing(),
                    Some(domain) if domain.closed => refused(&command, "domain is locked"),
                    Some(_) if !are_servers(&hosts) => refused(&command, "invalid name server"),
                    Some(_) if !hosts.iter().all(|host| known.contains(host)) => {
                        refused(&command, "name server does not exist in your account")
                    }
                    Some(_) => {
                        self.book.change(name, |domain| domain.nameservers = hosts);
                        done(&command, json!({}))
                    }
                }
            }
            _ => unheard("unknown command"),
        }
    }

    fn failure(&self, request: &Request, failure: &Failure) -> Response {
        match failure.status {
            200 => refused(&self.operation(request), failure.message.as_deref().unwrap_or(&failure.code)),
            status => Response::text(status, failure.code.clone()),
        }
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        Response::text(429, "too many requests").header("retry-after", seconds.to_string())
    }
}

//! Porkbun: every request is a POST with both keys in its body.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde_json::{Value, json};

use super::book::{Book, Ds, SECRET, Standing, are_servers, standing};
use crate::{Failure, Request, Response, Simulator};

pub(super) struct Porkbun {
    pub book: Arc<Book>,
}

fn refused(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "status": "ERROR", "message": message }))
}

fn done(mut more: Value) -> Response {
    more["status"] = "SUCCESS".into();
    Response::json(200, &more)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Porkbun {
    fn of_domain(&self, operation: &str, name: &str, rest: Option<&String>, body: &Value) -> Response {
        let Some(domain) = self.book.get(name) else { return refused(400, "Invalid domain.") };
        if domain.closed {
            return refused(400, "Domain is not opted in to API access.");
        }
        match operation {
            "getNs" => done(json!({ "ns": domain.nameservers })),
            "updateNs" => {
                let servers = texts(&body["ns"]);
                if !are_servers(&servers) {
                    return refused(400, "Could not update nameservers.");
                }
                self.book.change(name, |domain| domain.nameservers = servers);
                done(json!({}))
            }
            "getGlue" => {
                let hosts = domain.glue.iter().map(|(host, all)| {
                    let (v6, v4): (Vec<&String>, Vec<&String>) = all.iter().partition(|one| one.contains(':'));
                    json!([host, { "v4": v4, "v6": v6 }])
                });
                done(json!({ "hosts": hosts.collect::<Vec<_>>() }))
            }
            "createGlue" | "updateGlue" | "deleteGlue" => {
                let host = format!("{}.{name}", rest.map(String::as_str).unwrap_or_default());
                let there = domain.glue.contains_key(&host);
                let addresses = texts(&body["ips"]);
                let odd = addresses.is_empty() || addresses.iter().any(|one| one.parse::<IpAddr>().is_err());
                if there == (operation == "createGlue") || odd && operation != "deleteGlue" {
                    return refused(400, "We were unable to process the glue record.");
                }
                self.book.change(name, |domain| match operation {
                    "deleteGlue" => domain.glue.remove(&host),
                    _ => domain.glue.insert(host, addresses),
                });
                done(json!({}))
            }
            "getDnssecRecords" => {
                let records = domain.ds.iter().map(|ds| {
                    let text = json!({ "keyTag": ds.key_tag.to_string(), "alg": ds.algorithm.to_string(),
                        "digestType": ds.digest_type.to_string(), "digest": ds.digest });
                    (ds.key_tag.to_string(), text)
                });
                done(json!({ "records": records.collect::<BTreeMap<_, _>>() }))
            }
            "createDnssecRecord" => {
                let number = |key: &str| body[key].as_str().and_then(|text| text.parse::<u16>().ok());
                let digest = body["digest"].as_str().unwrap_or_default();
                let (Some(key_tag), Some(algorithm), Some(digest_type)) =
                    (number("keyTag"), number("alg"), number("digestType"))
                else {
                    return refused(400, "Missing or invalid DNSSEC parameters.");
                };
                let narrow = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
                let ds = Ds {
                    key_tag,
                    algorithm: narrow(algorithm),
                    digest_type: narrow(digest_type),
                    digest: digest.into(),
                };
                self.book.change(name, |domain| {
                    domain.ds.retain(|one| one.key_tag != key_tag);
                    domain.ds.push(ds);
                });
                done(json!({}))
            }
            "deleteDnssecRecord" => {
                let tag = rest.and_then(|tag| tag.parse::<u16>().ok());
                self.book.change(name, |domain| domain.ds.retain(|one| Some(one.key_tag) != tag));
                done(json!({}))
            }
            _ => refused(404, "Not found."),
        }
    }
}

impl Simulator for Porkbun {
    fn operation(&self, request: &Request) -> String {
        let parts = request.segments();
        parts.get(4).or_else(|| parts.get(3)).cloned().unwrap_or_default()
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        let operation = self.operation(request);
        let body = request.json().unwrap_or_default();
        let (key, secret) = (body["apikey"].as_str().unwrap_or_default(), body["secretapikey"].as_str());
        match standing(key).filter(|_| secret == Some(SECRET)) {
            None => return refused(400, "Invalid API key. (001)"),
            Some(Standing::Elsewhere) => return refused(403, "This API key is not allowed from your IP address."),
            Some(Standing::Ineligible) => return refused(403, "API access is not enabled for this account."),
            Some(Standing::ReadOnly)
                if !(operation.starts_with("get") || matches!(operation.as_str(), "ping" | "listAll")) =>
            {
                return refused(403, "This API key is not permitted to do this.");
            }
            Some(_) => {}
        }
        let parts = request.segments();
        match operation.as_str() {
            "ping" => done(json!({ "yourIp": "192.0.2.10" })),
            "listAll" => {
                let start = body["start"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
                let names = self.book.names().into_iter().skip(start).take(1_000);
                let domain =
                    |name: String| json!({ "domain": name, "status": "ACTIVE", "tld": name.rsplit('.').next() });
                done(json!({ "domains": names.map(domain).collect::<Vec<_>>() }))
            }
            operation => {
                let name = parts.get(5).map(String::as_str).unwrap_or_default();
                self.of_domain(operation, name, parts.get(6), &body)
            }
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        refused(failure.status, failure.message.as_deref().unwrap_or(&failure.code))
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        refused(429, "Rate limit exceeded.").header("retry-after", seconds.to_string())
    }
}

//! PowerDNS, by its HTTP API.

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::{Answer, Authoritative, Change, NewZone, Rrset, ServerConfig, ZoneHead, ZoneKey};

/// Bytes of an answer at most: a zone of about half a million records.
const ANSWER: usize = 64 << 20;

/// How often a request is sent again at once when the server's own database was busy; each pause is longer.
const BUSY: u32 = 6;

/// A server, as the configuration describes it.
pub struct PowerDns {
    name: String,
    base: String,
    key: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct ZoneAnswer {
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    serial: u32,
    #[serde(default)]
    dnssec: bool,
    #[serde(default)]
    account: String,
    #[serde(default)]
    rrsets: Vec<RrsetAnswer>,
}

#[derive(Deserialize)]
struct RrsetAnswer {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    ttl: u32,
    records: Vec<RecordAnswer>,
    #[serde(default)]
    comments: Vec<CommentAnswer>,
}

#[derive(Deserialize)]
struct RecordAnswer {
    content: String,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
struct CommentAnswer {
    #[serde(default)]
    account: String,
}

#[derive(Deserialize)]
struct MetadataAnswer {
    kind: String,
    metadata: Vec<String>,
}

#[derive(Deserialize)]
struct KeyAnswer {
    id: i64,
    #[serde(default)]
    keytype: String,
    #[serde(default)]
    active: bool,
    #[serde(default = "yes")]
    published: bool,
    #[serde(default)]
    dnskey: String,
    #[serde(default)]
    ds: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl PowerDns {
    /// Fails when the configuration can't be meant.
    pub fn new(name: &str, config: &ServerConfig) -> Result<Self, Problem> {
        let wrong =
            |key: &str, why: &str| Problem::new(Code::Configuration, format!("hosts.dns.servers.{name}.{key}: {why}"));
        let url = url::Url::parse(&config.url)
            .map_err(|_| wrong("url", "has to be an address such as https://dns.example.net:8081"))?;
        let loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(domain)) => domain == "localhost",
            None => return Err(wrong("url", "names no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || config.plain_http => {}
            "http" => {
                return Err(wrong("url", "the key would cross the network readable: use https, or set `plain_http`"));
            }
            _ => return Err(wrong("url", "has to begin with https://")),
        }
        if !config.api_key.starts_with("file:") && !config.api_key.starts_with("env:") {
            return Err(wrong("api_key", "has to say where the key is: `file:/path` or `env:NAME`"));
        }
        if config.server_id.is_empty()
            || !config.server_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(wrong("server_id", "is a word, usually `localhost`"));
        }
        let base = format!("{}/api/v1/servers/{}", config.url.trim_end_matches('/'), config.server_id);
        let client =
            client(config).map_err(|error| wrong("url", &format!("the HTTP client can't be made: {error}")))?;
        Ok(Self { name: name.to_owned(), base, key: config.api_key.clone(), client })
    }

    fn key(&self) -> Result<Zeroizing<String>, Problem> {
        let wrong = |why: String| {
            Problem::new(Code::Configuration, format!("hosts.dns.servers.{}.api_key: {why}", self.name)).no_effect()
        };
        let text = match (self.key.strip_prefix("file:"), self.key.strip_prefix("env:")) {
            (Some(path), _) => std::fs::read_to_string(path).map_err(|error| wrong(format!("{path}: {error}")))?,
            (_, Some(variable)) => std::env::var(variable).map_err(|_| wrong(format!("{variable} isn't set")))?,
            _ => return Err(wrong("it says neither file nor environment".into())),
        };
        let text = Zeroizing::new(text);
        Ok(Zeroizing::new(text.trim().to_owned()))
    }

    /// Sends a request; status and answer. A busy database is asked again: every request here can be repeated.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value), Problem> {
        let repeatable = method != Method::POST;
        for attempt in 1.. {
            let (status, answer) = self.send(&method, path, body).await?;
            // An update that found the database locked has changed nothing.
            let busy = status == 500 && (repeatable || answer.to_string().contains("locked"));
            if !busy || attempt > BUSY {
                return self.judged(status, answer);
            }
            tokio::time::sleep(Duration::from_millis(40 << attempt)).await;
        }
        Err(Problem::new(Code::Internal, "an endless loop ended"))
    }

    async fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<(u16, Value), Problem> {
        let key = self.key()?;
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        request = request.header("X-API-Key", key.as_str()).header("Accept", "application/json");
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| self.broken(error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            if bytes.len() + piece.len() > ANSWER {
                return Err(Problem::new(
                    Code::LimitExceeded,
                    format!("the name server `{}` answered with more than {ANSWER} bytes", self.name),
                ));
            }
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&bytes);
        let answer = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.chars().take(500).collect()));
        Ok((status, answer))
    }

    fn broken(&self, error: reqwest::Error) -> Problem {
        let connecting = error.is_connect();
        let error = error.without_url();
        let chain = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let root = chain.last().map(ToString::to_string).unwrap_or_default();
        let problem =
            Problem::new(Code::Unavailable, format!("the name server `{}` can't be reached: {root}", self.name))
                .retryable();
        if connecting { problem.no_effect() } else { problem }
    }

    /// What a status means for people. 404 and 409 are the callers'.
    fn judged(&self, status: u16, answer: Value) -> Result<(u16, Value), Problem> {
        let said = answer["error"].as_str().or_else(|| answer.as_str()).unwrap_or("no reason").to_owned();
        let name = &self.name;
        match status {
            200..=299 | 404 | 409 => Ok((status, answer)),
            401 | 403 => Err(Problem::new(Code::Configuration, format!("the name server `{name}` doesn't accept the key of its API"))
                .help(format!("check `api_key` under [hosts.dns.servers.{name}], and `api-key` and `webserver-allow-from` of the server"))
                .no_effect()),
            400 | 422 => Err(Problem::new(Code::InvalidArgument, format!("the name server `{name}` refuses this: {said}"))
                .help("nothing of it was applied")
                .no_effect()),
            429 | 500..=599 => Err(Problem::new(Code::Unavailable, format!("the name server `{name}` failed ({status}): {said}")).retryable()),
            other => Err(Problem::new(Code::Unavailable, format!("the name server `{name}` answered with status {other}: {said}"))),
        }
    }

    /// The answer of a request about a zone that has to be there.
    async fn of_zone(&self, method: Method, zone: &str, rest: &str, body: Option<&Value>) -> Result<Value, Problem> {
        match self.ask(method, &format!("/zones/{}{rest}", id(zone)), body).await? {
            (404, _) => Err(no_zone(&self.name, zone)),
            (409, answer) => Err(Problem::new(
                Code::Conflict,
                format!(
                    "the name server `{}` finds a conflict in {zone}: {}",
                    self.name,
                    answer["error"].as_str().unwrap_or("no reason")
                ),
            )
            .no_effect()),
            (_, answer) => Ok(answer),
        }
    }
}

/// The error of everything that needs a zone that isn't there.
pub fn no_zone(server: &str, zone: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the name server `{server}` has no zone {zone}")).no_effect()
}

fn client(config: &ServerConfig) -> Result<reqwest::Client, Box<dyn Error>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(Duration::from_millis(config.timeout_ms.clamp(100, 600_000)))
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// A zone's id in the API's paths: whatever isn't a letter, a digit, a dot or a hyphen is written as `=2F`.
fn id(zone: &str) -> String {
    use std::fmt::Write as _;
    let mut id = String::with_capacity(zone.len() + 1);
    for byte in zone.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => id.push(char::from(byte)),
            other => drop(write!(id, "={other:02X}")),
        }
    }
    id + "."
}

/// Ours have no dot at the end.
fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn head(zone: &ZoneAnswer) -> ZoneHead {
    ZoneHead {
        name: bare(&zone.name),
        kind: zone.kind.clone(),
        serial: zone.serial,
        dnssec: zone.dnssec,
        account: zone.account.clone(),
    }
}

fn rrset(answer: RrsetAnswer) -> Option<Rrset> {
    let mut records: Vec<String> =
        answer.records.into_iter().filter(|record| !record.disabled).map(|record| record.content).collect();
    records.sort();
    let owner = answer.comments.into_iter().map(|comment| comment.account).find(|account| !account.is_empty());
    (!records.is_empty()).then(|| Rrset {
        name: bare(&answer.name),
        kind: answer.kind,
        ttl: answer.ttl,
        records,
        owner,
    })
}

fn written(rrset: &Rrset) -> Value {
    let records: Vec<Value> =
        rrset.records.iter().map(|content| json!({ "content": content, "disabled": false })).collect();
    // Left out, comments stay: whose a record was shows on after it was taken over.
    let comments = rrset
        .owner
        .as_ref()
        .map_or_else(|| json!([]), |owner| json!([{ "account": owner, "content": "kept by Windlass" }]));
    json!({
        "name": format!("{}.", rrset.name), "type": rrset.kind, "ttl": rrset.ttl,
        "changetype": "REPLACE", "records": records, "comments": comments,
    })
}

fn key(answer: KeyAnswer) -> ZoneKey {
    // SHA-256, which every validator knows (RFC 8624); SHA-1 is no longer to be used.
    let ds = answer.ds.into_iter().filter(|ds| ds.split_whitespace().nth(2) == Some("2")).collect();
    ZoneKey {
        id: answer.id,
        kind: answer.keytype,
        active: answer.active,
        published: answer.published,
        dnskey: answer.dnskey,
        ds,
    }
}

fn parsed<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Problem> {
    serde_json::from_value(answer).map_err(|error| {
        Problem::new(Code::Unavailable, format!("the name server answered with something else than expected: {error}"))
    })
}

impl Authoritative for PowerDns {
    fn zones(&self) -> Answer<'_, Vec<ZoneHead>> {
        Box::pin(async move {
            let (_, answer) = self.ask(Method::GET, "/zones", None).await?;
            Ok(parsed::<Vec<ZoneAnswer>>(answer)?.iter().map(head).collect())
        })
    }

    fn zone<'a>(&'a self, zone: &'a str) -> Answer<'a, Option<ZoneHead>> {
        Box::pin(async move {
            match self.ask(Method::GET, &format!("/zones/{}?rrsets=false", id(zone)), None).await? {
                (404, _) => Ok(None),
                (_, answer) => Ok(Some(head(&parsed::<ZoneAnswer>(answer)?))),
            }
        })
    }

    fn rrsets<'a>(&'a self, zone: &'a str, name: Option<&'a str>) -> Answer<'a, Vec<Rrset>> {
        Box::pin(async move {
            let encoded =
                name.map(|name| percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC));
            let query = encoded.map(|name| format!("?rrset_name={name}.")).unwrap_or_default();
            let answer = self.of_zone(Method::GET, zone, &query, None).await?;
            Ok(parsed::<ZoneAnswer>(answer)?.rrsets.into_iter().filter_map(rrset).collect())
        })
    }

    fn create<'a>(&'a self, zone: &'a NewZone) -> Answer<'a, ()> {
        Box::pin(async move {
            let nameservers: Vec<String> = zone.nameservers.iter().map(|name| format!("{name}.")).collect();
            // DEFAULT gives every change a new serial; INCEPTION-EPOCH would only once a week, as signatures do.
            let body = json!({
                "name": format!("{}.", zone.name), "kind": zone.kind, "nameservers": nameservers, "account": zone.account,
                "dnssec": zone.dnssec, "api_rectify": true, "soa_edit_api": "DEFAULT",
            });
            match self.ask(Method::POST, "/zones", Some(&body)).await? {
                (409, _) => Err(Problem::new(
                    Code::Conflict,
                    format!("the name server `{}` has a zone {} already", self.name, zone.name),
                )
                .no_effect()),
                _ => Ok(()),
            }
        })
    }

    fn delete<'a>(&'a self, zone: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let (status, _) = self.ask(Method::DELETE, &format!("/zones/{}", id(zone)), None).await?;
            Ok(status != 404)
        })
    }

    fn change<'a>(&'a self, zone: &'a str, changes: &'a [Change]) -> Answer<'a, ()> {
        Box::pin(async move {
            let rrsets: Vec<Value> = changes
                .iter()
                .map(|change| match change {
                    Change::Replace(rrset) => written(rrset),
                    Change::Delete { name, kind } => {
                        json!({ "name": format!("{name}."), "type": kind, "changetype": "DELETE" })
                    }
                })
                .collect();
            self.of_zone(Method::PATCH, zone, "", Some(&json!({ "rrsets": rrsets }))).await.map(drop)
        })
    }

    fn metadata<'a>(&'a self, zone: &'a str) -> Answer<'a, BTreeMap<String, Vec<String>>> {
        Box::pin(async move {
            let answer = self.of_zone(Method::GET, zone, "/metadata", None).await?;
            let all: Vec<MetadataAnswer> = parsed(answer)?;
            Ok(all.into_iter().map(|one| (one.kind.to_ascii_uppercase(), one.metadata)).collect())
        })
    }

    fn set_metadata<'a>(&'a self, zone: &'a str, kind: &'a str, values: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            let path = format!("/metadata/{kind}");
            let body = json!({ "kind": kind, "metadata": values });
            let (method, body) = if values.is_empty() { (Method::DELETE, None) } else { (Method::PUT, Some(&body)) };
            self.of_zone(method, zone, &path, body).await.map(drop)
        })
    }

    fn set_account<'a>(&'a self, zone: &'a str, account: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = json!({ "account": account });
            self.of_zone(Method::PUT, zone, "", Some(&body)).await.map(drop)
        })
    }

    fn sign<'a>(&'a self, zone: &'a str, signed: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = json!({ "dnssec": signed, "api_rectify": true });
            self.of_zone(Method::PUT, zone, "", Some(&body)).await.map(drop)
        })
    }

    fn keys<'a>(&'a self, zone: &'a str) -> Answer<'a, Vec<ZoneKey>> {
        Box::pin(async move {
            let answer = self.of_zone(Method::GET, zone, "/cryptokeys", None).await?;
            Ok(parsed::<Vec<KeyAnswer>>(answer)?.into_iter().map(key).collect())
        })
    }

    fn add_key<'a>(&'a self, zone: &'a str, active: bool) -> Answer<'a, ZoneKey> {
        Box::pin(async move {
            let body = json!({ "keytype": "csk", "active": active, "published": true });
            self.of_zone(Method::POST, zone, "/cryptokeys", Some(&body)).await.and_then(parsed).map(key)
        })
    }

    fn set_key<'a>(&'a self, zone: &'a str, id: i64, active: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = json!({ "active": active });
            self.of_zone(Method::PUT, zone, &format!("/cryptokeys/{id}"), Some(&body)).await.map(drop)
        })
    }

    fn remove_key<'a>(&'a self, zone: &'a str, key: i64) -> Answer<'a, bool> {
        Box::pin(async move {
            let path = format!("/zones/{}/cryptokeys/{key}", id(zone));
            let (status, _) = self.ask(Method::DELETE, &path, None).await?;
            Ok(status != 404)
        })
    }

    fn export<'a>(&'a self, zone: &'a str) -> Answer<'a, String> {
        Box::pin(async move {
            let answer = self.of_zone(Method::GET, zone, "/export", None).await?;
            Ok(answer["zone"].as_str().or_else(|| answer.as_str()).unwrap_or_default().to_owned())
        })
    }
}

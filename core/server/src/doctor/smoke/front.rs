//! The outside: the API directly and through the front door, the page and its files, Guacamole.

use std::time::Duration;

use reqwest::{Client, Response, header};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{Check, Smoke};
use crate::{install::Address, wiring};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are looked at.
const MOST: usize = 4 << 20;

/// All of them.
pub fn checks(of: &Smoke) -> Result<Vec<Check>, Problem> {
    let runtime = wiring::runtime()?;
    let client = client(of)?;
    let checks = runtime.block_on(async {
        let (direct, url) = (format!("http://{}", of.config.server.listen), of.url.as_str());
        let mut checks = Vec::new();
        if of.config.server.tls_cert.is_empty() {
            checks.push(Check::of("API directly", ready(&client, &direct).await));
        }
        checks.push(Check::of("API through the proxy", version(&client, url).await));
        checks.push(Check::of("API says no", refusal(&client, url).await));
        checks.push(Check::of("page", page(&client, &format!("{url}/")).await));
        checks.push(Check::of("page at any address", page(&client, &format!("{url}/runs/none/such")).await));
        checks.push(Check::of("page's files", files(&client, url).await));
        if of.record.as_ref().is_some_and(|record| record.guacamole.is_some()) {
            checks.push(Check::of("Guacamole", guacamole(&client, url).await));
        }
        checks
    });
    runtime.shutdown_background();
    Ok(checks)
}

/// One that finds the front door on this machine, whatever the name server says, and trusts the authority that Caddy made.
fn client(of: &Smoke) -> Result<Client, Problem> {
    let failed = |error: reqwest::Error| Problem::new(Code::System, format!("no HTTP client: {error}"));
    let mut builder = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy();
    if let Some(record) = &of.record {
        if let Some(host) = record.address.host().filter(|_| !of.is_told) {
            builder = builder.resolve(host, ([127, 0, 0, 1], 443).into());
        }
        if matches!(record.address, Address::Internal(_))
            && let Ok(pem) = std::fs::read(crate::install::AUTHORITY)
        {
            let certificate = reqwest::Certificate::from_pem(&pem).map_err(failed)?;
            builder = builder.tls_certs_merge([certificate]);
        }
    }
    builder.build().map_err(failed)
}

async fn get(client: &Client, url: &str, accept: &str) -> Result<Response, String> {
    let answer = client.get(url).header(header::ACCEPT, accept).send().await;
    answer.map_err(|error| {
        // The outer words only repeat the address.
        let mut inner: &dyn std::error::Error = &error;
        while let Some(source) = inner.source() {
            inner = source;
        }
        format!("{url}: {inner}")
    })
}

fn kind(answer: &Response) -> String {
    answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn text(mut answer: Response) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| error.to_string())? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MOST {
            return Err(format!("more than {MOST} bytes"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn ready(client: &Client, base: &str) -> Result<String, String> {
    let answer = get(client, &format!("{base}/readyz"), "application/json").await?;
    let status = answer.status();
    let told: Value = serde_json::from_str(&text(answer).await?).unwrap_or_default();
    if status == 200 && told["ready"] == true {
        return Ok(format!("{base}/readyz: ready"));
    }
    let bad = told["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] != true);
    let bad: Vec<String> = bad.map(|check| format!("{} {}", check["name"], check["reason"])).collect();
    Err(format!("{base}/readyz: {status} {}", bad.join(", ")))
}

async fn version(client: &Client, url: &str) -> Result<String, String> {
    let answer = get(client, &format!("{url}/api/v1/version"), "application/json").await?;
    let status = answer.status();
    let told: Value = serde_json::from_str(&text(answer).await?).unwrap_or_default();
    match told["version"].as_str().filter(|_| status == 200 && told["name"] == "windlass") {
        Some(version) => Ok(format!("{url}/api/v1/version: {version}")),
        None => Err(format!("{url}/api/v1/version: {status}, and not what the API says")),
    }
}

/// Without a token nothing is told; and it is the API that says so, not a page.
async fn refusal(client: &Client, url: &str) -> Result<String, String> {
    let answer = get(client, &format!("{url}/api/v1/runs"), "text/html").await?;
    let (status, kind) = (answer.status(), kind(&answer));
    let told = format!("{status}, {kind}");
    if status == 401 && kind.starts_with("application/problem+json") { Ok(told) } else { Err(told) }
}

async fn page(client: &Client, url: &str) -> Result<String, String> {
    let answer = get(client, url, "text/html").await?;
    let (status, kind) = (answer.status(), kind(&answer));
    let guarded = answer.headers().contains_key(header::CONTENT_SECURITY_POLICY);
    let body = text(answer).await?;
    match () {
        () if status != 200 || !kind.starts_with("text/html") => Err(format!("{url}: {status}, {kind}")),
        () if !body.contains("<title>Windlass") => Err(format!("{url}: a page of somebody else")),
        () if !guarded => Err(format!("{url}: no Content-Security-Policy")),
        () => Ok(format!("{url}: {} bytes", body.len())),
    }
}

/// The page's first script: it is there, is one, and may be kept.
async fn files(client: &Client, url: &str) -> Result<String, String> {
    let body = text(get(client, &format!("{url}/"), "text/html").await?).await?;
    let from = body.find("/assets/").ok_or("the page names no files")?;
    let path = body[from..].split('"').next().unwrap_or_default();
    let answer = get(client, &format!("{url}{path}"), "*/*").await?;
    let told = format!("{path}: {}, {}", answer.status(), kind(&answer));
    let kept =
        answer.headers().get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().ends_with(b"immutable"));
    if answer.status() == 200 && !kind(&answer).contains("html") && kept { Ok(told) } else { Err(told) }
}

async fn guacamole(client: &Client, url: &str) -> Result<String, String> {
    let answer = get(client, &format!("{url}/html5/"), "text/html").await?;
    let (status, kind) = (answer.status(), kind(&answer));
    let body = text(answer).await?;
    let is_it = body.to_lowercase().contains("guacamole");
    let told = format!("{url}/html5/: {status}, {kind}");
    if status == 200 && kind.starts_with("text/html") && is_it { Ok(told) } else { Err(told) }
}

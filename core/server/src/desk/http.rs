//! Requests to a server: JSON there and back, and a server's problem as if it had happened here.

use std::{io::Write, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use windlass_model::{CallSite, Code, Problem};

/// How long an answer may take. Streams have no such limit.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a request that only looks is tried again while the server can't be reached.
const ATTEMPTS: u32 = 5;

/// A server and the token for it.
pub(super) struct Http {
    pub runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Http {
    pub fn new(base: &str, token: &str) -> Result<Self, Problem> {
        let runtime = crate::wiring::runtime()?;
        let parsed = reqwest::Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if parsed.is_none_or(|url| url.cannot_be_a_base()) {
            return Err(Problem::new(Code::Usage, format!("`{base}` isn't a server's address"))
                .help("for example: --server https://windlass.example.net"));
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A token must not follow a server to another place.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Problem::new(Code::System, format!("no HTTP client: {error}")))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { runtime, client, base, token: token.to_owned() })
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        let mut attempt = 1;
        loop {
            match self.send(reqwest::Method::GET, path, None, &[]) {
                Err(problem) if problem.retryable && attempt < ATTEMPTS => {
                    std::thread::sleep(Duration::from_millis(200 << attempt));
                    attempt += 1;
                }
                other => return read(other?),
            }
        }
    }

    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        read(self.send(reqwest::Method::PUT, path, Some(body.clone()), &[])?)
    }

    pub fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        read(self.send(reqwest::Method::PATCH, path, Some(body.clone()), &[])?)
    }

    pub fn patch_if<T: DeserializeOwned>(&self, path: &str, body: &Value, version: i64) -> Result<T, Problem> {
        let version = format!("\"{version}\"");
        read(self.send(reqwest::Method::PATCH, path, Some(body.clone()), &[("if-match", &version)])?)
    }

    pub fn delete(&self, path: &str) -> Result<(), Problem> {
        self.send(reqwest::Method::DELETE, path, None, &[]).map(|_| ())
    }

    pub fn text(&self, path: &str) -> Result<String, Problem> {
        let bytes = self.bytes(reqwest::Method::GET, path, None, &[])?;
        String::from_utf8(bytes).map_err(|error| self.odd(&format!("its answer isn't text: {error}")))
    }

    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        self.post_with(path, body, &[])
    }

    pub fn post_with<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        headers: &[(&'static str, &str)],
    ) -> Result<T, Problem> {
        let body = serde_json::to_value(body)
            .map_err(|error| Problem::new(Code::Internal, format!("the request can't be written: {error}")))?;
        read(self.send(reqwest::Method::POST, path, Some(body), headers)?)
    }

    fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&'static str, &str)],
    ) -> Result<Value, Problem> {
        let bytes = self.bytes(method, path, body, headers)?;
        let value = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        value.map_err(|error| self.odd(&format!("its answer isn't JSON: {error}")))
    }

    fn bytes(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&'static str, &str)],
    ) -> Result<Vec<u8>, Problem> {
        let mut request = self.request(method, path).timeout(PATIENCE);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = answer.status();
            let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
            if status.is_success() {
                return Ok(bytes.to_vec());
            }
            Err(self.refusal(status, &bytes))
        })
    }

    fn refusal(&self, status: reqwest::StatusCode, body: &[u8]) -> Problem {
        let told = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(problem);
        told.unwrap_or_else(|| self.odd(&format!("it answered {status}")))
    }

    /// Writes an answer as it comes, however long it is and takes. One that breaks off is an error.
    pub fn copy(&self, path: &str, out: &mut impl Write) -> Result<(), Problem> {
        let failed = |error: std::io::Error| Problem::new(Code::System, format!("the output broke off: {error}"));
        self.runtime.block_on(async {
            let request = self.request(reqwest::Method::GET, path);
            let mut answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = answer.status();
            if !status.is_success() {
                let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
                return Err(self.refusal(status, &body));
            }
            while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
                out.write_all(&piece).map_err(failed)?;
            }
            out.flush().map_err(failed)
        })
    }

    /// Its address and the token for it.
    pub fn place(&self) -> (&str, &str) {
        (&self.base, &self.token)
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Problem {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Problem::new(Code::Unavailable, format!("the server at {} can't be reached: {cause}", self.base))
            .help("is it running, and is the address (--server, WINDLASS_SERVER) right?")
            .retryable()
    }

    fn odd(&self, what: &str) -> Problem {
        Problem::new(Code::Unavailable, format!("{} doesn't answer as a Windlass server does: {what}", self.base))
            .help("is the address (--server, WINDLASS_SERVER) right?")
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| {
        Problem::new(Code::Unavailable, format!("the server's answer can't be read: {error}"))
            .help("are both of the same version? `windlass version` tells")
    })
}

/// A server's problem (RFC 9457) as one of ours.
pub fn problem(body: &Value) -> Option<Problem> {
    let text = |key: &str| body[key].as_str();
    let mut problem = Problem::new(Code::parse(text("code")?)?, text("detail")?);
    problem.help = text("help").map(str::to_owned);
    problem.site = serde_json::from_value::<Option<CallSite>>(body["site"].clone()).ok().flatten();
    problem.data = body["data"].clone();
    problem.retryable = problem.code == Code::Unavailable;
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_problem_is_one_of_ours() {
        let body = serde_json::json!({
            "type": "urn:windlass:error:conflict", "title": "conflict", "status": 409, "detail": "it is there", "code": "conflict",
            "help": "take another name", "data": { "pointer": "/name" }, "request": "r",
        });
        let found = problem(&body).unwrap();
        assert_eq!((found.code, found.message.as_str()), (Code::Conflict, "it is there"));
        assert_eq!(found.help.as_deref(), Some("take another name"));
        assert_eq!(problem(&serde_json::json!({ "message": "nginx" })), None);
    }
}

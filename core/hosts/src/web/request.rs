//! A request that is ready to be sent, and the headers that whoever writes it may set.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;
use windlass_model::Problem;

use crate::support;

pub(crate) const LONGEST_ANSWER_BYTES: usize = 4 << 20;
pub(crate) const BODY_BYTES: usize = 4 << 20;
pub(crate) const HEADERS: usize = 100;

/// Headers that belong to the connection, not to a script.
const OURS: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

/// A request that is ready to be sent.
pub(crate) struct Request {
    /// The verb that its URL has to be granted for: `http.get`.
    pub(crate) verb: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) redirects: bool,
    pub(crate) answer_bytes: usize,
    /// Statuses that the script wants; any other one is an error. `None`: every status is a result.
    pub(crate) expect: Option<Vec<u16>>,
    /// Whether an answer that asks for patience is an error that is tried again.
    pub(crate) repeatable: bool,
}

/// A header, unless it could end the header early or belongs to the connection. Its value never stands in an error.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !OURS.contains(&name.as_str()));
    let parsed =
        parsed.ok_or_else(|| support::invalid(format!("`{}` can't be set as a header", name.escape_debug())))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        support::invalid(format!("the value of header `{parsed}` holds characters that a header can't"))
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

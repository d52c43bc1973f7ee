//! An answer, before it is written out.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use windlass_model::{Code, Problem};

/// What a stream gives: a piece, or that the connection has to go.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send + Sync>>;

/// The answer's body.
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece.
    Stream(Pieces),
    /// None: the connection becomes something else.
    Upgraded(warp::reply::Response),
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub body: Body,
}

impl Answer {
    /// 200 with a JSON body.
    pub fn json(value: &impl Serialize) -> Result<Self, Problem> {
        Self::with_json(StatusCode::OK, value)
    }

    /// 201 with a JSON body, and where the new thing is.
    pub fn created(location: &str, value: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::with_json(StatusCode::CREATED, value)?.header(header::LOCATION, location))
    }

    /// A status with a JSON body.
    pub fn with_json(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Problem::new(Code::Internal, format!("the answer can't be written: {error}")))?;
        Ok(Self::bytes("application/json", body).status(status))
    }

    /// 204.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: Body::Whole(Bytes::new()) }
    }

    /// 200 with bytes.
    pub fn bytes(media_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Body::Whole(body.into()) }
            .header(header::CONTENT_TYPE, media_type)
    }

    /// 200 with a stream.
    pub fn stream(media_type: &str, pieces: Pieces) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Body::Stream(pieces) }
            .header(header::CONTENT_TYPE, media_type)
    }

    /// 101: from here on it is a WebSocket.
    pub fn upgraded(reply: impl warp::Reply) -> Self {
        let body = Body::Upgraded(reply.into_response());
        Self { status: StatusCode::SWITCHING_PROTOCOLS, headers: Vec::new(), body }
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// One header more. A value that can't stand in a header is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The version of what is answered, for `If-Match`.
    #[must_use]
    pub fn version(self, version: i64) -> Self {
        self.header(header::ETAG, &format!("\"{version}\""))
    }
}

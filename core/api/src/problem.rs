//! Problems as RFC 9457 says: `application/problem+json` with our stable code, the request's id, and what to do.

use http::{StatusCode, header};
use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};

use crate::Answer;

/// The status that a code is answered with.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidInput | Code::Usage | Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied | Code::SecretMisuse => StatusCode::FORBIDDEN,
        Code::WorkflowNotFound | Code::RunNotFound | Code::NotFound | Code::SecretNotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::Gone => StatusCode::GONE,
        Code::Conflict
        | Code::IllegalTransition
        | Code::IdempotencyConflict
        | Code::Divergence
        | Code::ApprovalStale
        | Code::ApprovalExpired => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::WorkflowInvalid | Code::LimitExceeded | Code::ScriptError | Code::NameRefused => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Code::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable | Code::Storage | Code::DataFolderBusy | Code::SchemaMismatch | Code::LeaseLost => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer for a problem.
pub fn answer(problem: &Problem, request: &str, path: &str) -> Answer {
    let status = status(problem.code);
    let mut body = Map::new();
    body.insert("type".into(), format!("urn:windlass:error:{}", problem.code).into());
    body.insert("title".into(), problem.code.as_str().replace('_', " ").into());
    body.insert("status".into(), status.as_u16().into());
    body.insert("detail".into(), problem.message.clone().into());
    body.insert("code".into(), problem.code.as_str().into());
    body.insert("instance".into(), path.into());
    body.insert("request".into(), request.into());
    if let Some(help) = &problem.help {
        body.insert("help".into(), help.clone().into());
    }
    if let Some(site) = &problem.site {
        body.insert("site".into(), json!(site));
    }
    if let Some(pointer) = problem.data.get("pointer") {
        body.insert("pointer".into(), pointer.clone());
    }
    if !problem.data.is_null() {
        body.insert("data".into(), problem.data.clone());
    }
    let text = Value::Object(body).to_string();
    let answer = Answer::bytes("application/problem+json", text).status(status);
    let answer = match status {
        StatusCode::UNAUTHORIZED => answer.header(header::WWW_AUTHENTICATE, "Bearer"),
        _ => answer,
    };
    match (status, problem.data.get("retry_after_seconds").and_then(Value::as_u64)) {
        (_, Some(seconds)) => answer.header(header::RETRY_AFTER, &seconds.to_string()),
        (StatusCode::SERVICE_UNAVAILABLE, None) => answer.header(header::RETRY_AFTER, "1"),
        _ => answer,
    }
}

//! What a change is meant for: a version that was seen (`If-Match`), or that there is nothing yet (`If-None-Match: *`). RFC 9110, 13.

use windlass_model::{Code, Problem, document::Expected};

use crate::Request;

/// Whether what is to be changed still is what whoever asks has seen (`If-Match`).
pub(crate) fn if_match(request: &Request, version: i64) -> Result<(), Problem> {
    let Some(seen) = request.header("if-match") else { return Ok(()) };
    let fits = seen.split(',').map(str::trim).any(|seen| seen == "*" || seen == format!("\"{version}\""));
    if fits {
        return Ok(());
    }
    Err(Problem::new(Code::PreconditionFailed, format!("version {version} is there, not {seen}"))
        .help("read it again, and make your change to what is there now"))
}

/// `If-Match` and `If-None-Match` of what is made by its first change.
pub(crate) const PRECONDITIONS: &[(&str, &str)] = &[
    ("If-Match", "The version that the change is meant for; what isn't there matches nothing"),
    ("If-None-Match", "`*`: only if there is nothing yet"),
];

/// What a change finds that is meant for what whoever asks has seen; `version` is what is there now, `None`: nothing. What comes in
/// between is refused by the store: see `overtaken`.
pub(crate) fn expected(request: &Request, version: Option<i64>) -> Result<Expected, Problem> {
    let taken = |message: String| {
        Err(Problem::new(Code::PreconditionFailed, message)
            .help("read it again, and make your change to what is there now"))
    };
    let absent = match request.header("if-none-match").map(str::trim) {
        None => false,
        Some("*") if version.is_none() => true,
        Some("*") => return taken("somebody else has made it already".into()),
        Some(other) => {
            return Err(Problem::new(Code::InvalidInput, format!("`If-None-Match: {other}` isn't known here"))
                .help("`If-None-Match: *` is for what must not be there yet; `If-Match` names a version"));
        }
    };
    match (request.header("if-match"), version) {
        (None, _) if absent => Ok(Expected::Absent),
        (None, _) => Ok(Expected::Any),
        (Some(seen), None) => taken(format!("there is nothing, not {seen}")),
        (Some(seen), Some(_)) if seen.trim() == "*" => Ok(Expected::Present),
        (Some(_), Some(version)) => if_match(request, version).map(|()| Expected::Version(version)),
    }
}

/// What is told when somebody else was faster than a change that expected something.
pub(crate) fn overtaken(problem: Problem) -> Problem {
    match problem.code {
        Code::Conflict | Code::NotFound => Problem { code: Code::PreconditionFailed, ..problem },
        _ => problem,
    }
}

//! The event of a finished step, as it follows from the step's row.

/// Results longer than this stand in their event only by their beginning.
const EVENT_RESULT_BYTES: usize = 2 << 10;

/// What the event shows of the step.
pub(crate) struct Shown<'a> {
    pub op: &'a str,
    /// JSON text of the arguments, for steps that begin and end in one commit and so have no event of their beginning.
    pub args: Option<&'a str>,
    pub site: &'a str,
    /// JSON text: the result, or the problem.
    pub outcome: &'a str,
    pub failed: bool,
    pub elapsed_ms: i64,
}

/// The event's data as JSON text. Results go in as they come, without being read again.
pub(crate) fn data(shown: &Shown) -> String {
    let (mut op, site, elapsed_ms) = (quote(shown.op), quote(shown.site), shown.elapsed_ms);
    if let Some(args) = shown.args {
        op = format!(r#"{op},"args":{}"#, shorten(args).0);
    }
    if shown.failed {
        let error = shown.outcome;
        return format!(r#"{{"op":{op},"error":{error},"elapsed_ms":{elapsed_ms},"site":{site}}}"#);
    }
    let (result, shortened) = shorten(shown.outcome);
    let mark = if shortened { r#","shortened":true"# } else { "" };
    format!(r#"{{"op":{op},"result":{result}{mark},"elapsed_ms":{elapsed_ms},"site":{site}}}"#)
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn shorten(text: &str) -> (std::borrow::Cow<'_, str>, bool) {
    if text.len() <= EVENT_RESULT_BYTES {
        return (text.into(), false);
    }
    let end = (0..=EVENT_RESULT_BYTES).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0);
    (quote(&format!("{}…", &text[..end])).into(), true)
}

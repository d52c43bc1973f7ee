//! What people read: a title, a text and a page for each of the usual events, and one for all others. A rule may have words of
//! its own, with places to fill in.

use serde_json::{Value, json};
use windlass_model::{EventKind, query::FeedEvent};

use super::{
    kept::{Message, NotifyRule, Severity},
    matching,
};
use crate::triggers::template;

/// Bytes of a text of a rule's own, filled in.
const TEXT_BYTES: usize = 16 << 10;
/// Characters of a title.
const TITLE_CHARS: usize = 200;
/// Characters of what a run says.
const QUOTED_CHARS: usize = 2_000;

/// The message about an event.
pub fn about(rule: &NotifyRule, told: &FeedEvent, public_url: &str) -> Message {
    let link = link(told, public_url);
    let (mut title, mut text) = usual(told);
    let places = || context(told, link.as_deref());
    if let Some(own) = &rule.body.title {
        title = filled(own, &places()).unwrap_or(title);
    }
    if let Some(own) = &rule.body.text {
        text = filled(own, &places()).unwrap_or(text);
    }
    message(&title, text, link, matching::severity(told.event.kind, &told.event.data))
}

/// A message with its page.
pub fn message(title: &str, text: String, link: Option<String>, severity: Severity) -> Message {
    let title = line(title, TITLE_CHARS);
    let html = page(&title, &text, link.as_deref(), severity);
    Message { title, text, html, link }
}

/// What places in a rule's own words stand for.
fn context(told: &FeedEvent, link: Option<&str>) -> Value {
    let event = &told.event;
    json!({
        "kind": matching::name(event.kind, &event.data),
        "severity": matching::severity(event.kind, &event.data),
        "run": event.run, "workflow": told.workflow, "organisation": told.organisation,
        "at_ms": event.at_ms, "data": event.data, "link": link,
    })
}

fn filled(own: &str, context: &Value) -> Option<String> {
    match template::fill(&own.into(), context, "", TEXT_BYTES) {
        Ok(Value::String(text)) => Some(text),
        Ok(Value::Null) => None,
        Ok(other) => Some(other.to_string()),
        // The usual words say more than none.
        Err(problem) => {
            tracing::info!(%problem, "a rule's own words can't be filled in");
            None
        }
    }
}

/// The run's page.
fn link(told: &FeedEvent, public_url: &str) -> Option<String> {
    let base = public_url.trim_end_matches('/');
    match (told.event.run.as_str(), told.event.kind) {
        ("system", EventKind::LabLinkDiscovered | EventKind::LabLinkMissing | EventKind::LabLinkChanged) => {
            let lab = told.event.data["lab"].as_str()?;
            Some(format!("{base}/labs/{}", encoded(lab)))
        }
        ("system", _) => None,
        (run, _) => Some(format!("{base}/runs/{}", encoded(run))),
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn usual(told: &FeedEvent) -> (String, String) {
    let (event, data) = (&told.event, &told.event.data);
    let workflow = told.workflow.as_deref().or_else(|| data["workflow"].as_str()).unwrap_or("a run");
    let whose = told.organisation.as_ref().map(|one| format!("Organisation: {one}\n")).unwrap_or_default();
    let run = format!("Run: {}\n{whose}", event.run);
    let error = || {
        let (code, message) = (word(data, "/error/code"), word(data, "/error/message"));
        format!("{} ({code})\n\n{run}", quoted(message))
    };
    let text = |key: &str| word(data, key);
    match matching::name(event.kind, data) {
        "run.failed" if data["undo"] == true => {
            (format!("{workflow} failed and is being undone"), format!("What it did is being undone.\n\n{}", error()))
        }
        "run.failed" => (format!("{workflow} failed"), error()),
        "run.succeeded" => (format!("{workflow} succeeded"), run),
        "run.cancelled" => (format!("{workflow} was cancelled"), format!("Everything is undone.\n\n{run}")),
        "run.rolled_back" => (format!("{workflow} failed and was undone"), format!("Everything is undone.\n\n{run}")),
        "run.rollback_stuck" => (
            format!("{workflow} is stuck: what it made can't be removed"),
            format!("An undo failed for good; somebody has to retry, skip or adopt it.\n{}", error()),
        ),
        "run.parked" => (
            format!("{workflow} is held: it took its process down too often"),
            format!("`windlass runs unpark` lets it go on.\n\n{run}"),
        ),
        matching::APPROVAL => {
            let title = quoted(text("/wait/title"));
            let what = if title.is_empty() { "somebody's decision".to_owned() } else { title };
            (format!("{workflow} waits for an approval"), format!("It waits for: {what}\n\n{run}"))
        }
        "step.in_doubt" => (
            format!("{workflow} doesn't know whether a step happened"),
            format!("Nobody knows whether `{}` happened; somebody has to decide.\n\n{run}", text("/op")),
        ),
        "lab.missing_link" => lab(told, "misses a link", "Somebody else removed this link:"),
        "lab.discovered_link" => lab(told, "has a link that nobody here made", "Somebody else made this link:"),
        "lab.changed_link" => lab(told, "has a changed link", "Somebody else changed this link:"),
        "plugin.rejected" => (
            format!("The plugin {} was modified and isn't in use as it is now", text("/plugin")),
            format!("{}\n\nThe version before it stays in use.", quoted(text("/error/message"))),
        ),
        "plugin.activated" => (
            format!("The plugin {} was modified", text("/plugin")),
            format!("Version {} is in use from now on, by {}.", data["version"], text("/by")),
        ),
        "workflow.rejected" => (
            format!("The workflow {} was modified and isn't in use as it is now", text("/workflow")),
            format!("{}\n\nThe version before it stays in use.", quoted(text("/error/message"))),
        ),
        "voucher.redeemed" => {
            let text = format!("By: {}\n{} {}\n{whose}", text("/customer"), data["amount"], text("/currency"));
            (format!("The voucher {} was redeemed", word(data, "/voucher")), text)
        }
        name => (format!("{workflow}: {name}"), format!("{run}\n{}", quoted(&pretty(data)))),
    }
}

fn lab(told: &FeedEvent, what: &str, words: &str) -> (String, String) {
    let data = &told.event.data;
    (format!("The lab {} {what}", word(data, "/lab")), format!("{words}\n{}", quoted(&pretty(&data["link"]))))
}

fn word<'a>(data: &'a Value, pointer: &str) -> &'a str {
    data.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What others say, without what moves a terminal's cursor, and not too long.
fn quoted(text: &str) -> String {
    let harmless = |char: char| !char.is_control() || char == '\n' || char == '\t';
    let kept: String = text.chars().filter(|char| harmless(*char)).take(QUOTED_CHARS).collect();
    kept.trim().to_owned()
}

fn line(text: &str, chars: usize) -> String {
    let one: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(chars).collect();
    one.trim().to_owned()
}

/// A page for mail readers. Whatever stands in it is escaped.
fn page(title: &str, text: &str, link: Option<&str>, severity: Severity) -> String {
    let colour = match severity {
        Severity::Info => "#337ab7",
        Severity::Warning => "#e69f00",
        Severity::Error => "#d03b3b",
        Severity::Critical => "#8b0000",
    };
    let body: Vec<String> = escaped(text).lines().map(|line| format!("{line}<br>\n")).collect();
    let more = link.map(|link| format!("<p><a href=\"{0}\">{0}</a></p>\n", escaped(link))).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n<h2 style=\"border-left: 6px solid {colour}; padding-left: \
         10px\">{}</h2>\n<p>{}</p>\n{more}</body></html>\n",
        escaped(title),
        body.concat()
    )
}

/// Text as it may stand in HTML, within quotes too.
pub fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\'' => made.push_str("&#39;"),
            other => made.push(other),
        }
    }
    made
}

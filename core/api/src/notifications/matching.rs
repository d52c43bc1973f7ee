//! Which events concern a rule, and how much each matters.

use serde_json::Value;
use windlass_model::{
    EventKind,
    query::{FeedEvent, Scope},
};

use super::kept::{NotifyRule, Severity};
use crate::auth::kept::PLATFORM;

/// What is told under this name although its event has another: a step that waits for people's decision.
pub const APPROVAL: &str = "approval.requested";

/// The event's name for rules.
pub fn name(kind: EventKind, data: &Value) -> &'static str {
    match kind {
        EventKind::StepWaiting if data["wait"]["wait"] == "approval" => APPROVAL,
        kind => kind.as_str(),
    }
}

/// How much an event matters.
pub fn severity(kind: EventKind, data: &Value) -> Severity {
    match kind {
        EventKind::RunRollbackStuck | EventKind::RunParked => Severity::Critical,
        EventKind::RunFailed | EventKind::StepInDoubt | EventKind::UndoFailed | EventKind::LabLinkMissing => {
            Severity::Error
        }
        EventKind::RunRolledBack
        | EventKind::RunCancelled
        | EventKind::RunCancelling
        | EventKind::StepFailed
        | EventKind::StepRetrying
        | EventKind::LabLinkChanged
        | EventKind::LabLinkDiscovered
        | EventKind::WorkflowRejected
        | EventKind::PluginRejected => Severity::Warning,
        EventKind::StepWaiting if name(kind, data) == APPROVAL => Severity::Warning,
        EventKind::Log => match data["level"].as_str() {
            Some("error") => Severity::Error,
            Some("warn") => Severity::Warning,
            _ => Severity::Info,
        },
        _ => Severity::Info,
    }
}

/// Kinds of the feed that any of the rules may be about.
pub fn kinds(rules: &[NotifyRule]) -> Vec<String> {
    let wanted = |name: &str| rules.iter().any(|rule| rule.body.on.iter().any(|pattern| glob(pattern, name)));
    let fits = |kind: &&EventKind| wanted(kind.as_str()) || (**kind == EventKind::StepWaiting && wanted(APPROVAL));
    EventKind::ALL.iter().filter(fits).map(|kind| kind.as_str().to_owned()).collect()
}

/// Whether any kind of event fits a pattern.
pub fn is_of_any(pattern: &str) -> bool {
    glob(pattern, APPROVAL) || EventKind::ALL.iter().any(|kind| glob(pattern, kind.as_str()))
}

/// Whether the rule is about this event.
pub fn concerns(rule: &NotifyRule, told: &FeedEvent) -> bool {
    let (body, event) = (&rule.body, &told.event);
    // What belongs to no organisation is the platform's.
    let organisation = told.organisation.as_deref().unwrap_or(PLATFORM);
    let of = match body.organisations.is_empty() {
        true => organisation == rule.organisation,
        false => body.organisations.iter().any(|one| one == "*" || one == organisation),
    };
    let workflow = told.workflow.as_deref().or_else(|| event.data["workflow"].as_str()).unwrap_or_default();
    let within = |folder: &String| {
        let folder = folder.strip_suffix("/*").unwrap_or(folder).to_owned();
        Scope { organisation: "*".into(), folder }.covers("*", workflow)
    };
    let name = name(event.kind, &event.data);
    !body.about.paused
        && of
        // It isn't about what happened before it was there.
        && rule.created_at_ms <= event.at_ms
        && body.on.iter().any(|pattern| glob(pattern, name))
        && severity(event.kind, &event.data) >= body.severity
        && (body.workflows.is_empty() || body.workflows.iter().any(within))
}

/// Whether a text fits a pattern with `*`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

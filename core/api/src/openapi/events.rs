//! The schema of events: one kind each, with what its data holds, as the model's own words tell it.

use serde_json::{Value, json};
use windlass_model::EventKind;

/// One event of a run, as streams and pages give it.
pub(super) fn schema() -> Value {
    let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let shapes: Vec<Value> = EventKind::ALL.iter().map(|kind| shape(*kind)).collect();
    json!({
        "type": "object",
        "description": "One event. In a stream of one run, the frame's `id` is `seq`, its `event` is `kind`.",
        "required": ["run", "seq", "at_ms", "kind", "data"],
        "properties": {
            "run": { "type": "string", "description": "The run; `system` for events of no run." },
            "seq": { "type": "integer", "minimum": 1, "description": "Its number in the run, without a gap." },
            "at_ms": { "type": "integer", "description": "When it was committed, milliseconds since 1970." },
            "kind": { "type": "string", "enum": kinds },
            "path": { "type": ["string", "null"], "description": "The step, or the output's place." },
            "data": { "type": "object", "description": "The rest, by kind." },
        },
        "oneOf": shapes,
    })
}

fn shape(kind: EventKind) -> Value {
    let fields = fields(kind);
    let properties: serde_json::Map<String, Value> =
        fields.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    json!({
        "title": kind.as_str(),
        "properties": { "kind": { "const": kind.as_str() }, "data": { "type": "object", "properties": properties } },
    })
}

/// What an event's data may hold.
fn fields(kind: EventKind) -> &'static [&'static str] {
    use EventKind as Kind;
    match kind {
        Kind::RunLaunched => &["workflow", "input", "bundle", "launched_by"],
        Kind::RunStarted => &["node", "epoch", "recovery"],
        Kind::RunWaiting => &["waiting_on", "due_at_ms"],
        Kind::RunSucceeded => &["output", "continued_as"],
        Kind::RunFailed => &["error", "undo"],
        Kind::RunCancelling => &["by", "reason"],
        Kind::RunRollingBack => &["entries"],
        Kind::RunRolledBack | Kind::RunCancelled => &[],
        Kind::RunRollbackStuck => &["entry", "error", "left_over"],
        Kind::RunRestarted => &["bundle", "dropped"],
        Kind::RunUpgraded => &["from", "to"],
        Kind::RunParked => &["recoveries"],
        Kind::StepStarted => &["op", "class", "site", "args"],
        Kind::StepRetrying => &["op", "attempt", "delay_ms", "error"],
        Kind::StepSucceeded => &["op", "result", "elapsed_ms", "site", "args"],
        Kind::StepFailed => &["op", "error", "elapsed_ms", "site", "args"],
        Kind::StepWaiting => &["op", "wait", "site"],
        Kind::StepInDoubt => &["op", "args", "site"],
        Kind::StepResolved => &["by", "resolution"],
        Kind::UndoStarted => &["op", "label"],
        Kind::UndoDone => &["op", "label", "elapsed_ms"],
        Kind::UndoFailed => &["op", "label", "error"],
        Kind::UndoSkipped => &["by", "action"],
        Kind::SignalReceived => &["name", "payload", "by"],
        Kind::ApprovalDecided => &["decision"],
        Kind::WorkflowActivated => &["workflow", "version", "digest", "by"],
        Kind::WorkflowRejected => &["workflow", "digest", "error"],
        Kind::WorkflowRemoved => &["workflow"],
        Kind::PluginActivated => &["plugin", "version", "digest", "by"],
        Kind::PluginRejected => &["plugin", "digest", "error"],
        Kind::PluginRemoved => &["plugin"],
        Kind::LabLinkDiscovered | Kind::LabLinkMissing => &["lab", "organisation", "at", "link"],
        Kind::LabLinkChanged => &["lab", "organisation", "at", "link", "changes"],
        Kind::OrganisationCreated | Kind::OrganisationResumed | Kind::OrganisationRemoved => {
            &["name", "kind", "title", "organisation"]
        }
        Kind::OrganisationSuspended => &["name", "kind", "title", "organisation", "reason"],
        Kind::VoucherRedeemed => &["voucher", "customer", "product", "amount", "currency", "organisation"],
        Kind::Log => &["level", "message", "fields", "site"],
        Kind::Progress => &["percent", "message"],
        Kind::Annotation => &["key", "value"],
    }
}

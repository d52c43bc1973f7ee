//! One line an event, for pipes and logs.

use windlass_model::{Event, EventKind, time::format_duration_ms};

use super::words;

/// The event in a line, without its end; none for events that say nothing to a reader.
pub fn line(event: &Event, began_at_ms: i64) -> Option<String> {
    let data = &event.data;
    let path = event.path.as_deref().unwrap_or("");
    let body = match event.kind {
        EventKind::RunLaunched => format!("launched {} as {}", words::text(&data["workflow"]), event.run),
        EventKind::RunStarted if data["recovery"].as_bool() == Some(true) || data["recovery"].as_i64() > Some(0) => {
            "goes on after its process was lost".to_owned()
        }
        EventKind::RunStarted => return None,
        EventKind::RunWaiting => format!("waits {}", waiting(data)),
        EventKind::RunSucceeded => format!("succeeded {}", words::result(&data["output"])),
        EventKind::RunFailed => format!("failed  {}", words::problem(&data["error"])),
        EventKind::RunCancelling => {
            format!("is to end: cancelled by {} {}", words::text(&data["by"]), words::text(&data["reason"]))
        }
        EventKind::RunRollingBack => "begins to undo".to_owned(),
        EventKind::RunRolledBack => "everything is undone".to_owned(),
        EventKind::RunCancelled => "is cancelled, and everything is undone".to_owned(),
        EventKind::RunRollbackStuck => format!("is stuck in its undo: {}", words::problem(&data["error"])),
        EventKind::RunRestarted => "is restarted".to_owned(),
        EventKind::RunUpgraded => "goes on with other scripts".to_owned(),
        EventKind::RunParked => "is parked: it took its process down too often".to_owned(),
        EventKind::StepStarted => format!("[{path}] {}", words::call(data)),
        EventKind::StepRetrying => {
            let delay = format_duration_ms(data["delay_ms"].as_i64().unwrap_or(0));
            format!(
                "[{path}] {} failed, again in {delay}: {}",
                words::text(&data["op"]),
                words::problem(&data["error"])
            )
        }
        EventKind::StepSucceeded => {
            let took = words::took(data["elapsed_ms"].as_i64());
            format!("[{path}] {} done {took} {}", words::call(data), words::result(&data["result"]))
        }
        EventKind::StepFailed => {
            format!("[{path}] {} failed: {}", words::call(data), words::problem(&data["error"]))
        }
        EventKind::StepWaiting => format!("[{path}] {} waits {}", words::text(&data["op"]), words::wait(&data["wait"])),
        EventKind::StepInDoubt => format!("[{path}] {} may or may not have happened", words::call(data)),
        EventKind::StepResolved => format!("[{path}] resolved by {}", words::text(&data["by"])),
        EventKind::UndoStarted => format!("undo [{path}] {}", words::undo(event)),
        EventKind::UndoDone => format!("undo [{path}] {} done", words::undo(event)),
        EventKind::UndoFailed => {
            format!("undo [{path}] {} failed: {}", words::undo(event), words::problem(&data["error"]))
        }
        EventKind::UndoSkipped => format!("undo [{path}] left by {}", words::text(&data["by"])),
        EventKind::SignalReceived => format!("signal `{}` by {}", words::text(&data["name"]), words::text(&data["by"])),
        EventKind::ApprovalDecided => format!("[{path}] {}", words::decision(&data["decision"])),
        EventKind::Log => format!("│ {}", words::log(data)),
        EventKind::Progress => match data["percent"].as_f64() {
            Some(percent) => format!("{percent:.0} % {}", words::text(&data["message"])),
            None => words::text(&data["message"]),
        },
        EventKind::WorkflowActivated => format!("workflow {} is in use from now on", words::text(&data["workflow"])),
        EventKind::WorkflowRejected => format!("workflow {} has mistakes", words::text(&data["workflow"])),
        EventKind::WorkflowRemoved => format!("workflow {} is gone", words::text(&data["workflow"])),
        EventKind::PluginActivated => format!("plugin {} is in use from now on", words::text(&data["plugin"])),
        EventKind::PluginRejected => format!("plugin {} has mistakes", words::text(&data["plugin"])),
        EventKind::LabLinkDiscovered => lab_link(data, "is new, and no run made it"),
        EventKind::LabLinkMissing => lab_link(data, "is gone, and no run removed it"),
        EventKind::LabLinkChanged => lab_link(data, "isn't what it was"),
        EventKind::PluginRemoved => format!("plugin {} is gone", words::text(&data["plugin"])),
        EventKind::OrganisationCreated => organisation(data, "is there"),
        EventKind::OrganisationSuspended => organisation(data, "is suspended"),
        EventKind::OrganisationResumed => organisation(data, "may act again"),
        EventKind::OrganisationRemoved => organisation(data, "is gone"),
        EventKind::VoucherRedeemed => {
            format!("voucher {} was redeemed for {}", words::text(&data["voucher"]), words::text(&data["customer"]))
        }
        EventKind::Annotation => format!("{} = {}", words::text(&data["key"]), words::text(&data["value"])),
    };
    let since_ms = (event.at_ms - began_at_ms).max(0);
    Some(format!("{:>4}.{:03}  {}", since_ms / 1_000, since_ms % 1_000, words::short(&body, 400)))
}

fn organisation(data: &serde_json::Value, what: &str) -> String {
    format!("the {} {} {what}", words::text(&data["kind"]), words::text(&data["name"]))
}

fn lab_link(data: &serde_json::Value, what: &str) -> String {
    format!("lab {}: the link {} {what}", words::text(&data["lab"]), words::text(&data["at"]))
}

fn waiting(data: &serde_json::Value) -> String {
    let list = data["waiting_on"].as_array().into_iter().flatten();
    let names: Vec<String> = list.map(words::text).collect();
    format!("for {}", if names.is_empty() { "something".to_owned() } else { names.join(", ") })
}

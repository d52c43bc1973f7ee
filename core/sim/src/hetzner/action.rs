//! Actions: what takes time. Each has a beginning and an end on the simulator's clock; its effect happens at its end.

use serde_json::{Value, json};

use super::project::Project;
use crate::{Failure, clock::rfc3339};

/// What an action does when it ends well.
pub(super) type Effect = Box<dyn FnOnce(&mut Project) + Send>;

/// An action.
pub(super) struct Action {
    pub(super) id: i64,
    pub(super) command: String,
    /// Singular kind and id of what it is about.
    pub(super) resources: Vec<(&'static str, i64)>,
    pub(super) started_ms: i64,
    pub(super) ends_ms: i64,
    pub(super) status: Status,
    pub(super) effect: Option<Effect>,
    /// How it will end, if that isn't well.
    pub(super) failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Status {
    Running,
    Success,
    Error,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

impl Action {
    /// As the provider writes it.
    pub(super) fn render(&self, now_ms: i64) -> Value {
        let running = self.status == Status::Running;
        let length = (self.ends_ms - self.started_ms).max(1);
        let progress = if running { ((now_ms - self.started_ms).max(0) * 100 / length).min(99) } else { 100 };
        let error = self.failure.as_ref().filter(|_| self.status == Status::Error).map(|failure| {
            let message = failure.message.clone().unwrap_or_else(|| "Action failed".into());
            json!({ "code": failure.code, "message": message })
        });
        let resources = self.resources.iter().map(|(kind, id)| json!({ "id": id, "type": kind }));
        json!({
            "id": self.id, "command": self.command, "status": self.status.word(), "progress": progress,
            "started": rfc3339(self.started_ms), "finished": (!running).then(|| rfc3339(self.ends_ms)),
            "resources": resources.collect::<Vec<_>>(), "error": error,
        })
    }
}

/// About how long it takes with the provider, in milliseconds.
pub(super) fn duration_ms(command: &str) -> i64 {
    match command {
        "create_server" => 8_000,
        "start_server" | "create_volume" | "poweron_server" | "start_resource" => 2_000,
        "delete_server" | "create_load_balancer" => 3_000,
        "shutdown_server" | "reboot_server" | "reset_server" => 5_000,
        "create_image" => 30_000,
        "rebuild_server" | "change_server_type" => 15_000,
        "update_rrset" | "change_rrset_records" | "create_rrset" | "delete_rrset" => 300,
        _ => 1_000,
    }
}

//! Events of a container.

use std::collections::HashMap;

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{
    super::fault::{Fault, Kind},
    Daemon,
};

impl Daemon {
    pub(super) async fn next_event(
        &self,
        container: &str,
        events: &[&str],
        since: Option<String>,
    ) -> Result<Value, Fault> {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("container".to_owned(), vec![container.to_owned()]),
        ]);
        let mut options = EventsOptionsBuilder::default().filters(&filters);
        if let Some(since) = &since {
            options = options.since(since);
        }
        let client = self.client().await?;
        let mut stream = client.events(Some(options.build()));
        while let Some(event) = stream.next().await {
            let event = event.map_err(|error| self.fault(error))?;
            // Health tells its state behind a colon, an exec its command.
            let action = event.action.unwrap_or_default();
            let name = action.split(':').next().unwrap_or_default().trim();
            let wanted = |wanted: &&&str| **wanted == name || **wanted == action.replace(": ", ":");
            if events.iter().any(|event| wanted(&event)) {
                let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
                let code = attributes.get("exitCode").and_then(|code| code.parse::<i64>().ok());
                return Ok(json!({ "event": action, "time": event.time, "exit_code": code }));
            }
        }
        Err(Fault::new(Kind::Away, "Docker ended its events"))
    }
}

//! Packets of labs' links on this machine, for whoever looks over the API.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use windlass_api::services::{CaptureAsk, Captures};
use windlass_hosts::{
    lab_id::LabId,
    lab_names::check_name,
    net::{self, Limits, Recording},
    privileges,
};
use windlass_model::{Code, Problem};

/// How soon it is noticed that nobody looks any more.
const SLICE: Duration = Duration::from_millis(200);
/// Pieces that wait for whoever looks; what comes meanwhile waits in the kernel, and is then dropped.
const WAITING: usize = 4;

/// Of the labs that were made under this instance id.
pub struct LabCaptures(pub Arc<str>);

impl Captures for LabCaptures {
    fn open(&self, ask: CaptureAsk) -> Result<mpsc::Receiver<Vec<u8>>, Problem> {
        // Without the right to enter namespaces nobody can tell whose one is, so there is none for whoever asks. What is missing is
        // said of labs that are there and of others alike.
        let none = || {
            let none =
                Problem::new(Code::NotFound, format!("there is no lab `{}`, or none with `{}`", ask.lab, ask.at));
            match privileges::help() {
                Some(help) => none.help(help),
                None => none,
            }
        };
        let limits = Limits::new(ask.seconds, ask.bytes, ask.snaplen)?;
        if [&ask.organisation, &ask.lab].into_iter().any(|name| check_name("lab", name).is_err()) {
            return Err(none());
        }
        let id = LabId::new(&ask.organisation, &ask.lab);
        let recording = Recording::open(&*net::kernel(), id, &self.0, &ask.at, limits);
        let mut recording = match recording {
            // What is somebody else's, or nobody's, isn't there for whoever asks.
            Err(problem) if matches!(problem.code, Code::NotFound | Code::Conflict) => return Err(none()),
            Err(problem) if problem.code == Code::Unsupported && !privileges::missing().is_empty() => {
                return Err(none());
            }
            other => other?.ok_or_else(none)?,
        };
        let (give, taken) = mpsc::channel(WAITING);
        let listen = move || {
            while !give.is_closed() {
                match recording.next(SLICE) {
                    Ok(Some(piece)) if piece.is_empty() => {}
                    Ok(Some(piece)) => {
                        if give.blocking_send(piece).is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    // The link is gone, most likely: what was seen is whole.
                    Err(fault) => {
                        tracing::debug!(problem = %fault.problem("listening at a link"), "a capture broke off");
                        return;
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("capture".into()).spawn(listen);
        thread.map_err(|error| Problem::new(Code::System, format!("no thread to listen at a link: {error}")))?;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;

//! The events of one run: first what is there, then what comes, then `done`.

use std::sync::Arc;

use tokio::sync::watch;
use windlass_model::{Problem, RunId};

use super::{
    frame,
    hub::{self, Channel, Hub, Taken},
    stream::{Piece, Source},
};
use crate::{Api, Permission, Principal};

/// Somebody who follows a run.
pub(super) struct RunSource {
    api: Arc<Api>,
    hub: Arc<Hub>,
    run: RunId,
    organisation: String,
    workflow: String,
    channel: Arc<Channel>,
    news: watch::Receiver<u64>,
    cursor: i64,
}

impl RunSource {
    pub(super) fn new(api: &Arc<Api>, run: &RunId, organisation: String, workflow: String, cursor: i64) -> Self {
        let (channel, news) = api.events.join(&api.engine, run);
        let (api, hub, run) = (api.clone(), api.events.clone(), run.clone());
        Self { api, hub, run, organisation, workflow, channel, news, cursor }
    }

    async fn behind(&mut self) -> Result<Piece, Problem> {
        let (engine, run, after) = (self.api.engine.clone(), self.run.clone(), self.cursor);
        let page = self.hub.read(move || hub::page(&engine, &run, after)).await?;
        Ok(match page {
            Some((frames, last)) => {
                self.cursor = last;
                Piece::Frames(frames)
            }
            // Events that are no more: the run was removed.
            None => Piece::Last(frame::done(self.run.as_str(), None)),
        })
    }
}

impl Source for RunSource {
    async fn take(&mut self) -> Piece {
        self.news.mark_unchanged();
        match self.channel.take(self.cursor) {
            Taken::Frames(frames, last) => {
                self.cursor = last;
                Piece::Frames(frames)
            }
            Taken::Over(state) => Piece::Last(frame::done(self.run.as_str(), state)),
            Taken::Nothing => Piece::Nothing,
            Taken::Behind => match self.behind().await {
                Ok(piece) => piece,
                Err(problem) => {
                    tracing::warn!(%problem, run = %self.run, "a page of events can't be read");
                    Piece::Last(frame::farewell())
                }
            },
        }
    }

    async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            // The channel keeps its sender as long as this has the channel.
            std::future::pending::<()>().await;
        }
    }

    fn admits(&mut self, principal: Principal) -> bool {
        principal.may(Permission::Read, &self.organisation, &self.workflow)
    }
}

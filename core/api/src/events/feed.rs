//! The events of everybody: those that somebody may see and asked for, from now on or from a cursor on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use windlass_engine::Watcher;
use windlass_model::{EventKind, Problem, RunId, event::EventKinds, query::FeedFilter};

use super::{
    frame,
    stream::{Piece, Source},
    wrong,
};
use crate::{Api, Permission, Principal};

/// Events that are read at once.
const PAGE: u32 = 64;
/// A follower reads no more often: on a busy server one read brings several events.
const EVERY: Duration = Duration::from_millis(2);

/// So long after a look it looks again at what it didn't ask for, if there is something: only the cursor moves.
const OTHERS: Duration = Duration::from_secs(1);

/// Which events.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FeedQuery {
    /// Go on after this cursor, the `id` of an event; `first`: from the first event that is kept. The header
    /// `Last-Event-ID` goes before it. Without either: from now on.
    pub(super) after: Option<String>,
    /// Of these kinds: a comma list of kinds (`run.failed`) and families (`run.*`).
    kinds: Option<String>,
    /// Of runs of this workflow (`lab/grid`), or of all in a folder (`lab/*`).
    workflow: Option<String>,
    /// Of this run.
    run: Option<String>,
    /// Of runs of this organisation.
    organisation: Option<String>,
}

/// The kinds that a word names.
fn named(word: &str) -> impl Iterator<Item = EventKind> {
    let family = word.strip_suffix('*').filter(|family| family.ends_with('.'));
    EventKind::ALL.iter().copied().filter(move |one| match family {
        Some(family) => one.as_str().starts_with(family),
        None => one.as_str() == word,
    })
}

impl FeedQuery {
    /// Kinds that are asked for.
    pub(super) fn kinds(&self) -> EventKinds {
        match &self.kinds {
            Some(list) => list.split(',').flat_map(named).collect(),
            None => EventKinds::ALL,
        }
    }

    pub(super) fn filter(self, principal: &Principal) -> Result<FeedFilter, Problem> {
        let kinds: Vec<String> = self.kinds.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        if let Some(kind) = kinds.iter().find(|kind| named(kind).next().is_none()) {
            return Err(wrong("kinds", &format!("there are no events of the kind `{kind}`")));
        }
        for (name, text) in [("run", &self.run), ("workflow", &self.workflow), ("organisation", &self.organisation)] {
            if text.as_ref().is_some_and(|text| text.contains('\0') || text.len() > 4_000) {
                return Err(wrong(name, &format!("`{name}` is no name")));
            }
        }
        Ok(FeedFilter {
            scopes: principal.scopes(Permission::Read),
            kinds,
            run: self.run.map(|run| RunId::from(run.as_str())),
            workflow: self.workflow,
            organisation: self.organisation,
        })
    }
}

/// Somebody who follows everything.
pub(super) struct FeedSource {
    api: Arc<Api>,
    filter: FeedFilter,
    news: Watcher,
    /// `None`: from the first event that is kept.
    cursor: Option<String>,
    told: bool,
    looked: Option<Instant>,
    /// There may be more than what was read last.
    more: bool,
    /// It has read all that there was a moment ago.
    abreast: bool,
}

impl FeedSource {
    /// With a cursor that is known to be one.
    pub(super) fn new(api: &Arc<Api>, news: Watcher, filter: FeedFilter, cursor: Option<String>) -> Self {
        Self { api: api.clone(), filter, news, cursor, told: false, looked: None, more: true, abreast: false }
    }

    /// A frame that only moves the client's cursor: events that it didn't ask for aren't looked at again.
    fn place(&self) -> Bytes {
        match &self.cursor {
            Some(cursor) => format!("id: {cursor}\n: \n\n").into(),
            None => frame::HEARTBEAT,
        }
    }

    async fn look(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let (engine, filter, after) = (self.api.engine.clone(), self.filter.clone(), self.cursor.clone());
            let short = std::mem::take(&mut self.abreast) && engine.reads_quickly();
            let read = move || engine.feed(after.as_deref(), &filter, PAGE);
            let page = if short { self.api.events.read_news(read).await? } else { self.api.events.read(read).await? };
            self.cursor = Some(page.next);
            (self.more, self.abreast) = (page.more, !page.more);
            let mut text = String::new();
            for event in &page.events {
                frame::write(&mut text, &event.cursor, &event.event);
            }
            if !text.is_empty() {
                return Ok(Some(text.into()));
            }
            if !page.more {
                return Ok(None);
            }
        }
    }
}

impl Source for FeedSource {
    async fn take(&mut self) -> Piece {
        if !std::mem::replace(&mut self.told, true) {
            return Piece::Frames(self.place());
        }
        if let Some(looked) = self.looked {
            // Who has just been told doesn't look again for nothing, only to find the next news within its rest.
            if !self.more && !self.news.has_news() && looked.elapsed() < OTHERS {
                return Piece::Nothing;
            }
            super::rest(EVERY.saturating_sub(looked.elapsed())).await;
        }
        self.looked = Some(Instant::now());
        // News that came while it rested are in what it reads now.
        self.news.mark();
        match self.look().await {
            Ok(Some(frames)) => Piece::Frames(frames),
            Ok(None) => Piece::Nothing,
            Err(problem) => {
                tracing::warn!(%problem, "a page of all events can't be read");
                Piece::Last(frame::farewell())
            }
        }
    }

    async fn changed(&mut self) {
        let mut rests = self.looked.map_or(OTHERS, |looked| OTHERS.saturating_sub(looked.elapsed()));
        loop {
            tokio::select! {
                () = self.news.changed() => break,
                () = tokio::time::sleep(rests) => if self.news.has_missed() { break },
            }
            rests = OTHERS;
        }
        self.more = true;
    }

    fn heartbeat(&self) -> Bytes {
        self.place()
    }

    fn admits(&mut self, principal: Principal) -> bool {
        self.filter.scopes = principal.scopes(Permission::Read);
        principal.may_somewhere(Permission::Read)
    }
}

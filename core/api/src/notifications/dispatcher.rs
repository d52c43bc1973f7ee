//! Follows the feed of all events and writes down what is to be told. The messages and the place that was reached are one
//! commit, and only from the place that was read: whatever happens in between, and however many servers follow, each event
//! makes one message for each rule and target.

use std::collections::{BTreeMap, BTreeSet};

use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, DocumentFilter},
    query::{FeedEvent, FeedFilter},
};

use super::{
    compose,
    kept::{Cause, Message, Notice, NoticeBody, NotifyRule, PlaceBody, State},
    matching, queue,
};
use crate::auth::kept::{Kept, PLATFORM};

/// Events of one look.
const PAGE: u32 = 100;
/// Lines of one digest; of more there is only a number.
const LINES: usize = 100;
/// How often the place is written down when nothing happened.
const NOTE_EVERY_MS: i64 = 10_000;
/// How often to look while somebody wants to be told, and while nobody does.
const FOLLOW_EVERY_MS: i64 = 250;
const LOOK_EVERY_MS: i64 = 1_000;

/// Follows the feed.
pub struct Dispatcher {
    engine: Engine,
    public_url: String,
    place: Option<Kept<PlaceBody>>,
    /// The place that was reached, if it isn't written down.
    reached: String,
    noted_ms: i64,
}

impl Dispatcher {
    /// From where it was left.
    pub fn new(engine: Engine, public_url: &str) -> Self {
        Self { engine, public_url: public_url.to_owned(), place: None, reached: String::new(), noted_ms: 0 }
    }

    /// Looks once; how long there is nothing to do.
    pub fn look(&mut self) -> i64 {
        match self.follow() {
            Ok(wait_ms) => wait_ms,
            // Another server was faster: what it has written counts.
            Err(problem) if matches!(problem.code, Code::Conflict | Code::NotFound) => {
                self.place = None;
                FOLLOW_EVERY_MS
            }
            Err(problem) => {
                tracing::error!(%problem, "events can't be followed for notifications");
                self.place = None;
                LOOK_EVERY_MS
            }
        }
    }

    fn follow(&mut self) -> Result<i64, Problem> {
        let rules = NotifyRule::all(&self.engine, &DocumentFilter::default(), |rule| !rule.body.about.paused)?;
        let place = self.place()?;
        if rules.is_empty() {
            if self.engine.now_ms() - self.noted_ms >= NOTE_EVERY_MS {
                // Nobody waits: what has happened so far is nobody's business.
                let end = self.engine.feed_end()?;
                self.commit(place, end, Vec::new())?;
            }
            return Ok(LOOK_EVERY_MS);
        }
        let filter = FeedFilter { kinds: matching::kinds(&rules), ..FeedFilter::default() };
        if filter.kinds.is_empty() {
            return Ok(LOOK_EVERY_MS);
        }
        let page = self.engine.feed(Some(&self.reached), &filter, PAGE)?;
        let changes = self.messages(&rules, &page.events)?;
        if !changes.is_empty() || (page.next != place.body.cursor && self.is_time()) {
            self.commit(place, page.next, changes)?;
        } else {
            self.reached = page.next;
        }
        Ok(if page.more { 1 } else { FOLLOW_EVERY_MS })
    }

    fn is_time(&self) -> bool {
        self.engine.now_ms() - self.noted_ms >= NOTE_EVERY_MS
    }

    fn place(&mut self) -> Result<Kept<PlaceBody>, Problem> {
        if let Some(place) = &self.place {
            return Ok(place.clone());
        }
        let place = match Kept::<PlaceBody>::find(&self.engine, "events")? {
            Some(place) => place,
            None => {
                let cursor = self.engine.feed_end()?;
                let mut place = Kept::new("events", PLATFORM, PlaceBody { cursor });
                place.version = self.engine.change(vec![place.put()?])?.first().copied().unwrap_or(1);
                place
            }
        };
        self.reached.clone_from(&place.body.cursor);
        self.place = Some(place.clone());
        Ok(place)
    }

    fn commit(&mut self, mut place: Kept<PlaceBody>, to: String, mut changes: Vec<Change>) -> Result<(), Problem> {
        self.noted_ms = self.engine.now_ms();
        if place.body.cursor == to && changes.is_empty() {
            return Ok(());
        }
        place.body.cursor = to;
        changes.insert(0, place.put()?);
        let versions = self.engine.change(changes)?;
        place.version = versions.first().copied().unwrap_or(place.version + 1);
        self.reached.clone_from(&place.body.cursor);
        self.place = Some(place);
        Ok(())
    }

    /// What is to be written down for these events.
    fn messages(&self, rules: &[NotifyRule], events: &[FeedEvent]) -> Result<Vec<Change>, Problem> {
        let (mut changes, mut made) = (Vec::new(), BTreeSet::new());
        let mut digests: BTreeMap<String, Notice> = BTreeMap::new();
        let now_ms = self.engine.now_ms();
        for told in events {
            for rule in rules.iter().filter(|rule| matching::concerns(rule, told)) {
                for target in &rule.body.targets {
                    let mut notice = self.notice(rule, told, target);
                    // Told before a backup was put back, or before the place in the feed was.
                    if !made.insert(notice.id.clone()) || Notice::find(&self.engine, &notice.id)?.is_some() {
                        continue;
                    }
                    match rule.body.digest_ms {
                        Some(every_ms) => {
                            let window_ms = (now_ms / every_ms + 1) * every_ms;
                            let digest = digest_id(rule, target, window_ms);
                            self.collect(&mut digests, rule, &notice, window_ms)?;
                            notice.body.state = State::Digested;
                            notice.body.digest = Some(digest);
                            notice.expires_at_ms = Some(now_ms + DIGESTED_MS);
                        }
                        None => changes.push(queue::due(&notice, notice.body.due_at_ms).put()?),
                    }
                    changes.push(notice.put()?);
                }
            }
        }
        for digest in digests.values() {
            changes.push(digest.put()?);
            if digest.version == 0 {
                changes.push(queue::due(digest, digest.body.due_at_ms).put()?);
            }
        }
        Ok(changes)
    }

    fn notice(&self, rule: &NotifyRule, told: &FeedEvent, target: &str) -> Notice {
        let (event, now_ms) = (&told.event, self.engine.now_ms());
        let severity = matching::severity(event.kind, &event.data);
        let quiet = rule.body.quiet.as_ref().and_then(|quiet| quiet.until_ms(severity, now_ms));
        let named = format!("{}|{target}|{}|{}|{}", rule.id, event.run, event.seq, event.at_ms);
        let id = format!("{:014}-{}", event.at_ms.max(0), &blake3::hash(named.as_bytes()).to_hex()[..24]);
        let body = NoticeBody {
            rule: rule.id.clone(),
            rule_name: rule.body.about.name.clone(),
            target: target.to_owned(),
            cause: Cause {
                run: event.run.to_string(),
                seq: event.seq,
                kind: matching::name(event.kind, &event.data).to_owned(),
                at_ms: event.at_ms,
                workflow: told.workflow.clone(),
                organisation: told.organisation.clone(),
            },
            severity,
            message: compose::about(rule, told, &self.public_url),
            data: event.data.clone(),
            due_at_ms: quiet.unwrap_or(now_ms),
            ..NoticeBody::default()
        };
        Kept::new(&id, &rule.organisation, body)
    }

    /// Puts a message into the digest that collects until then.
    fn collect(
        &self,
        digests: &mut BTreeMap<String, Notice>,
        rule: &NotifyRule,
        notice: &Notice,
        window_ms: i64,
    ) -> Result<(), Problem> {
        let id = digest_id(rule, &notice.body.target, window_ms);
        if !digests.contains_key(&id) {
            let fresh = || {
                let quiet = rule.body.quiet.as_ref().and_then(|quiet| quiet.until_ms(notice.body.severity, window_ms));
                let mut fresh = notice.clone();
                fresh.id.clone_from(&id);
                fresh.body.due_at_ms = quiet.unwrap_or(window_ms);
                fresh.body.message = Message::default();
                fresh
            };
            let found = Notice::find(&self.engine, &id)?;
            digests.insert(id.clone(), found.unwrap_or_else(fresh));
        }
        let Some(digest) = digests.get_mut(&id) else { return Ok(()) };
        let body = &mut digest.body;
        match body.lines.len() < LINES {
            true => {
                let link = notice.body.message.link.as_ref().map(|link| format!("\n  {link}")).unwrap_or_default();
                body.lines.push(format!("{}{link}", notice.body.message.title));
            }
            false => body.more += 1,
        }
        body.severity = body.severity.max(notice.body.severity);
        let count = body.lines.len() as u64 + body.more;
        let title = match count {
            1 => notice.body.message.title.clone(),
            _ => format!("{count} notifications: {}", rule.body.about.name),
        };
        let mut text = body.lines.join("\n");
        if body.more > 0 {
            text.push_str(&format!("\n… and {} more", body.more));
        }
        body.message = compose::message(&title, text, None, body.severity);
        body.data = serde_json::json!({ "count": count });
        Ok(())
    }
}

/// For how long it is known which events stand in a digest.
const DIGESTED_MS: i64 = 7 * 24 * 3_600_000;

fn digest_id(rule: &NotifyRule, target: &str, window_ms: i64) -> String {
    let named = format!("digest|{}|{target}|{window_ms}", rule.id);
    format!("{window_ms:014}-{}", &blake3::hash(named.as_bytes()).to_hex()[..24])
}

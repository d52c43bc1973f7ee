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
    kept::{Cause, Message, Notice, NoticeBody, NotifyRule, PlaceBody, State, Target, key},
    matching, queue,
};
use crate::{
    auth::kept::{Kept, PLATFORM},
    organisations::tree,
};

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

    /// What happens from now on is told, however late the first look is. The place that can't be written down now is with that look.
    pub fn begin(&mut self) {
        if let Err(problem) = self.place() {
            tracing::debug!(%problem, "the place in the feed for notifications isn't known yet");
        }
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
        // The place comes first: what happens when a rule has just been made isn't passed over.
        let place = self.place()?;
        let rules = self.rules()?;
        let filter = FeedFilter { kinds: matching::kinds(&rules), ..FeedFilter::default() };
        // Without kinds, all of them would be meant.
        if filter.kinds.is_empty() {
            if self.is_time() {
                // Nobody waits: what has happened so far is nobody's business.
                let end = self.engine.feed_end()?;
                // Unless somebody has begun to wait meanwhile.
                if matching::kinds(&self.rules()?).is_empty() {
                    self.commit(place, end, Vec::new())?;
                }
            }
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

    fn rules(&self) -> Result<Vec<NotifyRule>, Problem> {
        NotifyRule::all(&self.engine, &DocumentFilter::default(), |rule| !rule.body.about.paused)
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
        let (mut digests, mut dropped, mut rooms) = (Gathered::new(), Gathered::new(), Rooms::default());
        let now_ms = self.engine.now_ms();
        for told in events {
            for rule in rules.iter().filter(|rule| matching::concerns(rule, told)) {
                if rooms.is_suspended(&self.engine, &rule.organisation)? {
                    continue;
                }
                for target in &rule.body.targets {
                    let mut notice = self.notice(rule, told, target);
                    // Told before a backup was put back, or before the place in the feed was.
                    if !made.insert(notice.id.clone()) || Notice::find(&self.engine, &notice.id)?.is_some() {
                        continue;
                    }
                    let room = rooms.of(&self.engine, &rule.organisation, target)?;
                    notice.body.target_id.clone_from(&room.target_id);
                    if room.left == 0 {
                        self.drop_one(&mut dropped, rule, &notice)?;
                        continue;
                    }
                    match rule.body.digest_ms.filter(|every_ms| !is_at_once(rule, &notice, next(now_ms, *every_ms))) {
                        Some(every_ms) => {
                            let digest = self.collect(&mut digests, rule, &notice, every_ms)?;
                            notice.body.state = State::Digested;
                            notice.body.digest = Some(digest);
                            notice.expires_at_ms = Some(now_ms + DIGESTED_MS);
                        }
                        None => {
                            room.left -= 1;
                            changes.push(queue::due(&notice, notice.body.due_at_ms).put()?);
                        }
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
        for notice in dropped.values() {
            changes.push(notice.put()?);
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

    /// The record of a rule and a target that gathers until the end of this stretch of time, in the state that it gathers in;
    /// one that is over already isn't opened again: then the next stretch's.
    fn gathering<'a>(
        &self,
        gathered: &'a mut Gathered,
        (rule, notice, word): (&NotifyRule, &Notice, &str),
        (every_ms, state): (i64, State),
        fresh: impl Fn(&mut Notice, i64),
    ) -> Result<&'a mut Notice, Problem> {
        let mut until_ms = next(self.engine.now_ms(), every_ms);
        let id = loop {
            let named = format!("{word}|{}|{}|{until_ms}", rule.id, notice.body.target);
            let id = format!("{until_ms:014}-{}", &blake3::hash(named.as_bytes()).to_hex()[..24]);
            if gathered.contains_key(&id) {
                break id;
            }
            let found = match Notice::find(&self.engine, &id)? {
                Some(found) if found.body.state != state => {
                    until_ms += every_ms;
                    continue;
                }
                Some(found) => found,
                None => {
                    let mut made = notice.clone();
                    made.id.clone_from(&id);
                    (made.body.message, made.body.state) = (Message::default(), state);
                    fresh(&mut made, until_ms);
                    made
                }
            };
            gathered.insert(id.clone(), found);
            break id;
        };
        let record = gathered.entry(id).or_insert_with(|| notice.clone());
        let others = notice.body.cause.organisation.as_ref().is_some_and(|one| *one != rule.organisation);
        record.body.of_others |= others;
        record.body.severity = record.body.severity.max(notice.body.severity);
        Ok(record)
    }

    /// Puts a message into the digest that collects now: the digest's id.
    fn collect(
        &self,
        digests: &mut Gathered,
        rule: &NotifyRule,
        notice: &Notice,
        every_ms: i64,
    ) -> Result<String, Problem> {
        let fresh = |digest: &mut Notice, until_ms| {
            let quiet = rule.body.quiet.as_ref().and_then(|quiet| quiet.end_ms(until_ms));
            digest.body.due_at_ms = quiet.unwrap_or(until_ms);
        };
        let digest = self.gathering(digests, (rule, notice, "digest"), (every_ms, State::Pending), fresh)?;
        let body = &mut digest.body;
        match body.lines.len() < LINES {
            true => {
                let link = notice.body.message.link.as_ref().map(|link| format!("\n  {link}")).unwrap_or_default();
                body.lines.push(format!("{}{link}", notice.body.message.title));
            }
            false => body.more += 1,
        }
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
        Ok(digest.id.clone())
    }

    /// Counts a message that there is no room for: one record an hour says how many there were.
    fn drop_one(&self, dropped: &mut Gathered, rule: &NotifyRule, notice: &Notice) -> Result<(), Problem> {
        let now_ms = self.engine.now_ms();
        let fresh = |record: &mut Notice, _| {
            record.body.done_at_ms = Some(now_ms);
            record.expires_at_ms = Some(now_ms + DIGESTED_MS);
        };
        let record = self.gathering(dropped, (rule, notice, "dropped"), (DROPPED_MS, State::Dead), fresh)?;
        let body = &mut record.body;
        body.more += 1;
        body.reason = format!("{} messages waited for the target already", queue::WAITING);
        let title = format!("… and {} more notifications: {}", body.more, rule.body.about.name);
        body.message = compose::message(&title, format!("They were dropped: {}.", body.reason), None, body.severity);
        body.data = serde_json::json!({ "count": body.more });
        Ok(())
    }
}

/// Records that events are added to, by id.
type Gathered = BTreeMap<String, Notice>;

/// The end of the stretch of time of this length that it is now.
fn next(now_ms: i64, every_ms: i64) -> i64 {
    (now_ms / every_ms + 1) * every_ms
}

/// Whether a message doesn't wait for its digest: where the digest would be told after quiet hours that it breaks through.
fn is_at_once(rule: &NotifyRule, notice: &Notice, until_ms: i64) -> bool {
    rule.body.quiet.as_ref().is_some_and(|quiet| {
        let is_quiet = notice.body.due_at_ms < until_ms && quiet.end_ms(notice.body.due_at_ms).is_some();
        quiet.lets_through(notice.body.severity) && (is_quiet || quiet.end_ms(until_ms).is_some())
    })
}

/// What is known of organisations and targets while events are looked at.
#[derive(Default)]
struct Rooms {
    suspended: BTreeMap<String, bool>,
    rooms: BTreeMap<String, Room>,
}

/// What there is of a target.
struct Room {
    /// Its id, if it is one that people made.
    target_id: String,
    /// How many more messages may wait for it.
    left: usize,
}

impl Rooms {
    fn is_suspended(&mut self, engine: &Engine, organisation: &str) -> Result<bool, Problem> {
        if let Some(known) = self.suspended.get(organisation) {
            return Ok(*known);
        }
        let is_suspended = tree::suspended(engine, organisation)?.is_some();
        self.suspended.insert(organisation.to_owned(), is_suspended);
        Ok(is_suspended)
    }

    fn of(&mut self, engine: &Engine, organisation: &str, target: &str) -> Result<&mut Room, Problem> {
        let key = key(organisation, target);
        if !self.rooms.contains_key(&key) {
            let target_id = Target::find_by_key(engine, &key)?.map(|found| found.id).unwrap_or_default();
            let left = queue::WAITING.saturating_sub(queue::waiting(engine, &key)?);
            self.rooms.insert(key.clone(), Room { target_id, left });
        }
        Ok(self.rooms.entry(key).or_insert(Room { target_id: String::new(), left: 0 }))
    }
}

/// For how long it is known which events stand in a digest.
const DIGESTED_MS: i64 = 7 * 24 * 3_600_000;

/// How long a record counts what there is no room for.
const DROPPED_MS: i64 = 3_600_000;

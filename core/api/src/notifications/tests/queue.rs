//! What waits for a target holds up nobody else's, and doesn't grow without end.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use serde_json::json;
use windlass_engine::{Engine, EngineConfig, Time, VirtualClock};
use windlass_model::{
    Bundle, Code, EventKind, Journal, Problem, Workflow,
    document::DocumentFilter,
    journal::{Ending, Job, Pinned, Runner, Workflows},
};

use crate::{
    auth::kept::Kept,
    notifications::{
        deliveries,
        dispatcher::Dispatcher,
        kept::{Cause, DueBody, Notice, NoticeBody, NotifyRule, RuleBody, Severity, State, key},
        matching,
        queue::{self, Gate, Next, Standing},
        quiet::Quiet,
    },
    services::NotDelivered,
};

struct Nothing;

impl Runner for Nothing {
    fn evaluate(&self, _: &Job, _: Arc<dyn Journal>) -> Ending {
        unreachable!("nothing runs")
    }

    fn roll_back(&self, _: &Job, _: Arc<dyn Journal>) -> Ending {
        unreachable!("nothing runs")
    }
}

impl Workflows for Nothing {
    fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        Err(Problem::new(Code::WorkflowNotFound, name))
    }

    fn header(&self, _: &Bundle) -> Result<Arc<Workflow>, Problem> {
        Err(Problem::new(Code::WorkflowNotFound, "none"))
    }
}

struct House {
    engine: Engine,
    clock: Arc<VirtualClock>,
    _folder: tempfile::TempDir,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<VirtualClock> = Arc::default();
    let url = format!("sqlite:{}", folder.path().join("x.db").display());
    windlass_engine::migrate(&url).unwrap();
    let mut config = EngineConfig::new(url, Arc::new(Nothing), Arc::new(Nothing));
    (config.workers, config.time) = (0, Time::Virtual(clock.clone()));
    House { engine: Engine::start(config).unwrap(), clock, _folder: folder }
}

impl House {
    /// Has so many messages wait for a target.
    fn wait_for(&self, target: &str, count: usize) {
        let now_ms = self.engine.now_ms();
        let one = |index: usize| {
            let body = NoticeBody { target: target.into(), due_at_ms: now_ms, ..NoticeBody::default() };
            let notice: Notice = Kept::new(&format!("{now_ms:014}-{target}{index:06}"), "acme", body);
            [notice.put().unwrap(), queue::due(&notice, now_ms).put().unwrap()]
        };
        for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
            self.engine.change(chunk.iter().flat_map(|index| one(*index)).collect()).unwrap();
        }
    }

    fn dues(&self) -> BTreeSet<String> {
        let all = Kept::<DueBody>::all(&self.engine, &DocumentFilter::default(), |_| true).unwrap();
        all.into_iter().map(|due| due.id).collect()
    }

    fn notices(&self, state: State) -> Vec<Notice> {
        Notice::all(&self.engine, &DocumentFilter::default(), |notice| notice.body.state == state).unwrap()
    }

    fn take(&self, gate: &Doors) -> Option<Notice> {
        match queue::take(&self.engine, gate, 1_000_000).unwrap() {
            Next::Taken(taken) => Some(taken.into_notice()),
            Next::Nothing(_) => None,
        }
    }

    fn rule(&self, body: RuleBody) {
        let mut rule: NotifyRule = Kept::new("01rule", "platform", body);
        (rule.body.on, rule.body.targets) = (vec!["lab.*".into()], vec!["ops".into()]);
        self.engine.change(vec![rule.put().unwrap()]).unwrap();
    }

    fn happens(&self, kind: EventKind) {
        self.engine.announce(kind, json!({ "lab": "grid", "link": {} })).unwrap();
    }
}

/// All targets are free but one, and all have this standing.
struct Doors {
    closed: String,
    standing: fn() -> Standing,
    rests: Mutex<BTreeSet<String>>,
    place: Mutex<Option<String>>,
}

fn doors(closed: &str, standing: fn() -> Standing) -> Doors {
    Doors { closed: key("acme", closed), standing, rests: Mutex::default(), place: Mutex::default() }
}

impl Gate for Doors {
    fn enter(&self, target: &str) -> bool {
        target != self.closed && !self.rests.lock().contains(target)
    }

    fn let_go(&self, target: &str, until_ms: Option<i64>) {
        if until_ms.is_some() {
            self.rests.lock().insert(target.to_owned());
        }
    }

    fn standing(&self, _: &Notice) -> Result<Standing, Problem> {
        Ok((self.standing)())
    }

    fn place(&self) -> Option<String> {
        self.place.lock().clone()
    }

    fn go_on(&self, place: Option<String>) {
        *self.place.lock() = place;
    }
}

#[test]
fn the_backlog_of_a_target_at_rest_stops_nobody_elses() {
    for (slow, fast) in [("a", "b"), ("b", "a")] {
        let house = house();
        house.wait_for(slow, 2_500);
        house.wait_for(fast, 2);
        let gate = doors(slow, || Standing::Open(1_000));
        let taken: Vec<_> = (0..3).map(|_| house.take(&gate).map(|notice| notice.body.target)).collect();
        assert_eq!(taken, [Some(fast.to_owned()), Some(fast.to_owned()), None]);
    }
}

#[test]
fn a_minute_that_is_full_rewrites_nothing_that_waits() {
    let house = house();
    house.wait_for("a", 50);
    let gate = doors("", || Standing::Open(2));
    assert!(house.take(&gate).is_some() && house.take(&gate).is_some());
    let before = house.dues();
    assert!(house.take(&gate).is_none() && house.take(&gate).is_none());
    assert_eq!(house.dues(), before);
    house.clock.advance_by(60_000);
    gate.rests.lock().clear();
    assert!(house.take(&gate).is_some());
}

#[test]
fn what_rests_counts_no_attempt_and_what_is_gone_or_old_is_given_up() {
    let house = house();
    house.wait_for("a", 2);
    assert!(house.take(&doors("", || Standing::Rests)).is_none());
    assert!(house.notices(State::Pending).iter().all(|notice| notice.body.attempts == 0));
    assert_eq!(house.dues().len(), 2);
    assert!(house.take(&doors("", || Standing::Gone("it was removed".into()))).is_none());
    assert_eq!((house.notices(State::Dead).len(), house.dues().len()), (2, 0));
    house.wait_for("b", 1);
    house.clock.advance_by(25 * 3_600_000);
    assert!(house.take(&doors("", || Standing::Open(9))).is_none());
    assert!(house.notices(State::Dead).iter().any(|notice| notice.body.reason.contains("within a day")));
}

#[test]
fn whoever_is_refused_for_good_is_named_until_the_end() {
    let attempt = |house: &House, failed: NotDelivered| {
        let taken = match queue::take(&house.engine, &doors("", || Standing::Open(99)), 1_000_000).unwrap() {
            Next::Taken(taken) => taken,
            Next::Nothing(_) => panic!("it isn't due"),
        };
        let again = taken.failed(&house.engine, failed, 100_000_000).unwrap();
        house.clock.advance_by(3_600_000);
        again
    };
    // Ann has it, bob never gets it, and late isn't there yet.
    let partly = |remark: &str, left: &str| NotDelivered {
        reason: format!("refused, the others have it: {remark}{left}: 451"),
        left: vec![left.into()],
        remark: remark.into(),
        ..NotDelivered::new("", true)
    };
    for (remark, said) in [("bob: 550", "bob: 550; late: 451"), ("", "the others have it; late: 451")] {
        let house = house();
        house.wait_for("mail", 1);
        assert!(attempt(&house, partly(remark, "late")));
        while attempt(&house, NotDelivered::new("late: 451", true)) {
            assert_eq!(house.notices(State::Pending)[0].body.reason, said);
        }
        let dead = house.notices(State::Dead);
        assert_eq!(
            (dead[0].body.reason.as_str(), dead[0].body.left.as_slice()),
            (said, ["late".to_owned()].as_slice())
        );
    }
    // Nor are they forgotten when there is nobody to tell any more.
    let house = house();
    house.wait_for("mail", 1);
    attempt(&house, partly("bob: 550", "late"));
    assert!(house.take(&doors("", || Standing::Gone("it was removed".into()))).is_none());
    assert_eq!(house.notices(State::Dead)[0].body.reason, "bob: 550; it was removed");
}

#[test]
fn of_more_than_there_is_room_for_one_record_tells_how_many() {
    let house = house();
    house.rule(RuleBody::default());
    let mut dispatcher = Dispatcher::new(house.engine.clone(), "https://windlass.test");
    dispatcher.look();
    let now_ms = house.engine.now_ms();
    let full: Vec<_> = (0..queue::WAITING)
        .map(|index| {
            let body = NoticeBody { target: "ops".into(), ..NoticeBody::default() };
            queue::due(&Kept::new(&format!("{index:06}"), "platform", body), now_ms).put().unwrap()
        })
        .collect();
    full.chunks(500).for_each(|chunk| drop(house.engine.change(chunk.to_vec()).unwrap()));
    for _ in 0..3 {
        house.happens(EventKind::LabLinkMissing);
        dispatcher.look();
    }
    let dead = house.notices(State::Dead);
    assert_eq!((dead.len(), house.notices(State::Pending).len()), (1, 0));
    assert!(dead[0].body.more == 3 && dead[0].body.message.title.starts_with("… and 3 more"), "{:?}", dead[0].body);
}

#[test]
fn what_breaks_through_waits_for_no_digest_and_a_told_digest_is_not_added_to() {
    let house = house();
    // It is midnight.
    let quiet = Quiet {
        from: "22:00".into(),
        to: "07:00".into(),
        time_zone: "UTC".into(),
        breaks_through: Some(Severity::Error),
        ..Quiet::default()
    };
    house.rule(RuleBody { quiet: Some(quiet), digest_ms: Some(900_000), ..RuleBody::default() });
    let mut dispatcher = Dispatcher::new(house.engine.clone(), "https://windlass.test");
    dispatcher.look();
    house.happens(EventKind::LabLinkMissing);
    dispatcher.look();
    let at_once = house.notices(State::Pending);
    assert_eq!((at_once.len(), at_once[0].body.lines.len()), (1, 0), "an error breaks through");
    assert_eq!(at_once[0].body.due_at_ms, house.engine.now_ms());
    house.happens(EventKind::LabLinkChanged);
    dispatcher.look();
    let mut digest = house.notices(State::Pending).into_iter().find(|notice| notice.body.lines.len() == 1).unwrap();
    assert_eq!(digest.body.due_at_ms, house.engine.now_ms() + 7 * 3_600_000);
    digest.body.state = State::Delivered;
    house.engine.change(vec![digest.put().unwrap()]).unwrap();
    house.happens(EventKind::LabLinkChanged);
    dispatcher.look();
    let next = house.notices(State::Pending).into_iter().find(|notice| notice.body.lines.len() == 1).unwrap();
    assert_ne!(next.id, digest.id);
}

#[test]
fn whoever_reads_one_organisation_sees_no_messages_of_others() {
    let of = |organisation: &str, of_others| {
        let cause = Cause { organisation: Some(organisation.into()), ..Cause::default() };
        let body = NoticeBody { cause, of_others, ..NoticeBody::default() };
        let notice: Notice = Kept::new("1", "platform", body);
        deliveries::sees(&notice, |one| one == "platform")
    };
    assert!(of("platform", false));
    assert!(!of("acme", false) && !of("platform", true));
}

#[test]
fn a_pattern_that_fits_no_event_is_none() {
    for (pattern, fits) in
        [("run.*", true), ("approval.requested", true), ("voucher.redeemed", true), ("run.fialed", false), ("", false)]
    {
        assert_eq!(matching::is_of_any(pattern), fits, "{pattern}");
    }
}

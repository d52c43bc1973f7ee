//! Quiet hours and digests by a clock that the test moves, on both databases. What is sent is kept here: the conversations are
//! in `notifications.rs`.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_api::{
    auth::kept::By,
    notifications::{
        Sending, Settings,
        kept::{Notice, State},
        rules::{self, RuleSettings},
        targets::{self, NewTarget},
    },
    services::{Courier, NotDelivered, NotifyTarget, Secrets, ToTarget, Told},
    triggers::kept::About,
};
use windlass_engine::{Engine, Time, VirtualClock};
use windlass_model::{
    EventKind, Problem,
    document::{Change, DocumentFilter, Expected},
};
use windlass_tests::{World, wait_until};

use super::databases::Database;

/// Keeps what it is given, while it isn't out of order.
#[derive(Default)]
struct Kept {
    told: Mutex<Vec<(String, String)>>,
}

impl Courier for Kept {
    fn check(&self, _: &NotifyTarget) -> Result<(), String> {
        Ok(())
    }

    fn configured(&self, _: &str) -> Vec<(String, String)> {
        Vec::new()
    }

    fn send(&self, _: &str, _: &ToTarget, told: &Told<'_>, _: &str) -> Result<String, NotDelivered> {
        self.told.lock().push((told.message.title.clone(), told.message.text.clone()));
        Ok(String::new())
    }
}

struct Plain;

impl Secrets for Plain {
    fn put(&self, _: &Engine, _: &str, _: &str, _: &[String]) -> Result<(), Problem> {
        Ok(())
    }
    fn list(&self) -> Result<Vec<Value>, Problem> {
        Ok(Vec::new())
    }
    fn delete(&self, _: &Engine, _: &str) -> Result<(), Problem> {
        Ok(())
    }
    fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
        work()
    }

    fn seal(&self, _: &str, plain: &str) -> Result<String, Problem> {
        Ok(plain.to_owned())
    }
    fn unseal(&self, _: &str, sealed: &str) -> Result<String, Problem> {
        Ok(sealed.to_owned())
    }
    fn scrub(&self, _: &str, text: &str) -> String {
        text.to_owned()
    }
}

struct House {
    engine: Engine,
    clock: Arc<VirtualClock>,
    courier: Arc<Kept>,
    sending: Option<Sending>,
    world: World,
}

/// It is 2030-01-01T00:00:00Z.
fn house(database: Database) -> House {
    let clock: Arc<VirtualClock> = Arc::default();
    let used = clock.clone();
    let world = database.world_with(move |config| config.time = Time::Virtual(used.clone()));
    let (engine, courier) = (world.engine(), Arc::<Kept>::default());
    let mut house = House { engine, clock, courier, sending: None, world };
    house.start();
    house
}

impl House {
    fn start(&mut self) {
        let settings = Settings {
            engine: self.engine.clone(),
            secrets: Arc::new(Plain),
            courier: self.courier.clone(),
            public_url: "https://windlass.test".into(),
            kept_ms: 86_400_000,
        };
        self.sending = Some(Sending::start(&settings).unwrap());
    }

    fn rule(&self, settings: Value) {
        let by = By { actor: "test".into(), source: "test".into() };
        let about = |name: &str| About { name: name.into(), organisation: "platform".into(), ..About::default() };
        let target: NewTarget =
            serde_json::from_value(json!({ "name": "ops", "way": "slack", "url": "https://x.test/" })).unwrap();
        targets::create(&self.engine, &by, about("ops"), (&Plain, &*self.courier), target).unwrap();
        let mut settings = settings;
        (settings["on"], settings["targets"]) = (json!(["lab.*", "plugin.*"]), json!(["ops"]));
        let settings: RuleSettings = serde_json::from_value(settings).unwrap();
        rules::create(&self.engine, &by, about("rule"), Some(&*self.courier), settings).unwrap();
    }

    fn happens(&self, kind: EventKind, lab: &str) {
        self.engine.announce(kind, json!({ "lab": lab, "plugin": lab, "link": {} })).unwrap();
    }

    fn told(&self) -> Vec<(String, String)> {
        self.courier.told.lock().clone()
    }

    fn notices(&self) -> Vec<Notice> {
        Notice::all(&self.engine, &DocumentFilter::default(), |_| true).unwrap()
    }

    fn wait(&self, what: &str, test: impl Fn() -> bool) {
        wait_until(what, Duration::from_secs(60), test);
    }

    fn advance(&self, minutes: i64) {
        self.clock.advance_by(minutes * 60_000);
    }
}

fn what_happens_at_night_is_told_in_the_morning_but_for_what_breaks_through(mut house: House) {
    let quiet = json!({ "from": "22:00", "to": "07:00", "time_zone": "Europe/Berlin", "breaks_through": "error" });
    house.rule(json!({ "quiet": quiet }));
    house.happens(EventKind::LabLinkDiscovered, "sleepy");
    house.happens(EventKind::LabLinkMissing, "urgent");
    house.wait("both to be written down", || house.notices().len() == 2);
    house.wait("the urgent one", || house.told().len() == 1);
    assert!(house.told()[0].0.contains("urgent"));
    // 05:59 UTC is 06:59 in Berlin.
    house.advance(5 * 60 + 59);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(house.told().len(), 1, "not yet");
    house.advance(1);
    house.wait("the other one", || house.told().len() == 2);
    assert!(house.told()[1].0.contains("sleepy"));
    // By day it is told at once; and the threads can be ended.
    house.happens(EventKind::LabLinkChanged, "daily");
    house.wait("the third", || house.told().len() == 3);
    drop(house.sending.take());
    assert_eq!(house.told().len(), 3);
}

fn what_happens_when_it_has_just_begun_is_told(mut house: House) {
    drop(house.sending.take());
    // As on a server that tells for the first time.
    let place = Change::Delete { kind: "notification_place".into(), id: "events".into(), expected: Expected::Any };
    house.engine.change(vec![place]).unwrap();
    house.rule(json!({}));
    house.start();
    house.happens(EventKind::LabLinkMissing, "early");
    house.wait("it to be told", || house.told().len() == 1);
}

fn a_digest_collects_and_is_told_once(mut house: House) {
    house.rule(json!({ "digest": "15m" }));
    for index in 0..120 {
        house.happens(EventKind::LabLinkDiscovered, &format!("lab-{index}"));
        if index == 60 {
            // A server that ends in the middle, and another that goes on.
            house.wait("some to be collected", || house.notices().len() > 10);
            house.start();
        }
    }
    house.wait("all to be collected", || {
        let counts = house.notices().iter().filter(|notice| notice.body.state == State::Digested).count();
        counts == 120
    });
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(house.told(), [], "it collects");
    house.advance(15);
    house.wait("the digest", || house.told().len() == 1);
    let (title, text) = house.told().remove(0);
    assert_eq!(title, "120 notifications: rule");
    assert!(text.contains("lab-0 ") && text.contains("lab-99 ") && text.contains("… and 20 more"), "{text}");
    house.advance(60);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(house.told().len(), 1, "nothing more happened");
    house.happens(EventKind::PluginRejected, "dns");
    house.wait("the next to be collected", || house.notices().len() == 123);
    house.advance(16);
    house.wait("the next digest", || house.told().len() == 2);
    assert!(house.told()[1].0.contains("dns"), "one alone has its own title");
    assert!(house.world.engine().now_ms() > 0);
}

fn two_servers_tell_each_event_once(mut house: House) {
    house.rule(json!({}));
    let first = house.sending.take();
    house.start();
    let second = house.sending.take();
    house.start();
    for index in 0..60 {
        house.happens(EventKind::LabLinkMissing, &format!("lab-{index}"));
    }
    // The target may have thirty in a minute.
    house.wait("the first minute's", || house.told().len() == 30);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(house.told().len(), 30, "more have to wait");
    // Minutes go by until all were told: how many of them it takes depends on when the servers look.
    house.wait("all of them", || {
        house.advance(1);
        std::thread::sleep(Duration::from_millis(300));
        house.told().len() >= 60
    });
    let mut titles: Vec<String> = house.told().into_iter().map(|told| told.0).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 60, "none twice, none missing");
    drop((first, second));
}

super::databases::on_each_database!(house:
    what_happens_at_night_is_told_in_the_morning_but_for_what_breaks_through,
    what_happens_when_it_has_just_begun_is_told,
    a_digest_collects_and_is_told_once,
    two_servers_tell_each_event_once,
);

//! Quiet hours, patterns, pauses and words: what needs no server.

mod queue;

use jiff::Timestamp;
use serde_json::json;
use windlass_model::{Event, EventKind, query::FeedEvent};

use super::{
    compose,
    kept::{NotifyRule, RuleBody, Severity},
    matching,
    queue::pause_ms,
    quiet::Quiet,
};
use crate::auth::kept::Kept;

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn quiet(from: &str, to: &str, zone: &str) -> Quiet {
    Quiet { from: from.into(), to: to.into(), time_zone: zone.into(), ..Quiet::default() }
}

#[test]
fn quiet_hours_go_by_the_clocks_of_their_place() {
    let night = quiet("22:00", "07:00", "Europe/Berlin");
    night.check().unwrap();
    let until = |at: &str| night.until_ms(Severity::Error, ms(at));
    // Winter: an hour ahead of UTC.
    assert_eq!(until("2026-11-22T20:59:59Z"), None);
    assert_eq!(until("2026-11-22T21:00:00Z"), Some(ms("2026-11-23T06:00:00Z")));
    assert_eq!(until("2026-11-23T02:00:00Z"), Some(ms("2026-11-23T06:00:00Z")), "it began yesterday");
    assert_eq!(until("2026-11-23T06:00:00Z"), None);
    // Summer: two hours.
    assert_eq!(until("2026-07-01T20:00:00Z"), Some(ms("2026-07-02T05:00:00Z")));
    // The night in which the clocks go forward.
    assert_eq!(until("2026-03-28T22:00:00Z"), Some(ms("2026-03-29T05:00:00Z")));
    let noon = quiet("12:00", "13:00", "UTC");
    assert_eq!(noon.until_ms(Severity::Info, ms("2026-11-22T12:30:00Z")), Some(ms("2026-11-22T13:00:00Z")));
    assert_eq!(noon.until_ms(Severity::Info, ms("2026-11-22T13:00:00Z")), None);
}

#[test]
fn some_nights_are_quiet_and_some_things_break_through() {
    let weekend = Quiet {
        days: vec!["sat".into(), "sun".into()],
        breaks_through: Some(Severity::Critical),
        ..quiet("20:00", "08:00", "UTC")
    };
    weekend.check().unwrap();
    // 2026-11-22 is a Sunday.
    assert!(weekend.until_ms(Severity::Error, ms("2026-11-22T21:00:00Z")).is_some());
    assert!(weekend.until_ms(Severity::Error, ms("2026-11-23T07:00:00Z")).is_some(), "Sunday's night is on Monday");
    assert_eq!(weekend.until_ms(Severity::Error, ms("2026-11-23T21:00:00Z")), None);
    assert_eq!(weekend.until_ms(Severity::Critical, ms("2026-11-22T21:00:00Z")), None);
    for wrong in [
        quiet("22:00", "22:00", "UTC"),
        quiet("24:00", "07:00", "UTC"),
        quiet("7", "8", "UTC"),
        quiet("22:00", "07:00", "Mars/Olympus"),
        Quiet { days: vec!["monday".into()], ..quiet("22:00", "07:00", "UTC") },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}

#[test]
fn patterns_are_read_from_end_to_end() {
    for (pattern, text, fits) in [
        ("run.failed", "run.failed", true),
        ("run.failed", "run.failed2", false),
        ("run.*", "run.failed", true),
        ("*", "anything", true),
        ("*.failed", "run.failed", true),
        ("*.failed", "run.failed.x", false),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "aXcYb", false),
        ("aa*a", "aa", false),
    ] {
        assert_eq!(matching::glob(pattern, text), fits, "{pattern} {text}");
    }
}

fn told(kind: EventKind, data: serde_json::Value) -> FeedEvent {
    let event = Event { run: "01run".into(), seq: 7, at_ms: 1_000, kind, path: None, data };
    FeedEvent { cursor: String::new(), organisation: Some("acme".into()), workflow: Some("lab/grid".into()), event }
}

fn rule(body: RuleBody) -> NotifyRule {
    Kept::new("01rule", "acme", RuleBody { on: vec!["*".into()], targets: vec!["ops".into()], ..body })
}

#[test]
fn a_rule_is_about_its_organisation_its_workflows_and_what_matters_to_it() {
    let failed = told(EventKind::RunFailed, json!({ "error": { "code": "x", "message": "y" } }));
    let of = |body: RuleBody| matching::concerns(&rule(body), &failed);
    assert!(of(RuleBody::default()));
    assert!(!of(RuleBody { severity: Severity::Critical, ..RuleBody::default() }));
    assert!(of(RuleBody { workflows: vec!["lab".into()], ..RuleBody::default() }));
    assert!(of(RuleBody { workflows: vec!["lab/*".into()], ..RuleBody::default() }));
    assert!(!of(RuleBody { workflows: vec!["la".into()], ..RuleBody::default() }));
    let mut other = rule(RuleBody::default());
    other.organisation = "sibling".into();
    assert!(!matching::concerns(&other, &failed), "others' events are nobody else's business");
    let system = FeedEvent { organisation: None, ..failed.clone() };
    assert!(!matching::concerns(&rule(RuleBody::default()), &system), "those of nobody are the platform's");
    let mut late = rule(RuleBody::default());
    late.created_at_ms = 1_001;
    assert!(!matching::concerns(&late, &failed), "it happened before");
}

#[test]
fn what_stands_in_a_page_is_escaped_and_the_run_is_linked() {
    let evil = "<script>alert('x')</script> & \"more\"";
    let failed = told(EventKind::RunFailed, json!({ "error": { "code": "unavailable", "message": evil } }));
    let message = compose::about(&rule(RuleBody::default()), &failed, "https://windlass.test/");
    assert_eq!(message.title, "lab/grid failed");
    assert!(message.text.contains(evil) && message.text.contains("Organisation: acme"), "{}", message.text);
    assert_eq!(message.link.as_deref(), Some("https://windlass.test/runs/01run"));
    assert!(!message.html.contains("<script>") && message.html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    assert!(message.html.contains("<a href=\"https://windlass.test/runs/01run\">"));
    let own = RuleBody {
        title: Some("${/workflow} of ${/organisation}: ${/data/error/code}\r\nBcc: x".into()),
        text: Some("${/nothing/there}".into()),
        ..RuleBody::default()
    };
    let message = compose::about(&rule(own), &failed, "https://windlass.test");
    assert_eq!(message.title, "lab/grid of acme: unavailable  Bcc: x");
    assert!(message.text.contains(evil), "the usual words stand in for those that can't be filled in");
}

#[test]
fn pauses_grow_and_are_not_all_alike() {
    assert!((750..=1_250).contains(&pause_ms(1)));
    assert!((6_000..=10_000).contains(&pause_ms(4)));
    assert!((0..100).map(|_| pause_ms(20)).all(|pause| (1_350_000..=2_250_000).contains(&pause)));
    assert!((0..20).map(|_| pause_ms(5)).collect::<std::collections::BTreeSet<_>>().len() > 1);
}

//! The feed of all events: each exactly once, in the order of its run, however many write and however it is paged.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use windlass_model::{
    Code, EventKind as E,
    command::{Command, NewRun, Reply},
    document::{Change, Expected},
    event::NewEvent,
    query::{FeedEvent, FeedFilter, Scope},
};
use windlass_store::StoreError;

use super::world::{World, new_run};

super::on_both!(
    everything_is_told_once_in_order,
    filters_narrow_and_move_on,
    a_narrow_filter_tells_of_many_events_what_it_should,
    a_change_and_its_announcement_are_one,
    nothing_is_lost_or_doubled_while_others_write,
    a_bad_cursor_is_refused,
    who_has_read_what_is_removed_misses_nothing_that_comes,
);

fn all(w: &World, filter: &FeedFilter, size: u32) -> Vec<FeedEvent> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = w.store.feed(cursor.as_deref(), filter, size).unwrap();
        assert!(page.events.len() <= size as usize);
        let more = page.more;
        found.extend(page.events);
        cursor = Some(page.next);
        if !more {
            return found;
        }
    }
}

/// Waits until so many events are told: what runs in other databases of the same server holds PostgreSQL's feed back.
fn settle(w: &World, count: usize) {
    let began = std::time::Instant::now();
    while all(w, &FeedFilter::default(), 1_000).len() < count {
        assert!(began.elapsed().as_secs() < 60, "the feed doesn't come to {count} events");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn announce(workflow: &str) -> Command {
    Command::Announce { kind: E::WorkflowActivated, data: json!({ "workflow": workflow }) }
}

fn a_change_and_its_announcement_are_one(w: &World) {
    let change = || {
        let (kind, id, organisation) = ("workflow_active".into(), "lab/x".into(), "platform".into());
        let (body, expected) = (json!({}), Expected::Absent);
        let put = Change::Put { kind, id, organisation, body, keys: Vec::new(), expires_at_ms: None, expected };
        let (kind, data) = (E::WorkflowActivated, json!({ "workflow": "lab/x" }));
        Command::Announced { command: Box::new(Command::Change(vec![put])), kind, data }
    };
    assert_eq!(w.ok(change()), Reply::Versions(vec![1]));
    assert_eq!(w.refused(change()), Code::Conflict);
    w.ok(announce("lab/last"));
    settle(w, 2);
    let told: Vec<_> = all(w, &FeedFilter::default(), 10).into_iter().map(|told| told.event.data).collect();
    assert_eq!(told, [json!({ "workflow": "lab/x" }), json!({ "workflow": "lab/last" })]);
}

fn everything_is_told_once_in_order(w: &World) {
    let leases: Vec<_> = (0..3).map(|index| w.launch_claimed(&format!("r{index}"))).collect();
    w.ok(announce("lab/x"));
    settle(w, 3 * 2 + 1);
    let middle = w.store.feed_end().unwrap();
    for lease in &leases {
        w.ok(Command::Emit { lease: lease.clone(), events: vec![NewEvent::run(E::Log, json!({ "a": 1 })); 3] });
    }
    w.ok(announce("lab/y"));
    settle(w, 3 * 5 + 2);
    for size in [1, 2, 7, 1_000] {
        let found = all(w, &FeedFilter::default(), size);
        assert_eq!(found.len(), 3 * 5 + 2, "pages of {size}");
        let cursors: HashSet<&str> = found.iter().map(|event| event.cursor.as_str()).collect();
        assert_eq!(cursors.len(), found.len());
        for lease in &leases {
            let told: Vec<_> =
                found.iter().map(|event| &event.event).filter(|event| event.run == lease.run).cloned().collect();
            assert_eq!(told, w.store.events(&lease.run, 0, 100).unwrap());
        }
    }
    let later = w.store.feed(Some(&middle), &FeedFilter::default(), 100).unwrap();
    assert_eq!(later.events.len(), 10);
    assert!(w.store.feed(Some(&later.next), &FeedFilter::default(), 100).unwrap().events.is_empty());
}

fn filters_narrow_and_move_on(w: &World) {
    for (id, organisation, workflow) in
        [("r1", "acme", "lab/grid"), ("r2", "platform", "lab/x"), ("r3", "acme", "labour/x")]
    {
        let mut run = new_run(id);
        (run.organisation, run.workflow) = (organisation.into(), workflow.into());
        w.ok(Command::Launch { run: Box::new(run), claim: None });
    }
    w.ok(announce("lab/grid"));
    settle(w, 4);
    let told = |filter: FeedFilter| -> Vec<String> {
        all(w, &filter, 1).into_iter().map(|found| format!("{} {}", found.event.run, found.event.kind)).collect()
    };
    let scope = |organisation: &str, folder: &str| Scope { organisation: organisation.into(), folder: folder.into() };
    let scoped = |scopes: Vec<Scope>| FeedFilter { scopes: Some(scopes), ..FeedFilter::default() };
    assert_eq!(told(scoped(vec![scope("acme", "lab")])), ["r1 run.launched", "system workflow.activated"]);
    assert_eq!(told(scoped(vec![scope("platform", "lab/x")])), ["r2 run.launched"]);
    assert_eq!(told(scoped(vec![])), [""; 0]);
    let kinds =
        |kinds: &[&str]| FeedFilter { kinds: kinds.iter().map(ToString::to_string).collect(), ..FeedFilter::default() };
    assert_eq!(told(kinds(&["workflow.*"])), ["system workflow.activated"]);
    assert_eq!(told(kinds(&["run.launched"])).len(), 3);
    assert_eq!(told(FeedFilter { workflow: Some("lab/*".into()), ..FeedFilter::default() }).len(), 3);
    assert_eq!(told(FeedFilter { run: Some("r3".into()), ..FeedFilter::default() }), ["r3 run.launched"]);
    // What doesn't fit is behind the cursor all the same.
    let page = w.store.feed(None, &kinds(&["run.failed"]), 10).unwrap();
    assert!(page.events.is_empty() && !page.more);
    assert_eq!(page.next, all(w, &FeedFilter::default(), 100).last().unwrap().cursor);
}

fn a_narrow_filter_tells_of_many_events_what_it_should(w: &World) {
    // More than are read at once, and more than are looked at whole.
    for n in 0..300 {
        w.ok(Command::Launch { run: Box::new(new_run(&format!("r{}", n / 10 * 100 + n % 10))), claim: None });
        w.ok(announce("lab/grid"));
    }
    settle(w, 600);
    let whole = all(w, &FeedFilter::default(), 1_000);
    let kinds = |kind: &str| FeedFilter { kinds: vec![kind.into()], ..FeedFilter::default() };
    let of_run = FeedFilter { run: Some("r2907".into()), ..FeedFilter::default() };
    for (filter, count) in
        [(kinds("run.launched"), 300), (kinds("workflow.*"), 300), (of_run, 1), (kinds("run.failed"), 0)]
    {
        let fits = |told: &&FeedEvent| match &filter.run {
            Some(run) => told.event.run == *run,
            None => told.event.kind.as_str().starts_with(filter.kinds[0].trim_end_matches('*')),
        };
        let expected: Vec<_> = whole.iter().filter(fits).cloned().collect();
        assert_eq!(expected.len(), count);
        for size in [7, 1_000] {
            assert!(all(w, &filter, size) == expected, "{filter:?} in pages of {size}");
        }
    }
}

fn nothing_is_lost_or_doubled_while_others_write(w: &World) {
    const WRITERS: usize = 3;
    const RUNS: usize = 40;
    let stores: Vec<_> = (0..WRITERS).map(|_| w.second()).collect();
    let mut found: Vec<FeedEvent> = Vec::new();
    std::thread::scope(|scope| {
        for (writer, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for run in 0..RUNS {
                    let launch = Command::Launch { run: Box::new(new_run(&format!("w{writer}-{run}"))), claim: None };
                    store.commit(launch).unwrap();
                    let (name, by) = ("go".to_owned(), "ann".to_owned());
                    let run = format!("w{writer}-{run}").as_str().into();
                    store.commit(Command::Signal { run, name, payload: json!(1), by, id: None }).unwrap();
                }
            });
        }
        let mut cursor = None;
        let began = std::time::Instant::now();
        while found.len() < WRITERS * RUNS * 2 {
            assert!(began.elapsed().as_secs() < 60, "only {} events came", found.len());
            let page = w.store.feed(cursor.as_deref(), &FeedFilter::default(), 17).unwrap();
            found.extend(page.events);
            cursor = Some(page.next);
        }
    });
    let mut by_run: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in &found {
        by_run.entry(event.event.run.to_string()).or_default().push(event.event.seq);
    }
    assert_eq!(by_run.len(), WRITERS * RUNS);
    assert!(by_run.values().all(|numbers| *numbers == [1, 2]), "{by_run:?}");
}

fn a_bad_cursor_is_refused(w: &World) {
    for cursor in ["", "x", "1", "1.", "1.-1", "1.2.3"] {
        match w.store.feed(Some(cursor), &FeedFilter::default(), 1) {
            Err(StoreError::Refused(problem)) => assert_eq!(problem.code, Code::InvalidInput),
            other => panic!("{cursor}: {other:?}"),
        }
    }
}

fn who_has_read_what_is_removed_misses_nothing_that_comes(w: &World) {
    let end = |name: &str| {
        let lease = w.launch_as(NewRun { retention_ms: None, ..new_run(name) }).unwrap();
        w.ok(Command::Succeed { lease, output: "1".into() });
    };
    let told = |after: &str| {
        let page = w.store.feed(Some(after), &FeedFilter::default(), 100).unwrap();
        page.events.into_iter().map(|told| told.event.run.to_string()).collect::<Vec<_>>()
    };
    let prune = || w.ok(Command::Prune { default_retention_ms: 10_000, limit: 500 });
    ["a", "b", "c"].into_iter().for_each(end);
    settle(w, 3 * 3);
    let cursor = all(w, &FeedFilter::default(), 100).pop().unwrap().cursor;
    w.pass(10_000);
    assert_eq!(prune(), Reply::Count(3));
    // Here, and in a process that knows nothing of what was there.
    end("d");
    settle(w, 3);
    assert_eq!(told(&cursor), ["d", "d", "d"]);
    w.pass(10_000);
    assert_eq!(prune(), Reply::Count(1));
    w.second().commit(Command::Announce { kind: E::WorkflowActivated, data: json!({ "workflow": "lab/x" }) }).unwrap();
    settle(w, 1);
    assert_eq!(told(&cursor).len(), 1);
    // And in one that wrote before, and not since.
    let other = w.second();
    let announce =
        || other.commit(Command::Announce { kind: E::WorkflowActivated, data: json!({ "workflow": "lab/y" }) });
    announce().unwrap();
    end("e");
    settle(w, 2 + 3);
    let cursor = all(w, &FeedFilter::default(), 100).pop().unwrap().cursor;
    w.pass(10_000);
    assert_eq!(prune(), Reply::Count(1));
    announce().unwrap();
    settle(w, 3);
    assert_eq!(told(&cursor).len(), 1);
}

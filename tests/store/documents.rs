//! Documents and the audit log: versions, unique keys, all or nothing, and an entry exactly where something happened.

use serde_json::json;
use windlass_model::{
    Code,
    audit::{AuditFilter, NewAudit},
    command::{Command, Reply},
    document::{Change, DocumentFilter, Expected},
};

use super::world::{World, new_run};

super::on_both!(
    versions_rise_and_are_expected,
    keys_are_unique_and_move,
    several_changes_are_all_or_nothing,
    lists_are_paged_both_ways,
    an_entry_stands_where_something_happened,
    the_chain_holds_with_several_writers,
    documents_go_with_a_command_or_neither_does,
    of_a_batch_what_was_done_is_noted_and_nothing_else,
);

fn put(id: &str, keys: &[&str], expected: Expected) -> Change {
    Change::Put {
        kind: "user".into(),
        id: id.into(),
        organisation: "platform".into(),
        body: json!({ "name": id }),
        keys: keys.iter().map(ToString::to_string).collect(),
        expires_at_ms: None,
        expected,
    }
}

fn delete(id: &str, expected: Expected) -> Change {
    Change::Delete { kind: "user".into(), id: id.into(), expected }
}

fn versions(w: &World, changes: Vec<Change>) -> Vec<i64> {
    match w.ok(Command::Change(changes)) {
        Reply::Versions(versions) => versions,
        other => panic!("{other:?}"),
    }
}

fn refused(w: &World, change: Change) -> Code {
    w.refused(Command::Change(vec![change]))
}

fn versions_rise_and_are_expected(w: &World) {
    assert_eq!(versions(w, vec![put("a", &[], Expected::Absent)]), [1]);
    assert_eq!(refused(w, put("a", &[], Expected::Absent)), Code::Conflict);
    assert_eq!(versions(w, vec![put("a", &[], Expected::Version(1))]), [2]);
    assert_eq!(refused(w, put("a", &[], Expected::Version(1))), Code::Conflict);
    assert_eq!(refused(w, put("b", &[], Expected::Present)), Code::NotFound);
    assert_eq!(refused(w, delete("b", Expected::Version(1))), Code::NotFound);
    assert_eq!(versions(w, vec![put("a", &[], Expected::Any), delete("a", Expected::Version(3))]), [3, 0]);
    assert_eq!(w.store.document("user", "a").unwrap(), None);
}

fn keys_are_unique_and_move(w: &World) {
    versions(w, vec![put("a", &["ann", "a@x"], Expected::Any), put("b", &["ben"], Expected::Any)]);
    let by_key = |key: &str| w.store.document_by_key("user", key).unwrap().map(|document| document.id);
    assert_eq!(by_key("a@x").as_deref(), Some("a"));
    assert_eq!(w.store.document_by_key("token", "ann").unwrap(), None);
    assert_eq!(refused(w, put("b", &["ann"], Expected::Any)), Code::Conflict);
    assert_eq!(by_key("ben").as_deref(), Some("b"), "a refused change leaves the keys");
    versions(w, vec![put("a", &["anna"], Expected::Any), put("b", &["ann"], Expected::Any)]);
    assert_eq!((by_key("ann").as_deref(), by_key("anna").as_deref(), by_key("a@x")), (Some("b"), Some("a"), None));
    versions(w, vec![delete("b", Expected::Any)]);
    assert_eq!(by_key("ann"), None);
}

fn several_changes_are_all_or_nothing(w: &World) {
    let both = vec![put("a", &[], Expected::Absent), put("b", &[], Expected::Present)];
    assert_eq!(w.refused(Command::Change(both)), Code::NotFound);
    assert_eq!(w.store.document("user", "a").unwrap(), None);
}

fn documents_go_with_a_command_or_neither_does(w: &World) {
    w.launch("first");
    let with = |id: &str, change: Change| {
        let command = Box::new(Command::Launch { run: Box::new(new_run(id)), claim: None });
        Command::With { command, changes: vec![change] }
    };
    let mut named = put("a", &[], Expected::Absent);
    if let Change::Put { body, .. } = &mut named {
        *body = json!({ "run": null, "other": null });
    }
    assert!(matches!(w.ok(with("r1", named)), Reply::Launched { .. }), "the answer is the command's");
    assert_eq!(w.store.document("user", "a").unwrap().unwrap().body, json!({ "run": "r1", "other": null }));
    assert_eq!(w.refused(with("r2", put("a", &[], Expected::Absent))), Code::Conflict);
    assert_eq!(w.store.run(&"r2".into()).unwrap(), None, "without its document it isn't launched");
    assert_eq!(w.refused(with("r1", put("b", &[], Expected::Absent))), Code::Conflict);
    assert_eq!(w.store.document("user", "b").unwrap(), None, "nor is a document kept for nothing");
}

fn lists_are_paged_both_ways(w: &World) {
    versions(w, ["a1", "a2", "a3", "b1"].map(|id| put(id, &[], Expected::Any)).to_vec());
    let ids = |filter: DocumentFilter| -> Vec<String> {
        let filter = DocumentFilter { kind: "user".into(), ..filter };
        w.store.documents(&filter).unwrap().into_iter().map(|document| document.id).collect()
    };
    let page = |after: Option<&str>, newest_first| {
        let (id_prefix, after) = (Some("a".to_owned()), after.map(str::to_owned));
        ids(DocumentFilter { id_prefix, after, newest_first, limit: 2, ..DocumentFilter::default() })
    };
    assert_eq!(page(None, false), ["a1", "a2"]);
    assert_eq!(page(Some("a2"), false), ["a3"]);
    assert_eq!(page(None, true), ["a3", "a2"]);
    assert_eq!(page(Some("a2"), true), ["a1"]);
    let elsewhere = DocumentFilter { organisations: Some(vec!["acme".into()]), ..DocumentFilter::default() };
    assert_eq!(ids(elsewhere), [""; 0]);
}

fn entry(action: &str) -> Box<NewAudit> {
    Box::new(NewAudit {
        actor: "ann".into(),
        organisation: "platform".into(),
        action: action.into(),
        target: "t".into(),
        source: "test".into(),
        before: json!(null),
        after: json!({ "a": 1.5, "b": "ä" }),
    })
}

fn audited(command: Command, action: &str) -> Command {
    Command::Audited { command: Box::new(command), entry: entry(action) }
}

fn an_entry_stands_where_something_happened(w: &World) {
    w.ok(audited(Command::Change(vec![put("a", &[], Expected::Absent)]), "user.create"));
    let again = audited(Command::Change(vec![put("a", &[], Expected::Absent)]), "user.create");
    assert_eq!(w.refused(again), Code::Conflict);
    w.ok(Command::Audit(entry("session.create")));
    let all = w.store.audit(&AuditFilter::default()).unwrap();
    let seen: Vec<_> = all.iter().map(|entry| (entry.seq, entry.action.as_str())).collect();
    assert_eq!(seen, [(2, "session.create"), (1, "user.create")]);
    assert_eq!(all[0].previous, all[1].hash);
    assert_eq!(all[1].hash, blake3::hash(all[1].canonical().as_bytes()).to_hex().to_string());
    let some = |filter: AuditFilter| w.store.audit(&filter).unwrap().len();
    assert_eq!(some(AuditFilter { action: Some("user.".into()), ..AuditFilter::default() }), 1);
    assert_eq!(some(AuditFilter { before: Some(2), ..AuditFilter::default() }), 1);
    assert_eq!(some(AuditFilter { organisations: Some(vec![]), ..AuditFilter::default() }), 0);
}

fn the_chain_holds_with_several_writers(w: &World) {
    let stores: Vec<_> = (0..3).map(|_| w.second()).collect();
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(move || (0..30).for_each(|_| drop(store.commit(Command::Audit(entry("x"))).unwrap())));
        }
    });
    let all = w.store.audit_after(0, 1_000).unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=90).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[1].previous == pair[0].hash));
}

fn of_a_batch_what_was_done_is_noted_and_nothing_else(w: &World) {
    let stores = [w.second(), w.second()];
    // Each document is made by whoever comes first; all others are refused, in the midst of batches.
    let attempt = |thread: usize, number: usize| {
        let id = format!("u{number}");
        let note = NewAudit { actor: format!("user:{thread}\0"), target: id.clone(), ..*entry("user.create") };
        let command = Command::Change(vec![put(&id, &[], Expected::Absent)]);
        let audited = Command::Audited { command: Box::new(command), entry: Box::new(note) };
        stores[thread % 2].commit(audited).is_ok().then_some((id, format!("user:{thread}\u{fffd}")))
    };
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let attempt = &attempt;
        let workers: Vec<_> = (0..16)
            .map(|thread| scope.spawn(move || (0..25).filter_map(|n| attempt(thread, n)).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let all = w.store.audit_after(0, 1_000).unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=25).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[1].previous == pair[0].hash));
    assert!(all.iter().all(|entry| entry.hash == blake3::hash(entry.canonical().as_bytes()).to_hex().to_string()));
    let mut noted: Vec<_> = all.into_iter().map(|entry| (entry.target, entry.actor)).collect();
    done.sort();
    noted.sort();
    assert_eq!(noted, done);
}

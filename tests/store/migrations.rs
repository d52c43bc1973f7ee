//! Migrations run, revert and run again; a schema that isn't at head is refused.

use windlass_model::Code;
use windlass_store::{Store, StoreOptions};

use super::world::World;

super::on_both!(up_down_up, a_newer_schema_is_refused);

fn open_error(w: &World) -> windlass_model::Problem {
    let options = StoreOptions::new(w.clock.clone());
    Store::open(&w.url, options).err().map(Into::into).expect("the store can't be opened")
}

fn up_down_up(w: &World) {
    w.store.close();
    assert!(Store::pending_migrations(&w.url).unwrap().is_empty());
    assert!(Store::migrate(&w.url).unwrap().is_empty(), "nothing is left to do");
    let all = if w.url.starts_with("postgres") { 10 } else { 11 };
    assert_eq!(Store::revert_all(&w.url).unwrap().len(), all);
    assert_eq!(Store::pending_migrations(&w.url).unwrap().len(), all);
    let problem = open_error(w);
    assert_eq!(problem.code, Code::SchemaMismatch);
    assert!(problem.help.unwrap().contains("windlass migrate"));
    assert_eq!(Store::migrate(&w.url).unwrap().len(), all);
    let store = w.second();
    assert_eq!(store.dump().unwrap(), "");
}

fn a_newer_schema_is_refused(w: &World) {
    w.store.close();
    let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    if w.url.starts_with("postgres") {
        windlass_tests::postgres::sql(&w.url, insert);
    } else if !w.sqlite_shell(insert) {
        return;
    }
    let problem = open_error(w);
    assert_eq!(problem.code, Code::SchemaMismatch);
    assert!(problem.message.contains("newer"), "{}", problem.message);
}

#[test]
fn opening_creates_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.db");
    let url = format!("sqlite:{}", file.display());
    assert_eq!(Store::pending_migrations(&url).unwrap().len(), 11);
    let clock = std::sync::Arc::new(super::world::TestClock(0.into()));
    let problem: windlass_model::Problem = Store::open(&url, StoreOptions::new(clock)).err().unwrap().into();
    assert_eq!(problem.code, Code::SchemaMismatch);
    assert!(!file.exists());
    assert_eq!(
        Store::pending_migrations("mysql://x").err().map(|error| error.problem().code),
        Some(Code::Configuration)
    );
}

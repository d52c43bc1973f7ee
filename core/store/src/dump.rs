//! Everything in the database as text: what the differential test compares.

use std::fmt::Write as _;

use diesel::prelude::*;

use crate::{
    connection::AnyConnection,
    journal_log,
    runs::RunRow,
    schema::{
        approvals, artifacts, audit, bundles, chains, decisions, document_keys, documents, kv, leases, locks,
        lost_locks, resources, run_terms, secrets, signals, undo, waits,
    },
    steps,
};

macro_rules! table {
    ($text:ident, $conn:ident, $table:ident, $order:expr, $row:ty) => {
        for row in $table::table.order($order).load::<$row>($conn)? {
            // Writing into a String can't fail.
            let _ = writeln!($text, concat!(stringify!($table), " {:?}"), row);
        }
    };
}

type Text = String;
type MaybeText = Option<String>;
type Maybe = Option<i64>;

pub(crate) fn dump(conn: &mut AnyConnection) -> QueryResult<String> {
    let mut text = String::new();
    table!(text, conn, bundles, bundles::digest, (Text, Text, i64));
    dump_runs(conn, &mut text)?;
    table!(text, conn, run_terms, (run_terms::run_id, run_terms::term), (Text, Text));
    dump_leases(conn, &mut text)?;
    dump_log(conn, &mut text)?;
    table!(text, conn, waits, (waits::run_id, waits::path), (Text, Text, Text, MaybeText, Maybe, Text, i64));
    table!(
        text,
        conn,
        signals,
        (signals::run_id, signals::seq),
        (Text, i64, Text, Text, Text, MaybeText, i64, MaybeText)
    );
    table!(text, conn, approvals, (approvals::run_id, approvals::path), (Text, Text, Text, bool, i64));
    table!(
        text,
        conn,
        decisions,
        (decisions::run_id, decisions::path, decisions::decided_by),
        (Text, Text, Text, i64, bool, MaybeText, Text, Text, i64)
    );
    table!(text, conn, locks, locks::name, (Text, Text, i64));
    table!(text, conn, lost_locks, (lost_locks::run_id, lost_locks::name), (Text, Text));
    table!(text, conn, chains, chains::run_id, (Text, Text, i64));
    table!(text, conn, kv, kv::key, (Text, Text, i64));
    table!(
        text,
        conn,
        resources,
        (resources::run_id, resources::provider, resources::kind, resources::id),
        (Text, Text, Text, Text, Text, Text, Text, i64, i64, Text)
    );
    table!(text, conn, undo, (undo::run_id, undo::seq), (Text, i64, Text, Text, Text, Text, Text, MaybeText, Maybe));
    table!(text, conn, artifacts, (artifacts::run_id, artifacts::name), (Text, Text, Text, i64, Text, Vec<u8>, i64));
    table!(text, conn, secrets, secrets::name, (Text, Vec<u8>, Text, i64, i64));
    table!(text, conn, documents, (documents::kind, documents::id), (Text, Text, Text, i64, Text, i64, i64, Maybe));
    table!(text, conn, document_keys, (document_keys::kind, document_keys::key), (Text, Text, Text));
    table!(text, conn, audit, audit::seq, (i64, i64, Text, Text, Text, Text, Text, Text, Text, Text, Text));
    Ok(text)
}

/// SQLite's row of a run that is held doesn't say how far its numbers are.
fn dump_leases(conn: &mut AnyConnection, text: &mut String) -> QueryResult<()> {
    for mut row in leases::table.order(leases::run_id).load::<(Text, MaybeText, i64, Maybe, i64)>(conn)? {
        row.4 = crate::leases::next_event(conn, &row.0)?;
        // Writing into a String can't fail.
        let _ = writeln!(text, "leases {row:?}");
    }
    Ok(())
}

fn dump_runs(conn: &mut AnyConnection, text: &mut String) -> QueryResult<()> {
    use crate::schema::runs;
    for row in runs::table.order(runs::id).select(RunRow::as_select()).load(conn)? {
        let _ = writeln!(text, "runs {row:?}");
    }
    Ok(())
}

fn dump_log(conn: &mut AnyConnection, text: &mut String) -> QueryResult<()> {
    let rows = journal_log::all(conn)?;
    let mut all = steps::all_open(conn)?;
    all.extend(rows.iter().filter_map(|row| Some((row.run_id.clone(), row.clone().step()?))));
    all.sort_by(|(run, step), (other_run, other)| (run, &step.path).cmp(&(other_run, &other.path)));
    for (run, step) in all {
        let _ = writeln!(text, "steps {run} {step:?}");
    }
    for row in rows {
        let event = (&row.run_id, row.seq, row.at_ms, &row.kind, &row.path, row.data());
        let _ = writeln!(text, "events {event:?}");
    }
    Ok(())
}

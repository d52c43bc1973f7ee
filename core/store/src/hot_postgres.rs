//! The statements with which a batch is written to PostgreSQL: each takes an array for each column.

use diesel::{
    PgConnection, QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text},
};

use crate::hot::statement_of;

macro_rules! statement {
    ($($rest:tt)*) => {
        statement_of!(Pg, PgConnection; $($rest)*);
    };
}

statement!(
    /// Rows of the log, in this order.
    Lines = "INSERT INTO log (run_id, seq, at_ms, kind, path, data, op, class, digest, args, site, outcome, failed, attempts, \
              started_at_ms) \
             SELECT run, seq, ?, kind, path, data, op, class, digest, args, site, outcome, failed, attempts, started \
             FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WITH ORDINALITY \
              AS l (run, seq, kind, path, data, op, class, digest, args, site, outcome, failed, attempts, started, n) \
             ORDER BY n",
    at_ms: i64 as BigInt,
    runs: [&'a str] as Array<Text>,
    seqs: [i64] as Array<BigInt>,
    kinds: [&'a str] as Array<Text>,
    paths: [Option<&'a str>] as Array<Nullable<Text>>,
    data: [Option<&'a str>] as Array<Nullable<Text>>,
    ops: [Option<&'a str>] as Array<Nullable<Text>>,
    classes: [Option<&'a str>] as Array<Nullable<Text>>,
    digests: [Option<&'a [u8]>] as Array<Nullable<Binary>>,
    args: [Option<&'a str>] as Array<Nullable<Text>>,
    sites: [Option<&'a str>] as Array<Nullable<Text>>,
    outcomes: [Option<&'a str>] as Array<Nullable<Text>>,
    failed: [Option<bool>] as Array<Nullable<Bool>>,
    attempts: [Option<i64>] as Array<Nullable<BigInt>>,
    started: [Option<i64>] as Array<Nullable<BigInt>>,
);

statement!(
    /// Leases of runs that were launched.
    NewLeases = "INSERT INTO leases (run_id, node, epoch, expires_at_ms, next_seq) SELECT * FROM unnest(?, ?, ?, ?, ?)",
    runs: [&'a str] as Array<Text>,
    nodes: [Option<&'a str>] as Array<Nullable<Text>>,
    epochs: [i64] as Array<BigInt>,
    until: [Option<i64>] as Array<Nullable<BigInt>>,
    next: [i64] as Array<BigInt>,
);

statement!(
    /// Leases that were read and locked before.
    Leases = "UPDATE leases SET node = v.node, epoch = v.epoch, expires_at_ms = v.until, next_seq = v.next \
              FROM unnest(?, ?, ?, ?, ?) AS v (run, node, epoch, until, next) WHERE leases.run_id = v.run",
    runs: [&'a str] as Array<Text>,
    nodes: [Option<&'a str>] as Array<Nullable<Text>>,
    epochs: [i64] as Array<BigInt>,
    until: [Option<i64>] as Array<Nullable<BigInt>>,
    next: [i64] as Array<BigInt>,
);

statement!(
    /// What runs are found by; what is there already stays.
    Terms = "INSERT INTO run_terms (term, run_id) SELECT * FROM unnest(?, ?) ON CONFLICT DO NOTHING",
    terms: [String] as Array<Text>,
    runs: [String] as Array<Text>,
);

statement!(
    /// Runs that workers take.
    TakeRuns = "UPDATE runs SET state = v.state, waiting_on = NULL, due_at_ms = NULL, started_at_ms = v.started, \
                 recoveries = v.recoveries \
                FROM unnest(?, ?, ?, ?) AS v (run, state, started, recoveries) WHERE runs.id = v.run",
    runs: [&'a str] as Array<Text>,
    states: [&'a str] as Array<Text>,
    started: [i64] as Array<BigInt>,
    recoveries: [i64] as Array<BigInt>,
);

statement!(
    /// Runs that end.
    EndRuns = "UPDATE runs SET state = v.state, waiting_on = NULL, due_at_ms = NULL, output = v.output, problem = v.problem, \
                ended_at_ms = ? \
               FROM unnest(?, ?, ?, ?) AS v (run, state, output, problem) WHERE runs.id = v.run",
    ended_at_ms: i64 as BigInt,
    runs: [&'a str] as Array<Text>,
    states: [&'a str] as Array<Text>,
    outputs: [Option<&'a str>] as Array<Nullable<Text>>,
    problems: [Option<&'a str>] as Array<Nullable<Text>>,
);

statement!(
    /// Waits until nobody else decides about these names, in this order.
    Exclude = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(?) AS v (name)",
    names: [String] as Array<Text>,
);

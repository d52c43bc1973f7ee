-- SQLite. Rows of hot tables live in their primary key (WITHOUT ROWID). Times are milliseconds since 1970, JSON is text.
-- Where a CHECK of a hot table stands in pairs: SQLite builds a table for each list of more than two, whenever it checks.

-- Workflow sources, pinned by digest.
CREATE TABLE bundles (
    digest TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
) WITHOUT ROWID;

-- One row per run. The CHECKs repeat the invariants of the run's state machine.
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    workflow TEXT NOT NULL,
    bundle TEXT NOT NULL REFERENCES bundles (digest),
    state TEXT NOT NULL,
    waiting_on TEXT,
    due_at_ms BIGINT,
    input TEXT NOT NULL,
    output TEXT,
    problem TEXT,
    launched_by TEXT NOT NULL,
    idempotency_key TEXT,
    rollback TEXT NOT NULL,
    parent_run TEXT,
    parent_path TEXT,
    continues TEXT,
    tags TEXT NOT NULL,
    recoveries BIGINT NOT NULL DEFAULT 0,
    launched_at_ms BIGINT NOT NULL,
    started_at_ms BIGINT,
    ended_at_ms BIGINT,
    deadline_at_ms BIGINT,
    retention_ms BIGINT,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    concurrency_key TEXT,
    concurrency_limit BIGINT,
    CHECK (state IN ('queued', 'running') OR state IN ('waiting', 'cancelling')
        OR state IN ('rolling_back', 'rollback_stuck') OR state IN ('succeeded', 'failed')
        OR state IN ('rolled_back', 'cancelled')),
    CHECK (rollback IN ('auto', 'none')),
    CHECK ((state = 'waiting') = (waiting_on IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed') OR state IN ('rolled_back', 'cancelled')) = (ended_at_ms IS NOT NULL)),
    CHECK (ended_at_ms IS NULL OR due_at_ms IS NULL),
    CHECK ((state = 'succeeded') = (output IS NOT NULL)),
    CHECK (state <> 'failed' OR problem IS NOT NULL),
    CHECK (problem IS NULL OR state IN ('cancelling', 'rolling_back', 'rollback_stuck', 'failed', 'rolled_back', 'cancelled')),
    CHECK ((parent_run IS NULL) = (parent_path IS NULL)),
    CHECK ((concurrency_key IS NULL) = (concurrency_limit IS NULL)),
    CHECK (concurrency_limit IS NULL OR concurrency_limit >= 1),
    CHECK (recoveries >= 0)
) WITHOUT ROWID;
CREATE UNIQUE INDEX runs_idempotency ON runs (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_due ON runs (due_at_ms, id) WHERE due_at_ms IS NOT NULL;
CREATE INDEX runs_ended ON runs (ended_at_ms, id) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX runs_concurrency ON runs (concurrency_key, id) WHERE concurrency_key IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent_run, id) WHERE parent_run IS NOT NULL;
CREATE INDEX runs_continues ON runs (continues) WHERE continues IS NOT NULL;
CREATE INDEX runs_state ON runs (state, id);

-- Who works on a run, and the next event's number: the one row that every journal write goes through.
CREATE TABLE leases (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    node TEXT,
    epoch BIGINT NOT NULL,
    expires_at_ms BIGINT,
    next_seq BIGINT NOT NULL,
    CHECK (epoch >= 0),
    CHECK (next_seq >= 1),
    CHECK ((node IS NULL) = (expires_at_ms IS NULL))
) WITHOUT ROWID;
CREATE INDEX leases_expiry ON leases (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

-- Open steps: intended, waiting or in doubt. A finished one stands in the log.
CREATE TABLE steps (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    op TEXT NOT NULL,
    class TEXT NOT NULL,
    state TEXT NOT NULL,
    args TEXT NOT NULL,
    digest BLOB NOT NULL,
    site TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, path),
    CHECK (state IN ('started', 'waiting') OR state = 'in_doubt'),
    CHECK (class IN ('read', 'idempotent') OR class IN ('keyed', 'at_most_once') OR class IN ('wait', 'scope')),
    CHECK (attempts >= 0),
    CHECK (length(digest) = 16)
) WITHOUT ROWID;

-- The journal: what watchers see, numbered per run without a gap, and the finished steps, in the order of commits. A
-- row that finishes a step is its event too: where `data` is NULL it follows from the step's columns.
-- Rows of all runs are appended to the same page. That is why there is no index and no foreign key here: each would
-- dirty one page more for every run that shares a commit. A run's rows are found by their blocks, and go with the run
-- by the program's hand; that a step finishes once is kept by the lease's epoch and the run's numbers.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    path TEXT,
    data TEXT,
    op TEXT,
    class TEXT,
    digest BLOB,
    args TEXT,
    site TEXT,
    outcome TEXT,
    failed BOOLEAN,
    attempts BIGINT,
    started_at_ms BIGINT,
    CHECK (seq >= 1),
    CHECK (CASE
        WHEN op IS NULL THEN
            data IS NOT NULL AND class IS NULL AND digest IS NULL AND args IS NULL AND site IS NULL
            AND outcome IS NULL AND failed IS NULL AND attempts IS NULL AND started_at_ms IS NULL
        ELSE
            path IS NOT NULL AND length(digest) = 16 AND args IS NOT NULL AND site IS NOT NULL
            AND outcome IS NOT NULL AND attempts >= 0 AND attempts IS NOT NULL AND started_at_ms IS NOT NULL
            AND digest IS NOT NULL AND class IS NOT NULL AND failed IS NOT NULL
            AND (class IN ('read', 'idempotent') OR class IN ('keyed', 'at_most_once') OR class IN ('wait', 'scope'))
            AND CASE kind
                WHEN 'step.succeeded' THEN NOT failed
                WHEN 'step.failed' THEN failed
                ELSE kind = 'step.resolved' AND data IS NOT NULL
            END
    END)
);

-- Where a run's rows are: in block n are those with ids from 1024 n to 1024 n + 1023. `first_seq` is the number of the
-- run's first row there.
CREATE TABLE log_blocks (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    block BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    PRIMARY KEY (run_id, block)
) WITHOUT ROWID;

-- One row per waiting step: what would end the wait, and when its time is up.
CREATE TABLE waits (
    run_id TEXT NOT NULL,
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    name TEXT,
    due_at_ms BIGINT,
    spec TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, path),
    FOREIGN KEY (run_id, path) REFERENCES steps (run_id, path) ON DELETE CASCADE,
    CHECK (reason IN ('timer', 'signal', 'approval', 'lock', 'child')),
    CHECK ((reason IN ('signal', 'lock', 'child')) = (name IS NOT NULL))
) WITHOUT ROWID;
CREATE INDEX waits_name ON waits (reason, name, since_ms, run_id, path) WHERE name IS NOT NULL;

-- Signals, kept until a wait takes them, and after that to recognise a second delivery.
CREATE TABLE signals (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    sent_by TEXT NOT NULL,
    signal_id TEXT,
    received_at_ms BIGINT NOT NULL,
    consumed_by TEXT,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX signals_id ON signals (run_id, signal_id) WHERE signal_id IS NOT NULL;
CREATE INDEX signals_open ON signals (run_id, name, seq) WHERE consumed_by IS NULL;

-- What people are asked, and their decisions.
CREATE TABLE approvals (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    request TEXT NOT NULL,
    settled BOOLEAN NOT NULL DEFAULT FALSE,
    asked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
CREATE INDEX approvals_open ON approvals (asked_at_ms, run_id, path) WHERE NOT settled;

CREATE TABLE decisions (
    run_id TEXT NOT NULL,
    path TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    seq BIGINT NOT NULL,
    approved BOOLEAN NOT NULL,
    comment TEXT,
    form TEXT NOT NULL,
    digest TEXT NOT NULL,
    decided_at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, path, decided_by),
    FOREIGN KEY (run_id, path) REFERENCES approvals (run_id, path) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE locks (
    name TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    acquired_at_ms BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX locks_run ON locks (run_id);

CREATE TABLE kv (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL
) WITHOUT ROWID;

-- The inventory. It outlives the run: what is still there has to be known. `origin` is the run whose step made it,
-- which differs from `run_id` once a run has been continued as a new one.
CREATE TABLE resources (
    run_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    origin TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, provider, kind, id),
    CHECK (state IN ('creating', 'live', 'adopted', 'destroying', 'gone'))
) WITHOUT ROWID;
CREATE INDEX resources_name ON resources (provider, id, kind) WHERE state <> 'gone';

-- How each step is taken back. Undone from the highest number down.
CREATE TABLE undo (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    origin TEXT NOT NULL,
    path TEXT NOT NULL,
    spec TEXT NOT NULL,
    site TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    started_at_ms BIGINT,
    PRIMARY KEY (run_id, seq),
    CHECK (seq >= 1),
    CHECK (state IN ('registered', 'void', 'done', 'failed', 'skipped')),
    CHECK (state <> 'failed' OR error IS NOT NULL)
) WITHOUT ROWID;
CREATE UNIQUE INDEX undo_step ON undo (run_id, origin, path, spec);

CREATE TABLE artifacts (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, name)
);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL,
    policy TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);

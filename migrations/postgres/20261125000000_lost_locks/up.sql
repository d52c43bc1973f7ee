-- Locks that were taken from a run whose undo is stuck: it gets them back before its undo goes on.
CREATE TABLE lost_locks (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, name)
);

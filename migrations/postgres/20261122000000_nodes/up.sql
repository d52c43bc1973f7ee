-- What several nodes need that share a database: what comes first, how often something may start, and who is there.

ALTER TABLE runs
    ADD COLUMN priority BIGINT NOT NULL DEFAULT 1 CHECK (priority BETWEEN 0 AND 2),
    ADD COLUMN rate_key TEXT COLLATE "C",
    ADD COLUMN rate_limit BIGINT CHECK (rate_limit >= 1),
    ADD COLUMN rate_per_ms BIGINT CHECK (rate_per_ms >= 1),
    ADD COLUMN rate_at_ms BIGINT,
    ADD CONSTRAINT runs_rate_check CHECK (
        (rate_key IS NULL) = (rate_limit IS NULL) AND (rate_key IS NULL) = (rate_per_ms IS NULL)
        AND (rate_key IS NULL) = (rate_at_ms IS NULL)
    );
-- When runs of a rate begin, or began.
CREATE INDEX runs_rate ON runs (rate_key, rate_at_ms) WHERE rate_key IS NOT NULL;
-- What is due, by organisation, workflow and priority: claims take turns.
CREATE INDEX runs_turns ON runs (
    (organisation || '/' || workflow || '/' || CAST(priority AS TEXT) COLLATE "C"), due_at_ms, id
) WHERE due_at_ms IS NOT NULL;

-- Who executes runs on this database, and when it was last heard of.
CREATE TABLE nodes (
    id TEXT COLLATE "C" PRIMARY KEY,
    started_at_ms BIGINT NOT NULL,
    seen_at_ms BIGINT NOT NULL,
    version TEXT NOT NULL,
    workers BIGINT NOT NULL,
    running BIGINT NOT NULL,
    draining BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK (workers >= 0),
    CHECK (running >= 0)
);

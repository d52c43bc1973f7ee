-- What is looked for among few must not be found among all that were ever stored.

-- Runs of a concurrency key that haven't ended: those that have stay out of the way.
DROP INDEX runs_concurrency;
CREATE INDEX runs_concurrency ON runs (concurrency_key, state, id)
    WHERE concurrency_key IS NOT NULL AND ended_at_ms IS NULL;

-- Runs of a rate that have begun: however many wait for their time, it is the last few that began that count.
CREATE INDEX runs_rate_begun ON runs (rate_key, rate_at_ms) WHERE rate_key IS NOT NULL AND started_at_ms IS NOT NULL;

-- What may be removed is at the front: by its end where the default holds, else by when its own time is over.
DROP INDEX runs_ended;
CREATE INDEX runs_ended ON runs (ended_at_ms, id) WHERE ended_at_ms IS NOT NULL AND retention_ms IS NULL;
CREATE INDEX runs_kept ON runs ((ended_at_ms + retention_ms), id) WHERE ended_at_ms IS NOT NULL AND retention_ms IS NOT NULL;

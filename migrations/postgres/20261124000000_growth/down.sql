DROP INDEX runs_kept;
DROP INDEX runs_ended;
CREATE INDEX runs_ended ON runs (ended_at_ms, id) WHERE ended_at_ms IS NOT NULL;
DROP INDEX runs_rate_begun;
DROP INDEX runs_concurrency;
CREATE INDEX runs_concurrency ON runs (concurrency_key, id) WHERE concurrency_key IS NOT NULL;

DROP TABLE nodes;
DROP INDEX runs_turns;
DROP INDEX runs_rate;
ALTER TABLE runs DROP COLUMN rate_at_ms;
ALTER TABLE runs DROP COLUMN rate_per_ms;
ALTER TABLE runs DROP COLUMN rate_limit;
ALTER TABLE runs DROP COLUMN rate_key;
ALTER TABLE runs DROP COLUMN priority;

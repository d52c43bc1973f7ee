-- A backup is older than the world: runs that were open in it may have gone on since. Such a run says so, and what its
-- journal lacks isn't simply done.
ALTER TABLE runs ADD COLUMN restored_at_ms BIGINT;

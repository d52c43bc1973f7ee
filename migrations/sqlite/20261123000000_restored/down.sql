ALTER TABLE runs DROP COLUMN restored_at_ms;

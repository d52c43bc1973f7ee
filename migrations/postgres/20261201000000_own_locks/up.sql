-- Runs that wait for a lock which they have themselves: an earlier version left those without an end whose branch was over without
-- giving the lock back. Each looks once more; who still has to wait waits on.
UPDATE runs SET due_at_ms = 0
WHERE state = 'waiting' AND waiting_on <> 'parked' AND (due_at_ms IS NULL OR due_at_ms > 0)
    AND EXISTS (
        SELECT 1 FROM waits w JOIN locks l ON l.name = w.name AND l.run_id = w.run_id
        WHERE w.run_id = runs.id AND w.reason = 'lock'
    );

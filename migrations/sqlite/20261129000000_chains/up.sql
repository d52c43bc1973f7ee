-- Runs that continue others: which run was the first, and which of those that followed it the run is. Whoever waits for any of
-- them waits for the first one's name.
CREATE TABLE chains (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    root TEXT NOT NULL,
    round BIGINT NOT NULL CHECK (round > 0)
) WITHOUT ROWID;
CREATE UNIQUE INDEX chains_root ON chains (root, round);

WITH RECURSIVE found (run_id, root, round) AS (
    SELECT r.id, r.continues, CAST(1 AS BIGINT) FROM runs r
    WHERE r.continues IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM runs p WHERE p.id = r.continues AND p.continues IS NOT NULL)
    UNION ALL
    SELECT r.id, f.root, f.round + 1 FROM runs r JOIN found f ON r.continues = f.run_id
)
INSERT INTO chains (run_id, root, round) SELECT run_id, root, round FROM found;

-- Whose step launched the first has launched those that follow it.
UPDATE runs SET
    parent_run = (SELECT p.parent_run FROM chains c JOIN runs p ON p.id = c.root WHERE c.run_id = runs.id),
    parent_path = (SELECT p.parent_path FROM chains c JOIN runs p ON p.id = c.root WHERE c.run_id = runs.id)
WHERE parent_run IS NULL AND id IN (SELECT run_id FROM chains);

UPDATE waits SET name = (SELECT c.root FROM chains c WHERE c.run_id = waits.name)
WHERE reason = 'child' AND name IN (SELECT run_id FROM chains);

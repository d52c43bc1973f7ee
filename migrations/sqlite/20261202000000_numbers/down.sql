-- The rows say again how far the numbers of runs are that were held when the process ended.
UPDATE leases SET next_seq = max(next_seq, 1 + coalesce((
    SELECT max(l.seq) FROM log_blocks b JOIN log l ON l.id BETWEEN b.block * 1024 AND b.block * 1024 + 1023
    WHERE b.run_id = leases.run_id AND l.run_id = leases.run_id
        AND b.block = (SELECT max(block) FROM log_blocks WHERE run_id = leases.run_id)
), 0)) WHERE node IS NOT NULL;

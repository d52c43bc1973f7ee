-- Nothing changes but that programs from before keep off: of a run that is held they take the next event's number from its row
-- of leases, and since this version only the last event says it.
SELECT 1;

-- Locks: each organisation has names of its own, behind its name; the platform's stay as they are. What is locked for all
-- organisations stands behind the verb of the grant that it takes. What is held, was lost, or is waited for, stays so.
UPDATE waits SET
    name = chr(30) || 'dns.write' || chr(30) || substr(name, 23),
    spec = replace(spec, '{"wait":"lock","name":"domain of a Sovereign/', '{"wait":"lock","across":"dns.write","name":"')
WHERE reason = 'lock' AND substr(name, 1, 22) = 'domain of a Sovereign/';
UPDATE locks SET name = chr(30) || 'dns.write' || chr(30) || substr(name, 23)
WHERE substr(name, 1, 22) = 'domain of a Sovereign/';
UPDATE lost_locks SET name = chr(30) || 'dns.write' || chr(30) || substr(name, 23)
WHERE substr(name, 1, 22) = 'domain of a Sovereign/';

UPDATE waits SET name = chr(31) || (SELECT r.organisation FROM runs r WHERE r.id = waits.run_id) || chr(31) || name
WHERE reason = 'lock' AND name NOT LIKE chr(30) || '%'
    AND EXISTS (SELECT 1 FROM runs r WHERE r.id = waits.run_id AND r.organisation <> 'platform');
UPDATE locks SET name = chr(31) || (SELECT r.organisation FROM runs r WHERE r.id = locks.run_id) || chr(31) || name
WHERE name NOT LIKE chr(30) || '%'
    AND EXISTS (SELECT 1 FROM runs r WHERE r.id = locks.run_id AND r.organisation <> 'platform');
UPDATE lost_locks SET name = chr(31) || (SELECT r.organisation FROM runs r WHERE r.id = lost_locks.run_id) || chr(31) || name
WHERE name NOT LIKE chr(30) || '%'
    AND EXISTS (SELECT 1 FROM runs r WHERE r.id = lost_locks.run_id AND r.organisation <> 'platform');

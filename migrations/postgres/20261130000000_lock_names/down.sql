-- Fails, and changes nothing, while two locks are held that have one name without their organisations and verbs.
UPDATE waits SET
    name = 'domain of a Sovereign/' || substr(name, 12),
    spec = replace(
        replace(replace(spec, '"across":"dns.write",', ''), ',"across":"dns.write"', ''),
        '"name":"', '"name":"domain of a Sovereign/'
    )
WHERE reason = 'lock' AND name LIKE chr(30) || 'dns.write' || chr(30) || '%';
UPDATE locks SET name = 'domain of a Sovereign/' || substr(name, 12)
WHERE name LIKE chr(30) || 'dns.write' || chr(30) || '%';
UPDATE lost_locks SET name = 'domain of a Sovereign/' || substr(name, 12)
WHERE name LIKE chr(30) || 'dns.write' || chr(30) || '%';

-- Other verbs had no names of their own: such a lock has the name that scripts have for it.
UPDATE waits SET
    name = substr(name, length(split_part(name, chr(30), 2)) + 3),
    spec = replace(
        replace(spec, '"across":"' || split_part(name, chr(30), 2) || '",', ''),
        ',"across":"' || split_part(name, chr(30), 2) || '"', ''
    )
WHERE reason = 'lock' AND name LIKE chr(30) || '%';
UPDATE locks SET name = substr(name, length(split_part(name, chr(30), 2)) + 3)
WHERE name LIKE chr(30) || '%';
UPDATE lost_locks SET name = substr(name, length(split_part(name, chr(30), 2)) + 3)
WHERE name LIKE chr(30) || '%';

UPDATE waits SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = waits.run_id) + 3)
WHERE reason = 'lock' AND name LIKE chr(31) || '%';
UPDATE locks SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = locks.run_id) + 3)
WHERE name LIKE chr(31) || '%';
UPDATE lost_locks SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = lost_locks.run_id) + 3)
WHERE name LIKE chr(31) || '%';

-- Fails, and changes nothing, while two organisations hold locks of one name.
UPDATE waits SET
    name = 'domain of a Sovereign/' || substr(name, 12),
    spec = replace(
        replace(replace(spec, '"across":"dns.write",', ''), ',"across":"dns.write"', ''),
        '"name":"', '"name":"domain of a Sovereign/'
    )
WHERE reason = 'lock' AND name LIKE char(30) || 'dns.write' || char(30) || '%';
UPDATE locks SET name = 'domain of a Sovereign/' || substr(name, 12)
WHERE name LIKE char(30) || 'dns.write' || char(30) || '%';
UPDATE lost_locks SET name = 'domain of a Sovereign/' || substr(name, 12)
WHERE name LIKE char(30) || 'dns.write' || char(30) || '%';

UPDATE waits SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = waits.run_id) + 3)
WHERE reason = 'lock' AND name LIKE char(31) || '%';
UPDATE locks SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = locks.run_id) + 3)
WHERE name LIKE char(31) || '%';
UPDATE lost_locks SET name = substr(name, (SELECT length(r.organisation) FROM runs r WHERE r.id = lost_locks.run_id) + 3)
WHERE name LIKE char(31) || '%';

-- What a server needs besides runs: what people set up, who did what, and lists of runs that stay quick.

-- What people set up: users, tokens, organisations, versions of workflows. JSON with a version that only rises.
CREATE TABLE documents (
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    PRIMARY KEY (kind, id),
    CHECK (version >= 1),
    CHECK (body::json IS NOT NULL)
);
CREATE INDEX documents_expiry ON documents (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

-- Words by which a document is found, unique among its kind.
CREATE TABLE document_keys (
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, key),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
);
CREATE INDEX document_keys_document ON document_keys (kind, id);

-- The audit log. Each entry's hash covers the one before it; nothing is ever changed or removed.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CHECK (seq >= 1),
    CHECK (length(hash) = 64 AND length(previous) = 64)
);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

ALTER TABLE runs ADD COLUMN organisation TEXT COLLATE "C" NOT NULL DEFAULT 'platform';

-- Lists of runs, newest first: ids are ULIDs, so each index is in the order of launches.
CREATE INDEX runs_organisation ON runs (organisation, id);
CREATE INDEX runs_organisation_state ON runs (organisation, state, id);
CREATE INDEX runs_organisation_workflow ON runs (organisation, workflow, id);
CREATE INDEX runs_workflow ON runs (workflow, id);

-- What a run is found by besides its columns: `t:` its tags, `i:` fields of its input, `f:` the folders that its workflow is
-- in, `w:` words. No foreign key, as for the log: a run's rows go with it by the program's hand.
CREATE TABLE run_terms (
    term TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (term, run_id)
);
CREATE INDEX run_terms_run ON run_terms (run_id);

ALTER TABLE resources ADD COLUMN organisation TEXT COLLATE "C" NOT NULL DEFAULT 'platform';
CREATE INDEX resources_made ON resources (created_at_ms);

-- A key is an organisation's own: nobody learns of another's runs by trying keys.
DROP INDEX runs_idempotency;
CREATE UNIQUE INDEX runs_idempotency ON runs (organisation, workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The feed of all events. Ids are given out before commits, and several nodes commit in any order: a row is told only
-- when every transaction that began before its own has ended.
ALTER TABLE log ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX log_feed ON log (xid, id);

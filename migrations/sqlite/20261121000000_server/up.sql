-- What a server needs besides runs: what people set up, who did what, and lists of runs that stay quick.

-- What people set up: users, tokens, organisations, versions of workflows. JSON with a version that only rises.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    PRIMARY KEY (kind, id),
    CHECK (version >= 1),
    CHECK (json_valid(body))
) WITHOUT ROWID;
CREATE INDEX documents_expiry ON documents (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

-- Words by which a document is found, unique among its kind.
CREATE TABLE document_keys (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (kind, key),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX document_keys_document ON document_keys (kind, id);

-- The audit log. Each entry's hash covers the one before it; nothing is ever changed or removed.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    organisation TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CHECK (seq >= 1),
    CHECK (length(hash) = 64 AND length(previous) = 64)
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

ALTER TABLE runs ADD COLUMN organisation TEXT NOT NULL DEFAULT 'platform';

-- Lists of runs, newest first: ids are ULIDs, so each index is in the order of launches.
CREATE INDEX runs_organisation ON runs (organisation, id);
CREATE INDEX runs_organisation_state ON runs (organisation, state, id);
CREATE INDEX runs_organisation_workflow ON runs (organisation, workflow, id);
CREATE INDEX runs_workflow ON runs (workflow, id);

-- What a run is found by besides its columns: `t:` its tags, `i:` fields of its input, `f:` the folders that its workflow is
-- in, `w:` words. No foreign key, as for the log: a run's rows go with it by the program's hand.
CREATE TABLE run_terms (
    term TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (term, run_id)
) WITHOUT ROWID;
CREATE INDEX run_terms_run ON run_terms (run_id);

ALTER TABLE resources ADD COLUMN organisation TEXT NOT NULL DEFAULT 'platform';
CREATE INDEX resources_made ON resources (created_at_ms);

-- A key is an organisation's own: nobody learns of another's runs by trying keys.
DROP INDEX runs_idempotency;
CREATE UNIQUE INDEX runs_idempotency ON runs (organisation, workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;

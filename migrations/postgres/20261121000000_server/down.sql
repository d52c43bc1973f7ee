DROP INDEX runs_idempotency;
CREATE UNIQUE INDEX runs_idempotency ON runs (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
ALTER TABLE runs DROP COLUMN organisation;
DROP TABLE audit;
DROP FUNCTION audit_is_append_only();
DROP TABLE document_keys;
DROP TABLE documents;

ALTER TABLE runs DROP COLUMN organisation;
DROP TABLE audit;
DROP FUNCTION audit_is_append_only();
DROP TABLE document_keys;
DROP TABLE documents;

ALTER TABLE runs DROP COLUMN organisation;
DROP TABLE audit;
DROP TABLE document_keys;
DROP TABLE documents;

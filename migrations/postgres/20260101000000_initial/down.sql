-- Takes everything away again, what refers before what is referred to.
DROP TABLE secrets;
DROP TABLE artifacts;
DROP TABLE undo;
DROP TABLE resources;
DROP TABLE kv;
DROP TABLE locks;
DROP TABLE decisions;
DROP TABLE approvals;
DROP TABLE signals;
DROP TABLE waits;
DROP TABLE log;
DROP TABLE steps;
DROP TABLE leases;
DROP TABLE runs;
DROP TABLE bundles;

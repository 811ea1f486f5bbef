-- All commits in one order, for those who follow what happens.
CREATE TABLE commits (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT;
CREATE INDEX commits_run ON commits (run);
INSERT INTO commits (run, first, last) SELECT key, 1, seq FROM runs ORDER BY key;
-- Commits up to here may be missing: their runs were forgotten.
CREATE TABLE feed_floor (id INTEGER PRIMARY KEY CHECK (id = 1), pos INTEGER NOT NULL) STRICT;
INSERT INTO feed_floor VALUES (1, 0);
-- Small documents of the service.
CREATE TABLE records (
    kind INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
-- Who did what; each hash covers all before it.
CREATE TABLE audit (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only appended to');
END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only appended to');
END;
-- Lists of what went wrong, among a million runs that did not.
CREATE INDEX runs_failed ON runs (id) WHERE status = 5;
CREATE INDEX runs_cancelled ON runs (id) WHERE status = 6;

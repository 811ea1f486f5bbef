CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    pipeline TEXT NOT NULL,
    revision BLOB NOT NULL,
    parent TEXT,
    parent_node INTEGER,
    parent_item INTEGER,
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_child ON runs (parent, parent_node, parent_item) WHERE parent IS NOT NULL;
CREATE INDEX runs_open ON runs (id) WHERE ended_at IS NULL;
CREATE INDEX runs_pipeline ON runs (pipeline, id);
CREATE TABLE events (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (run INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE TABLE steps (
    run INTEGER NOT NULL, node INTEGER NOT NULL, status INTEGER NOT NULL,
    PRIMARY KEY (run, node)
) STRICT, WITHOUT ROWID;
CREATE TABLE items (
    run INTEGER NOT NULL, node INTEGER NOT NULL, item INTEGER NOT NULL,
    outcome INTEGER NOT NULL, attempts INTEGER NOT NULL, outputs TEXT, fault TEXT,
    PRIMARY KEY (run, node, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE outputs (digest BLOB PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE output_uses (
    digest BLOB NOT NULL, run INTEGER NOT NULL,
    PRIMARY KEY (digest, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX output_uses_run ON output_uses (run);
CREATE TABLE bundles (revision BLOB PRIMARY KEY, bundle TEXT NOT NULL) STRICT;
CREATE TABLE journal (
    run INTEGER NOT NULL, node INTEGER NOT NULL, item INTEGER NOT NULL, key TEXT NOT NULL,
    request BLOB NOT NULL, reserved TEXT, result TEXT,
    PRIMARY KEY (run, node, item, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger (
    scope TEXT NOT NULL, resource INTEGER NOT NULL, most INTEGER,
    reserved INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, resource)
) STRICT, WITHOUT ROWID;
CREATE TABLE scopes (scope TEXT PRIMARY KEY, within TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL, kind TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX requests_run ON requests (run, id);
CREATE TABLE cache (
    fingerprint BLOB PRIMARY KEY,
    outputs TEXT NOT NULL, output_row BLOB, labels TEXT NOT NULL, row_count INTEGER, run TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    pipeline TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (pipeline, name)
) STRICT, WITHOUT ROWID;

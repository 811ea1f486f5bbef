-- One run a key: what starts runs may ask twice, and a crash may come between.
CREATE TABLE run_keys (key TEXT PRIMARY KEY, run INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX run_keys_run ON run_keys (run);

-- When a run began, apart from when it was created: it may have waited for its turn.
ALTER TABLE runs ADD COLUMN started_at INTEGER;
UPDATE runs SET started_at = (
    SELECT at FROM events
    WHERE events.run = runs.key AND json_extract(event, '$.type') = 'run_started' ORDER BY seq LIMIT 1
);

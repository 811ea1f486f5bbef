-- The same lists for one pipeline.
CREATE INDEX runs_pipeline_failed ON runs (pipeline, id) WHERE status = 5;
CREATE INDEX runs_pipeline_cancelled ON runs (pipeline, id) WHERE status = 6;

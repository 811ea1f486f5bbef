//! Steps that steer a run: shell, assert, wait, approval, pipeline.

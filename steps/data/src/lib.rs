//! Tables and what works on them: read, write, sql, check, report.

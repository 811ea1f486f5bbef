use sqlx::{Arguments, Encode, Type};
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};

/// Statements and their values, sent to SQLite in one call: each call costs a hop to another thread,
/// which is more than a small statement.
#[derive(Default)]
pub(super) struct Batch {
    sql: String,
    args: SqliteArguments,
    failed: Option<sqlx::Error>,
}

/// Values of one statement stay well under SQLite's limit of 32,766.
const VALUES: usize = 16_000;

/// Texts with at most this many values have few shapes, and are worth keeping prepared.
const KEPT: usize = 100;

impl Batch {
    /// Adds a statement without values.
    pub(super) fn statement(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self.sql.push(';');
        self
    }

    /// Adds the value of the next `?`.
    pub(super) fn value<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(e) = self.args.add(value) {
            self.failed = Some(sqlx::Error::Encode(e));
        }
        self
    }

    /// Adds `head VALUES (?, ..), (?, ..) tail` for all rows, in as few statements as the limits allow.
    pub(super) fn rows<T>(
        &mut self,
        head: &str,
        columns: usize,
        tail: &str,
        rows: &[T],
        mut values: impl FnMut(&mut Self, &T),
    ) {
        for rows in rows.chunks(VALUES / columns) {
            self.sql.push_str(head);
            for (i, row) in rows.iter().enumerate() {
                self.sql.push_str(if i == 0 { " (?" } else { ",(?" });
                (1..columns).for_each(|_| self.sql.push_str(",?"));
                self.sql.push(')');
                values(self, row);
            }
            self.sql.push_str(tail);
            self.sql.push(';');
        }
    }

    /// As one query, for calls that give rows.
    pub(super) fn query(self) -> Result<Query<'static, Sqlite, SqliteArguments>, sqlx::Error> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let kept = self.args.len() <= KEPT;
        Ok(sqlx::query_with(AssertSqlSafe(self.sql), self.args).persistent(kept))
    }

    /// Runs all statements in order.
    pub(super) async fn run(self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        self.query()?.execute(conn).await.map(|_| ())
    }
}

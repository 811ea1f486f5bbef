use std::path::Path;

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{super::StoreError, SqliteStore, connect, store::FILE};

/// What a look at the state of a home found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The version of its tables.
    pub version: usize,
    /// Runs recorded.
    pub runs: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// What is wrong with it; at most a few things.
    pub problems: Vec<String>,
}

impl SqliteStore {
    /// Looks whether `home/state.db` is in order, without changing it; `None` if it is not there. An error if it
    /// cannot be read at all.
    pub async fn examine(home: &Path) -> Result<Option<Health>, StoreError> {
        let file = home.join(FILE);
        let Ok(meta) = std::fs::metadata(&file) else { return Ok(None) };
        let failed = |error: sqlx::Error| StoreError::from(error).at(&file);
        let (options, version) = connect::to_read(&file).await.map_err(failed)?;
        if version > connect::VERSION {
            return Err(connect::newer(version).at(&file));
        }
        let mut conn = options.connect().await.map_err(failed)?;
        let found = look(&mut conn, version, meta.len()).await;
        conn.close().await.map_err(failed)?;
        found.map(Some).map_err(failed)
    }
}

async fn look(conn: &mut SqliteConnection, version: usize, bytes: u64) -> Result<Health, sqlx::Error> {
    let mut health = Health { version, runs: 0, bytes, problems: Vec::new() };
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *conn).await?;
    if !bytes.is_multiple_of(page.unsigned_abs()) {
        health.problems.push(format!("its length of {bytes} bytes is no whole number of pages: it was cut off"));
    }
    let told: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut *conn).await?;
    health.problems.extend(told.into_iter().filter(|line| line != "ok"));
    if version == 0 {
        health.problems.push("it has no tables".to_owned());
    }
    if health.problems.is_empty() {
        let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&mut *conn).await?;
        health.runs = runs.unsigned_abs();
    }
    Ok(health)
}

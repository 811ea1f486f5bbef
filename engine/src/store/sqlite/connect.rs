use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::{
    super::{Durability, StoreError},
    codec::is_busy,
};

/// The version of the tables that this build reads and writes, in `user_version`. A change of the
/// tables adds to [`MIGRATIONS`] and never edits what is there.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// How long a call waits for another process before it is tried again.
const BUSY: Duration = Duration::from_secs(30);

/// How often a call is tried again that another process was in the way of.
pub(super) const TRIES: u32 = 20;

/// Pages in the write-ahead log (4 KiB each) after which a commit moves them into the database. The
/// writer does it when idle, long before.
const CHECKPOINT: &str = "4000";

/// How connections are opened: without `journal_mode`, which could find the file locked.
pub(super) fn options(file: &Path, durability: Durability) -> SqliteConnectOptions {
    let synchronous = match durability {
        Durability::Power => SqliteSynchronous::Full,
        Durability::Process => SqliteSynchronous::Normal,
    };
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(false)
        .busy_timeout(BUSY)
        .synchronous(synchronous)
        .statement_cache_capacity(400)
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Opens the writing connection: WAL, and the tables of this build.
pub(super) async fn writer(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let mut tries = 0;
    loop {
        match try_writer(options).await {
            Err(Opening::Sql(error)) if is_busy(&error) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(u64::from(10 * tries))).await;
            }
            Err(Opening::Sql(error)) => return Err(error.into()),
            Err(Opening::Newer(version)) => {
                let known = MIGRATIONS.len();
                let message = format!("its tables have version {version}, and this build knows up to {known}");
                return Err(StoreError::Newer(message));
            }
            Ok(conn) => return Ok(conn),
        }
    }
}

enum Opening {
    Sql(sqlx::Error),
    Newer(usize),
}

impl From<sqlx::Error> for Opening {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn try_writer(options: &SqliteConnectOptions) -> Result<SqliteConnection, Opening> {
    let mut conn = options.connect().await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut conn).await?;
    if mode != "wal" {
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut conn).await?;
    }
    match version(&mut conn).await? {
        version if version == MIGRATIONS.len() => return Ok(conn),
        version if version > MIGRATIONS.len() => return Err(Opening::Newer(version)),
        _ => {}
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await?;
    // Another process may have been faster.
    let from = version(&mut conn).await?;
    for migration in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(*migration).execute(&mut conn).await?;
    }
    let set = format!("PRAGMA user_version = {}", MIGRATIONS.len().max(from));
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut conn).await?;
    sqlx::query("COMMIT").execute(&mut conn).await?;
    Ok(conn)
}

async fn version(conn: &mut SqliteConnection) -> Result<usize, sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(conn).await?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// How long single-row commits take with the settings of the store, without the store.
pub(in super::super) async fn commit_times(
    file: &Path,
    rounds: u32,
    durability: Durability,
) -> Result<Vec<Duration>, StoreError> {
    let mut conn = writer(&options(file, durability)).await?;
    let mut times = Vec::new();
    for n in 0..rounds {
        let begin = std::time::Instant::now();
        sqlx::query("INSERT INTO scopes VALUES (?, '')").bind(n.to_string()).execute(&mut conn).await?;
        times.push(begin.elapsed());
    }
    conn.close().await?;
    Ok(times)
}

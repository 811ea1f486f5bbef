use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::{
    super::{Durability, StoreError},
    codec::{is_busy, is_shut},
};

/// The version of the tables that this build reads and writes, in `user_version`. A change of the
/// tables adds to [`MIGRATIONS`] and never edits what is there.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The version that this build writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

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
            Err(Opening::Newer(version)) => return Err(newer(version)),
            Ok(conn) => return Ok(conn),
        }
    }
}

/// The error of tables that a newer build made.
pub(super) fn newer(version: usize) -> StoreError {
    StoreError::Newer(format!("its tables have version {version}, and this build knows up to {VERSION}"))
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
        VERSION => return Ok(conn),
        version if version > VERSION => return Err(Opening::Newer(version)),
        _ => {}
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await?;
    // Another process may have been faster.
    let from = version(&mut conn).await?;
    for migration in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(*migration).execute(&mut conn).await?;
    }
    let set = format!("PRAGMA user_version = {}", VERSION.max(from));
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut conn).await?;
    sqlx::query("COMMIT").execute(&mut conn).await?;
    Ok(conn)
}

/// How a file that is there is opened for reading, and the version of its tables. Where not even the files of locks
/// can be made beside it, and nobody has it open, it is read as one that does not change.
pub(super) async fn to_read(file: &Path) -> Result<(SqliteConnectOptions, usize), sqlx::Error> {
    let shared = options(file, Durability::Process).create_if_missing(false).pragma("query_only", "ON");
    let mut tries = 0;
    loop {
        let found = version_of(&shared).await;
        match found {
            Err(error) if is_busy(&error) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(u64::from(10 * tries))).await;
            }
            Err(error) if is_shut(&error) && !has_log(file) => {
                let alone = shared.read_only(true).immutable(true);
                let version = version_of(&alone).await?;
                return Ok((alone, version));
            }
            Err(error) => return Err(error),
            Ok(version) => return Ok((shared, version)),
        }
    }
}

/// Whether there is something in the write-ahead log, without which the file alone is not what was written.
fn has_log(file: &Path) -> bool {
    std::fs::metadata(file.with_extension("db-wal")).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
}

async fn version_of(options: &SqliteConnectOptions) -> Result<usize, sqlx::Error> {
    let mut conn = options.connect().await?;
    let found = version(&mut conn).await;
    conn.close().await?;
    found
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

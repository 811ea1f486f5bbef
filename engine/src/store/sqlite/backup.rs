use std::path::Path;

use sqlx::{ConnectOptions, Connection};

use super::{super::StoreError, SqliteStore, connect, store::FILE};

impl SqliteStore {
    /// Writes a copy of `home/state.db` as it stands now, while others may go on writing; its length in bytes. A file
    /// that is there already is not written over.
    pub async fn backup(home: &Path, to: &Path) -> Result<u64, StoreError> {
        let file = home.join(FILE);
        if !file.exists() {
            return Err(StoreError::Broken("it is not there".into()).at(&file));
        }
        if to.exists() {
            return Err(StoreError::Broken("it is there already".into()).at(to));
        }
        let (options, _) = connect::to_read(&file).await.map_err(|error| StoreError::from(error).at(&file))?;
        let copy = async {
            // What is only read may still be copied from.
            let mut conn = options.pragma("query_only", "OFF").connect().await?;
            sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().into_owned()).execute(&mut conn).await?;
            conn.close().await
        };
        copy.await.map_err(|error: sqlx::Error| StoreError::from(error).at(to))?;
        std::fs::metadata(to).map(|meta| meta.len()).map_err(|e| StoreError::Broken(e.to_string()).at(to))
    }
}

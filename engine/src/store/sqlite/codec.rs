//! How enums, ids and errors look in SQLite. The numbers are part of the file format.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::super::StoreError;
use crate::{
    model::{Digest, RunStatus, StepStatus, event::ItemOutcome},
    step::Resource,
};

/// An enum stored as its place in this list; places never change, new variants go to the end.
pub(super) trait Numbered: Copy + PartialEq + 'static {
    const ALL: &'static [Self];

    fn number(self) -> i64 {
        Self::ALL.iter().position(|other| *other == self).map_or(-1, |at| at as i64)
    }

    fn from_number(number: i64) -> Result<Self, StoreError> {
        let found = usize::try_from(number).ok().and_then(|at| Self::ALL.get(at)).copied();
        found.ok_or_else(|| StoreError::Newer(format!("it has the unknown status number {number}")))
    }
}

impl Numbered for RunStatus {
    const ALL: &'static [Self] = &[
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Interrupted,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];
}

impl Numbered for StepStatus {
    const ALL: &'static [Self] = &[
        Self::Pending,
        Self::Ready,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];
}

impl Numbered for ItemOutcome {
    const ALL: &'static [Self] = &[Self::Succeeded, Self::Failed, Self::Skipped, Self::Cancelled];
}

impl Numbered for Resource {
    const ALL: &'static [Self] = &[Self::NanoUsd, Self::Tokens];
}

/// A step's number in a column where the whole run is -1; the same for items.
pub(super) fn or_whole(number: Option<u32>) -> i64 {
    number.map_or(-1, i64::from)
}

/// The reverse of [`or_whole`].
pub(super) fn from_whole(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

/// An amount as SQLite holds it.
pub(super) fn amount(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Reads an id that this store wrote.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Broken(format!("`{text}` is not an id")))
}

/// Reads JSON that this store wrote.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Broken(format!("a stored value cannot be read: {e}")))
}

/// Writes JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Broken(format!("a value cannot be written: {e}")))
}

/// Reads a digest.
pub(super) fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Broken("a digest does not have 32 bytes".into()))?;
    Ok(Digest::from_bytes(bytes))
}

/// Whether another process is in the way, so that the same may be tried again.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    // SQLITE_BUSY 5 and SQLITE_LOCKED 6 with their extended codes, SQLITE_PROTOCOL 15: the race for
    // the WAL's index was lost too often.
    primary_code(error).is_some_and(|code| matches!(code, 5 | 6 | 15))
}

/// Whether the file, or those beside it, could not be opened as asked: the folder may be for reading only.
pub(super) fn is_shut(error: &sqlx::Error) -> bool {
    // SQLITE_READONLY 8 and SQLITE_CANTOPEN 14 with their extended codes.
    primary_code(error).is_some_and(|code| matches!(code, 8 | 14))
}

fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i64>().ok().map(|code| code & 0xff)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_busy(&error) || matches!(error, sqlx::Error::WorkerCrashed | sqlx::Error::PoolTimedOut) {
            return Self::Unknown;
        }
        Self::Broken(match primary_code(&error) {
            Some(13) => "the disk is full".into(),
            Some(8) => "the file is read-only".into(),
            Some(11 | 26) => "the file is damaged, or not a database".into(),
            Some(14) => "the file cannot be opened".into(),
            _ => error.to_string(),
        })
    }
}

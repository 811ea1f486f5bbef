use async_trait::async_trait;
use millwork_engine::model::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::*;

/// A log that can be tampered with.
#[derive(Debug, Default)]
struct Log {
    rows: Vec<AuditRow>,
    unreadable: Option<u64>,
}

impl Log {
    fn of(entries: u64) -> Self {
        let mut log = Self::default();
        for n in 1..=entries {
            let entry = AuditEntry {
                at: Timestamp::from_micros(n as i64),
                actor: "ana".to_owned(),
                action: "run.cancel".to_owned(),
                target: format!("run_{n}"),
                detail: json!({"n": n, "share": 0.1 + n as f64 / 3.0, "why": "é\n"}),
            };
            let text = serde_json::to_string(&entry).unwrap();
            let before = log.rows.last().map_or(AuditRow::GENESIS, |row| row.hash);
            log.rows.push(AuditRow { seq: n, hash: AuditRow::chained(before, n, &text), entry, text });
        }
        log
    }

    async fn broken(&self) -> Broken {
        match verify(self).await {
            Err(Unverified::Broken(broken)) => broken,
            other => panic!("{other:?}"),
        }
    }
}

#[async_trait]
impl AuditLog for Log {
    async fn audit(&self, _: AuditEntry) -> Result<u64, StoreError> {
        Err(StoreError::Unknown)
    }

    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.seq > after).take(limit as usize).cloned().collect();
        match rows.iter().find(|row| Some(row.seq) == self.unreadable) {
            Some(_) => Err(StoreError::Broken("no JSON".to_owned())),
            None => Ok(rows),
        }
    }

    async fn audit_head(&self) -> Result<u64, StoreError> {
        Ok(self.rows.last().map_or(0, |row| row.seq))
    }
}

#[tokio::test]
async fn a_log_as_it_was_written_is_whole() {
    for entries in [0, 1, 999, 1000, 1001, 2_000, 2_345] {
        let log = Log::of(entries);
        let head = log.rows.last().map_or(AuditRow::GENESIS, |row| row.hash);
        assert_eq!(verify(&log).await, Ok(Verified { entries, head }), "{entries}");
    }
}

#[tokio::test]
async fn what_was_changed_is_named() {
    let other = Digest::of(b"other");
    let table: &[(&str, fn(&mut Log, Digest), u64, Why)] = &[
        ("a text", |log, _| log.rows[4].text.push(' '), 5, Why::Changed),
        ("a hash", |log, other| log.rows[4].hash = other, 5, Why::Changed),
        ("what is shown", |log, _| log.rows[4].entry.actor.push('x'), 5, Why::Shown),
        ("an entry is gone", |log, _| drop(log.rows.remove(4)), 5, Why::Gap { found: 6 }),
        ("the first is gone", |log, _| drop(log.rows.remove(0)), 1, Why::Gap { found: 2 }),
        ("two change places", |log, _| log.rows.swap(4, 5), 5, Why::Gap { found: 6 }),
        ("a number", |log, _| log.rows[9].seq = 12, 10, Why::Gap { found: 12 }),
        ("one cannot be read", |log, _| log.unreadable = Some(5), 5, Why::Unreadable("no JSON".to_owned())),
        (
            "one was written anew with its hash",
            |log, _| {
                let before = log.rows[3].hash;
                let row = &mut log.rows[4];
                row.entry.actor = "bo".to_owned();
                row.text = serde_json::to_string(&row.entry).unwrap();
                row.hash = AuditRow::chained(before, 5, &row.text);
            },
            6,
            Why::Changed,
        ),
    ];
    for (what, change, seq, why) in table {
        let mut log = Log::of(10);
        change(&mut log, other);
        assert_eq!(log.broken().await, Broken { seq: *seq, why: why.clone() }, "{what}");
    }
}

#[tokio::test]
async fn an_unreadable_entry_is_found_on_a_later_page() {
    let log = Log { unreadable: Some(1_700), ..Log::of(2_000) };
    assert_eq!(log.broken().await.seq, 1_700);
}

#[test]
fn any_single_byte_that_is_changed_is_found() {
    let seed: u64 = std::env::var("MILLWORK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("MILLWORK_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let rows = Log::of(6).rows;
    let found = |rows: &[AuditRow]| {
        let mut verifier = Verifier::new();
        rows.iter().try_for_each(|row| verifier.push(row)).is_err()
    };
    assert!(!found(&rows));
    for at in 0..rows.len() {
        for byte in 0..rows[at].text.len() {
            let mut text = rows[at].text.clone().into_bytes();
            text[byte] ^= rng.random_range(1..=255_u8);
            // A text that is no UTF-8 any more is none that a store could read.
            if let Ok(text) = String::from_utf8(text) {
                let mut rows = rows.clone();
                rows[at].text = text;
                assert!(found(&rows), "seed {seed}: row {at}, byte {byte} of the text");
                // Read from the changed text, as a store does.
                if let Ok(entry) = serde_json::from_str(&rows[at].text) {
                    rows[at].entry = entry;
                    assert!(found(&rows), "seed {seed}: row {at}, byte {byte} of the text, entry and all");
                }
            }
        }
        for byte in 0..32 {
            let mut hash = *rows[at].hash.as_bytes();
            hash[byte] ^= rng.random_range(1..=255_u8);
            let mut rows = rows.clone();
            rows[at].hash = Digest::from_bytes(hash);
            assert!(found(&rows), "seed {seed}: row {at}, byte {byte} of the hash");
        }
        for byte in 0..8 {
            let mut rows = rows.clone();
            rows[at].seq ^= u64::from(rng.random_range(1..=255_u8)) << (8 * byte);
            assert!(found(&rows), "seed {seed}: row {at}, byte {byte} of the number");
        }
        let read: AuditEntry = serde_json::from_str(&rows[at].text).unwrap();
        for byte in 0..rows[at].text.len() {
            let mut text = rows[at].text.clone().into_bytes();
            text[byte] = b' ' + (text[byte] ^ rng.random_range(1..=255_u8)) % 95;
            let changed = serde_json::from_slice::<AuditEntry>(&text).ok();
            if let Some(entry) = changed.filter(|entry| *entry != rows[at].entry && *entry != read) {
                let mut rows = rows.clone();
                rows[at].entry = entry;
                assert!(found(&rows), "seed {seed}: row {at}, byte {byte} of what is shown");
            }
        }
    }
}

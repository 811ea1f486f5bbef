//! Commits counted where they happen: in SQLite's write-ahead log.

use std::{fs, path::Path};

/// Commits in the log of `state.db`, and the salt that tells whether the log began anew since.
pub(super) fn commits(home: &Path) -> (u64, u64) {
    count(&fs::read(home.join("state.db-wal")).unwrap_or_default())
}

/// A frame has a header of 24 bytes (page, pages of the database after a commit or 0, the log's salt) and a page.
fn count(wal: &[u8]) -> (u64, u64) {
    let word = |at: usize| wal.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (page, salt) = (word(8) as usize, (u64::from(word(16)) << 32) | u64::from(word(20)));
    let (mut at, mut commits) = (32, 0);
    while at + 24 + page <= wal.len() && page > 0 {
        if (u64::from(word(at + 8)) << 32) | u64::from(word(at + 12)) != salt {
            break;
        }
        commits += u64::from(word(at + 4) != 0);
        at += 24 + page;
    }
    (commits, salt)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn frames_of_this_log_that_end_a_commit_are_counted() {
        let mut wal = vec![0; 32];
        wal[8..12].copy_from_slice(&512_u32.to_be_bytes());
        wal[16..24].copy_from_slice(&77_u64.to_be_bytes());
        for (pages, salt) in [(0_u32, 77_u64), (9, 77), (9, 77), (9, 76)] {
            wal.extend(1_u32.to_be_bytes());
            wal.extend(pages.to_be_bytes());
            wal.extend(salt.to_be_bytes());
            wal.extend([0; 8 + 512]);
        }
        assert_eq!(count(&wal), (2, 77));
        assert_eq!(count(&[]), (0, 0));
    }
}

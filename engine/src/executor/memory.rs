use super::permits::EXTRA;

/// Bytes that attempts may hold, so that all together hold what they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// One of those that there are permits for.
    pub each: u64,
    /// One of the others, which let a run go on while others take every permit.
    pub extra: u64,
}

impl MemoryShares {
    /// An attempt with less than this could do nothing.
    const LEAST: u64 = 32 << 20;

    /// Of so many bytes for so many attempts; where there may be more of them, those share a quarter.
    pub fn of(bytes: u64, parallel: usize, elastic: bool) -> Self {
        let parallel = parallel.max(1) as u64;
        if !elastic {
            return Self { each: bytes / parallel, extra: bytes / parallel };
        }
        let extra = (bytes / 4 / EXTRA.unsigned_abs() as u64).max(Self::LEAST);
        let each = (bytes / 4 * 3 / parallel).max(extra);
        Self { each, extra }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn all_together_hold_what_they_may() {
        for parallel in [1, 2, 16] {
            let shares = MemoryShares::of(16 * GIB, parallel, true);
            let all = shares.each * parallel as u64 + shares.extra * EXTRA.unsigned_abs() as u64;
            assert_eq!(all, 16 * GIB, "{parallel}: {shares:?}");
        }
        assert_eq!(MemoryShares::of(16 * GIB, 4, false).each, 4 * GIB);
        let small = MemoryShares::of(1 << 20, 8, true);
        assert_eq!((small.each, small.extra), (MemoryShares::LEAST, MemoryShares::LEAST));
    }
}

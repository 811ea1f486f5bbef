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
    /// Attempts beyond the permits, where there is memory for them.
    const MOST: usize = 64;

    /// How many attempts there may be beyond the permits, so that a quarter of the memory is enough for them.
    pub fn extra_attempts(bytes: Option<u64>) -> usize {
        let enough = bytes.map_or(u64::MAX, |bytes| bytes / 4 / Self::LEAST);
        usize::try_from(enough).unwrap_or(usize::MAX).clamp(1, Self::MOST)
    }

    /// Of so many bytes for so many attempts, and for `extra` ones beyond those.
    pub fn of(bytes: u64, parallel: usize, extra: usize) -> Self {
        let of_extra = if extra == 0 { 0 } else { bytes / 4 };
        Self { each: (bytes - of_extra) / parallel.max(1) as u64, extra: of_extra / extra.max(1) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn all_together_hold_what_they_may() {
        for (bytes, expected) in [(16_384, 64), (8_192, 64), (4_096, 32), (1_024, 8), (256, 2), (64, 1)] {
            let bytes = bytes * MIB;
            let extra = MemoryShares::extra_attempts(Some(bytes));
            assert_eq!(extra, expected);
            for parallel in [1, 2, 16] {
                let shares = MemoryShares::of(bytes, parallel, extra);
                assert!(shares.each * parallel as u64 + shares.extra * extra as u64 <= bytes, "{parallel}: {shares:?}");
                assert!(shares.extra >= MemoryShares::LEAST / 2, "{shares:?}");
            }
        }
        assert_eq!(MemoryShares::of(16 * MIB, 4, 0).each, 4 * MIB);
        assert_eq!(MemoryShares::extra_attempts(None), 64);
    }
}

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::model::{
    Digest, Timestamp,
    event::{ItemOutcome, ItemRange},
};

pub(super) const CHUNK: usize = 4096;

/// The items of a fan-out: a byte each, shared between a state and its copies until it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Items {
    pub(super) count: u32,
    pub(super) digest: Digest,
    #[serde(with = "super::snapshot::cells")]
    cells: Vec<Arc<Vec<u8>>>,
    /// How many ended in each way, by [`slot`].
    ended: [u32; 4],
    /// No item before this one is left to start.
    cursor: u32,
    /// Items that hold a slot: under way, or between two attempts.
    pub(super) under_way: BTreeMap<u32, ItemAttempt>,
    /// Attempts up to this number were made before the last resume.
    pub(super) floor: u32,
    /// The highest number of an attempt so far.
    top: u32,
}

/// Where an item with a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ItemAttempt {
    /// Which attempt is under way or comes next.
    pub(super) attempt: u32,
    /// Not before then, after a failed attempt.
    pub(super) due: Option<Timestamp>,
}

fn slot(outcome: ItemOutcome) -> usize {
    match outcome {
        ItemOutcome::Succeeded => 0,
        ItemOutcome::Failed => 1,
        ItemOutcome::Skipped => 2,
        ItemOutcome::Cancelled => 3,
    }
}

const OUTCOMES: [ItemOutcome; 4] =
    [ItemOutcome::Succeeded, ItemOutcome::Failed, ItemOutcome::Skipped, ItemOutcome::Cancelled];

impl Items {
    pub(super) fn new(count: u32, digest: Digest) -> Self {
        let mut cells = Vec::new();
        let mut left = count as usize;
        while left > 0 {
            let size = left.min(CHUNK);
            cells.push(Arc::new(vec![0; size]));
            left -= size;
        }
        Self { count, digest, cells, ended: [0; 4], cursor: 0, under_way: BTreeMap::new(), floor: 0, top: 0 }
    }

    /// How an item ended, if it has.
    pub(super) fn outcome(&self, item: u32) -> Option<ItemOutcome> {
        let cell = *self.cells.get(item as usize / CHUNK)?.get(item as usize % CHUNK)?;
        OUTCOMES.get(usize::from(cell).checked_sub(1)?).copied()
    }

    fn set(&mut self, item: u32, cell: u8) {
        if let Some(chunk) = self.cells.get_mut(item as usize / CHUNK)
            && let Some(place) = Arc::make_mut(chunk).get_mut(item as usize % CHUNK)
        {
            *place = cell;
        }
    }

    pub(super) fn succeeded(&self) -> u32 {
        self.ended[0]
    }

    pub(super) fn left(&self) -> u32 {
        self.count.saturating_sub(self.ended.iter().sum())
    }

    /// Whether every item ended.
    pub(super) fn complete(&self) -> bool {
        self.left() == 0
    }

    /// Whether the share of items that succeeded, of those that were not skipped, is at least
    /// `share` if `more` further ones succeed.
    pub(super) fn reaches(&self, share: f64, more: u32) -> bool {
        let counted = self.count - self.ended[2];
        f64::from(self.ended[0] + more) + 1e-9 >= share * f64::from(counted)
    }

    /// Whether the ranges are items of this fan-out that have not ended.
    pub(super) fn can_settle(&self, ranges: &[ItemRange]) -> bool {
        ranges.iter().all(|range| {
            range.from <= range.to
                && range.to < self.count
                && (range.from..=range.to).all(|item| self.outcome(item).is_none())
        })
    }

    pub(super) fn settle(&mut self, range: ItemRange) {
        for item in range.from..=range.to {
            let way = slot(range.outcome);
            self.set(item, way as u8 + 1);
            self.ended[way] += 1;
            self.under_way.remove(&item);
        }
    }

    pub(super) fn delay(&mut self, item: u32, attempt: u32, due: Timestamp) {
        self.top = self.top.max(attempt + 1);
        self.under_way.insert(item, ItemAttempt { attempt: attempt + 1, due: Some(due) });
    }

    /// Gives a slot to the next item that has none, if there is one.
    pub(super) fn start_next(&mut self) -> bool {
        while self.cursor < self.count {
            let item = self.cursor;
            self.cursor += 1;
            if self.outcome(item).is_none() && !self.under_way.contains_key(&item) {
                self.top = self.top.max(self.floor + 1);
                self.under_way.insert(item, ItemAttempt { attempt: self.floor + 1, due: None });
                return true;
            }
        }
        false
    }

    /// Whether an item waits for a slot. The cursor passes items only as they get one, or after they ended.
    pub(super) fn has_unstarted(&self) -> bool {
        self.left() > self.under_way.len() as u32
    }

    /// Items that did not succeed are to be done again; numbers of attempts go on.
    pub(super) fn resume(&mut self) {
        for item in 0..self.count {
            if matches!(self.outcome(item), Some(ItemOutcome::Failed | ItemOutcome::Cancelled)) {
                self.set(item, 0);
            }
        }
        (self.ended[1], self.ended[3]) = (0, 0);
        self.cursor = 0;
        self.floor = self.top;
        self.under_way.clear();
    }
}

/// Items that ended, as ranges of neighbours that ended the same way.
pub(super) fn to_ranges(ended: &BTreeMap<u32, ItemOutcome>) -> Vec<ItemRange> {
    let mut ranges: Vec<ItemRange> = Vec::new();
    for (&item, &outcome) in ended {
        match ranges.last_mut() {
            Some(last) if last.to + 1 == item && last.outcome == outcome => last.to = item,
            _ => ranges.push(ItemRange { from: item, to: item, outcome }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_ended_alike_are_one_range() {
        use ItemOutcome::{Failed, Succeeded};
        let ended = BTreeMap::from([(0, Succeeded), (1, Succeeded), (2, Failed), (4, Failed), (5, Failed)]);
        let ranges: Vec<_> = to_ranges(&ended).iter().map(|r| (r.from, r.to, r.outcome)).collect();
        assert_eq!(ranges, [(0, 1, Succeeded), (2, 2, Failed), (4, 5, Failed)]);
    }

    #[test]
    fn items_start_in_order_and_once_across_chunks() {
        let mut items = Items::new(10_000, Digest::of(b""));
        for item in 0..10_000 {
            assert!(items.start_next());
            items.settle(ItemRange { from: item, to: item, outcome: ItemOutcome::Succeeded });
        }
        assert!(!items.start_next() && items.complete());
    }

    #[test]
    fn the_share_leaves_skipped_items_out() {
        let mut items = Items::new(4, Digest::of(b""));
        items.settle(ItemRange { from: 0, to: 1, outcome: ItemOutcome::Skipped });
        items.settle(ItemRange { from: 2, to: 2, outcome: ItemOutcome::Failed });
        assert!(items.reaches(0.5, 1) && !items.reaches(0.5, 0));
    }
}

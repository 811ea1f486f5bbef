use super::Span;

/// Where each byte of a scalar's value stands in the file: through quotes, escapes, block and folded
/// scalars. A problem inside a SQL text or an expression is shown in the file by this map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextMap {
    /// Starts of stretches that are the same in value and file: (offset in value, offset in file),
    /// both rising. The last stretch is open.
    stretches: Vec<(u32, u32)>,
}

impl TextMap {
    /// A value that stands in the file as it is, from `start` on.
    pub fn verbatim(start: usize) -> Self {
        Self { stretches: vec![(0, u32::try_from(start).unwrap_or(u32::MAX))] }
    }

    /// A value made of stretches: (offset in value, offset in file), in rising order.
    pub fn from_stretches(stretches: Vec<(u32, u32)>) -> Self {
        Self { stretches }
    }

    /// How many stretches there are: what a copy costs.
    pub fn stretches(&self) -> usize {
        self.stretches.len()
    }

    /// The place in the file of one offset in the value.
    pub fn offset(&self, at: usize) -> usize {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let next = self.stretches.partition_point(|(value, _)| *value <= at);
        match self.stretches.get(next.wrapping_sub(1)) {
            Some((value, file)) => (file + (at - value)) as usize,
            None => at as usize,
        }
    }

    /// The place in the file of a range in the value.
    pub fn span(&self, start: usize, end: usize) -> Span {
        // The end is mapped through the last byte inside, so that it does not jump over a line break.
        let last = if end > start { self.offset(end - 1) + 1 } else { self.offset(start) };
        Span::new(self.offset(start), last)
    }

    /// The map of the part of the value that begins at `start`.
    pub fn tail(&self, start: usize) -> Self {
        let from = u32::try_from(start).unwrap_or(u32::MAX);
        let mut stretches = vec![(0, u32::try_from(self.offset(start)).unwrap_or(u32::MAX))];
        stretches.extend(self.stretches.iter().filter(|(v, _)| *v > from).map(|(v, f)| (v - from, *f)));
        Self { stretches }
    }

    /// The map of the part of the value from `start` to `end`. Costs what the part holds, not the whole.
    pub fn part(&self, start: usize, end: usize) -> Self {
        let [from, to] = [start, end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        let mut stretches = vec![(0, u32::try_from(self.offset(start)).unwrap_or(u32::MAX))];
        let next = self.stretches.partition_point(|(value, _)| *value <= from);
        let inside = self.stretches[next..].iter().take_while(|(value, _)| *value < to);
        stretches.extend(inside.map(|(value, file)| (value - from, *file)));
        Self { stretches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_through_the_lines_of_a_block_scalar() {
        // "q: |\n  ab\n  cd\n" has the value "ab\ncd\n".
        let map = TextMap::from_stretches(vec![(0, 7), (3, 12)]);
        assert_eq!(map.span(0, 2), Span::new(7, 9));
        assert_eq!(map.span(3, 5), Span::new(12, 14));
        assert_eq!(map.span(0, 3), Span::new(7, 10));
        assert_eq!(map.tail(4).span(0, 1), Span::new(13, 14));
        assert_eq!(map.tail(1).span(2, 4), Span::new(12, 14));
        assert_eq!(map.part(1, 5), map.tail(1));
        assert_eq!(map.part(1, 3).span(0, 1), Span::new(8, 9));
    }
}

//! A set of page numbers as ranges: which pages of a file have space of their own.

use std::{collections::BTreeMap, ops::Range};

/// Disjoint ranges, from start to end (exclusive).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageRanges {
    ends: BTreeMap<u64, u64>,
}

impl PageRanges {
    /// Number of pages in the set.
    pub(super) fn count(&self) -> u64 {
        self.ends.iter().map(|(start, end)| end - start).sum()
    }

    /// The parts of `range` that are not in the set, in order.
    pub(super) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        let before = self.ends.range(..range.start).next_back().map(|(_, end)| *end);
        at = at.max(before.unwrap_or(0));
        for (start, end) in self.ends.range(range.start..range.end.max(range.start)) {
            if *start > at {
                gaps.push(at..*start);
            }
            at = at.max(*end);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Adds `range`; how many of its pages are new.
    pub(super) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let added = self.gaps(range.clone()).iter().map(|gap| gap.end - gap.start).sum();
        let (mut start, mut end) = (range.start, range.end);
        // Whatever overlaps or touches is merged into one range.
        while let Some((other_start, other_end)) = self.ends.range(..=end).next_back().map(|(s, e)| (*s, *e)) {
            if other_end < start {
                break;
            }
            self.ends.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.ends.insert(start, end);
        added
    }

    /// Drops every page from `first` on; how many were dropped.
    pub(super) fn truncate(&mut self, first: u64) -> u64 {
        let dropped = self.ends.split_off(&first);
        let mut count: u64 = dropped.iter().map(|(start, end)| end - start).sum();
        if let Some(mut last) = self.ends.last_entry()
            && *last.get() > first
        {
            count += *last.get() - first;
            last.insert(first);
        }
        count
    }

    /// Adds all of `other`.
    pub(super) fn union(&mut self, other: &Self) {
        for (start, end) in &other.ends {
            self.insert(*start..*end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_are_the_set_that_they_stand_for() {
        for seed in 0..200 {
            let mut dice = Dice::new(seed);
            let (mut ranges, mut set) = (PageRanges::default(), BTreeSet::new());
            for _ in 0..30 {
                let start = dice.below(50);
                let end = start + dice.below(12);
                if dice.percent(80) {
                    let added = (start..end).filter(|page| set.insert(*page)).count();
                    assert_eq!(ranges.insert(start..end), added as u64, "seed {seed}");
                } else {
                    let kept: BTreeSet<u64> = set.iter().copied().filter(|page| *page < start).collect();
                    assert_eq!(ranges.truncate(start), (set.len() - kept.len()) as u64, "seed {seed}");
                    set = kept;
                }
                assert_eq!(ranges.count(), set.len() as u64, "seed {seed}");
                let gaps: Vec<u64> = ranges.gaps(5..40).into_iter().flatten().collect();
                let expected: Vec<u64> = (5..40).filter(|page| !set.contains(page)).collect();
                assert_eq!(gaps, expected, "seed {seed}");
            }
        }
    }
}

//! Bytes written and not yet committed: runs that do not overlap, each contiguous.

use std::collections::BTreeMap;

/// A run grows up to this length before the next begins; it is one segment then.
const RUN_LIMIT_BYTES: usize = crate::crypt::SEGMENT_MAX_BYTES;

/// What a run costs beside its bytes, for the pool.
const RUN_COST_BYTES: usize = 96;

/// The dirty bytes of one file.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

fn end(start: u64, bytes: &[u8]) -> u64 {
    start.saturating_add(bytes.len() as u64)
}

fn distance(from: u64, to: u64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)
}

impl Runs {
    /// Whether nothing is dirty.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes of memory, for the pool.
    pub fn cost(&self) -> usize {
        self.bytes.saturating_add(self.runs.len().saturating_mul(RUN_COST_BYTES))
    }

    /// How many runs there are.
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// Lays `data` over what is there.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let stop = end(offset, data);
        let last = self.runs.range_mut(..=offset).next_back();
        if let Some((start, run)) = last {
            let at = distance(*start, offset);
            if let Some(inside) = run.get_mut(at..at.saturating_add(data.len())) {
                inside.copy_from_slice(data);
                return;
            }
            let next_is_free = at == run.len() && run.len().saturating_add(data.len()) <= RUN_LIMIT_BYTES;
            let start = *start;
            if next_is_free && self.runs.range(offset..stop).next().is_none() {
                if let Some(run) = self.runs.get_mut(&start) {
                    run.extend_from_slice(data);
                    self.bytes = self.bytes.saturating_add(data.len());
                }
                return;
            }
        }
        self.remove(offset, stop);
        let mut at = offset;
        for part in data.chunks(RUN_LIMIT_BYTES) {
            self.insert(at, part.to_vec());
            at = at.saturating_add(part.len() as u64);
        }
    }

    fn insert(&mut self, offset: u64, run: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(run.len());
        self.runs.insert(offset, run);
    }

    /// Forgets `start..stop`.
    pub fn remove(&mut self, start: u64, stop: u64) {
        let before = self.runs.range(..start).next_back().filter(|(at, run)| end(**at, run) > start).map(|(at, _)| *at);
        let inside = self.runs.range(start..stop).map(|(at, _)| *at);
        let touched: Vec<u64> = before.into_iter().chain(inside).collect();
        for at in touched {
            let Some(mut run) = self.runs.remove(&at) else { continue };
            self.bytes = self.bytes.saturating_sub(run.len());
            let run_end = end(at, &run);
            if run_end > stop {
                let tail = run.split_off(distance(at, stop).min(run.len()));
                self.insert(stop, tail);
            }
            if at < start {
                run.truncate(distance(at, start));
                self.insert(at, run);
            }
        }
    }

    /// Lays what is dirty over `buf`, which holds the bytes at `offset`; returns whether all of it was dirty.
    pub fn read_over(&self, offset: u64, buf: &mut [u8]) -> bool {
        let stop = end(offset, buf);
        let first = self.runs.range(..=offset).next_back().map_or(offset, |(at, _)| *at);
        let mut covered = 0usize;
        for (at, run) in self.runs.range(first..stop) {
            let from = (*at).max(offset);
            let to = end(*at, run).min(stop);
            if from >= to {
                continue;
            }
            let source = run.get(distance(*at, from)..distance(*at, to));
            let target = buf.get_mut(distance(offset, from)..distance(offset, to));
            if let (Some(source), Some(target)) = (source, target) {
                target.copy_from_slice(source);
                covered = covered.saturating_add(source.len());
            }
        }
        covered == buf.len()
    }

    /// The first byte at or behind `offset` that is dirty.
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        let before = self.runs.range(..=offset).next_back().filter(|(at, run)| end(**at, run) > offset);
        if before.is_some() { Some(offset) } else { self.runs.range(offset..).next().map(|(at, _)| *at) }
    }

    /// The first byte at or behind `offset` that is not dirty.
    pub fn next_gap(&self, offset: u64) -> u64 {
        let mut at = offset;
        while let Some((start, run)) = self.runs.range(..=at).next_back() {
            let stop = end(*start, run);
            if stop <= at {
                break;
            }
            at = stop;
        }
        at
    }

    /// The runs, joined where they follow one another.
    pub fn groups(&self) -> Vec<(u64, Vec<&[u8]>)> {
        let mut groups: Vec<(u64, Vec<&[u8]>)> = Vec::new();
        let mut open_end = None;
        for (at, run) in &self.runs {
            match groups.last_mut() {
                Some((_, parts)) if open_end == Some(*at) => parts.push(run),
                _ => groups.push((*at, vec![run.as_slice()])),
            }
            open_end = Some(end(*at, run));
        }
        groups
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;

    #[test]
    fn random_writes_read_back_like_a_plain_buffer() {
        let mut seed = 7u64;
        let mut next = |limit: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % limit
        };
        for _ in 0..200 {
            let mut plain = vec![None; 400];
            let mut runs = Runs::default();
            for step in 0..40u8 {
                let start = next(300);
                let len = next(90);
                if next(4) == 0 {
                    runs.remove(start, start + len);
                    plain[start as usize..(start + len) as usize].fill(None);
                } else {
                    runs.write(start, &vec![step; len as usize]);
                    plain[start as usize..(start + len) as usize].fill(Some(step));
                }
                let mut buf = vec![0xee; 400];
                let all = runs.read_over(0, &mut buf);
                let want: Vec<u8> = plain.iter().map(|byte| byte.unwrap_or(0xee)).collect();
                assert_eq!(buf, want);
                assert_eq!(all, plain.iter().all(Option::is_some));
                assert_eq!(runs.bytes, plain.iter().flatten().count());
                let at = next(400) as usize;
                let gap = (at..400).find(|at| plain[*at].is_none());
                assert_eq!(runs.next_gap(at as u64).min(400), gap.unwrap_or(400) as u64);
                let data = (at..400).find(|at| plain[*at].is_some());
                assert_eq!(runs.next_data(at as u64), data.map(|at| at as u64));
            }
        }
    }

    #[test]
    fn sequential_writes_make_one_run_of_up_to_a_segment() {
        let mut runs = Runs::default();
        for index in 0..300u64 {
            runs.write(index * 4096, &[1; 4096]);
        }
        assert_eq!(runs.count(), 2);
        assert_eq!(runs.groups().len(), 1);
    }
}

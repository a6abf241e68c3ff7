//! The source of chance of the simulated disk: equal seeds give equal runs, on every machine.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): small, and good enough to
/// decide fates. Nothing secret is drawn from it.
#[derive(Clone, Debug)]
pub(in crate::disk) struct Dice {
    state: u64,
}

impl Dice {
    pub(in crate::disk) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(in crate::disk) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias of the remainder is of no concern here.
    pub(in crate::disk) fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub(in crate::disk) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

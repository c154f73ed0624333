//! Seeded chance: the same seed gives the same numbers for ever.

/// A stream of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    /// Returns a number below the limit, which is not zero.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    /// Returns a number up to the limit.
    pub(super) fn up_to(&mut self, limit: u8) -> u8 {
        u8::try_from(self.below(usize::from(limit) + 1)).unwrap_or_default()
    }

    /// Returns yes once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

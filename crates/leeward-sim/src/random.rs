//! Randomness that is a function of a seed. Each decision has a stream of its own, so that leaving one out of a schedule
//! changes none of the others: that is what makes a failing schedule shrink.

/// SplitMix64 (Steele, Lea and Flood 2014): small, fast, and every seed is as good as every other.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

/// What a stream of random numbers decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// What kind of schedule this is.
    Style,
    /// What the world does at one of its steps.
    Step,
    /// How long the world runs, and what breaks, at one call of a port.
    Moment,
    /// What a call of a port draws for its own answer.
    Call,
    /// How what is still open ends.
    End,
}

impl Random {
    /// Starts the `index`-th stream of a kind.
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Random {
        let mut random = Random(seed ^ (stream as u64 + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let mixed = random.next() ^ index.wrapping_mul(0xA076_1D64_78BD_642F);
        Random(mixed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u32
    }

    /// Returns a number from `from` up to and including `upto`.
    pub(crate) fn between(&mut self, from: i64, upto: i64) -> i64 {
        from + i64::from(self.below((upto - from + 1) as u32))
    }

    /// Returns true once in `times`.
    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// Returns 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.next()
    }
}

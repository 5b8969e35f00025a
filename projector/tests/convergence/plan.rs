//! When what arrives, is asked, is answered, and breaks: one of the many ways in which a history is heard of.

use std::time::Duration;

use projector::ProjectorSettings;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use testkit::answers::Pace;

/// How unruly things are; chance does the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How long deliveries take.
    pub(crate) delays: Delays,
    /// How many deliveries come twice or more, in percent.
    pub(crate) doubled: u32,
    /// How many questions are asked at each chance to ask, in percent.
    pub(crate) asked: u32,
    /// How many answers wait, in percent, until others have long been in: those of a former owner.
    pub(crate) late: u32,
    /// How many moments begin a sweep, in percent.
    pub(crate) swept: u32,
    /// How many moments the projector is started anew, in percent.
    pub(crate) restarted: u32,
    /// How many moments the power is cut, in percent.
    pub(crate) cut: u32,
    /// How many moments the log begins to forget, in percent.
    pub(crate) retained: u32,
    /// Whether every account is forgotten after each batch, and loaded again.
    pub(crate) forgets: bool,
    /// Deliveries within so many milliseconds are folded together.
    pub(crate) batch_ms: i64,
    /// How far our clock is ahead of the forge's.
    pub(crate) skew_ms: i64,
}

/// How long deliveries take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delays {
    /// Nearly none, in order.
    Prompt,
    /// Up to some seconds.
    Usual,
    /// Any time, in any order.
    Wild,
}

impl Plan {
    /// A plan by chance.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut pick = |choices: &[u32]| choices[rng.random_range(0..choices.len())];
        let delays =
            [Delays::Prompt, Delays::Usual, Delays::Usual, Delays::Wild][pick(&[0, 1, 2, 3]) as usize];
        Plan {
            seed,
            delays,
            doubled: pick(&[0, 10, 40]),
            asked: pick(&[0, 30, 80, 80]),
            late: pick(&[0, 5, 20]),
            swept: pick(&[0, 0, 2, 5]),
            restarted: pick(&[0, 0, 0, 3]),
            cut: pick(&[0, 0, 0, 0, 0, 4]),
            forgets: pick(&[0, 0, 0, 1]) == 1,
            batch_ms: i64::from(pick(&[0, 0, 20, 500])),
            skew_ms: i64::from(pick(&[0, 0, 7_000, 3_600_000])) - i64::from(pick(&[0, 0, 1_800_000])),
            retained: pick(&[0, 0, 0, 0, 3, 12]),
        }
    }

    /// The bounds of the projector.
    pub(crate) fn settings(&self) -> ProjectorSettings {
        let usual = ProjectorSettings::default();
        ProjectorSettings {
            working_set_bytes_max: if self.forgets { 1 } else { usual.working_set_bytes_max },
            // So often that a cut finds anything between nothing and everything durable, and a log that forgets waits
            // for little.
            flush_every: if self.cut > 0 || self.retained > 0 {
                Duration::from_millis(1)
            } else {
                usual.flush_every
            },
            ..usual
        }
    }

    /// How long one delivery takes.
    pub(crate) fn delay(&self, rng: &mut impl Rng) -> i64 {
        match (self.delays, rng.random_range(0..100)) {
            (Delays::Prompt, _) => rng.random_range(1..40),
            (Delays::Usual, 0..80) => rng.random_range(1..900),
            (Delays::Usual, 80..97) => rng.random_range(500..8_000),
            (Delays::Usual, _) => rng.random_range(5_000..40_000),
            (Delays::Wild, 0..30) => rng.random_range(1..2_000),
            (Delays::Wild, 30..90) => rng.random_range(1..60_000),
            (Delays::Wild, _) => rng.random_range(1..1_200_000),
        }
    }

    /// The times that questions take.
    pub(crate) fn pace(&self) -> RandomPace {
        RandomPace { rng: ChaCha8Rng::seed_from_u64(self.seed ^ 0x5eed), late: self.late }
    }
}

/// Questions that take a random time.
pub(crate) struct RandomPace {
    rng: ChaCha8Rng,
    late: u32,
}

impl Pace for RandomPace {
    fn answer(&mut self) -> i64 {
        match self.rng.random_range(0..20) {
            0..14 => self.rng.random_range(20..300),
            14..19 => self.rng.random_range(300..3_000),
            _ => self.rng.random_range(3_000..20_000),
        }
    }

    fn lag(&mut self) -> i64 {
        0
    }

    fn append(&mut self) -> i64 {
        if self.rng.random_range(0..100) < self.late {
            self.rng.random_range(1_000..900_000)
        } else {
            self.rng.random_range(1..30)
        }
    }
}

//! For what a budget is spent: so that the repair of what readers see is never starved by what can wait.

use std::fmt;

/// For what a question is asked. A closed list: metrics and the status page name its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spender {
    /// A number that is shown is in doubt.
    Repair,
    /// Something is asked for the first time, or was to be asked again.
    Load,
    /// The rolling check of everything.
    Sweep,
    /// Somebody wants an account read now.
    Backfill,
    /// The newest public repositories.
    Latest,
    /// Gists of those who are waited for.
    Gists,
    /// Who starred what.
    Stars,
    /// Webhooks, and all else that a person asked for.
    Command,
}

impl Spender {
    /// All of them.
    pub const ALL: [Spender; 8] = [
        Spender::Repair,
        Spender::Load,
        Spender::Sweep,
        Spender::Backfill,
        Spender::Latest,
        Spender::Gists,
        Spender::Stars,
        Spender::Command,
    ];

    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Spender::Repair => "repair",
            Spender::Load => "load",
            Spender::Sweep => "sweep",
            Spender::Backfill => "backfill",
            Spender::Latest => "latest",
            Spender::Gists => "gists",
            Spender::Stars => "stars",
            Spender::Command => "command",
        }
    }

    /// Whether it may spend what is kept back from the others: it asks little, and somebody waits for it.
    pub fn may_use_reserve(self) -> bool {
        matches!(self, Spender::Repair | Spender::Command)
    }

    pub(crate) fn place(self) -> usize {
        Spender::ALL.iter().position(|spender| *spender == self).unwrap_or(0)
    }
}

impl fmt::Display for Spender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is kept back of every limit for those who may use it: so many hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve(u8);

impl Reserve {
    /// Everything may be spent by everybody.
    pub const NONE: Reserve = Reserve(0);

    /// So many per cent; `None` above 90, which would leave too little to load anything with.
    pub fn percent(percent: u8) -> Option<Self> {
        (percent <= 90).then_some(Reserve(percent))
    }

    /// What is kept back of this many.
    pub(crate) fn of(self, limit: u64) -> u64 {
        (limit / 100)
            .saturating_mul(u64::from(self.0))
            .saturating_add((limit % 100 * u64::from(self.0)).div_ceil(100))
    }

    /// In hundredths.
    pub fn as_percent(self) -> u8 {
        self.0
    }
}

impl Default for Reserve {
    /// A fifth.
    fn default() -> Self {
        Reserve(20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_any_limit_is_kept_back() {
        let fifth = Reserve::default();
        assert_eq!([0, 1, 4, 60, 5_000, 12_501].map(|limit| fifth.of(limit)), [0, 1, 1, 12, 1_000, 2_501]);
        assert_eq!(Reserve::NONE.of(5_000), 0);
        assert_eq!(Reserve::percent(91), None);
        assert!(Reserve::percent(90).unwrap().of(u64::MAX) < u64::MAX);
    }
}

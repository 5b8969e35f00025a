//! From the steps that are kept to a chain that adds up: each step begins where the one before it ended, and the last
//! one ends in the number that is shown.
//!
//! Whatever does not fit is left out, with everything before it: a chain is shorter then, and never wrong. In a cluster
//! a crash in the middle of a write may leave a step unwritten.

use super::{Field, Marks, Step};
use crate::{codec::DecodeError, key::RowKey, row::Row, version::Version};

/// A number that can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// With which it has its steps.
    pub field: Field,
    /// Which of the numbers of a step.
    pub part: usize,
}

const fn number(name: &'static str, field: Field, part: usize) -> Number {
    Number { name, field, part }
}

/// All of them, in the order in which a repository shows them.
pub const NUMBERS: [Number; 10] = [
    number("counts.commits", Field::Commits, 0),
    number("counts.pull_requests.total", Field::PullRequests, 0),
    number("counts.pull_requests.open", Field::PullRequests, 1),
    number("counts.pull_requests.merged", Field::PullRequests, 2),
    number("counts.pull_requests.closed", Field::PullRequests, 3),
    number("counts.stars", Field::Stars, 0),
    number("counts.forks", Field::Forks, 0),
    number("counts.watchers", Field::Watchers, 0),
    number("counts.open_issues", Field::OpenIssues, 0),
    number("languages", Field::Languages, 0),
];

/// A step and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Of the record that was folded.
    pub version: Version,
    /// Of which numbers.
    pub field: Field,
    /// Its place among theirs.
    pub slot: u8,
    /// The step.
    pub step: Step,
}

/// All steps of a repository that are kept, by version.
#[derive(Debug, Clone, Default)]
pub struct Trail(Vec<Placed>);

/// Where a chain begins, and why there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Nothing was known of the number before.
    Unknown,
    /// Older steps are not listed, or kept no more.
    Older,
    /// Before, the repository was shown to nobody.
    Hidden,
    /// What came before was not recorded.
    Unrecorded,
}

/// The steps by which a number became what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain<'t> {
    /// The number before the first step.
    pub base: Option<u64>,
    /// Why the chain begins there.
    pub beginning: Beginning,
    /// The oldest record that the chain goes back to; all that came before it is in the base.
    pub since: Option<Version>,
    /// The steps, the oldest first.
    pub steps: Vec<&'t Placed>,
}

impl Trail {
    /// Reads rows of one repository.
    ///
    /// # Errors
    /// When one was written by a newer release or is damaged.
    pub fn read(rows: impl IntoIterator<Item = Row>) -> Result<Self, DecodeError> {
        let mut trail = Vec::new();
        for row in rows {
            let RowKey::Trail(_, _, field, slot) = row.key else { continue };
            if row.value.is_empty() {
                // It was erased.
                continue;
            }
            trail.push(Placed { version: row.version, field, slot, step: Step::decode(&row.value)? });
        }
        trail.sort_by_key(|placed| placed.version);
        Ok(Trail(trail))
    }

    /// The chain that ends in the number that is shown, at most so many steps of it. `shown_at`: the record that the
    /// shown number goes back to at the latest; steps after it count only if the number is theirs.
    ///
    /// `None`: the steps end in another number. Either was changed between two reads.
    pub fn chain(
        &self,
        number: Number,
        shown: Option<u64>,
        shown_at: Version,
        steps_max: usize,
    ) -> Option<Chain<'_>> {
        let placed: Vec<&Placed> = self.0.iter().filter(|placed| placed.field == number.field).collect();
        let ends_in_it = |steps: &[&Placed]| steps.last().is_none_or(|last| last.after(number) == shown);
        let up_to_it = placed.partition_point(|placed| placed.version <= shown_at);
        let fitting = [&placed[..], &placed[..up_to_it]].into_iter().find(|steps| ends_in_it(steps))?;
        Some(walk(fitting, number, shown, steps_max))
    }
}

impl<'t> Chain<'t> {
    /// Of a number of which nothing is recorded.
    pub fn unrecorded(shown: Option<u64>) -> Self {
        let beginning = if shown.is_none() { Beginning::Unknown } else { Beginning::Unrecorded };
        Chain { base: shown, beginning, since: None, steps: Vec::new() }
    }
}

impl Placed {
    /// The number before.
    pub fn before(&self, number: Number) -> Option<u64> {
        self.step.before.get(number.part).copied().flatten()
    }

    /// And after.
    pub fn after(&self, number: Number) -> Option<u64> {
        self.step.after.get(number.part).copied().flatten()
    }

    /// Whether it says anything of this number.
    fn is_about(&self, number: Number) -> bool {
        let (before, after) = self.step.marks.doubt();
        self.before(number) != self.after(number) || before != after
    }

    fn marks(&self) -> Marks {
        self.step.marks
    }
}

/// From the newest step backwards, as far as they fit.
fn walk<'t>(placed: &[&'t Placed], number: Number, shown: Option<u64>, steps_max: usize) -> Chain<'t> {
    let slots = number.field.slots();
    let mut chain = Chain::unrecorded(shown);
    let mut next: Option<&Placed> = None;
    let mut walked = 0;
    for placed in placed.iter().rev() {
        let follows = next.is_none_or(|next| (placed.slot + 1) % slots == next.slot);
        if placed.after(number) != chain.base || !follows {
            break;
        }
        if placed.marks().is_hidden() {
            chain.beginning = Beginning::Hidden;
            break;
        }
        if placed.is_about(number) {
            if chain.steps.len() == steps_max {
                chain.beginning = Beginning::Older;
                break;
            }
            chain.steps.push(placed);
        }
        walked += 1;
        chain.base = placed.before(number);
        chain.since = Some(placed.version);
        next = Some(placed);
    }
    chain.steps.reverse();
    if matches!(chain.beginning, Beginning::Unknown | Beginning::Unrecorded) {
        chain.beginning = match chain.base {
            None => Beginning::Unknown,
            Some(_) if walked == usize::from(slots) => Beginning::Older,
            Some(_) => Beginning::Unrecorded,
        };
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{AccountId, RepoId},
        time::{Millis, Second},
        trail::Teller,
        version::Epoch,
    };

    const STARS: Number = NUMBERS[5];

    fn version(offset: u64) -> Version {
        Version::new(Epoch::FIRST, offset)
    }

    fn row(offset: u64, slot: u8, before: Option<u64>, after: Option<u64>, marks: Marks) -> Row {
        let step = Step {
            marks,
            teller: Teller::Delivery,
            at: Second(1),
            received_ms: Millis(2),
            before: vec![before],
            after: vec![after],
            what: "star".into(),
            id: offset.to_string(),
        };
        let key = RowKey::Trail(AccountId::github(1), RepoId::github(2), Field::Stars, slot);
        Row { key, version: version(offset), value: step.encode().into() }
    }

    /// Steps of one star more each: the first at offset 1 from nothing to 0.
    fn rising(count: u64) -> Vec<Row> {
        let number = |count: u64| count.checked_sub(1);
        (0..count)
            .map(|step| {
                let slot = u8::try_from(step % 16).unwrap();
                row(step + 1, slot, number(step), number(step + 1), Marks::default())
            })
            .collect()
    }

    /// What is kept of rows that are written one over the other.
    fn kept(rows: Vec<Row>) -> Trail {
        let mut by_key = std::collections::BTreeMap::new();
        for row in rows {
            by_key.insert(row.key.encode(), row);
        }
        Trail::read(by_key.into_values()).unwrap()
    }

    fn told(
        trail: &Trail,
        shown: Option<u64>,
        at: u64,
        max: usize,
    ) -> Option<(Option<u64>, Beginning, usize)> {
        let chain = trail.chain(STARS, shown, version(at), max)?;
        let mut number = chain.base;
        for placed in &chain.steps {
            assert_eq!(placed.before(STARS), number);
            number = placed.after(STARS);
        }
        assert_eq!(number, shown, "it adds up");
        Some((chain.base, chain.beginning, chain.steps.len()))
    }

    #[test]
    fn a_chain_goes_back_to_nothing_or_to_what_is_kept() {
        assert_eq!(told(&kept(rising(3)), Some(2), 3, 99), Some((None, Beginning::Unknown, 3)));
        assert_eq!(told(&kept(rising(40)), Some(39), 40, 99), Some((Some(23), Beginning::Older, 16)));
        assert_eq!(told(&kept(rising(40)), Some(39), 40, 5), Some((Some(34), Beginning::Older, 5)));
        assert_eq!(told(&Trail::default(), Some(7), 3, 99), Some((Some(7), Beginning::Unrecorded, 0)));
        assert_eq!(told(&Trail::default(), None, 3, 99), Some((None, Beginning::Unknown, 0)));
    }

    #[test]
    fn a_number_that_was_read_before_the_steps_has_its_own_end() {
        assert_eq!(told(&kept(rising(5)), Some(2), 3, 99), Some((None, Beginning::Unknown, 3)));
        assert_eq!(told(&kept(rising(5)), Some(9), 3, 99), None, "the steps were read before the number");
    }

    #[test]
    fn what_does_not_fit_is_left_out_with_everything_before_it() {
        let mut rows = rising(6);
        rows.remove(3);
        assert_eq!(told(&kept(rows), Some(5), 6, 99), Some((Some(3), Beginning::Unrecorded, 2)));
        // Two steps that cancel each other out are missed by their places.
        let mut rows = rising(4);
        rows.push(row(9, 6, Some(3), Some(8), Marks::default()));
        assert_eq!(told(&kept(rows), Some(8), 9, 99), Some((Some(3), Beginning::Unrecorded, 1)));
    }

    #[test]
    fn what_happened_while_it_was_hidden_is_not_told() {
        let mut rows = rising(2);
        rows.push(row(3, 2, Some(1), Some(4), Marks::new((false, false), true)));
        rows.push(row(4, 3, Some(4), Some(5), Marks::default()));
        assert_eq!(told(&kept(rows), Some(5), 4, 99), Some((Some(4), Beginning::Hidden, 1)));
    }

    #[test]
    fn doubt_is_a_step_and_an_idle_word_is_none() {
        let mut rows = rising(2);
        rows.push(row(3, 2, Some(1), Some(1), Marks::new((false, true), false)));
        rows.push(row(4, 3, Some(1), Some(1), Marks::new((true, true), false)));
        rows.push(row(5, 4, Some(1), Some(2), Marks::new((true, false), false)));
        assert_eq!(told(&kept(rows), Some(2), 5, 99), Some((None, Beginning::Unknown, 4)));
    }
}

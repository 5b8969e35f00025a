//! Whether a repository may be shown: hidden is sticky (design invariant 9).

use serde::{Deserialize, Serialize};

use crate::{
    entity::doubt::Doubt,
    event::{HiddenWhy, Stamp, Told},
    time::Second,
    version::Version,
};

/// Whether a repository may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// Nothing has said yet; not shown.
    Unknown,
    /// The newest reading says public.
    Public {
        /// The forge's time of that reading.
        at: Second,
        /// The record that made it so; what was asked before cannot hide it.
        since: Version,
    },
    /// Out of every public answer.
    Hidden(Hidden),
}

/// A hiding, and what may end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Why.
    pub why: HiddenWhy,
    /// The forge's time of the hiding.
    pub at: Second,
    /// The record that hid it; only an answer asked later can reopen.
    pub version: Version,
    /// A newer reading says public, so the forge must be asked.
    pub doubt: Option<Doubt>,
}

/// What a reading did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that anybody sees.
    Stayed,
    /// It is hidden from now on.
    Hid,
    /// It is shown again; everything about it must be read again.
    Reopened,
}

impl Visibility {
    /// Whether it may be shown.
    pub fn is_public(&self) -> bool {
        matches!(self, Visibility::Public { .. })
    }

    /// Whether it is out of every public answer, for a reason.
    pub fn is_hidden(&self) -> bool {
        matches!(self, Visibility::Hidden(_))
    }

    /// The open question whether a hidden repository is public again.
    pub fn doubt(&self) -> Option<Doubt> {
        match self {
            Visibility::Hidden(hidden) => hidden.doubt,
            Visibility::Unknown | Visibility::Public { .. } => None,
        }
    }

    /// A `repository` object that belongs to this account was seen; `at` is its `updated_at`, if it has one.
    pub fn read(&mut self, private: bool, at: Option<Second>, stamp: &Stamp) -> Turn {
        // Without a time of its own a reading counts as of the same second: private wins, public does not.
        let at = at.unwrap_or_else(|| self.known_at());
        match *self {
            Visibility::Unknown if private => self.hide(HiddenWhy::Private, at, stamp),
            Visibility::Unknown => {
                *self = Visibility::Public { at, since: stamp.version };
                Turn::Stayed
            }
            Visibility::Public { at: known, .. } if private && at >= known => {
                self.hide(HiddenWhy::Private, at, stamp)
            }
            Visibility::Public { at: known, since } if !private => {
                *self = Visibility::Public { at: known.max(at), since };
                Turn::Stayed
            }
            Visibility::Public { .. } => Turn::Stayed,
            Visibility::Hidden(mut hidden) if private => {
                // Still ours and private: that also ends a move or a disappearance that was undone.
                if at > hidden.at {
                    hidden = Hidden { why: HiddenWhy::Private, at, version: stamp.version, doubt: None };
                }
                *self = Visibility::Hidden(hidden);
                Turn::Stayed
            }
            Visibility::Hidden(hidden) => self.read_public_while_hidden(hidden, at, stamp),
        }
    }

    fn read_public_while_hidden(&mut self, mut hidden: Hidden, at: Second, stamp: &Stamp) -> Turn {
        let reopens = match (stamp.told, hidden.why) {
            (Told::Answer(asked), HiddenWhy::Gone | HiddenWhy::Installation | HiddenWhy::Moved(_)) => {
                asked.asked_at >= hidden.version
            }
            (Told::Answer(asked), HiddenWhy::Private | HiddenWhy::Deleted) => {
                asked.asked_at >= hidden.version && at > hidden.at
            }
            (Told::Delivery | Told::Command, HiddenWhy::Moved(_)) => at > hidden.at,
            (Told::Delivery | Told::Command, _) => false,
        };
        if reopens {
            *self = Visibility::Public { at, since: stamp.version };
            return Turn::Reopened;
        }
        if let Told::Answer(asked) = stamp.told {
            // The forge was asked and what it says does not reopen: the question is answered.
            if hidden.doubt.is_some_and(|doubt| doubt.is_answered_by(asked.asked_at)) {
                hidden.doubt = None;
            }
        } else if at > hidden.at || (at == hidden.at && matches!(hidden.why, HiddenWhy::Moved(_))) {
            Doubt::raise(&mut hidden.doubt, stamp);
        }
        *self = Visibility::Hidden(hidden);
        Turn::Stayed
    }

    /// The forge said that it went private, was deleted, or belongs to somebody else.
    pub fn hidden(&mut self, why: HiddenWhy, at: Second, stamp: &Stamp) -> Turn {
        match *self {
            Visibility::Hidden(hidden) if at < hidden.at => Turn::Stayed,
            Visibility::Hidden(hidden) => {
                let doubt = hidden.doubt.filter(|_| at == hidden.at);
                *self = Visibility::Hidden(Hidden { why, at, version: stamp.version, doubt });
                Turn::Stayed
            }
            Visibility::Public { at: known, .. } if at < known => Turn::Stayed,
            // Moved and back within a second: only the forge can tell which was last.
            Visibility::Public { at: known, .. } if at == known && matches!(why, HiddenWhy::Moved(_)) => {
                self.hide_in_doubt(why, at, stamp)
            }
            Visibility::Unknown | Visibility::Public { .. } => self.hide(why, at, stamp),
        }
    }

    /// The forge was asked and does not know it, or its installation ended: `at` is the answer's `Date`, or
    /// `None` where the forge told no time.
    pub fn lost(&mut self, why: HiddenWhy, at: Option<Second>, stamp: &Stamp) -> Turn {
        let at = at.unwrap_or_else(|| self.known_at());
        match (*self, stamp.told) {
            (Visibility::Hidden(hidden), Told::Answer(asked)) => {
                let doubt = hidden.doubt.filter(|doubt| !doubt.is_answered_by(asked.asked_at));
                *self = Visibility::Hidden(Hidden { doubt, ..hidden });
                Turn::Stayed
            }
            (Visibility::Public { since, .. }, Told::Answer(asked)) if asked.asked_at < since => Turn::Stayed,
            (Visibility::Hidden(_), _) => Turn::Stayed,
            // It was seen since, by the forge's own time; the caller asks again.
            (Visibility::Public { at: known, .. }, Told::Answer(_)) if at < known => Turn::Stayed,
            (Visibility::Public { at: known, .. }, Told::Answer(_)) if at == known => {
                self.hide_in_doubt(why, at, stamp)
            }
            (Visibility::Unknown | Visibility::Public { .. }, _) => self.hide(why, at, stamp),
        }
    }

    /// The forge said that it was made public.
    pub fn published(&mut self, at: Second, stamp: &Stamp) -> Turn {
        match *self {
            Visibility::Hidden(hidden) if at > hidden.at => {
                *self = Visibility::Public { at, since: stamp.version };
                Turn::Reopened
            }
            Visibility::Hidden(_) => Turn::Stayed,
            Visibility::Unknown | Visibility::Public { .. } => self.read(false, Some(at), stamp),
        }
    }

    fn known_at(&self) -> Second {
        match self {
            Visibility::Unknown => Second(0),
            Visibility::Public { at, .. } => *at,
            Visibility::Hidden(hidden) => hidden.at,
        }
    }

    fn hide(&mut self, why: HiddenWhy, at: Second, stamp: &Stamp) -> Turn {
        *self = Visibility::Hidden(Hidden { why, at, version: stamp.version, doubt: None });
        Turn::Hid
    }

    /// Hides it for now, and has the forge asked.
    fn hide_in_doubt(&mut self, why: HiddenWhy, at: Second, stamp: &Stamp) -> Turn {
        let mut doubt = None;
        Doubt::raise(&mut doubt, stamp);
        *self = Visibility::Hidden(Hidden { why, at, version: stamp.version, doubt });
        Turn::Hid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Asked,
        time::Millis,
        version::{Epoch, Version},
    };

    const HIDDEN_AT: Second = Second(100);

    fn delivery(offset: u64) -> Stamp {
        Stamp { version: Version::new(Epoch::FIRST, offset), received_at: Millis(0), told: Told::Delivery }
    }

    fn answer(offset: u64, asked_at: u64, date: Second) -> Stamp {
        let asked = Asked { asked_at: Version::new(Epoch::FIRST, asked_at), asked_ms: Millis(0), date };
        Stamp { told: Told::Answer(asked), ..delivery(offset) }
    }

    /// Public since record 1, then hidden by record 5.
    fn hidden(why: HiddenWhy) -> Visibility {
        let mut visibility = Visibility::Unknown;
        visibility.read(false, Some(Second(90)), &delivery(1));
        assert_eq!(visibility.hidden(why, HIDDEN_AT, &delivery(5)), Turn::Hid);
        visibility
    }

    #[test]
    fn only_a_newer_publication_reopens() {
        for (at, turn) in [(99, Turn::Stayed), (100, Turn::Stayed), (101, Turn::Reopened)] {
            let mut visibility = hidden(HiddenWhy::Private);
            assert_eq!(visibility.published(Second(at), &delivery(6)), turn, "published at {at}");
            assert_eq!(visibility.is_public(), turn == Turn::Reopened);
        }
    }

    #[test]
    fn an_answer_reopens_only_if_it_was_asked_after_the_hiding() {
        for why in [HiddenWhy::Private, HiddenWhy::Deleted, HiddenWhy::Gone, HiddenWhy::Installation] {
            let mut visibility = hidden(why);
            let newer = Some(Second(110));
            assert_eq!(visibility.read(false, newer, &answer(6, 4, Second(111))), Turn::Stayed, "{why:?}");
            assert_eq!(visibility.read(false, newer, &answer(7, 5, Second(111))), Turn::Reopened, "{why:?}");
        }
    }

    /// A repository that is not changed while it is away has an old `updated_at` when it is back.
    #[test]
    fn what_was_gone_needs_no_newer_time_and_what_was_private_does() {
        for (why, turn) in [(HiddenWhy::Gone, Turn::Reopened), (HiddenWhy::Private, Turn::Stayed)] {
            let mut visibility = hidden(why);
            assert_eq!(visibility.read(false, Some(HIDDEN_AT), &answer(7, 6, Second(120))), turn, "{why:?}");
        }
    }

    #[test]
    fn an_answer_hides_only_if_it_was_asked_after_the_publication() {
        for (asked_at, turn) in [(5, Turn::Stayed), (6, Turn::Hid)] {
            let mut visibility = hidden(HiddenWhy::Private);
            visibility.published(Second(110), &delivery(6));
            let gone = answer(7, asked_at, Second(120));
            assert_eq!(
                visibility.lost(HiddenWhy::Gone, Some(Second(120)), &gone),
                turn,
                "asked at {asked_at}"
            );
            assert_eq!(visibility.is_hidden(), turn == Turn::Hid);
        }
    }
}

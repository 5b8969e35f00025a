//! Accounts of which something was sent that cannot be had: they are swept before their time.

use std::collections::HashMap;

use domain::{AccountId, Millis};

/// An account is not swept for this more often: who loses deliveries all the time is not read all the time.
const PAUSE_MS: i64 = 10 * 60 * 1000;

/// After a sweep that began too early: until then whoever ran it has noted that it has ended.
const AGAIN_MS: i64 = 1_000;

/// When each is to be swept.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<AccountId, Wish>);

#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    /// When something was found last that cannot be had.
    wished: Millis,
    /// From when on a sweep may begin for it.
    next: Millis,
    /// Whether no sweep that began later has ended.
    is_open: bool,
}

impl Checks {
    pub(super) fn wish(&mut self, account: AccountId, now: Millis) {
        let wish = self.0.entry(account).or_default();
        (wish.wished, wish.is_open) = (now, true);
    }

    /// An account that is to be swept now.
    pub(super) fn next(&mut self, now: Millis) -> Option<AccountId> {
        let (account, wish) = self.0.iter_mut().find(|(_, wish)| wish.is_open && wish.next <= now)?;
        wish.next = now.plus(PAUSE_MS);
        Some(*account)
    }

    pub(super) fn next_at(&self) -> Option<Millis> {
        self.0.values().filter(|wish| wish.is_open).map(|wish| wish.next).min()
    }

    /// A sweep of an account has ended. One that was on its way when the wish came makes up for nothing: then the next
    /// may begin soon.
    pub(super) fn swept(&mut self, account: AccountId, begun: Millis, now: Millis) {
        let Some(wish) = self.0.get_mut(&account).filter(|wish| wish.is_open) else { return };
        if begun >= wish.wished {
            wish.is_open = false;
        } else {
            wish.next = now.plus(AGAIN_MS);
        }
    }

    pub(super) fn retain(&mut self, is_ours: impl Fn(AccountId) -> bool) {
        self.0.retain(|account, _| is_ours(*account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_much_is_swept_now_and_then() {
        let mut checks = Checks::default();
        let [one, other] = [AccountId::github(1), AccountId::github(2)];
        assert_eq!((checks.next(Millis(1)), checks.next_at()), (None, None));
        checks.wish(one, Millis(2));
        checks.wish(one, Millis(3));
        assert_eq!((checks.next_at(), checks.next(Millis(5))), (Some(Millis(0)), Some(one)));
        assert_eq!(checks.next(Millis(6)), None);
        checks.swept(one, Millis(5), Millis(5));
        assert_eq!(checks.next_at(), None);
        checks.wish(one, Millis(6));
        checks.wish(other, Millis(6));
        assert_eq!((checks.next(Millis(6)), checks.next(Millis(6))), (Some(other), None));
        checks.retain(|account| account == one);
        assert_eq!(checks.next_at(), Some(Millis(5 + PAUSE_MS)));
        assert_eq!(checks.next(Millis(5 + PAUSE_MS)), Some(one));
        checks.retain(|account| account == other);
        assert_eq!(checks.next_at(), None);
    }

    #[test]
    fn a_sweep_that_was_on_its_way_is_followed_by_another() {
        let mut checks = Checks::default();
        let one = AccountId::github(1);
        checks.wish(one, Millis(10));
        assert_eq!(checks.next(Millis(10)), Some(one));
        checks.swept(one, Millis(9), Millis(11));
        assert_eq!(checks.next(Millis(11)), None, "it may not be noted yet that it has ended");
        let again = Millis(11 + AGAIN_MS);
        assert_eq!((checks.next_at(), checks.next(again)), (Some(again), Some(one)));
        checks.swept(one, again, again);
        assert_eq!(checks.next_at(), None);
        checks.swept(one, Millis(0), again);
        assert_eq!(checks.next_at(), None);
    }
}

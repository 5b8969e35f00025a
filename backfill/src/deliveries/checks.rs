//! Accounts of which something was sent that cannot be had: they are swept before their time.

use std::collections::HashMap;

use domain::{AccountId, Millis};

/// An account is not swept for this more often: who loses deliveries all the time is not read all the time.
const PAUSE_MS: i64 = 10 * 60 * 1000;

/// When each is to be swept.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<AccountId, Wish>);

#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    /// When it was swept for this last.
    last: Option<Millis>,
    is_open: bool,
}

impl Wish {
    fn due(self) -> Option<Millis> {
        let due = self.last.map_or(Millis(0), |last| last.plus(PAUSE_MS));
        self.is_open.then_some(due)
    }
}

impl Checks {
    pub(super) fn wish(&mut self, account: AccountId) {
        self.0.entry(account).or_default().is_open = true;
    }

    /// An account that is to be swept now.
    pub(super) fn next(&mut self, now: Millis) -> Option<AccountId> {
        let is_due = |wish: &Wish| wish.due().is_some_and(|due| due <= now);
        let (account, wish) = self.0.iter_mut().find(|(_, wish)| is_due(wish))?;
        *wish = Wish { last: Some(now), is_open: false };
        Some(*account)
    }

    pub(super) fn next_at(&self) -> Option<Millis> {
        self.0.values().filter_map(|wish| wish.due()).min()
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
        checks.wish(one);
        checks.wish(one);
        assert_eq!((checks.next_at(), checks.next(Millis(5))), (Some(Millis(0)), Some(one)));
        assert_eq!(checks.next(Millis(6)), None);
        checks.wish(one);
        checks.wish(other);
        assert_eq!((checks.next(Millis(6)), checks.next(Millis(6))), (Some(other), None));
        assert_eq!(checks.next_at(), Some(Millis(5 + PAUSE_MS)));
        assert_eq!(checks.next(Millis(5 + PAUSE_MS)), Some(one));
        checks.wish(one);
        checks.retain(|account| account == other);
        assert_eq!(checks.next_at(), None);
    }
}

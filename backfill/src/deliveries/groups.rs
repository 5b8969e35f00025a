//! Which of a hook's deliveries still have to be taken: pure.

use std::collections::HashMap;

use domain::Second;
use github::client::ListedDelivery;

/// The greeting of a new hook, of which nothing is kept.
pub(super) const PING: &str = "ping";

/// A delivery that has to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    /// The newest attempt at it.
    pub(super) newest: ListedDelivery,
    /// When it was sent first, as far as the list goes.
    pub(super) first_at: Second,
    /// How often somebody asked for it to be sent again.
    pub(super) redeliveries: usize,
}

/// What has to be taken of what was sent since then, the oldest first: each GUID of which no attempt was answered
/// with a 2xx, or, where nobody but us takes it (`takes_all`), each; not those that are settled.
pub(super) fn open(
    listed: &[ListedDelivery],
    since: Second,
    takes_all: bool,
    is_settled: impl Fn(&str) -> bool,
) -> Vec<Open> {
    let mut groups: HashMap<&str, (Open, bool)> = HashMap::new();
    for delivery in listed.iter().filter(|delivery| delivery.event != PING && delivery.delivered_at >= since)
    {
        let (open, is_delivered) = groups.entry(&delivery.guid).or_insert_with(|| {
            (Open { newest: delivery.clone(), first_at: delivery.delivered_at, redeliveries: 0 }, false)
        });
        *is_delivered |= delivery.is_success;
        open.first_at = open.first_at.min(delivery.delivered_at);
        open.redeliveries += usize::from(delivery.is_redelivery);
        if (delivery.delivered_at, delivery.id) > (open.newest.delivered_at, open.newest.id) {
            open.newest = delivery.clone();
        }
    }
    let mut open: Vec<Open> = groups
        .into_iter()
        .filter(|(guid, (_, is_delivered))| (takes_all || !is_delivered) && !is_settled(guid))
        .map(|(_, (open, _))| open)
        .collect();
    open.sort_by_key(|open| (open.first_at, open.newest.id));
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: u64, guid: &str, at: i64, is_success: bool) -> ListedDelivery {
        ListedDelivery {
            id,
            guid: guid.to_owned(),
            delivered_at: Second(at),
            is_success,
            is_redelivery: false,
            event: "push".to_owned(),
            repo: None,
        }
    }

    fn guids(open: &[Open]) -> Vec<&str> {
        open.iter().map(|open| open.newest.guid.as_str()).collect()
    }

    #[test]
    fn what_no_attempt_brought_is_open_the_oldest_first() {
        let again = ListedDelivery { is_redelivery: true, ..delivery(9, "b", 60, false) };
        let listed = [
            again,
            delivery(8, "a", 50, true),
            delivery(7, "c", 40, false),
            delivery(6, "a", 30, false),
            delivery(5, "b", 20, false),
            delivery(4, "d", 10, false),
        ];
        let found = open(&listed, Second(20), false, |_| false);
        assert_eq!(guids(&found), ["b", "c"], "a came the second time, d is older than what is looked at");
        let first = &found[0];
        assert_eq!((first.newest.id, first.first_at, first.redeliveries), (9, Second(20), 1));
        assert_eq!(guids(&open(&listed, Second(0), false, |guid| guid == "b")), ["d", "c"]);
        assert_eq!(guids(&open(&listed, Second(0), true, |_| false)), ["d", "b", "a", "c"]);
    }

    #[test]
    fn a_greeting_is_never_open() {
        let ping = ListedDelivery { event: PING.to_owned(), ..delivery(1, "a", 1, false) };
        assert!(open(&[ping], Second(0), true, |_| false).is_empty());
    }
}

//! Deliveries that are signed and wrong: translated and folded without a panic, the same every time, and whatever
//! is written can be read again.

use std::collections::HashMap;

use bolero::{check, generator::*};
use domain::{AccountId, Epoch, Ledger, RowKey, StreamKey, Version};
use github::{
    route,
    translate::{Delivery, translate},
};

use crate::{
    mutation::{Bytewise, Valuewise},
    seeds,
};

#[test]
fn bytes_that_are_no_delivery() {
    check!().for_each(|body: &[u8]| {
        for event in ["push", "pull_request", "repository", "star", "installation_repositories", "unheard_of"]
        {
            let is_routed = route(event, body).is_ok();
            let stream = StreamKey::Account(AccountId::github(1));
            let read = translate(&Delivery { stream, event, received_at: seeds::NOW, body });
            assert!(is_routed || read.is_err(), "what the door cannot read the fold cannot");
        }
    });
}

#[test]
fn deliveries_that_were_damaged() {
    let deliveries = seeds::deliveries();
    let damage = (produce::<Vec<Valuewise>>().with().len(0usize..4), produce::<Bytewise>());
    check!().with_generator((0..deliveries.len(), 0..deliveries.len(), damage)).for_each(
        |(first, second, (valuewise, bytewise))| {
            // Folded upon something that is right, so that there is something to contradict.
            let sound = &deliveries[*first];
            let wrong = &deliveries[*second];
            let mut value = serde_json::from_slice(&wrong.body).unwrap();
            for damage in valuewise {
                damage.apply(&mut value);
            }
            let body = bytewise.apply(&serde_json::to_vec(&value).unwrap());
            let Ok(streams) = route(wrong.event, &body) else { return };
            assert!(streams.len() <= 4, "a delivery concerns few accounts: {streams:?}");
            for stream in streams {
                let delivery = Delivery { stream, event: wrong.event, received_at: seeds::NOW, body: &body };
                assert_eq!(translate(&delivery).ok(), translate(&delivery).ok());
                let Some(account) = stream.account() else { continue };
                let mut ledger = seeds::tracked(account);
                seeds::fold(&mut ledger, stream, version(1), sound.event, &sound.body);
                seeds::fold(&mut ledger, stream, version(2), wrong.event, &body);
                let mut rows = HashMap::new();
                seeds::drain(&mut ledger, &mut rows);
                assert!(!ledger.is_dirty());
                for (bytes, row) in &rows {
                    assert_eq!(RowKey::decode(bytes.family, &bytes.bytes).as_ref(), Some(&row.key));
                }
                Ledger::load(account, rows.into_values()).expect("what was written is read");
            }
        },
    );
}

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

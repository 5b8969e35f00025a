//! A script of what goes wrong: per delivery and per request, at random from a seed or exactly as told.
//! Here it is only decided what goes wrong; `hooks` and `server` do it.

mod delivery;
mod pattern;
mod request;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use delivery::{DeliveryFault, DeliveryRates, HELD_BEHIND_MAX};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
pub use request::{RequestFault, RequestRates};

use self::{delivery::DeliveryScript, pattern::Pattern, request::RequestScript};
use crate::model::{Lag, Second};

/// The script, shared by its clones. Without a word to it nothing goes wrong.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug)]
struct Script {
    rng: ChaCha8Rng,
    deliveries: DeliveryScript,
    requests: RequestScript,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Faults(Arc::new(Mutex::new(Script {
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0xfa17),
            deliveries: DeliveryScript::default(),
            requests: RequestScript::default(),
        })))
    }

    /// How often deliveries go wrong from now on.
    pub fn delivery_rates(&self, rates: DeliveryRates) {
        self.script().deliveries.rates = rates;
    }

    /// What goes wrong with the next delivery of this event (`None`: of any), and only with that one.
    pub fn next_delivery(&self, event: Option<&str>, fault: DeliveryFault) {
        self.script().deliveries.once.push((event.map(str::to_owned), fault));
    }

    /// Loses all deliveries, until told otherwise.
    pub fn lose_deliveries(&self, on: bool) {
        self.script().deliveries.lost = on;
    }

    /// Sends nothing and keeps no record of it, until told otherwise.
    pub fn forget_deliveries(&self, on: bool) {
        self.script().deliveries.forgotten = on;
    }

    /// Shows deliveries without their payloads, until told otherwise.
    pub fn hide_payloads(&self, on: bool) {
        self.script().deliveries.hides_payloads = on;
    }

    /// Loses the deliveries of what happens from one second until before another.
    pub fn lose_deliveries_between(&self, from: Second, until: Second) {
        self.script().deliveries.outages.push((from, until));
    }

    /// How often answers go wrong from now on.
    pub fn request_rates(&self, rates: RequestRates) {
        self.script().requests.rates = rates;
    }

    /// What goes wrong with requests whose path (without the query) matches; `*` stands for anything, as in
    /// `*/languages`. `times` limits how often; `None` is always. The first rule that matches wins.
    pub fn on_requests(&self, path: &str, fault: RequestFault, times: Option<usize>) {
        self.script().requests.rules.push((Pattern::new(path), fault, times));
    }

    /// Answers every read from a replica that is that far behind; `None` ends it. From a fresh start the
    /// replica cannot be further behind than this call.
    pub fn lag(&self, lag: Option<Lag>) {
        self.script().requests.lag = lag;
    }

    /// Ends all faults. What is held back or delayed still arrives.
    pub fn stop(&self) {
        let mut script = self.script();
        script.deliveries = DeliveryScript::default();
        script.requests = RequestScript::default();
    }

    /// What goes wrong with a delivery of an event that happened at this second.
    pub(crate) fn of_delivery(&self, event: &str, at: Second) -> Option<DeliveryFault> {
        let script = &mut *self.script();
        script.deliveries.draw(&mut script.rng, event, at)
    }

    /// Whether deliveries are shown with their payloads.
    pub(crate) fn shows_payloads(&self) -> bool {
        !self.script().deliveries.hides_payloads
    }

    /// What goes wrong with a request.
    pub(crate) fn of_request(&self, path: &str) -> Option<RequestFault> {
        let script = &mut *self.script();
        script.requests.draw(&mut script.rng, path)
    }

    /// Whether old moments of the world are needed.
    pub(crate) fn needs_moments(&self) -> bool {
        self.script().requests.needs_moments()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

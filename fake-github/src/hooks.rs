//! Deliveries: signed, sent, logged, sent again. Which events go where the model has decided.

mod dispatch;
mod log;
mod signature;

pub(crate) use dispatch::Dispatcher;
pub use log::{Delivery, Outcome};

//! Deliveries: signed, sent, logged, sent again. Which events go where the model has decided.

mod dispatch;
mod log;
mod signature;

pub(crate) use dispatch::Dispatcher;
pub(crate) use log::Wanted;
pub use log::{Delivery, Outcome};

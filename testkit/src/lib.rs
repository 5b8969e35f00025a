//! What tests of several rooms share: payloads as they must be, derived from the fake GitHub's truth.
//!
//! Only tests use this crate.

pub mod expected;

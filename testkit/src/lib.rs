//! What tests of several rooms share. Only tests use this crate.
//!
//! ```text
//!  forge ──emitted──► deliveries ──records──► stage: log ► the real projector ► store ──rows──► expected
//!    └─moments──► answers (in scripted time) ──records──┘
//! ```
//!
//! - [`forge`] is the fake GitHub's world with its past kept, so that a question can be answered from any
//!   moment of it; [`expected`] says what payloads must be then.
//! - [`deliveries`] makes records of what the world emits, as the door does.
//! - [`answers`] asks as backfill does, in the time of a [`script`], without HTTP.
//! - [`stage`] is a log, a store and the real projector between them.
//! - [`watched`] is a log whose appends and commits pass by a test.

pub mod answers;
pub mod deliveries;
pub mod expected;
pub mod forge;
pub mod script;
pub mod stage;
pub mod watched;

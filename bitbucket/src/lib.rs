//! Bitbucket's language: what its API 2.0 answers, and how it is asked.
//!
//! Bitbucket is polled: an account (a *workspace*; a user's own has the user's uuid) is asked for by the name
//! in its URL, and from then on by its uuid. What it answers is put into our own words by [`translate`], and
//! that is the last time that anybody looks at Bitbucket's JSON. The questions are in `client` (feature
//! `client`). Its webhooks only say that it is time to ask ([`delivery`]).
//!
//! Invariant: nothing here knows the log, the store or a web framework, keeps state between answers, or reads
//! a clock (the client excepted, which waits).

#[cfg(feature = "client")]
pub mod client;
pub mod delivery;
pub mod translate;
mod uuid;

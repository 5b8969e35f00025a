//! The client against servers on loopback: what it sends, what it makes of every kind of answer, and that
//! it never sends more than it should.

mod app;
mod failures;
mod gists;
mod graphql;
mod hooks;
mod latest;
mod lists;
mod rate_limits;
mod raw;
mod readings;
mod redirects;
mod refusals;
mod server;
mod stars;
mod tokens;

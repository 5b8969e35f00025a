//! One target a file. Each says what must hold for any input; that nothing panics always must.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod body;
mod form;
mod headers;
mod links;
mod mutation;
mod seeds;
mod signature;
mod stored;
mod translate;

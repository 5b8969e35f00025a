//! What can be done to a world, one file per noun. An operation changes the state, then emits the events
//! that GitHub would send, which show the state after it.

mod accounts;
mod apps;
mod branches;
mod crowds;
mod forks;
mod gists;
mod hooks;
mod issues;
mod pulls;
mod pushes;
mod repositories;
mod settings;
mod silent;
mod stars;

pub use pushes::NewCommits;
pub use repositories::NewRepository;

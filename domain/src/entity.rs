//! Entities: what is known about one thing, and how one event changes it.
//!
//! Every `evolve` here is pure and decides by the rules of reference A5 and A7: facts are replaced only by a
//! newer forge time or along the chain of commits, a tie with another value is doubt, and an answer counts
//! as far as it was asked after what it would overrule.

pub mod account;
pub mod api_key;
pub mod check;
pub mod commits;
pub mod dated;
pub mod door;
pub mod doubt;
pub mod forgotten_login;
pub mod gauge;
pub mod gist_users;
pub mod gists;
pub mod hook;
pub mod languages;
pub mod latest;
pub mod login;
pub mod pulls;
pub mod repository;
pub mod stargazers;
pub mod starred;
pub mod starrer;
pub mod stars;
pub mod visibility;

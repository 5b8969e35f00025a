//! GitHub's API over the world: what it answers, with its headers, paging, limits and errors.
//!
//! A request passes, in order: faults that answer for us, who asks (`caller`), the limit (`limits`), the
//! table of paths (`route`), the endpoint (`endpoint`), and what every answer carries (`reply`).
//! GraphQL has one path, a limit of its own, and an executor in the endpoints' place (`graphql`).

mod accept;
mod caller;
mod endpoint;
#[cfg(feature = "graphql")]
mod graphql;
mod jwt;
mod limits;
mod paging;
mod reply;
mod requests;
mod route;

pub(crate) use accept::{Shared, serve};
pub(crate) use limits::Limits;
pub use requests::RequestRecord;
pub(crate) use requests::Requests;

//! What HTTP asks of every answer, one rule a file. Nothing here knows rows or routes.

pub(crate) mod address;
pub(crate) mod conditional;
pub(crate) mod cors;
pub(crate) mod detail;
pub(crate) mod encoding;
pub(crate) mod latest_filter;
pub(crate) mod link;
pub(crate) mod names;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod quota;
pub(crate) mod shown;
pub(crate) mod token;
pub(crate) mod wait_for;

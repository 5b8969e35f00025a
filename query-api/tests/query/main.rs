//! The query API through its routers, over the embedded log and store in memory. Rows are written by the real
//! fold, and hinted as the projector hints them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod admin_backfill;
mod admin_dead_letters;
mod admin_guard;
mod admin_track;
mod badges;
mod bench;
mod cache;
mod connection;
mod console;
mod cors;
mod deliveries;
mod events;
mod explain;
mod forge;
mod freshness;
mod gaps;
mod gists;
mod github_payload;
mod interleavings;
mod latest;
mod limits;
mod moves;
mod older;
mod openapi;
mod paging;
mod profiles;
mod readers;
mod repositories;
mod representation;
mod starneighbours;
mod tokens;
mod tracking;
mod waiting;

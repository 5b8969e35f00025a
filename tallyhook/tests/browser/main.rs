//! The pages for people, in a real browser, readable without JavaScript, on a wide screen and on a phone's. Without
//! `chromedriver` (Debian: `chromium-driver`) it is skipped, but not with `CI=true`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod console;
mod docs;
mod form;
mod gaps;
#[path = "../monitoring/program.rs"]
mod program;
#[path = "../whole/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of one process, which use all of it")]
mod support;
mod webdriver;

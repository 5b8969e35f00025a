//! Hostile input: everything that strangers can send, and everything that a damaged disk can hand back.
//!
//! The targets are tests (`tests/fuzz/`), so that `cargo test --package fuzz` runs each for a second with random
//! input on a stable toolchain. Hours are `cargo xtask fuzz [TARGET] --minutes 60`. A failure prints the input,
//! made small, and the seed that finds it again.

//! Hours of hostile input; the suite `fuzz` gives each target a second.

use crate::command;

/// Optimised, and with the checks of a debug build.
const CHECKED: [&str; 3] = [
    "profile.release.debug-assertions=true",
    "profile.release.overflow-checks=true",
    "profile.release.lto=false",
];

/// Runs one target, or all one after the other, each for so many minutes.
pub(crate) fn run(target: Option<&str>, minutes: u64) -> anyhow::Result<()> {
    let mut test = command::cargo();
    test.args(["test", "--locked", "--release", "--package", "fuzz", "--test", "fuzz"]);
    for setting in CHECKED {
        test.args(["--config", setting]);
    }
    test.args(target).args(["--", "--test-threads", "1", "--nocapture"]);
    test.env("BOLERO_RANDOM_TEST_TIME_MS", (minutes * 60_000).to_string());
    command::run(&mut test)
}

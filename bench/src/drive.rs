//! Small programs that do one thing so many times, without sockets, for whoever counts their instructions: the
//! difference between two numbers of times is what one costs, whatever the start cost.

mod fold;
mod log;
mod nowhere;
mod requests;

use clap::ValueEnum;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// A GET of an account's payload from memory, through the router.
    Get,
    /// The same, compressed.
    GetGzip,
    /// The same, known to the reader: 304.
    GetKnown,
    /// A signed delivery of 7 KiB through the door, with a log that keeps nothing.
    Door,
    /// A record of a push through our log in memory, the writing thread included.
    Append,
    /// A push of 7 KiB from its bytes to events.
    TranslatePush,
    /// A pull request from its bytes to events.
    TranslatePull,
    /// A push folded into an account of 10 repositories, rendered once for 100.
    FoldPush,
    /// The same, rendered each time, as when they come one by one.
    FoldPushAlone,
    /// A pull request folded into a repository that has 1 000, rendered once for 100.
    FoldPull,
}

/// Does it.
pub(crate) fn run(what: What, times: u32) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match what {
        What::Get | What::GetGzip | What::GetKnown => runtime.block_on(requests::get(what, times)),
        What::Door => runtime.block_on(requests::door(times)),
        What::Append => runtime.block_on(log::append(times)),
        What::TranslatePush | What::TranslatePull => fold::translate(what, times),
        What::FoldPush | What::FoldPushAlone | What::FoldPull => runtime.block_on(fold::fold(what, times)),
    }
}

/// About what GitHub's usual push has.
const PUSH_BYTES: usize = 7 << 10;

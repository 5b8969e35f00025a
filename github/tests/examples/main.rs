//! The example payloads of npm `@octokit/webhooks-examples`, as they are and damaged.

mod fixture;
mod total;
mod translated;

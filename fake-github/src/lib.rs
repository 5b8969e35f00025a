//! A GitHub of one's own: stateful, over HTTP, deterministic from a seed. It answers what GitHub answers,
//! so that a test can compare what it got with what is true; and it sends what GitHub sends, so that people
//! can try their own receivers without a token and without GitHub.
//!
//! ```text
//!  what is done ──► model: World ──events──► hooks: signed deliveries ──► receivers
//!  (tests, Life)      │       └──truth──► tests                 ▲
//!                     ▼                                     faults
//!          server: REST, GraphQL ◄── requests ──────────────────┘
//! ```
//!
//! - `model` holds accounts, repositories with real commit graphs (their names are git's), pull requests,
//!   issues, stars and hooks. It is pure: [`World`] knows no network, and only the [`Clock`] that it is given.
//!   Each operation changes the state and then emits the events that GitHub would, as payloads that show that
//!   very moment. [`Life`] makes random but coherent histories.
//! - `wire` writes the world in GitHub's JSON, `server` answers REST and GraphQL requests, `hooks` sends deliveries.
//! - [`faults`] is a script of what goes wrong.
//! - [`FakeGithub`] runs all of it in one process.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use fake_github::{FakeConfig, FakeGithub, NewRepository};
//!
//! let fake = FakeGithub::start(FakeConfig::default()).await?;
//! let repo = fake.world(|world| {
//!     let ada = world.create_user("ada")?;
//!     let repo = world.create_repository(ada, NewRepository::public("engine"))?;
//!     world.push_commits(repo, "main", 3)?;
//!     Ok::<_, fake_github::Refused>(repo)
//! }).unwrap();
//! fake.settle().await;
//! assert_eq!(fake.world(|world| world.truth(repo)).unwrap().commits, 3);
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```

mod clock;
mod fake;
pub mod faults;
mod hooks;
mod model;
mod server;
mod wire;

pub use clock::Clock;
pub use fake::{FakeConfig, FakeGithub};
pub use hooks::{Delivery, Outcome};
pub use model::{
    AccountId, AccountKind, AccountTruth, Action, AppKeys, Audience, ContentType, Emitted, Features, HookId,
    HookTarget, Kind, LICENSES, Lag, License, Life, NewCommits, NewGist, NewHook, NewRepository, PullCounts,
    Refused, RepoId, RepoTruth, Second, Sha, Step, Urls, Visibility, Weights, World,
};
pub use server::RequestRecord;

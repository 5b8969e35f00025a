//! The world behind the wire: accounts, repositories with real commit graphs, pull requests, issues, stars
//! and hooks; what can be done to them; the events that follow; and the truth about them at any moment.
//! No I/O, and no clock but the one that is handed in.

pub(crate) mod account;
mod act;
mod action;
pub(crate) mod app;
pub(crate) mod commit;
pub(crate) mod event;
mod export;
pub(crate) mod gist;
pub(crate) mod graph;
pub(crate) mod hook;
mod id;
pub(crate) mod issue;
mod lag;
mod license;
mod life;
mod populate;
pub(crate) mod pull;
mod refused;
pub(crate) mod repository;
mod second;
mod sha;
pub(crate) mod state;
mod truth;
mod urls;
mod words;
mod world;

pub use account::AccountKind;
pub use act::{NewCommits, NewRepository};
pub use action::Action;
pub use app::AppKeys;
pub use event::{Audience, Emitted};
pub use gist::NewGist;
pub use hook::{ContentType, HookTarget, NewHook};
pub use id::{AccountId, HookId, RepoId};
pub use lag::Lag;
pub use license::{LICENSES, License};
pub use life::{Kind, Life, Step, Weights};
pub use pull::PullCounts;
pub use refused::Refused;
pub use repository::{Features, Visibility};
pub use second::Second;
pub use sha::Sha;
pub use truth::{AccountTruth, RepoTruth};
pub use urls::Urls;
pub use world::World;

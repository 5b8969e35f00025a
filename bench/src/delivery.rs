//! Signed deliveries, as many as wanted: GitHub's payload, written once by the fake, with the names, ids, heads
//! and times overwritten in place, so that making one costs little beside sending it.

use anyhow::{Context, bail};
use fake_github::{Clock, Emitted, NewRepository, Second, Urls, World};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::shape::{Place, pull_number, pushed_at};

/// The secret with which everything here is signed.
pub(crate) const SECRET: &str = "only for measuring";

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A push to the default branch that follows on the one before.
    Push,
    /// A pull request changed its state.
    Pull,
    /// Somebody gave a star.
    Star,
}

/// What is overwritten, each with the mark that stands for it in the template: nothing else in a payload looks
/// like one of these, and each is as long as what replaces it.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Account,
    Login,
    Repository,
    Name,
    Before,
    After,
    PushedAt,
    Changed,
    Pull,
    Starrer,
}

const MARKS: [(Mark, &str); 10] = [
    (Mark::Account, "4111111111"),
    (Mark::Login, "acct999999"),
    (Mark::Repository, "4222222222"),
    (Mark::Name, "repo999999"),
    (Mark::Before, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
    (Mark::After, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    (Mark::PushedAt, "4333333333"),
    (Mark::Changed, "2033-03-03T03:03:03Z"),
    (Mark::Pull, "4444444"),
    (Mark::Starrer, "4555555555"),
];

impl Mark {
    /// What stands in the place of the mark in a repository's `number`th delivery.
    fn text(self, place: Place, number: u64, pulls: u32) -> String {
        match self {
            Mark::Account => place.account_number().to_string(),
            Mark::Login => place.login(),
            Mark::Repository => place.repository_number().to_string(),
            Mark::Name => place.name(),
            Mark::Before => place.head(number - 1),
            Mark::After => place.head(number),
            Mark::PushedAt => pushed_at(number).0.to_string(),
            Mark::Changed => pushed_at(number).to_string(),
            Mark::Pull => pull_number(number % u64::from(pulls.max(1))).to_string(),
            Mark::Starrer => (STARRER_BASE + number % STARRERS).to_string(),
        }
    }
}

/// Of all accounts that give stars; each gets a stream of its own.
const STARRERS: u64 = 1000;
const STARRER_BASE: u64 = 3_000_000_000;

/// A payload to be overwritten.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) event: &'static str,
    text: Vec<u8>,
    /// Where a mark stands, and its place in [`MARKS`].
    places: Vec<(usize, usize)>,
    keyed: Hmac<Sha256>,
}

/// A delivery's body and signature.
pub(crate) struct Signed<'a> {
    pub(crate) body: &'a [u8],
    /// 64 hex digits.
    pub(crate) signature: [u8; 64],
}

impl Template {
    /// A payload of about this size.
    pub(crate) fn new(kind: Kind, bytes: usize) -> anyhow::Result<Self> {
        let (event, text) = match kind {
            Kind::Push => ("push", push_of(bytes)?),
            Kind::Pull => ("pull_request", marked(&emitted(Kind::Pull, 1)?, Kind::Pull, false)?),
            Kind::Star => ("star", marked(&emitted(Kind::Star, 1)?, Kind::Star, false)?),
        };
        let mut places = Vec::new();
        for (mark, (_, pattern)) in MARKS.iter().enumerate() {
            places.extend(text.match_indices(pattern).map(|(at, _)| (at, mark)));
        }
        let keyed = Hmac::new_from_slice(SECRET.as_bytes()).context("HMAC takes keys of any length")?;
        Ok(Template { event, text: text.into_bytes(), places, keyed })
    }

    /// Writes the delivery that is a repository's `number`th, counted from 1, over what `body` holds, and signs it.
    pub(crate) fn write<'b>(
        &self,
        place: Place,
        number: u64,
        pulls: u32,
        body: &'b mut Vec<u8>,
    ) -> Signed<'b> {
        self.fill(place, number, pulls, body);
        let mut mac = self.keyed.clone();
        mac.update(body);
        let mut signature = [0; 64];
        const_hex::encode_to_slice(mac.finalize().into_bytes(), &mut signature)
            .expect("a digest has 32 bytes, which are 64 digits");
        Signed { body, signature }
    }

    /// The same without a signature.
    pub(crate) fn fill(&self, place: Place, number: u64, pulls: u32, body: &mut Vec<u8>) {
        body.clear();
        body.extend_from_slice(&self.text);
        let texts = MARKS.map(|(mark, _)| mark.text(place, number, pulls));
        for (offset, mark) in &self.places {
            let text = &texts[*mark];
            body[*offset..*offset + text.len()].copy_from_slice(text.as_bytes());
        }
    }
}

/// A push with as many commits as come nearest to this size; below one commit's, without most URLs.
fn push_of(bytes: usize) -> anyhow::Result<String> {
    let push = |commits, is_bare| marked(&emitted(Kind::Push, commits)?, Kind::Push, is_bare);
    let one = push(1, false)?;
    if bytes < one.len() {
        return push(1, true);
    }
    let each = push(2, false)?.len() - one.len();
    push(1 + (bytes - one.len() + each / 2) / each, false)
}

/// What the fake sends when this happens.
fn emitted(kind: Kind, commits: usize) -> anyhow::Result<Emitted> {
    let mut world = World::new(1, Clock::scripted(Second(1_600_000_000)), Urls::default());
    let owner = world.create_user("acct999999")?;
    let fan = world.create_user("starrer999")?;
    let repo = world.create_repository(owner, NewRepository::public("repo999999"))?;
    world.push_commits(repo, "main", 1)?;
    let wanted = match kind {
        Kind::Push => {
            world.push_commits(repo, "main", commits)?;
            "push"
        }
        Kind::Pull => {
            world.create_branch(repo, "topic", "main", owner)?;
            world.push_commits(repo, "topic", 1)?;
            let number = world.open_pull(repo, (repo, "topic"), "main", "A change", owner)?;
            world.close_pull(repo, number, owner)?;
            "pull_request"
        }
        Kind::Star => {
            world.star(repo, fan)?;
            "star"
        }
    };
    let last = world.take_events().into_iter().rfind(|event| event.event == wanted);
    last.context("the fake tells of what it did")
}

/// The payload with marks where it is overwritten later; `is_bare`: without what nobody reads of it.
fn marked(emitted: &Emitted, kind: Kind, is_bare: bool) -> anyhow::Result<String> {
    let mut payload: Value = serde_json::from_slice(&emitted.body)?;
    let heads = ["before", "after"].map(|field| payload[field].as_str().map(str::to_owned));
    mark(&mut payload, kind);
    if is_bare {
        strip(&mut payload);
    }
    let mut text = payload.to_string();
    for (head, pattern) in heads.into_iter().zip([MARKS[4].1, MARKS[5].1]) {
        if let Some(head) = head {
            text = text.replace(&head, pattern);
        }
    }
    if !text.contains(MARKS[0].1) || !text.contains(MARKS[2].1) {
        bail!("the payload of {} names no repository", emitted.event);
    }
    Ok(text)
}

/// Numbers that are overwritten; a mark that is a number stays one.
fn number(pattern: &str) -> Value {
    pattern.parse::<u64>().map_or(Value::Null, Value::from)
}

fn mark(value: &mut Value, kind: Kind) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, kind)),
        Value::Object(fields) => {
            match fields.get("login").and_then(Value::as_str) {
                Some("acct999999") => drop(fields.insert("id".to_owned(), number(MARKS[0].1))),
                Some("starrer999") => drop(fields.insert("id".to_owned(), number(MARKS[9].1))),
                _ => {}
            }
            if fields.contains_key("full_name") {
                fields.insert("id".to_owned(), number(MARKS[2].1));
                if kind == Kind::Push {
                    fields.insert("pushed_at".to_owned(), number(MARKS[6].1));
                }
            }
            if fields.contains_key("merged_at") || fields.contains_key("pull_request") {
                fields.insert("number".to_owned(), number(MARKS[8].1));
            }
            if fields.contains_key("merged_at") {
                fields.insert("updated_at".to_owned(), MARKS[7].1.into());
            }
            if fields.contains_key("starred_at") {
                fields.insert("starred_at".to_owned(), MARKS[7].1.into());
            }
            fields.values_mut().for_each(|field| mark(field, kind));
        }
        _ => {}
    }
}

/// Takes away what look-alikes of GitHub leave out: links, node ids, people, features.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => {
            fields.retain(|name, field| {
                let is_link = name.ends_with("url") && name != "html_url";
                let is_flag = name.starts_with("has_") || name.starts_with("allow_");
                let is_person = matches!(name.as_str(), "sender" | "pusher" | "author" | "committer");
                !(is_link
                    || is_flag
                    || is_person
                    || name == "node_id"
                    || name == "head_commit"
                    || field.is_null())
            });
            fields.values_mut().for_each(strip);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    /// Every kind is told to its repository, at any size, as what it is.
    #[test]
    fn deliveries_are_understood_and_follow_on_each_other() {
        let place = Shape::new(7, 3, 5, 100).place(11);
        for (kind, bytes) in [(Kind::Push, 1 << 10), (Kind::Push, 64 << 10), (Kind::Pull, 0), (Kind::Star, 0)]
        {
            let template = Template::new(kind, bytes).unwrap();
            let mut body = Vec::new();
            template.fill(place, 5, 100, &mut body);
            let delivery = github::translate::Delivery {
                stream: domain::StreamKey::Account(place.account_id()),
                event: template.event,
                received_at: domain::Millis(1_900_000_000_000),
                body: &body,
            };
            let events = github::translate::translate(&delivery).unwrap().events;
            let told = events.iter().any(|event| match event {
                domain::Event::Push(push) => {
                    kind == Kind::Push
                        && push.repo == place.repository_id()
                        && push.before == Some(place.head_id(4))
                        && push.after == Some(place.head_id(5))
                        && push.added.is_some()
                        && push.pushed_at == Some(pushed_at(5))
                }
                domain::Event::Pull(pull) => {
                    kind == Kind::Pull && pull.number == pull_number(5) && pull.updated_at == pushed_at(5)
                }
                domain::Event::Star(star) => {
                    kind == Kind::Star && star.repo == place.repository_id() && star.given
                }
                _ => false,
            });
            assert!(told, "{kind:?} of {bytes} bytes: {events:?}");
        }
    }

    #[test]
    fn pushes_have_about_the_size_that_is_asked_for() {
        for bytes in [8 << 10, 64 << 10] {
            let length = Template::new(Kind::Push, bytes).unwrap().text.len();
            assert!(length.abs_diff(bytes) * 8 < bytes, "{length} for {bytes}");
        }
    }
}

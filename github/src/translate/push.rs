//! `push`: a branch moved. Tags are none of our business.

use domain::{CommitId, Event, Text, event::Push};

use super::{Telling, TranslateError, Understood};
use crate::wire::{Field, Payload, after_prefix};

/// A push lists at most this many commits; a list as long may have been cut (GitHub docs, push event).
const COMMITS_MAX: usize = 2048;

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let payload = &telling.payload;
    let (Some(repo), Some(repository)) = (telling.own_repo(), payload.repository.value()) else {
        return Ok(Understood::Yes);
    };
    let branch = match branch_of(&payload.git_ref) {
        Target::Branch(branch) => Some(branch),
        Target::Unclear => None,
        Target::Elsewhere => return Ok(Understood::Yes),
    };
    let push = Push {
        repo,
        branch,
        default_branch: repository.default_branch(),
        before: commit(&payload.before),
        after: commit(&payload.after),
        added: added(payload),
        pushed_at: repository.pushed_at.get(),
    };
    telling.tell(Event::Push(push));
    Ok(Understood::Yes)
}

enum Target<'a> {
    Branch(Text<'a>),
    /// A tag, a note, or anything else that holds no branch.
    Elsewhere,
    /// The payload does not say.
    Unclear,
}

fn branch_of<'a>(git_ref: &Field<Text<'a>>) -> Target<'a> {
    let Some(name) = git_ref.value() else {
        return Target::Unclear;
    };
    match after_prefix(name, "refs/heads/") {
        Some(branch) if branch.is_empty() => Target::Unclear,
        Some(branch) => Target::Branch(branch),
        None if name.starts_with("refs/") => Target::Elsewhere,
        None => Target::Unclear,
    }
}

fn commit(field: &Field<Text<'_>>) -> Option<CommitId> {
    field.value()?.parse().ok()
}

/// How many commits the push added to its branch, if nothing speaks against the list: `distinct` does
/// not (reference A2: a commit that another branch had before is new on this one all the same).
fn added(payload: &Payload<'_>) -> Option<u32> {
    let plain =
        [payload.created, payload.deleted, payload.forced].iter().all(|flag| flag.get() == Some(false));
    let before = commit(&payload.before).filter(|before| !before.is_zero());
    let after = commit(&payload.after).filter(|after| !after.is_zero());
    let commits = payload.commits.get()?;
    let whole = [payload.size, payload.total_commits]
        .iter()
        .filter_map(Field::get)
        .all(|told| usize::try_from(told) == Ok(commits.count));
    let certain = plain
        && before.is_some()
        && after.is_some()
        && commits.last == after
        && whole
        && (1..COMMITS_MAX).contains(&commits.count);
    certain.then(|| u32::try_from(commits.count).ok()).flatten()
}

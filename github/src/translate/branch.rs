//! `create` and `delete`: a branch or tag came or went. Tags change nothing.

use domain::{Event, NeedKey, Text};

use super::{Telling, TranslateError, Understood};
use crate::wire::after_prefix;

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let Some(repo) = telling.own_repo() else {
        return Ok(Understood::Yes);
    };
    let kind = telling.payload.ref_type.value().map(Text::as_str);
    let name = telling.payload.git_ref.value().filter(|name| !name.is_empty());
    match (kind, name) {
        (Some("branch"), Some(name)) => {
            let branch = after_prefix(name, "refs/heads/").unwrap_or_else(|| name.clone());
            telling.tell(Event::BranchTouched { repo, branch });
        }
        // It may have been the default branch.
        (Some("branch") | None, _) => telling.tell(Event::Unclear(NeedKey::Commits(repo))),
        (Some(_), _) => {}
    }
    Ok(Understood::Yes)
}

//! Which repository each name of an account leads to: its present holder, else the last former one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    directory::RepoName,
    entity::{
        repository::Repository,
        visibility::{Hidden, Visibility},
    },
    event::HiddenWhy,
    id::RepoId,
    time::Second,
};

/// How strongly a repository claims a name; the strongest claim wins, ties by forge time and then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// It had the name when it was deleted.
    Deleted,
    /// It had the name before.
    Former,
    /// It has the name, at another account.
    Moved,
    /// It has the name.
    Present,
}

type Claim = (Strength, Second, RepoId);

/// The claims of all repositories of an account, by lower-cased name.
#[derive(Debug, Default)]
pub struct Names {
    claims: BTreeMap<String, BTreeSet<Claim>>,
    targets: BTreeMap<RepoId, RepoName>,
    by_repo: BTreeMap<RepoId, Vec<(String, Claim)>>,
}

impl Names {
    /// Notes the claims of a repository as it is now; returns the names whose answer may have changed.
    pub fn update(&mut self, id: RepoId, repo: &Repository) -> Vec<String> {
        let claims = claims(id, repo);
        let target = target(id, repo);
        let had_target = self.targets.insert(id, target);
        let former = self.by_repo.insert(id, claims.clone()).unwrap_or_default();
        if former == claims && had_target == Some(target) {
            return Vec::new();
        }
        for (name, claim) in &former {
            if let Some(set) = self.claims.get_mut(name) {
                set.remove(claim);
            }
        }
        for (name, claim) in &claims {
            self.claims.entry(name.clone()).or_default().insert(*claim);
        }
        let mut names: Vec<String> = former.into_iter().chain(claims).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// All names of a repository.
    pub fn of(&self, id: RepoId) -> Vec<String> {
        self.by_repo.get(&id).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// What a lower-cased name leads to.
    pub fn lookup(&self, name: &str) -> RepoName {
        let holder = self.claims.get(name).and_then(|claims| claims.last());
        holder.and_then(|(_, _, id)| self.targets.get(id)).copied().unwrap_or(RepoName::Nothing)
    }
}

fn claims(id: RepoId, repo: &Repository) -> Vec<(String, Claim)> {
    let strength = match repo.visibility {
        Visibility::Hidden(Hidden { why: HiddenWhy::Deleted | HiddenWhy::Gone, .. }) => Strength::Deleted,
        Visibility::Hidden(Hidden { why: HiddenWhy::Moved(_), .. }) => Strength::Moved,
        _ => Strength::Present,
    };
    let former_strength = strength.min(Strength::Former);
    let former = repo.facts.former_names.iter().map(|name| (name, former_strength));
    let present = repo.facts.name.iter().map(|name| (name, strength));
    let mut claims: Vec<(String, Claim)> = former
        .chain(present)
        .map(|(name, strength)| (name.value.to_lowercase(), (strength, name.at, id)))
        .collect();
    // A rename that only changed case claims one name twice; the stronger claim stays.
    claims.sort_unstable();
    claims.reverse();
    claims.dedup_by(|weaker, stronger| weaker.0 == stronger.0);
    claims
}

fn target(id: RepoId, repo: &Repository) -> RepoName {
    match repo.visibility {
        Visibility::Hidden(Hidden { why: HiddenWhy::Moved(to), .. }) => RepoName::Moved { repo: id, to },
        _ => RepoName::Is(id),
    }
}

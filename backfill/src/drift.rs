//! What a sweep finds to be otherwise than it was shown, although nobody told: numbers that were called complete and
//! were wrong.
//!
//! What GitHub never tells of (watchers, languages) is no drift: asking is the only way to know it.

use std::collections::HashMap;

use domain::{
    AccountId, Millis, RepoId, RowKey, StreamKey,
    key::ViewKey,
    view::body::{self, Stored},
};
use serde_json::Value;
use tracing::info;

use crate::ask::{Asker, JobError};

/// What is compared: the label of the metric, and where it stands in the payload.
const FIELDS: [(&str, &str); 12] = [
    ("name", "/repository/full_name"),
    ("fork", "/repository/fork"),
    ("archived", "/repository/archived"),
    ("default_branch", "/repository/default_branch"),
    ("topics", "/repository/topics"),
    ("commits", "/counts/commits"),
    ("pull_requests", "/counts/pull_requests/total"),
    ("open_pull_requests", "/counts/pull_requests/open"),
    ("merged_pull_requests", "/counts/pull_requests/merged"),
    ("stars", "/counts/stars"),
    ("forks", "/counts/forks"),
    ("open_issues", "/counts/open_issues"),
];

/// The label for a repository that is no longer shown, or was not known.
const EXISTENCE: &str = "existence";

/// Every label.
pub(crate) fn labels() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().map(|(label, _)| label).chain([EXISTENCE])
}

/// What was shown of a repository.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// When a delivery about it came last.
    told_ms: Millis,
    /// Whether it was called complete.
    is_complete: bool,
    /// In the order of [`FIELDS`].
    values: Vec<Value>,
}

impl Shown {
    fn of(told_ms: Millis, is_complete: bool, payload: &Value) -> Self {
        let value = |at: &str| payload.pointer(at).cloned().unwrap_or_default();
        Shown { told_ms, is_complete, values: FIELDS.iter().map(|(_, at)| value(at)).collect() }
    }

    /// What is otherwise now, with the old and the new value; nothing where a delivery came in the meantime, or
    /// where nobody claimed that it was right.
    fn drift<'s>(&'s self, now: &'s Shown) -> impl Iterator<Item = (&'static str, &'s Value, &'s Value)> {
        let counts = self.is_complete && self.told_ms == now.told_ms;
        let pairs = self.values.iter().zip(&now.values).zip(FIELDS);
        pairs
            .filter(move |((old, new), _)| counts && old != new && !old.is_null() && !new.is_null())
            .map(|((old, new), (label, _))| (label, old, new))
    }
}

impl Asker {
    /// What is shown of an account's public repositories.
    pub(crate) async fn shown(&self, account: AccountId) -> Result<HashMap<RepoId, Shown>, JobError> {
        let mut all = HashMap::new();
        for (id, repo) in self.rows().repositories(account).await? {
            if repo.visibility.is_public()
                && let Some(shown) = self.shown_now(account, id, repo.told_ms).await?
            {
                all.insert(id, shown);
            }
        }
        Ok(all)
    }

    async fn shown_now(
        &self,
        account: AccountId,
        id: RepoId,
        told_ms: Millis,
    ) -> Result<Option<Shown>, JobError> {
        let key = RowKey::View(StreamKey::Account(account), ViewKey::Repository(id));
        let Some(row) = self.store.get(&key).await? else { return Ok(None) };
        let stored = Stored::decode(&row.value).map_err(|error| JobError::Stop(error.to_string()))?;
        let Stored::Body(body) = stored else { return Ok(None) };
        let payload = body::inflate(&body.gzip, body.meta.length);
        let payload = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        Ok(payload.map(|payload: Value| Shown::of(told_ms, body.meta.complete, &payload)))
    }

    /// Compares what is shown of a repository with what was shown before it was asked about; tells what drifted.
    pub(crate) async fn tell_drift(
        &self,
        account: AccountId,
        id: RepoId,
        before: &Shown,
    ) -> Result<(), JobError> {
        let Some(repo) = self.rows().repository(account, id).await? else { return Ok(()) };
        if !repo.visibility.is_public() {
            if before.is_complete && before.told_ms == repo.told_ms {
                self.metrics.count_drift(EXISTENCE);
                // Its name is no longer for everybody.
                info!(repo.id = %id, "the sweep found that a repository is not to be shown any more; nobody told");
            }
            return Ok(());
        }
        let Some(now) = self.shown_now(account, id, repo.told_ms).await? else { return Ok(()) };
        for (field, old, new) in before.drift(&now) {
            self.metrics.count_drift(field);
            let name = now.values.first().and_then(Value::as_str);
            info!(repo.id = %id, name, field, %old, %new, "the sweep found what nobody told");
        }
        Ok(())
    }

    /// Tells of a public repository that a sweep found and nobody had told of.
    pub(crate) async fn tell_found(&self, account: AccountId, id: RepoId) -> Result<(), JobError> {
        let Some(repo) = self.rows().repository(account, id).await? else { return Ok(()) };
        if repo.visibility.is_public() && repo.told_ms == Millis(0) {
            self.metrics.count_drift(EXISTENCE);
            info!(repo.id = %id, name = repo.name(), "the sweep found a repository of which nobody told");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(told: i64, stars: u64, watchers: u64, commits: &Value) -> Shown {
        let payload = json!({
            "repository": {"full_name": "octo/hello"},
            "counts": {"stars": stars, "watchers": watchers, "commits": commits},
        });
        Shown::of(Millis(told), true, &payload)
    }

    fn drift(before: &Shown, now: &Shown) -> Vec<String> {
        before.drift(now).map(|(label, old, new)| format!("{label} {old} {new}")).collect()
    }

    #[test]
    fn drift_is_what_was_called_right_and_nobody_told() {
        let before = shown(5, 3, 1, &json!(7));
        assert_eq!(drift(&before, &shown(5, 4, 2, &json!(9))), ["commits 7 9", "stars 3 4"]);
        assert!(drift(&before, &shown(6, 4, 1, &json!(7))).is_empty(), "a delivery told it meanwhile");
        assert!(drift(&before, &shown(5, 3, 9, &json!(7))).is_empty(), "nobody is ever told");
        assert!(drift(&before, &shown(5, 3, 1, &Value::Null)).is_empty(), "not known is not wrong");
        let doubtful = Shown { is_complete: false, ..before };
        assert!(drift(&doubtful, &shown(5, 4, 1, &json!(9))).is_empty());
    }
}

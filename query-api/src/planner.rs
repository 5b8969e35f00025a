//! What the query API asks of a backfill that runs in the same process.

use async_trait::async_trait;

/// Says how much work it would be to read an account anew.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The plan, as JSON for a person; nothing is sent to the forge beyond what the plan itself needs.
    ///
    /// # Errors
    /// A sentence for the person who asked.
    async fn plan(&self, login: &str) -> Result<serde_json::Value, String>;
}

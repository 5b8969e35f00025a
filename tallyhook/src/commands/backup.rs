//! `tallyhook backup`: a copy of a running process's data folder.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    admin::Admin,
    backup::Progress,
    failure::{Failure, failed},
};

/// How often it is looked whether the copy is there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(crate) async fn run(admin: &Admin, dir: &Path) -> Result<(), Failure> {
    let dir = std::path::absolute(dir).map_err(failed)?;
    let _: Value = admin.post("/admin/backup", &json!({ "dir": dir })).await?;
    loop {
        match admin.get("/admin/backup").await? {
            Progress::Running => tokio::time::sleep(LOOK_EVERY).await,
            Progress::Done { records, bytes } => {
                println!(
                    "{}: {records} records, {}, opened and in order; restore it by starting on a copy of it",
                    dir.display(),
                    bytesize::ByteSize(bytes).display().iec()
                );
                return Ok(());
            }
            Progress::Failed { reason } => return Err(Failure::Failed(reason)),
            Progress::None => {
                return Err(Failure::Failed("the process was started again meanwhile".to_owned()));
            }
        }
    }
}

//! `tallyhook forget`: erase an account's rows, log bodies and ready answers, and say what that was.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write as _},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    admin::Admin,
    cli::DoctorFormat,
    failure::{Failure, failed},
    forget::Progress,
};

/// How often it is looked whether the log is read.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Serialize, Deserialize)]
struct Forgotten {
    account: String,
    rows: BTreeMap<String, u64>,
    bytes: u64,
    cached: u64,
    is_in_settings: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    login: &'a str,
    #[serde(flatten)]
    forgotten: Forgotten,
    log: Progress,
}

pub(crate) async fn run(
    admin: &Admin,
    login: &str,
    is_sure: bool,
    format: DoctorFormat,
) -> Result<(), Failure> {
    if !is_sure && std::io::stdin().is_terminal() && !confirmed(login)? {
        println!("nothing was erased");
        return Ok(());
    }
    let forgotten: Forgotten = admin.post("/admin/forget", &json!({ "login": login })).await?;
    let log = erase(admin, &forgotten.account).await?;
    let report = Report { login, forgotten, log };
    match format {
        DoctorFormat::Json => println!("{}", serde_json::to_string_pretty(&report).map_err(failed)?),
        DoctorFormat::Text => print!("{}", told(&report)),
    }
    match report.log {
        Progress::Failed { reason } => Err(Failure::Failed(format!(
            "the log still holds what {login} told ({reason}); call `tallyhook forget {login}` again"
        ))),
        _ => Ok(()),
    }
}

fn confirmed(login: &str) -> Result<bool, Failure> {
    print!("Erase everything about {login}? It cannot be brought back, only asked of GitHub again. [y/N] ");
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Waits until the log is read. One that keeps its records for their time says so at once.
async fn erase(admin: &Admin, account: &str) -> Result<Progress, Failure> {
    let begun: Value = admin.post("/admin/erase", &json!({ "account": account })).await?;
    if begun["state"] == "at_retention" {
        return Ok(Progress::AtRetention);
    }
    loop {
        match admin.get("/admin/erase").await? {
            Progress::Running => tokio::time::sleep(LOOK_EVERY).await,
            Progress::None => return Err(failed("the process was started again meanwhile; call it again")),
            ended => return Ok(ended),
        }
    }
}

/// What was erased, and what is left, in sentences.
fn told(report: &Report<'_>) -> String {
    let Report { login, forgotten, log } = report;
    let count: u64 = forgotten.rows.values().sum();
    let mut lines = vec![format!("{login} ({}) is forgotten", forgotten.account)];
    lines.push(format!("rows      {count}, {}", size(forgotten.bytes)));
    lines.extend(forgotten.rows.iter().map(|(family, count)| format!("  {family:<14}{count}")));
    lines.push(match log {
        Progress::Done { records, bytes } => format!("log       {records} records, {}", size(*bytes)),
        Progress::AtRetention => {
            "log       its bodies stay in Kafka until the topic's retention ends; nothing is folded from them"
                .to_owned()
        }
        _ => "log       not erased".to_owned(),
    });
    lines.push(format!("answers   {} that were kept ready here", forgotten.cached));
    if matches!(log, Progress::Done { .. }) {
        lines.push(
            "Free pages of log.redb and state.redb still hold bytes of it: the next start writes both files anew."
                .to_owned(),
        );
    }
    lines.push(format!(
        "What comes in of it is answered 2xx and folded to nothing, until `tallyhook track {login}`."
    ));
    if forgotten.is_in_settings {
        lines.push(format!(
            "TALLYHOOK_TRACK names {login}: take it out, or each start tells the log of it again."
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(log: Progress, is_in_settings: bool) -> String {
        let rows = BTreeMap::from([("entities".to_owned(), 3), ("views".to_owned(), 5)]);
        let account = "github:9".to_owned();
        let forgotten = Forgotten { account, rows, bytes: 2_048, cached: 4, is_in_settings };
        told(&Report { login: "octo", forgotten, log })
    }

    #[test]
    fn a_report_says_what_was_erased_and_what_is_left() {
        let told = report(Progress::Done { records: 12, bytes: 1_024 }, true);
        for part in
            ["rows      8, 2.0 KiB", "views         5", "log       12 records, 1.0 KiB", "answers   4"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(told.contains("next start") && told.contains("TALLYHOOK_TRACK"), "{told}");
    }

    #[test]
    fn with_kafka_it_says_that_bodies_go_at_retention() {
        let told = report(Progress::AtRetention, false);
        assert!(told.contains("stay in Kafka until the topic's retention ends"), "{told}");
        assert!(!told.contains("log.redb") && !told.contains("TALLYHOOK_TRACK"), "{told}");
    }
}

//! What is on this machine: the data folder, its disk, its files, the webhook secret.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use event_log::{EmbeddedLog, EmbeddedLogSettings, OpenError};
use secrecy::ExposeSecret as _;
use view_store::embedded::{EmbeddedStore, EmbeddedStoreSettings};

use super::Finding;
use crate::{settings::Settings, webhook_secret};

/// With less room than this a busy day may fill the disk.
const ROOM_BYTES_MIN: u64 = 1 << 30;
/// With less than this the next hour may; the service refuses deliveries then.
const ROOM_BYTES_LEAST: u64 = 128 << 20;

/// Shorter ones can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Bits of a file's mode that let others in.
const OTHERS: u32 = 0o077;

pub(super) async fn look(settings: &Settings, is_running: bool) -> Vec<Finding> {
    let mut findings = vec![secret(settings)];
    if settings.places.is_cluster() {
        return findings;
    }
    match folder(&settings.data_dir, is_running) {
        Err(finding) => findings.push(finding),
        Ok(finding) => {
            findings.push(finding);
            findings.extend(room(&settings.data_dir));
            // A process that runs tells of its files itself, and nobody else may open them.
            if !is_running {
                findings.extend(files(&settings.data_dir).await);
            }
        }
    }
    findings
}

fn secret(settings: &Settings) -> Finding {
    const SET: &str = "set TALLYHOOK_WEBHOOK_SECRET to a long random text and give the webhook the same";
    let path = webhook_secret::path(&settings.data_dir);
    if let Some((name, _)) =
        settings.webhook_secrets.iter().find(|(_, secret)| secret.expose_secret().len() < SECRET_BYTES_MIN)
    {
        let found = format!("the webhook secret `{name}` is shorter than {SECRET_BYTES_MIN} characters");
        return Finding::warning("secret.short", found, SET);
    }
    if !settings.webhook_secrets.is_empty() {
        return Finding::good("secret", "a webhook secret is set");
    }
    match fs::metadata(&path) {
        Ok(about) if about.permissions().mode() & OTHERS != 0 => Finding::broken(
            "secret.mode",
            format!(
                "others than its owner may read {} (mode {:o})",
                path.display(),
                about.permissions().mode() & 0o777
            ),
            format!(
                "chmod 600 {0}; if somebody else was on this machine, delete the file, restart and give the webhook \
                     the new secret",
                path.display()
            ),
        ),
        Ok(_) => Finding::good("secret", format!("the webhook secret is in {}", path.display())),
        Err(_) if settings.places.is_cluster() => {
            Finding::broken("secret.missing", "no webhook secret is set, and in a cluster none is made", SET)
        }
        Err(_) => Finding::warning(
            "secret.missing",
            "no webhook secret is set",
            "none is needed before the first start: `tallyhook serve` makes one and says where it is",
        ),
    }
}

fn folder(data_dir: &Path, is_running: bool) -> Result<Finding, Finding> {
    const NAME: &str = "data_dir";
    let shown = data_dir.display();
    let choose = format!("name the folder that is meant with --data-dir (TALLYHOOK_DATA_DIR), not {shown}");
    match fs::metadata(data_dir) {
        Err(_) if is_running => Ok(Finding::warning(
            NAME,
            format!("{shown} is not there, so the process that runs keeps its data elsewhere"),
            "run `tallyhook doctor` with the settings of that process",
        )),
        Err(error) => Err(Finding::warning(
            NAME,
            format!("{shown}: {error}"),
            "`tallyhook serve` makes it at its first start",
        )),
        Ok(about) if !about.is_dir() => Err(Finding::broken(NAME, format!("{shown} is no folder"), choose)),
        Ok(_) => {
            use rustix::fs::Access;
            match rustix::fs::access(data_dir, Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => Ok(Finding::good(NAME, format!("{shown} can be written to"))),
                Err(error) => Err(Finding::broken(
                    NAME,
                    format!("{shown} cannot be written to: {error}"),
                    format!("let the user that runs Tallyhook own it: chown -R USER {shown}"),
                )),
            }
        }
    }
}

fn room(data_dir: &Path) -> Option<Finding> {
    let about = rustix::fs::statvfs(data_dir).ok()?;
    Some(judged_room(about.f_bavail.saturating_mul(about.f_frsize)))
}

fn judged_room(bytes: u64) -> Finding {
    const NAME: &str = "disk";
    let found = format!("{} are free where the data is", bytesize::ByteSize::b(bytes));
    let fix = "make room, or move the data folder to a larger disk; `docs/OPERATIONS.md` tells how it grows";
    match bytes {
        ..ROOM_BYTES_LEAST => Finding::broken(NAME, found, fix),
        ROOM_BYTES_LEAST..ROOM_BYTES_MIN => Finding::warning(NAME, found, fix),
        _ => Finding::good(NAME, found),
    }
}

/// Opens the files that are there, as the next start will.
async fn files(data_dir: &Path) -> Vec<Finding> {
    let folder = data_dir.to_owned();
    let is_there = |name: &str| folder.join(name).exists();
    let (has_log, has_state) =
        (is_there(event_log::embedded::FILE_NAME), is_there(view_store::embedded::FILE_NAME));
    let opened = tokio::task::spawn_blocking(move || {
        let mut findings = Vec::new();
        if has_log {
            match EmbeddedLog::open(&folder, EmbeddedLogSettings::default()) {
                Err(OpenError::InUse { place }) => return vec![in_use(&place)],
                opened => {
                    let opened = opened.map(drop).map_err(|error| error.to_string());
                    findings.push(judged_file("log", opened));
                }
            }
        }
        if has_log && has_state {
            let settings =
                EmbeddedStoreSettings { generation: domain::GENERATION, ..EmbeddedStoreSettings::default() };
            let opened = EmbeddedStore::open(&folder, &settings).map(drop);
            findings.push(judged_file("store", opened.map_err(|error| error.to_string())));
        }
        findings
    });
    opened.await.unwrap_or_default()
}

fn in_use(place: &str) -> Finding {
    Finding::broken(
        "process.elsewhere",
        format!("a process uses {place}, and does not answer at the ops address that was named"),
        "name its ops address with --ops-url (TALLYHOOK_OPS_URL)",
    )
}

fn judged_file(name: &'static str, opened: Result<(), String>) -> Finding {
    match opened {
        Ok(()) => Finding::good(name, "it opens"),
        // Its sentence names the remedy after the cause.
        Err(sentence) => {
            let (found, fix) =
                sentence.rsplit_once([':', ';']).unwrap_or((&sentence, "restore it from a backup"));
            Finding::broken(name, found, fix.trim())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_disk_is_told_of_before_it_is_full() {
        let verdict = |bytes| judged_room(bytes).verdict;
        assert_eq!(verdict(50 << 30), Verdict::Good);
        assert_eq!(verdict(500 << 20), Verdict::Warning);
        assert_eq!(verdict(1 << 20), Verdict::Broken);
    }

    #[test]
    fn a_file_that_does_not_open_is_told_with_its_remedy() {
        let finding =
            judged_file("log", Err("d/log.redb is damaged (cut): restore it from a backup".to_owned()));
        assert_eq!(
            (finding.found.as_str(), finding.fix.as_deref()),
            ("d/log.redb is damaged (cut)", Some("restore it from a backup"))
        );
    }
}

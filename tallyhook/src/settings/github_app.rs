//! The GitHub App among the settings: its id and its key, both or neither.

use github::client::{AppKey, AppSettings};

use super::{Raw, SettingsError, secret, table};

const ID: &str = "github_app_id";
const KEY: &str = "github_app_private_key";

/// The App; `None` where none is set.
pub(super) fn read(raw: &Raw) -> Result<Option<AppSettings>, SettingsError> {
    let (id, origin) = raw.get(ID);
    let id = id.trim();
    let key = secret::read(raw, KEY)?;
    let both = |name: &str| table::find(name).map_or_else(|| name.to_owned(), table::Setting::both);
    let one_alone = |set: &str, other: &str| {
        Err(SettingsError(format!(
            "{} is set and {} is not: a GitHub App needs both, or neither",
            both(set),
            both(other)
        )))
    };
    let key = match (id, key) {
        ("", None) => return Ok(None),
        ("", Some(_)) => return one_alone(KEY, ID),
        (_, None) => return one_alone(ID, KEY),
        (_, Some(key)) => key,
    };
    let is_id = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if !is_id {
        return Err(SettingsError(format!(
            "{}, from {origin}: an App's id is a number such as 123456, or its client id such as Iv1.8a61f9b3a7aba766",
            both(ID)
        )));
    }
    let key = AppKey::parse(&key)
        .map_err(|error| SettingsError(format!("{}, from {}: {error}", both(KEY), raw.get(KEY).1)))?;
    Ok(Some(AppSettings { id: id.to_owned(), key }))
}

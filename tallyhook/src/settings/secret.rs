//! Secrets among the settings.

use secrecy::{ExposeSecret, SecretString};

use super::{Raw, SettingsError};

/// The names under which the two plain settings are counted.
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";

/// A secret; `None` where none is set.
pub(super) fn read(raw: &Raw, name: &str) -> Result<Option<SecretString>, SettingsError> {
    let (value, origin) = raw.get(name);
    if value.is_empty() {
        return match origin {
            super::Origin::Default => Ok(None),
            // Set, and to nothing: most likely a variable that was meant to hold one.
            _ => Err(SettingsError(format!("{name} from {origin} is empty; unset it or give it a value"))),
        };
    }
    Ok(Some(value.into()))
}

/// Secrets with commas between them.
pub(super) fn list(raw: &Raw, name: &str) -> Result<Vec<SecretString>, SettingsError> {
    let Some(all) = read(raw, name)? else { return Ok(Vec::new()) };
    let secrets = all.expose_secret().split(',').map(str::trim);
    secrets
        .map(|secret| match secret {
            "" => Err(SettingsError(format!(
                "{name} from {} has an empty entry between commas",
                raw.get(name).1
            ))),
            secret => Ok(secret.into()),
        })
        .collect()
}

/// Every webhook secret with the name under which it is counted.
pub(super) fn webhook_secrets(raw: &Raw) -> Result<Vec<(String, SecretString)>, SettingsError> {
    let mut secrets = Vec::new();
    for (name, setting) in [(CURRENT, "webhook_secret"), (PREVIOUS, "webhook_secret_previous")] {
        secrets.extend(read(raw, setting)?.map(|secret| (name.to_owned(), secret)));
    }
    secrets.extend(raw.named_secrets.iter().map(|named| (named.name.clone(), named.secret.clone().into())));
    Ok(secrets)
}

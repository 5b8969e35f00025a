//! Where settings come from: flags, variables, the file, defaults.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use clap::ArgMatches;

use super::{
    Invalid, SettingsError,
    table::{self, Setting, TABLE},
};

/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "tallyhook.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(String),
    Variable(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Variable(variable) => f.write_str(variable),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A `[[webhook_secret]]` table.
#[derive(Debug, Clone)]
pub(crate) struct NamedSecret {
    pub(crate) name: String,
    pub(crate) secret: String,
}

/// Values as text, with where each came from.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    values: BTreeMap<String, (String, Origin)>,
    pub(crate) named_secrets: Vec<NamedSecret>,
    /// Variables that begin as ours and are none.
    pub(crate) unknown_variables: Vec<String>,
}

/// What a file named by a `*_FILE` twin may hold at most; a secret is a line.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

impl Raw {
    /// Merges flags, variables, file and defaults.
    pub(crate) fn collect(
        matches: &ArgMatches,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut raw =
            Raw { values: BTreeMap::new(), named_secrets: Vec::new(), unknown_variables: Vec::new() };
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        let named = matches.try_get_one::<PathBuf>("config").ok().flatten().cloned();
        let named = named.or_else(|| variables.get("TALLYHOOK_CONFIG").map(PathBuf::from));
        match named {
            Some(path) => raw.read_file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => raw.read_file(Path::new(DEFAULT_FILE))?,
            None => {}
        }
        raw.read_variables(&variables)?;
        for setting in TABLE {
            raw.read_flag(setting, matches)?;
        }
        Ok(raw)
    }

    /// A value and where it came from; empty where nothing set it and there is no default.
    pub(crate) fn get(&self, name: &str) -> (&str, Origin) {
        match self.values.get(name) {
            Some((value, origin)) => (value, origin.clone()),
            None => (table::find(name).map_or("", |setting| setting.default), Origin::Default),
        }
    }

    /// A typed value; an error names the flag and the variable.
    pub(crate) fn value<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, SettingsError> {
        let (value, origin) = self.get(name);
        parse(value).map_err(|Invalid(why)| {
            let setting = table::find(name).map_or_else(|| name.to_owned(), Setting::both);
            SettingsError(format!("{setting}: `{value}` from {origin}: {why}"))
        })
    }

    fn read_flag(&mut self, setting: &Setting, matches: &ArgMatches) -> Result<(), SettingsError> {
        let given = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
        if let Some(value) = given(setting.name) {
            self.set(setting, value, Origin::Flag(setting.flag()));
        }
        if setting.is_secret
            && let Some(path) = given(&format!("{}_file", setting.name))
        {
            let value = secret_file(Path::new(&path))?;
            self.set(setting, value, Origin::Flag(format!("{}-file", setting.flag())));
        }
        Ok(())
    }

    fn read_variables(&mut self, variables: &BTreeMap<String, String>) -> Result<(), SettingsError> {
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix("TALLYHOOK_") else { continue };
            let name = name.to_lowercase();
            if name == "config" || name.starts_with("test_") {
                continue;
            }
            if let Some(setting) = table::find(&name) {
                self.set(setting, value.clone(), Origin::Variable(variable.clone()));
            } else if let Some(setting) = secret_twin(&name) {
                let value = secret_file(Path::new(value))?;
                self.set(setting, value, Origin::Variable(variable.clone()));
            } else {
                self.unknown_variables.push(variable.clone());
            }
        }
        // Empty is how some CI systems say that they have none.
        let token = variables.get("GITHUB_TOKEN").filter(|token| !token.is_empty());
        if let (Some(token), Some(setting)) = (token, table::find("github_token"))
            && self.get("github_token").1 == Origin::Default
        {
            self.set(setting, token.clone(), Origin::Variable("GITHUB_TOKEN".to_owned()));
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let wrong = |what: String| SettingsError(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let file: toml::Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        for (key, value) in file {
            if key == "webhook_secret"
                && let toml::Value::Array(tables) = &value
            {
                for table in tables {
                    self.named_secrets.push(named_secret(table).map_err(&wrong)?);
                }
                continue;
            }
            let origin = Origin::File(path.to_owned());
            if let Some(setting) = table::find(&key) {
                let value = text_of(&value).ok_or_else(|| wrong(format!("`{key}` cannot be a table")))?;
                self.set(setting, value, origin);
            } else if let (Some(setting), Some(file)) = (secret_twin(&key), value.as_str()) {
                let value = secret_file(Path::new(file))?;
                self.set(setting, value, origin);
            } else {
                return Err(wrong(format!("`{key}` is no setting; docs/reference/settings.md names them")));
            }
        }
        Ok(())
    }

    fn set(&mut self, setting: &Setting, value: String, origin: Origin) {
        self.values.insert(setting.name.to_owned(), (value, origin));
    }
}

/// The secret that `…_file` is the twin of.
fn secret_twin(name: &str) -> Option<&'static Setting> {
    table::find(name.strip_suffix("_file")?).filter(|setting| setting.is_secret)
}

fn secret_file(path: &Path) -> Result<String, SettingsError> {
    let wrong = |what: String| SettingsError(format!("reading a secret from {}: {what}", path.display()));
    let length = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > SECRET_FILE_BYTES_MAX {
        return Err(wrong(format!("{length} bytes are no secret")));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // Editors end a file with a line break, which is no part of the secret.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn named_secret(table: &toml::Value) -> Result<NamedSecret, String> {
    let field = |name: &str| table.get(name).and_then(toml::Value::as_str);
    if let Some(unknown) = table
        .as_table()
        .and_then(|table| table.keys().find(|key| !matches!(key.as_str(), "name" | "secret" | "secret_file")))
    {
        return Err(format!("`{unknown}` in [[webhook_secret]] is none of name, secret, secret_file"));
    }
    let name = field("name").ok_or("a [[webhook_secret]] needs a name")?.to_owned();
    let secret = match (field("secret"), field("secret_file")) {
        (Some(secret), None) => secret.to_owned(),
        (None, Some(path)) => secret_file(Path::new(path)).map_err(|error| error.to_string())?,
        _ => return Err(format!("the [[webhook_secret]] `{name}` needs a secret or a secret_file")),
    };
    Ok(NamedSecret { name, secret })
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(text_of).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

//! How a call fails, and the exit code of each way.

use std::{fmt, process::ExitCode};

use crate::settings::SettingsError;

/// Why a call did not do what it was asked to; one sentence for a person.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage or settings: exit code 2.
    Usage(String),
    /// It failed at run time: exit code 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(sentence) | Failure::Failed(sentence) => f.write_str(sentence),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Failure::Usage(error.to_string())
    }
}

/// Turns an error into a failure at run time.
pub(crate) fn failed(error: impl fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

//! Logs to stderr: as text for people at a terminal, as JSON lines for machines. Metrics are elsewhere.
//!
//! A JSON line has `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, and the event's own fields
//! beside them. Panics are logged like any other error.

use std::{
    fmt,
    io::{self, IsTerminal},
    panic,
    str::FromStr,
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// What is logged when nobody says otherwise.
const DEFAULT_FILTER: &str = "info";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl LogFormat {
    /// Text on a terminal, else JSON.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// A log format that there is none of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log format is `text` or `json`")]
pub struct UnknownLogFormat;

/// Why logging could not be set up; the first is a wrong setting.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("RUST_LOG cannot be read ({0}); write for example `info` or `info,ingest=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process set it up already.
    #[error(transparent)]
    Again(#[from] TryInitError),
}

/// Sends the whole process's logs to stderr. `filter` is what `RUST_LOG` says, if it is set.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(format: LogFormat, filter: Option<&str>) -> Result<(), TelemetryError> {
    subscriber(format, filter, io::stderr, io::stderr().is_terminal())?.try_init()?;
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(
            panic.message = panic.payload_as_str(),
            panic.location = location,
            "a task panicked; this is a fault in Tallyhook, please report it"
        );
    }));
    Ok(())
}

fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // An empty variable is how people unset one in a compose file.
    let filter = filter.filter(|filter| !filter.trim().is_empty()).unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    // Not as the filter of one layer: who only asks whether something would be logged, as clients of C libraries do,
    // would then take the next line of its thread with it.
    Ok(Box::new(tracing_subscriber::registry().with(filter).with(lines)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: Option<&str>, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, filter, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_keep_their_fields_beside_each_other() {
        let line = logged(LogFormat::Json, None, || {
            tracing::warn!(github_delivery_id = "72d3162e", count = 3, "refused");
        });
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&json["level"], &json["message"], &json["github_delivery_id"], &json["count"]),
            (&"WARN".into(), &"refused".into(), &"72d3162e".into(), &3.into())
        );
        assert!(json["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(json["target"], "boot::telemetry::tests");
    }

    #[test]
    fn the_default_is_info_and_a_filter_overrides_it() {
        let log = || tracing::debug!("in detail");
        assert_eq!(logged(LogFormat::Text, None, log), "");
        assert_eq!(logged(LogFormat::Text, Some(" "), log), "");
        assert!(logged(LogFormat::Text, Some("warn,boot=debug"), log).contains("in detail"));
    }

    #[test]
    fn asking_whether_something_would_be_logged_takes_no_line_with_it() {
        let log = || {
            assert!(!tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG));
            tracing::info!("the next line");
        };
        assert!(logged(LogFormat::Text, Some("info,librdkafka=error"), log).contains("the next line"));
    }

    #[test]
    fn an_unreadable_filter_names_the_variable() {
        let error = subscriber(LogFormat::Text, Some("info,boot=loud"), io::sink, false).err().unwrap();
        assert!(error.to_string().contains("RUST_LOG"), "{error}");
    }

    #[test]
    fn formats_are_read_and_written_alike() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<LogFormat>(), Err(UnknownLogFormat));
    }
}

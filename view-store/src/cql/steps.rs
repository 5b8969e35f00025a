//! The texts of the tables, which of them a keyspace has, and whether they are this release's.

use std::collections::BTreeMap;

use scylla::client::session::Session;

use super::{CqlAddress, OpenError, retry};

/// The table that says which steps were applied; it is made before any of them.
pub(super) const LEDGER: &str = include_str!("../../schema/000_steps.cql");

/// One file of `schema/`.
struct File {
    /// Its number and name; frozen.
    name: &'static str,
    text: &'static str,
    /// What is applied after it when the server is ScyllaDB.
    scylla: &'static str,
    /// Whether each generation applies it anew.
    is_generational: bool,
}

/// Every file, in order. A later release adds files and never changes one: their checksums are kept.
const FILES: &[File] = &[
    File {
        name: "001_shared",
        text: include_str!("../../schema/001_shared.cql"),
        scylla: include_str!("../../schema/001_shared.scylla.cql"),
        is_generational: false,
    },
    File {
        name: "001_generation",
        text: include_str!("../../schema/001_generation.cql"),
        scylla: include_str!("../../schema/001_generation.scylla.cql"),
        is_generational: true,
    },
    File {
        name: "002_deliveries",
        text: include_str!("../../schema/002_deliveries.cql"),
        scylla: "",
        is_generational: true,
    },
    File {
        name: "003_trail",
        text: include_str!("../../schema/003_trail.cql"),
        scylla: "",
        is_generational: true,
    },
];

/// A file as one keyspace and generation applies it.
pub(super) struct Step {
    /// How the ledger calls it.
    pub(super) name: String,
    /// Of the file's text.
    pub(super) checksum: String,
    /// For every server.
    pub(super) statements: Vec<String>,
    /// For ScyllaDB only, afterwards.
    pub(super) scylla: Vec<String>,
}

/// All steps of a keyspace for one generation.
pub(super) fn steps(keyspace: &str, generation: u32) -> Vec<Step> {
    FILES.iter().map(|file| file.step(keyspace, generation)).collect()
}

impl Step {
    /// The tables that it makes.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter_map(|text| {
            let named = text.strip_prefix("CREATE TABLE IF NOT EXISTS ")?.split_once('.')?.1;
            named.split_whitespace().next()
        })
    }
}

impl File {
    fn step(&self, keyspace: &str, generation: u32) -> Step {
        let name = if self.is_generational {
            format!("{} generation {generation}", self.name)
        } else {
            self.name.to_owned()
        };
        Step {
            name,
            checksum: format!("{:08x}", crc32c::crc32c(self.text.as_bytes())),
            statements: statements(self.text, keyspace, generation),
            scylla: statements(self.scylla, keyspace, generation),
        }
    }

    fn is_of(&self, step: &str) -> bool {
        match step.strip_prefix(self.name) {
            Some(rest) if self.is_generational => rest.starts_with(" generation "),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

/// The statements of a text, without comments and with its names filled in.
pub(super) fn statements(text: &str, keyspace: &str, generation: u32) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let code = code.join("\n");
    let code = code
        .replace("{keyspace}", keyspace)
        .replace("{generation}", &crate::table::generation_name("", generation));
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// Makes sure that a keyspace has this release's tables for this generation, and that no newer one changed it.
///
/// # Errors
/// [`OpenError::NotMigrated`], [`OpenError::Newer`] or [`OpenError::Changed`], and see [`OpenError`].
pub(super) async fn check(session: &Session, address: &CqlAddress, generation: u32) -> Result<(), OpenError> {
    let Some(applied) = applied(session, address).await? else {
        return Err(OpenError::not_migrated(address, "tables of Tallyhook"));
    };
    refuse_others(address, generation, &applied)?;
    let missing =
        steps(address.keyspace(), generation).into_iter().find(|step| !applied.contains_key(&step.name));
    missing.map_or(Ok(()), |step| Err(OpenError::not_migrated(address, format!("step {}", step.name))))
}

/// Steps by name, with their checksums.
pub(super) type Applied = BTreeMap<String, String>;

/// What the ledger says; `None` if there is none.
pub(super) async fn applied(session: &Session, address: &CqlAddress) -> Result<Option<Applied>, OpenError> {
    let text = format!("SELECT step, checksum FROM {}.schema_steps", address.keyspace());
    let found = match session.query_unpaged(text, ()).await {
        Ok(found) => found,
        // No keyspace, or no such table.
        Err(error) if retry::Kind::of(&error) == retry::Kind::Final => return Ok(None),
        Err(error) => return Err(OpenError::executing(address, &error)),
    };
    let failed = |cause: String| OpenError::Failed { address: address.to_string(), cause };
    let rows = found.into_rows_result().map_err(|error| failed(error.to_string()))?;
    let steps = rows.rows::<(String, String)>().map_err(|error| failed(error.to_string()))?;
    steps.map(|step| step.map_err(|error| failed(error.to_string()))).collect::<Result<_, _>>().map(Some)
}

/// Refuses a keyspace that a newer release changed, or whose steps had another text.
pub(super) fn refuse_others(
    address: &CqlAddress,
    generation: u32,
    applied: &Applied,
) -> Result<(), OpenError> {
    let ours: BTreeMap<String, String> =
        steps(address.keyspace(), generation).into_iter().map(|step| (step.name, step.checksum)).collect();
    for (step, checksum) in applied {
        let (address, step) = (address.to_string(), step.clone());
        match ours.get(&step) {
            Some(ours) if ours == checksum => {}
            Some(_) => return Err(OpenError::Changed { address, step }),
            // Another generation may stand beside ours, whichever release made it.
            None if FILES.iter().any(|file| file.is_of(&step)) => {}
            None => return Err(OpenError::Newer { address, step }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::Family;

    use super::*;
    use crate::table::Table;

    #[test]
    fn the_texts_make_a_table_for_every_family() {
        let made: Vec<String> = steps("numbers", 7).into_iter().flat_map(|step| step.statements).collect();
        for family in Family::ALL {
            let table = format!("numbers.{} (", Table::of(family, 7).name());
            assert_eq!(made.iter().filter(|text| text.contains(&table)).count(), 1, "{table}");
        }
        assert_eq!(made.len(), Family::ALL.len() + 2, "and two for chunks");
        for text in made {
            assert!(text.starts_with("CREATE TABLE IF NOT EXISTS numbers."), "{text}");
            assert!(
                !text.contains("--") && !text.contains(['{', ';']) || text.contains("compaction"),
                "{text}"
            );
        }
    }

    /// A keyspace in use was made by these texts: a change of one byte is another file with the next number.
    #[test]
    fn the_texts_are_frozen() {
        let checksums: Vec<(String, String)> =
            steps("k", 1).into_iter().map(|step| (step.name, step.checksum)).collect();
        let expected = [
            ("001_shared", "31d6cf88"),
            ("001_generation generation 1", "a03e1502"),
            ("002_deliveries generation 1", "77d7ecb7"),
            ("003_trail generation 1", "0c63a9df"),
        ];
        assert_eq!(checksums, expected.map(|(name, checksum)| (name.to_owned(), checksum.to_owned())));
    }
}

//! Making the keyspace and its tables, or bringing them up to this release. Safe to repeat, and safe when two
//! do it at once: every change of the schema goes to the same server, which makes one after the other, and each
//! says `IF NOT EXISTS`.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session},
    policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy},
    statement::{Consistency, unprepared::Statement},
};

use super::{
    CqlAddress, CqlStore, CqlStoreSettings, OpenError, epoch, retire,
    retry::Kind,
    session::{self, SCHEMA_ATTEMPT_MAX},
    steps::{self, Applied as Ledger, Step},
};

/// More copies than this cost more than they protect; who wants them says so.
const REPLICATION_MAX_UNASKED: usize = 3;
/// Before one is tried again; a server that was busy is not asked more often.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
/// The write time of the ledger's rows: all who write one write the same.
const LEDGER_TIME: i64 = 1;

/// How a keyspace is made.
#[derive(Debug, Clone)]
pub struct MigrateSettings {
    /// The generation whose tables are made.
    pub generation: u32,
    /// Copies of every row, in the address's datacenter or else in each. By default one for every server that
    /// there is, at most three. A keyspace that exists keeps its own.
    pub replication: Option<u16>,
}

impl Default for MigrateSettings {
    fn default() -> Self {
        MigrateSettings { generation: 1, replication: None }
    }
}

/// Something that a migration changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The keyspace was made, with so many copies of every row.
    Keyspace {
        /// Its name.
        name: String,
        /// Copies of every row.
        replication: u16,
    },
    /// A file of `schema/` was applied.
    Step(String),
    /// The first epoch began.
    Epoch,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Applied::Keyspace { name, replication: 1 } => {
                write!(f, "made keyspace {name} with 1 copy of every row")
            }
            Applied::Keyspace { name, replication } => {
                write!(f, "made keyspace {name} with {replication} copies of every row")
            }
            Applied::Step(step) => write!(f, "applied {step}"),
            Applied::Epoch => f.write_str("began the first epoch"),
        }
    }
}

/// Makes what is missing of the keyspace, its tables and the epoch; says what that was.
///
/// # Errors
/// See [`OpenError`]; nothing is changed in a keyspace of a newer release. After any other error it may be
/// repeated.
pub async fn migrate(address: &CqlAddress, settings: MigrateSettings) -> Result<Vec<Applied>, OpenError> {
    let session = session::connect_for_schema(address).await?;
    let schema = Schema { session: &session, address, profile: one_server(&session, address)? };
    let mut done = Vec::new();
    if !schema.has_keyspace().await? {
        let replication = settings.replication.unwrap_or_else(|| replication_unasked(&session, address));
        schema.make_keyspace(replication).await?;
        done.push(Applied::Keyspace { name: address.keyspace().to_owned(), replication });
    }
    for text in steps::statements(steps::LEDGER, address.keyspace(), settings.generation) {
        schema.change(text).await?;
    }
    let ledger = steps::applied(&session, address).await?.unwrap_or_default();
    steps::refuse_others(address, settings.generation, &ledger)?;
    let tables = retire::tables(&session, address).await?;
    for step in steps::steps(address.keyspace(), settings.generation) {
        if schema.apply(&step, &ledger, &tables).await? {
            done.push(Applied::Step(step.name));
        }
    }
    let store_settings = CqlStoreSettings { generation: settings.generation, ..CqlStoreSettings::default() };
    let store = CqlStore::open(address, store_settings).await?;
    if epoch::begin(&store).await.map_err(|error| epoch::failed(address, error))? {
        done.push(Applied::Epoch);
    }
    Ok(done)
}

/// Sends everything to the server with the least id, so that two migrations meet there. Two servers that make
/// the same table at once would give it two ids.
fn one_server(session: &Session, address: &CqlAddress) -> Result<ExecutionProfile, OpenError> {
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info().iter().filter(|node| node.is_connected());
    let Some(node) = nodes.min_by_key(|node| node.host_id) else {
        let cause = "no server is connected".to_owned();
        return Err(OpenError::Unreachable { address: address.to_string(), cause });
    };
    let target = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(node.host_id), None);
    Ok(ExecutionProfile::builder()
        .load_balancing_policy(target)
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(SCHEMA_ATTEMPT_MAX))
        .build())
}

/// What every datacenter that gets copies can hold.
fn replication_unasked(session: &Session, address: &CqlAddress) -> u16 {
    let state = session.get_cluster_state();
    let mut servers = BTreeMap::<&str, usize>::new();
    for node in state.get_nodes_info() {
        *servers.entry(node.datacenter.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let fewest = match &address.datacenter {
        Some(datacenter) => servers.get(datacenter.as_str()).copied(),
        None => servers.values().min().copied(),
    };
    let copies = fewest.unwrap_or_default().clamp(1, REPLICATION_MAX_UNASKED);
    u16::try_from(copies).expect("at most three")
}

struct Schema<'a> {
    session: &'a Session,
    address: &'a CqlAddress,
    profile: ExecutionProfile,
}

impl Schema<'_> {
    /// Sends one statement and waits until all servers know the outcome.
    async fn change(&self, text: String) -> Result<(), OpenError> {
        let mut statement = Statement::new(text);
        statement.set_execution_profile_handle(Some(self.profile.clone().into_handle()));
        // `IF NOT EXISTS` makes it so.
        statement.set_is_idempotent(true);
        let started = Instant::now();
        loop {
            match self.session.query_unpaged(statement.clone(), ()).await {
                Ok(_) => return Ok(()),
                // One of two dozen that meets a busy moment of the server must not end all of them.
                Err(error) if Kind::of(&error) == Kind::Passing && started.elapsed() < SCHEMA_ATTEMPT_MAX => {
                    tracing::warn!(%error, "the store did not change its schema; trying again");
                    tokio::time::sleep(CHANGE_PAUSE).await;
                }
                Err(error) => return Err(OpenError::executing(self.address, &error)),
            }
        }
    }

    async fn has_keyspace(&self) -> Result<bool, OpenError> {
        let text = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let found = self.session.query_unpaged(text, (self.address.keyspace(),)).await;
        let found = found.map_err(|error| OpenError::executing(self.address, &error))?;
        Ok(found.into_rows_result().is_ok_and(|rows| rows.rows_num() > 0))
    }

    async fn make_keyspace(&self, replication: u16) -> Result<(), OpenError> {
        let place = self.address.datacenter.as_deref().unwrap_or("replication_factor").replace('\'', "''");
        self.change(format!(
            "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = \
             {{'class': 'NetworkTopologyStrategy', '{place}': {replication}}}",
            self.address.keyspace()
        ))
        .await
    }

    /// Applies a step unless it was applied and its tables are still there. Says whether it was new.
    async fn apply(&self, step: &Step, ledger: &Ledger, tables: &[String]) -> Result<bool, OpenError> {
        let is_known = ledger.contains_key(&step.name);
        if is_known && step.tables().all(|made| tables.iter().any(|table| table == made)) {
            return Ok(false);
        }
        for text in &step.statements {
            self.change(text.clone()).await?;
        }
        if self.is_scylla() {
            for text in &step.scylla {
                self.change(text.clone()).await?;
            }
        }
        self.note(step).await?;
        Ok(true)
    }

    async fn note(&self, step: &Step) -> Result<(), OpenError> {
        let text = format!(
            "INSERT INTO {}.schema_steps (step, checksum) VALUES (?, ?) USING TIMESTAMP {LEDGER_TIME}",
            self.address.keyspace()
        );
        let noted = self.session.query_unpaged(text, (&step.name, &step.checksum)).await;
        noted.map(drop).map_err(|error| OpenError::executing(self.address, &error))
    }

    /// Only ScyllaDB divides its servers into shards.
    fn is_scylla(&self) -> bool {
        self.session.get_cluster_state().get_nodes_info().iter().any(|node| node.sharder().is_some())
    }
}

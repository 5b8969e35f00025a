//! One connection to the cluster, with what every statement of ours needs set up.

use std::{sync::Arc, time::Duration};

use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session, session_builder::SessionBuilder},
    policies::{
        load_balancing::{DefaultPolicy, LoadBalancingPolicy},
        timestamp_generator::TimestampGenerator,
    },
    statement::Consistency,
};

use super::{address::CqlAddress, open_error::OpenError};

/// An attempt that takes longer has met a server that hangs: the next one may go to another.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_secs(5);
/// Changes of the schema are slow, and slower where several wait for one another.
pub(super) const SCHEMA_ATTEMPT_MAX: Duration = Duration::from_secs(60);
/// A server that does not take a connection in this time is not there.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A connection over which nothing comes is tried so often, and given up when it says nothing for as long:
/// without that a machine that vanished would be noticed by the operating system after minutes.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How long servers may take to agree on a change of the schema.
const AGREEMENT_MAX: Duration = Duration::from_secs(60);
/// How often they are asked whether they do; two dozen changes wait for it.
const AGREEMENT_EVERY: Duration = Duration::from_millis(20);

/// Gives writes that name no version a time before every version, so that a forgotten one always loses.
///
/// Versions are small numbers: one write at the clock's time would hide every later row (design §4). Every
/// session that may write to the tables of rows needs this generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct LosingTimestamps;

impl TimestampGenerator for LosingTimestamps {
    /// Below [`domain::Version::NONE`].
    fn next_timestamp(&self) -> i64 {
        -1
    }
}

/// A session as the store uses it: quorums of the own datacenter, statements sent to a server that holds the
/// row, and writes without a version that lose.
///
/// # Errors
/// [`OpenError::Unreachable`] when no server answers, [`OpenError::Tls`] when a file for TLS cannot be used.
pub async fn connect(address: &CqlAddress) -> Result<Session, OpenError> {
    let balancing = balancing(address);
    let builder = builder(address, balancing, ATTEMPT_MAX)?.timestamp_generator(Arc::new(LosingTimestamps));
    builder.build().await.map_err(|error| OpenError::unreachable(address, &error))
}

/// A session that only changes the schema. It leaves times to the servers, which date the schema by them.
pub(super) async fn connect_for_schema(address: &CqlAddress) -> Result<Session, OpenError> {
    let builder = builder(address, balancing(address), SCHEMA_ATTEMPT_MAX)?
        .schema_agreement_interval(AGREEMENT_EVERY)
        // Nothing is routed by what it would read after each of two dozen changes.
        .refresh_metadata_on_auto_schema_agreement(false);
    builder.build().await.map_err(|error| OpenError::unreachable(address, &error))
}

fn balancing(address: &CqlAddress) -> Arc<dyn LoadBalancingPolicy> {
    let policy = DefaultPolicy::builder().token_aware(true).permit_dc_failover(false);
    match &address.datacenter {
        Some(datacenter) => policy.prefer_datacenter(datacenter.clone()).build(),
        None => policy.build(),
    }
}

fn builder(
    address: &CqlAddress,
    balancing: Arc<dyn LoadBalancingPolicy>,
    attempt_max: Duration,
) -> Result<SessionBuilder, OpenError> {
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(attempt_max))
        .load_balancing_policy(balancing)
        .build();
    let builder = SessionBuilder::new()
        .known_nodes(&address.hosts)
        .default_execution_profile_handle(profile.into_handle())
        // Token awareness needs the replication of this keyspace and of no other.
        .keyspaces_to_fetch([address.keyspace()])
        .connection_timeout(CONNECT_MAX)
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE)
        .schema_agreement_timeout(AGREEMENT_MAX);
    let builder = match &address.credentials {
        Some(credentials) => builder.user(&credentials.user, &credentials.password),
        None => builder,
    };
    with_tls(builder, address)
}

#[cfg(feature = "cql-tls")]
fn with_tls(builder: SessionBuilder, address: &CqlAddress) -> Result<SessionBuilder, OpenError> {
    match &address.tls {
        Some(files) => Ok(builder.tls_context(Some(super::tls::context(files)?))),
        None => Ok(builder),
    }
}

#[cfg(not(feature = "cql-tls"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as with TLS")]
fn with_tls(builder: SessionBuilder, _address: &CqlAddress) -> Result<SessionBuilder, OpenError> {
    // An address that asks for TLS is refused when it is read.
    Ok(builder)
}

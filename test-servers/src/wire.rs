//! The few bytes of both servers' protocols that tell whether a node is ready.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than a ready node needs, shorter than a test's patience.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(6);

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    Ok(stream)
}

/// How many brokers a broker knows to be alive; an error while it does not answer.
pub(crate) fn kafka_brokers(address: SocketAddr) -> std::io::Result<u32> {
    let mut stream = connect(address)?;
    // Metadata (3) in version 1: length, key, version, correlation id, no client id, no topics.
    stream.write_all(&[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0])?;
    // Length, correlation id, and the number of brokers.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(u32::from_be_bytes([answer[8], answer[9], answer[10], answer[11]]))
}

/// Whether a node answers a query with rows when so many replicas must answer (1 to 3: their codes are their
/// numbers).
pub(crate) fn cql_answers(address: SocketAddr, replicas: u8, query: &str) -> std::io::Result<bool> {
    const READY: u8 = 2;
    const RESULT: u8 = 8;
    let mut stream = connect(address)?;
    stream.write_all(b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0")?;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    if header[4] != READY {
        return Ok(false);
    }
    let length = u32::try_from(query.len()).expect("a query of ours is short");
    // A QUERY (7): version, flags, stream, then the text, the consistency and no flags.
    let mut request = vec![4, 0, 0, 0, 7];
    request.extend((length + 7).to_be_bytes());
    request.extend(length.to_be_bytes());
    request.extend(query.as_bytes());
    request.extend([0, replicas, 0]);
    stream.write_all(&request)?;
    stream.read_exact(&mut header)?;
    Ok(header[4] == RESULT)
}

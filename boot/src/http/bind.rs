//! Taking an address to listen on.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// How many connections the kernel may hold for us until they are accepted; it applies its own bound too.
const BACKLOG: u32 = 4096;

/// An address that cannot be listened on: a wrong setting, or another process.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({setting}): {reason}")]
pub struct BindError {
    address: SocketAddr,
    setting: String,
    reason: String,
}

/// Listens on `address`. `setting` is what messages call the setting that names it, for example
/// `--listen, TALLYHOOK_LISTEN`.
///
/// # Errors
/// One sentence for a person, with the address and the setting.
pub fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, BindError> {
    listen(address).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another process listens there; stop it or choose another address".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "this user may not; choose a port from 1024 on or another address".to_owned()
            }
            _ => error.to_string(),
        };
        BindError { address, setting: setting.to_owned(), reason }
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last process's closed connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_one_sentence_with_address_and_setting() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, "--ops-listen, TALLYHOOK_OPS_LISTEN").unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot listen on {address} (--ops-listen, TALLYHOOK_OPS_LISTEN): \
                 another process listens there; stop it or choose another address"
            )
        );
    }
}

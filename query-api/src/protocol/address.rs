//! Whose request it is, for limits: the peer, or whom a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use boot::http::PeerAddress;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a limit counts. Requests of an unknown peer share a limit. Behind trusted proxies the rightmost one that is not theirs. The network
/// of an IPv6 address (/64) counts as one, because one client has all of it.
pub(crate) fn client(peer: Option<PeerAddress>, request: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    if is_trusted(&peer) {
        // Each proxy appends whom it saw, so the list is believed from the right, up to the first stranger
        // or the first thing that is no address.
        for value in request.get_all(FORWARDED_FOR).iter().rev() {
            for text in value.as_bytes().rsplit(|&byte| byte == b',') {
                let Some(address) = parse(text) else { return network_of(client) };
                client = address;
                if !is_trusted(&client) {
                    return network_of(client);
                }
            }
        }
    }
    network_of(client)
}

fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn counted(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut request = HeaderMap::new();
        for value in forwarded {
            request.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(Some(PeerAddress(SocketAddr::new(peer.parse().unwrap(), 9))), &request, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        assert_eq!(counted("203.0.113.7", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(counted("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7");
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_stranger_counts() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(counted("10.0.0.1", &["198.51.100.1"], trusted), "198.51.100.1");
        assert_eq!(counted("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], trusted), "198.51.100.1");
        assert_eq!(
            counted("10.0.0.1", &["6.6.6.6", "198.51.100.1:4711", "10.0.0.2"], trusted),
            "198.51.100.1"
        );
        assert_eq!(counted("10.0.0.1", &["10.0.0.3, 10.0.0.2"], trusted), "10.0.0.3");
        assert_eq!(counted("10.0.0.1", &["6.6.6.6, unknown"], trusted), "10.0.0.1");
        assert_eq!(counted("10.0.0.1", &[], trusted), "10.0.0.1");
    }

    #[test]
    fn one_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        assert_eq!(counted("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:203.0.113.7", &[], &[]), "203.0.113.7");
        assert_eq!(counted("::ffff:10.0.0.1", &["[2001:db8::1]:443"], &["10.0.0.0/8"]), "2001:db8::");
    }
}

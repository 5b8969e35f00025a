//! Where a cluster is and how to speak to it, as one line of text.

use std::{fmt, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;

/// The port that both ScyllaDB and Apache Cassandra listen on unless told otherwise.
const PORT_DEFAULT: u16 = 9042;
/// What both servers allow; longer names do not fit their file names.
const KEYSPACE_CHARACTERS_MAX: usize = 48;
/// What starts an address.
const SCHEME: &str = "scylla://";

/// `scylla://[user:password@]host[:port][,host[:port]…]/keyspace[?name=value&…]`, for ScyllaDB and Apache
/// Cassandra alike. User, password and values are percent-decoded.
///
/// | name | value |
/// |---|---|
/// | `datacenter` | the datacenter to speak to; quorums are counted in it. Needed where there are several, and the same for every process |
/// | `tls` | `on` or `off` (the default); needs a build with the feature `cql-tls` |
/// | `tls_ca_file` | a PEM file with the authorities that sign the servers' certificates; needed for `tls` |
/// | `tls_cert_file`, `tls_key_file` | PEM files of our own certificate, where the servers ask for one |
///
/// `Display` and `Debug` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct CqlAddress {
    pub(super) hosts: Vec<String>,
    pub(super) keyspace: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) datacenter: Option<String>,
    pub(super) tls: Option<TlsFiles>,
}

/// Who we say we are.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Files that TLS needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsFiles {
    pub(super) authorities: PathBuf,
    /// Certificate and key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

/// Why a text is not an address; a sentence that quotes no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; the form is scylla://[user:password@]host:port[,host:port]/keyspace[?datacenter=NAME]")]
pub struct CqlAddressError(String);

impl CqlAddress {
    /// The same cluster with another keyspace.
    ///
    /// # Errors
    /// When it is not a keyspace's name: lower-case letters, digits and `_`, at most 48, a letter first.
    pub fn with_keyspace(&self, keyspace: &str) -> Result<Self, CqlAddressError> {
        Ok(CqlAddress { keyspace: read_keyspace(keyspace)?, ..self.clone() })
    }

    /// The keyspace.
    pub fn keyspace(&self) -> &str {
        &self.keyspace
    }
}

impl FromStr for CqlAddress {
    type Err = CqlAddressError;

    fn from_str(text: &str) -> Result<Self, CqlAddressError> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with scylla://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, keyspace) =
            rest.split_once('/').ok_or_else(|| wrong("it names no keyspace after the hosts"))?;
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(read_credentials(credentials)?), hosts),
            None => (None, authority),
        };
        let hosts = hosts.split(',').map(read_host).collect::<Result<Vec<_>, _>>()?;
        let (datacenter, tls) = read_query(query)?;
        Ok(CqlAddress { hosts, keyspace: read_keyspace(keyspace)?, credentials, datacenter, tls })
    }
}

impl fmt::Display for CqlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some(Credentials { user, .. }) = &self.credentials {
            write!(f, "{user}:…@")?;
        }
        write!(f, "{}/{}", self.hosts.join(","), self.keyspace)?;
        if let Some(datacenter) = &self.datacenter {
            write!(f, "?datacenter={datacenter}")?;
        }
        if self.tls.is_some() {
            f.write_str(if self.datacenter.is_some() { "&tls=on" } else { "?tls=on" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for CqlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CqlAddress({self})")
    }
}

fn wrong(sentence: impl Into<String>) -> CqlAddressError {
    CqlAddressError(sentence.into())
}

fn decoded(text: &str) -> Result<String, CqlAddressError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| wrong("a part of it is not UTF-8 when its % signs are decoded"))?.into_owned())
}

fn read_credentials(text: &str) -> Result<Credentials, CqlAddressError> {
    let (user, password) = text.split_once(':').ok_or_else(|| wrong("the user has no password"))?;
    Ok(Credentials { user: decoded(user)?, password: decoded(password)? })
}

/// Host and port, with the port made explicit; an IPv6 address stands in brackets.
fn read_host(text: &str) -> Result<String, CqlAddressError> {
    let after_brackets = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text[after_brackets..].rfind(':') {
        Some(colon) => (&text[..after_brackets + colon], &text[after_brackets + colon + 1..]),
        None => (text, ""),
    };
    if host.is_empty() || (after_brackets == 0 && host.contains(':')) {
        return Err(wrong("a host is empty, or an IPv6 address stands without [ ]"));
    }
    let port = match port {
        "" => PORT_DEFAULT,
        port => port.parse().map_err(|_| wrong(format!("{port} is not a port")))?,
    };
    Ok(format!("{host}:{port}"))
}

fn read_keyspace(text: &str) -> Result<String, CqlAddressError> {
    let is_name = text.len() <= KEYSPACE_CHARACTERS_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_');
    if is_name {
        return Ok(text.to_owned());
    }
    Err(wrong("the keyspace is not a name of lower-case letters, digits and _ (at most 48, a letter first)"))
}

fn read_query(query: &str) -> Result<(Option<String>, Option<TlsFiles>), CqlAddressError> {
    let (mut datacenter, mut tls, mut authorities, mut certificate, mut key) = (None, None, None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| wrong(format!("{pair} has no value")))?;
        let value = decoded(value)?;
        let place = match name {
            "datacenter" => &mut datacenter,
            "tls" => &mut tls,
            "tls_ca_file" => &mut authorities,
            "tls_cert_file" => &mut certificate,
            "tls_key_file" => &mut key,
            _ => return Err(wrong(format!("{name} is not a setting of this address"))),
        };
        if place.replace(value).is_some() {
            return Err(wrong(format!("{name} is given twice")));
        }
    }
    Ok((datacenter, read_tls(tls.as_deref(), authorities, certificate, key)?))
}

fn read_tls(
    tls: Option<&str>,
    authorities: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
) -> Result<Option<TlsFiles>, CqlAddressError> {
    match tls {
        Some("on") => {}
        None | Some("off") if authorities.is_none() && certificate.is_none() && key.is_none() => {
            return Ok(None);
        }
        None | Some("off") => return Err(wrong("it names files for TLS, and TLS is off (tls=on)")),
        Some(_) => return Err(wrong("tls is on or off")),
    }
    if cfg!(not(feature = "cql-tls")) {
        return Err(wrong("this build cannot speak TLS to the store; build it with --features cql-tls"));
    }
    let authorities = authorities.ok_or_else(|| wrong("tls=on needs tls_ca_file"))?.into();
    let own = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        _ => return Err(wrong("tls_cert_file and tls_key_file belong together")),
    };
    Ok(Some(TlsFiles { authorities, own }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CqlAddress {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_ports_and_keyspaces_are_read() {
        let address = read("scylla://one,two:19042,[::1]:9,[::2]/numbers?datacenter=east%2F1");
        assert_eq!(address.hosts, ["one:9042", "two:19042", "[::1]:9", "[::2]:9042"]);
        assert_eq!(address.keyspace(), "numbers");
        assert_eq!(address.datacenter.as_deref(), Some("east/1"));
        assert_eq!(read("scylla://h/k?tls=off").tls, None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = read("scylla://tally:s3cr%40t%2F@h:1/k");
        assert_eq!(address.credentials.as_ref().unwrap().password, "s3cr@t/");
        for shown in [address.to_string(), format!("{address:?}")] {
            assert!(!shown.contains("s3cr") && shown.contains("tally:…@h:1/k"), "{shown}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_by_a_sentence_without_secrets() {
        for (text, reason) in [
            ("kafka://h/k", "begin with scylla://"),
            ("scylla://user:secret@h", "no keyspace"),
            ("scylla://user:secret@h/", "not a name"),
            ("scylla://user:secret@h/Upper", "not a name"),
            ("scylla://user:secret@h/k;drop", "not a name"),
            ("scylla://user:secret@/k", "host is empty"),
            ("scylla://user:secret@::1/k", "without [ ]"),
            ("scylla://user:secret@h:port/k", "not a port"),
            ("scylla://secret@h/k", "has no password"),
            ("scylla://user:secret@h/k?consistency=one", "consistency is not a setting"),
            ("scylla://user:secret@h/k?datacenter=a&datacenter=b", "given twice"),
            ("scylla://user:secret@h/k?tls=maybe", "on or off"),
            ("scylla://user:secret@h/k?tls_ca_file=/x", "TLS is off"),
        ] {
            let refused = text.parse::<CqlAddress>().unwrap_err().to_string();
            assert!(refused.contains(reason) && !refused.contains("secret"), "{text}: {refused}");
        }
    }

    #[test]
    fn tls_is_refused_by_a_build_without_it() {
        let tls = "scylla://h/k?tls=on&tls_ca_file=/x".parse::<CqlAddress>();
        if cfg!(feature = "cql-tls") {
            assert!(tls.unwrap().tls.is_some());
        } else {
            assert!(tls.unwrap_err().to_string().contains("--features cql-tls"));
        }
    }
}

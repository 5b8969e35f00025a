//! What TLS needs, read from files.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{address::TlsFiles, open_error::OpenError};

/// Trusts the authorities in the file and nobody else: a cluster's servers have certificates of its owner's.
pub(super) fn context(files: &TlsFiles) -> Result<Arc<ClientConfig>, OpenError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(&files.authorities)? {
        roots.add(certificate).map_err(|error| unusable(&files.authorities, &error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&files.authorities, &"it holds no certificate"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls(error.to_string()))?
        .with_root_certificates(roots);
    let config = match &files.own {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
            config
                .with_client_auth_cert(read_certificates(certificate)?, private)
                .map_err(|error| unusable(certificate, &error))?
        }
    };
    Ok(Arc::new(config))
}

fn read_certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|error| unusable(file, &error))
}

fn unusable(file: &std::path::Path, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::Tls(format!("{} cannot be used: {error}", file.display()))
}

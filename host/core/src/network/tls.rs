//! TLS to other servers. Certificates are always checked, against the system's CA certificates or those of a file.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::Wire;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TlsError {
    /// The CA file.
    #[error("{path}: {problem}")]
    CaFile { path: String, problem: String },
    /// The system has no CA certificates.
    #[error("the system has no CA certificates: install ca-certificates, or name a ca-file")]
    NoAuthorities,
    /// TLS cannot be used on this machine.
    #[error("TLS: {0}")]
    Unusable(#[from] rustls::Error),
}

/// TLS that trusts only the CA certificates of this file (PEM), or the system's if none is named.
pub fn trusting(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut authorities = RootCertStore::empty();
    match ca_file {
        Some(path) => add_those_in(path, &mut authorities)
            .map_err(|problem| TlsError::CaFile { path: path.display().to_string(), problem })?,
        None => drop(authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if authorities.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn add_those_in(path: &Path, authorities: &mut RootCertStore) -> Result<(), String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| cause.to_string())? {
        let certificate = certificate.map_err(|cause| cause.to_string())?;
        authorities.add(certificate).map_err(|cause| cause.to_string())?;
    }
    let none = "it has no certificate (PEM: -----BEGIN CERTIFICATE-----)";
    if authorities.is_empty() { Err(none.to_owned()) } else { Ok(()) }
}

/// TLS on a connection to a server with a certificate for `host`: a name, or an address without brackets.
pub async fn handshake<S: Wire>(config: &Arc<ClientConfig>, host: &str, stream: S) -> std::io::Result<TlsStream<S>> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| std::io::Error::other("no certificate can be for this name"))?;
    tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

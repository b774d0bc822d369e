//! TLS to other servers. Certificates are always checked, against the system's CA certificates or those of a file.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::Wire;

/// TLS that trusts only the CA certificates of this file (PEM), or the system's if none is named.
///
/// # Errors
/// What is wrong with these certificates.
pub fn trusting(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let authorities = match ca_file {
        Some(path) => those_in(path).map_err(|problem| format!("{}: {problem}", path.display()))?,
        None => those_of_the_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS: {cause}"))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn those_of_the_system() -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let none = "the system has no CA certificates: install ca-certificates, or name a ca-file";
    if authorities.is_empty() { Err(none.to_owned()) } else { Ok(authorities) }
}

fn those_in(path: &Path) -> Result<RootCertStore, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| cause.to_string())? {
        let certificate = certificate.map_err(|cause| cause.to_string())?;
        authorities.add(certificate).map_err(|cause| cause.to_string())?;
    }
    let none = "it has no certificate (PEM: -----BEGIN CERTIFICATE-----)";
    if authorities.is_empty() { Err(none.to_owned()) } else { Ok(authorities) }
}

/// TLS on a connection to a server with a certificate for `host`: a name, or an address without brackets.
pub async fn handshake<S: Wire>(config: &Arc<ClientConfig>, host: &str, stream: S) -> std::io::Result<TlsStream<S>> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| std::io::Error::other("no certificate can be for this name"))?;
    tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

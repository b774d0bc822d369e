//! Where the server is: `postgres://user@host:5432/database`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use zeroize::Zeroizing;

/// A server's address, or those of several, of which one takes writes. Printed, it has no password.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    /// Whether the way to it is encrypted, and the server's certificate verified.
    pub(super) tls: bool,
    pub(super) ca: Option<PathBuf>,
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is none.
    #[error("it is not an address such as postgres://user@host:5432/database: {0}")]
    Malformed(String),
    /// There is a password in it.
    #[error("it holds a password, which would be printed and logged: use database.password-file or the environment")]
    Password,
    /// Something is missing.
    #[error("it names no {0}: it must be like postgres://user@host:5432/database")]
    Missing(&'static str),
    /// It turns encryption off on the way to another machine.
    #[error("it turns TLS off, which is allowed only for this machine and Unix sockets")]
    Plain,
}

impl Address {
    /// Reads one, in libpq's form of a URI, with its parameters `sslmode` (`disable` for this machine and sockets, else
    /// `require`, which verifies the certificate and the name) and `target_session_attrs`. `ca` is a PEM file; without, the system's
    /// authorities are trusted.
    ///
    /// # Errors
    /// [`AddressError`]; it repeats nothing of the password.
    pub fn parse(url: &str, password: Option<&Zeroizing<String>>, ca: Option<&Path>) -> Result<Self, AddressError> {
        // The driver's own error could repeat what stands before the host.
        let mut config = Config::from_str(url).map_err(|cause| {
            let told = std::error::Error::source(&cause).map(ToString::to_string);
            AddressError::Malformed(
                told.filter(|_| !url.contains('@')).unwrap_or_else(|| "look at its parts".to_owned()),
            )
        })?;
        if config.get_password().is_some() {
            return Err(AddressError::Password);
        }
        for (there, what) in [
            (!config.get_hosts().is_empty(), "host"),
            (config.get_user().is_some(), "user"),
            (config.get_dbname().is_some(), "database"),
        ] {
            if !there {
                return Err(AddressError::Missing(what));
            }
        }
        let near = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
            Host::Unix(_) => true,
        });
        let asked = url.contains("sslmode=");
        let tls = match (config.get_ssl_mode(), asked) {
            (SslMode::Disable, _) if !near => return Err(AddressError::Plain),
            (SslMode::Disable, _) => false,
            (SslMode::Require, _) => true,
            _ => !near || ca.is_some(),
        };
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = password {
            config.password(password.as_str());
        }
        Ok(Self { config, tls, ca: ca.map(Path::to_owned) })
    }

    /// Each server by itself, in the order in which they are named. Whoever only looks may look at a replica; all others need a
    /// server that takes writes.
    pub(super) fn servers(&self, writes: bool) -> Vec<Config> {
        let whole = &self.config;
        let (hosts, ports) = (whole.get_hosts(), whole.get_ports());
        let server = |(at, host): (usize, &Host)| {
            let mut config = Config::new();
            match host {
                Host::Tcp(name) => config.host(name),
                Host::Unix(path) => config.host_path(path),
            };
            config.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
            config.user(whole.get_user().unwrap_or_default()).dbname(whole.get_dbname().unwrap_or_default());
            config.ssl_mode(whole.get_ssl_mode()).channel_binding(whole.get_channel_binding());
            config.application_name("keyturn");
            config.connect_timeout(Duration::from_secs(5)).tcp_user_timeout(Duration::from_secs(15));
            config.keepalives(whole.get_keepalives()).keepalives_idle(whole.get_keepalives_idle());
            if let Some(password) = whole.get_password() {
                config.password(password);
            }
            // A pooler refuses them, even if they are empty.
            if let Some(options) = whole.get_options() {
                config.options(options);
            }
            config.target_session_attrs(if writes { TargetSessionAttrs::ReadWrite } else { TargetSessionAttrs::Any });
            config
        };
        hosts.iter().enumerate().map(server).collect()
    }

    /// The same, for somebody else, with the same password.
    #[must_use]
    pub fn for_user(mut self, user: &str) -> Self {
        self.config.user(user);
        self
    }

    /// Its name on the server.
    #[must_use]
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// Who opens it.
    #[must_use]
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ports = self.config.get_ports();
        let host = |(at, host): (usize, &Host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().enumerate().map(host).collect();
        write!(f, "{} on {}", self.config.get_dbname().unwrap_or_default(), hosts.join(","))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

//! Where the database is: `mysql://USER@HOST[:PORT][,HOST…]/DATABASE[?socket=PATH][&tls=on|off]`.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// An address that can't be used, and why. It never shows the password, nor what may be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("database.url: {0}")]
pub struct AddressError(
    /// Without the setting before it.
    pub String,
);

/// Where a database is, and who opens it.
#[derive(Clone)]
pub struct Address {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: String,
    /// Whether connections are encrypted, and the server's name checked against its certificate.
    pub(crate) tls: bool,
    pub(crate) ca: Option<PathBuf>,
    /// The database of the host's own tables, if it is another one.
    pub(crate) own: Option<String>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Tcp(String, u16),
    Socket(String),
}

const PORT: u16 = 3306;
const FORM: &str = "it must look like mysql://USER@HOST/DATABASE";

impl Address {
    /// Reads `mysql://USER@HOST[:PORT]/DATABASE`, or the same with `mariadb://`. The password comes apart from it. Several hosts,
    /// with commas between them, are tried in their order. `ca` is a PEM file with certificates to trust beside the usual ones.
    ///
    /// Connections are encrypted, except to this machine, where `?tls=on` or a `ca` asks for it.
    ///
    /// # Errors
    /// [`AddressError`], without what was read: it may be a password.
    pub fn parse(url: &str, password: Option<Zeroizing<String>>, ca: Option<&Path>) -> Result<Self, AddressError> {
        let wrong = |problem: &str| AddressError(problem.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong(FORM))?;
        if !matches!(scheme, "mysql" | "mariadb") {
            return Err(wrong("for MariaDB it must begin with mysql:// or mariadb://"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password can hold anything, and comes last before the host.
        let (user, rest) =
            rest.rsplit_once('@').ok_or_else(|| wrong("it must name a user, as in mysql://USER@HOST/DATABASE"))?;
        if user.contains(':') {
            return Err(wrong("it must not hold the password, which would show in the list of processes and in logs"));
        }
        let (hosts, database) = rest.split_once('/').ok_or_else(|| wrong(FORM))?;
        let (mut socket, mut tls) = (None, None);
        for (name, value) in
            query.split('&').filter_map(|part| part.split_once('=').or((!part.is_empty()).then_some((part, ""))))
        {
            match (name, value) {
                ("socket", path) => socket = Some(decoded(path).filter(|path| path.starts_with('/'))),
                ("tls", "on") => tls = Some(true),
                ("tls", "off") => tls = Some(false),
                ("tls", _) => return Err(wrong("tls must be on or off")),
                _ => return Err(wrong("after the ? it can have only socket=PATH and tls=on or tls=off")),
            }
        }
        let hosts = match socket {
            Some(_) if !matches!(hosts, "" | "localhost") => {
                return Err(wrong("with a socket it must not name another host"));
            }
            Some(path) => vec![Host::Socket(path.ok_or_else(|| wrong("socket must be a path that begins with /"))?)],
            None => hosts.split(',').map(host).collect::<Option<_>>().ok_or_else(|| wrong(FORM))?,
        };
        let (user, database) = (decoded(user), decoded(database));
        let name = |name: Option<String>| name.filter(|name| !name.is_empty() && !name.contains(['/', '\0']));
        let local = hosts.iter().all(Host::is_local);
        if tls == Some(false) && !local {
            return Err(wrong("tls=off is for a server on this machine only"));
        }
        let by_socket = matches!(hosts[..], [Host::Socket(_)]);
        Ok(Self {
            hosts,
            user: name(user).ok_or_else(|| wrong("it must name a user, as in mysql://USER@HOST/DATABASE"))?,
            password,
            database: name(database)
                .ok_or_else(|| wrong("it must end with the name of the database, as in mysql://USER@HOST/DATABASE"))?,
            tls: !by_socket && tls.unwrap_or(!local || ca.is_some()),
            ca: ca.map(Path::to_owned),
            own: None,
        })
    }

    /// The same, with the host's own tables in another database of the server; it is made where there is none.
    #[must_use]
    pub fn with_own(self, database: Option<String>) -> Self {
        Self { own: database, ..self }
    }

    /// The same, for somebody else, with the same password.
    #[must_use]
    pub fn for_user(self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self }
    }

    /// Its name on the server.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Who opens it.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl Host {
    fn is_local(&self) -> bool {
        match self {
            Host::Socket(_) => true,
            Host::Tcp(name, _) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        }
    }
}

fn host(text: &str) -> Option<Host> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(name, _)| name.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if port.is_empty() => PORT,
        None => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    (!name.is_empty() && name.chars().all(plain)).then(|| Host::Tcp(name.to_owned(), port))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Socket(path) => f.write_str(path),
            Host::Tcp(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Host::Tcp(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// As people know it: the database, and where it is.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on ", self.database)?;
        for (at, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, user, database, tls, .. } = self;
        f.debug_struct("Address")
            .field("hosts", hosts)
            .field("user", user)
            .field("database", database)
            .field("tls", tls)
            .finish_non_exhaustive()
    }
}

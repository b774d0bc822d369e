//! PgBouncer, from Debian's package `pgbouncer`: a pooler between a host and PostgreSQL.

use std::process::Command;

use super::{OWNER, Server, folder, free_port, is_root, owned, serve};

/// How a pooler hands on the server's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// To a client, as long as it is there.
    Session,
    /// To a transaction.
    Transaction,
    /// To a statement.
    Statement,
}

/// If it is set, the tests' PostgreSQL is reached through a pooler in transaction mode.
pub const POOLING: &str = "KEYTURN_PGBOUNCER";

/// Starts one for a server; answers its port.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn bouncer(server: &Server, pooling: Pooling) -> u16 {
    let (folder, port) = (folder("pgbouncer"), free_port());
    // Few connections where they are shared, so that many clients share one.
    let (mode, size) = match pooling {
        Pooling::Session => ("session", 50),
        Pooling::Transaction => ("transaction", 5),
        Pooling::Statement => ("statement", 5),
    };
    let (users, log, settings) = (folder.join("users"), folder.join("log"), folder.join("pgbouncer.ini"));
    std::fs::write(&users, format!("\"{OWNER}\" \"\"\n")).expect("written");
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {size}\n\
         max_client_conn = 500\nserver_idle_timeout = 5\n",
        server.port,
        users.display(),
    );
    std::fs::write(&settings, text).expect("written");
    let user = is_root().then_some("postgres");
    owned(&folder, user);
    let mut command = Command::new("/usr/sbin/pgbouncer");
    command.arg(&settings);
    serve(&command, user, port, &log);
    port
}

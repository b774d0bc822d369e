//! MariaDB, from Debian's package `mariadb-server`.

use super::Server;

/// The one of this process.
///
/// # Panics
/// If it does not start.
pub fn mariadb() -> &'static Server {
    todo!()
}

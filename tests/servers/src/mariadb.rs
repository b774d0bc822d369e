//! MariaDB, from Debian's package `mariadb-server`.

use std::process::Command;
use std::sync::OnceLock;

use super::{OWNER, Server, done, folder, free_port, serve};

/// One of the caller's own, to be killed.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn own_mariadb() -> Server {
    start(&[])
}

/// One that waits for the disk at each commit, as one in use does.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn durable_mariadb() -> Server {
    start(&["--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M"])
}

/// The one of this process, for whoever does it no harm.
///
/// # Panics
/// If it does not start.
pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(&[]))
}

/// Its folder has 30 MB with it, and 110 without.
const LOG: &str = "--innodb-log-file-size=12M";

fn start(settings: &[&str]) -> Server {
    let (folder, port) = (folder("mariadb"), free_port());
    let (data, socket, log) = (folder.join("data"), folder.join("socket"), folder.join("log"));
    let user = done(Command::new("id").arg("-un")).expect("id").trim().to_owned();
    done(
        Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--user={user}"))
            .arg(LOG),
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let init = folder.join("init.sql");
    let rights = format!("GRANT ALL ON *.* TO {OWNER}@'127.0.0.1' WITH GRANT OPTION;\n");
    std::fs::write(&init, format!("CREATE USER {OWNER}@'127.0.0.1';\n{rights}")).expect("written");
    let mut command = Command::new("mariadbd");
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
    for (name, path) in [
        ("datadir", &data),
        ("socket", &socket),
        ("pid-file", &folder.join("pid")),
        ("log-error", &log),
        ("init-file", &init),
    ] {
        command.arg(format!("--{name}={}", path.display()));
    }
    command.arg(format!("--user={user}")).arg(format!("--port={port}"));
    // As a panel has it, and in a zone of its own.
    command.args([
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_general_ci",
        "--default-time-zone=-05:00",
    ]);
    // What a test commits outlives the server, and need not outlive a power cut.
    command.args([LOG, "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--max-connections=300"]);
    command.args(settings);
    let process = serve(&command, None, port, &log).into();
    let program = (command, None);
    let server = Server { folder, port, socket, scheme: "mysql", program, process, run };
    server.ready();
    server
}

fn run(server: &Server, database: Option<&str>, sql: &str) -> Result<String, String> {
    done(
        Command::new("mariadb")
            .args(["--no-defaults", "-N", "-B", "--default-character-set=utf8mb4", "-h", "127.0.0.1"])
            .args(["-P", &server.port.to_string(), "-u", OWNER, "-e", sql])
            .args(database),
    )
}

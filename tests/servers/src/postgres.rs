//! PostgreSQL, from Debian's package `postgresql`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{OWNER, Server, done, folder, free_port, is_root, serve};

/// One of the caller's own, to be killed.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn own_postgres() -> Server {
    start(&programs(), &[])
}

/// One that waits for the disk at each commit, as one in use does.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn durable_postgres() -> Server {
    start(&programs(), &["fsync=on"])
}

/// The one of this process, for whoever does it no harm.
///
/// # Panics
/// If it does not start.
pub fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(&programs(), &[]))
}

/// Debian keeps the server's programs out of the path, by version: the newest.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is installed");
    let mut versions: Vec<PathBuf> = versions.map(|version| version.expect("read").path().join("bin")).collect();
    versions.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    versions.pop().expect("a version")
}

fn start(programs: &Path, settings: &[&str]) -> Server {
    let (folder, port) = (folder("postgres"), free_port());
    let (data, log) = (folder.join("data"), folder.join("log"));
    // It refuses to run as root.
    let user = is_root().then_some("postgres");
    let mut making = Command::new(programs.join("initdb"));
    if let Some(user) = user {
        done(Command::new("chown").arg(user).arg(&folder)).unwrap_or_else(|error| panic!("{error}"));
        making = Command::new("setpriv");
        making.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]);
        making.arg(programs.join("initdb"));
    }
    making.current_dir(&folder).arg("-D").arg(&data);
    making.args(["-U", OWNER, "-A", "trust", "--no-sync", "--locale=C", "--encoding=UTF8"]);
    done(&mut making).unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(programs.join("postgres"));
    command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"]).arg(&folder);
    // What a test commits need not outlive a power cut.
    command.args(["-c", "fsync=off", "-c", "max_connections=300", "-c", "timezone=America/New_York"]);
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    let process = serve(&command, user, port, &log).into();
    let program = (command, user);
    let server = Server { socket: folder.clone(), folder, port, scheme: "postgres", program, process, run };
    server.ready();
    server
}

fn run(server: &Server, database: Option<&str>, sql: &str) -> Result<String, String> {
    let port = server.port.to_string();
    done(
        Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port])
            .args(["-U", OWNER, "-d", database.unwrap_or("postgres"), "-c", sql]),
    )
}

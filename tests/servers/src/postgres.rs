//! PostgreSQL, from Debian's package `postgresql`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{OWNER, Server, done, folder, free_port, is_root, owned, run_as, serve};

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

/// Where the server's programs are, if not Debian's.
const PROGRAMS: &str = "KEYTURN_POSTGRES";

/// Debian keeps the server's programs out of the path, by version: the newest.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os(PROGRAMS) {
        return named.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is installed");
    let mut versions: Vec<PathBuf> = versions.map(|version| version.expect("read").path().join("bin")).collect();
    versions.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    versions.pop().expect("a version")
}

/// It refuses to run as root.
fn user() -> Option<&'static str> {
    is_root().then_some("postgres")
}

fn start(programs: &Path, settings: &[&str]) -> Server {
    let (folder, port) = (folder("postgres"), free_port());
    owned(&folder, user());
    let mut making = run_as(user(), programs.join("initdb"));
    making.current_dir(&folder).arg("-D").arg(folder.join("data"));
    making.args(["-U", OWNER, "-A", "trust", "--no-sync", "--locale=C", "--encoding=UTF8"]);
    done(&mut making).unwrap_or_else(|error| panic!("{error}"));
    serving(programs, folder, port, settings)
}

fn serving(programs: &Path, folder: PathBuf, port: u16, settings: &[&str]) -> Server {
    let mut command = Command::new(programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"]).arg(&folder);
    // What a test commits need not outlive a power cut.
    command.args(["-c", "fsync=off", "-c", "max_connections=300", "-c", "timezone=America/New_York"]);
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    let process = serve(&command, user(), port, &folder.join("log")).into();
    let program = (command, user());
    let server = Server { socket: folder.clone(), folder, port, scheme: "postgres", program, process, run };
    server.ready();
    server
}

/// A standby of `primary`, which from now on confirms no commit that it does not have.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn standby(primary: &Server) -> Server {
    let (folder, port, programs) = (folder("postgres"), free_port(), programs());
    owned(&folder, user());
    let mut copying = run_as(user(), programs.join("pg_basebackup"));
    copying.current_dir(&folder).args(["-h", "127.0.0.1", "-p", &primary.port.to_string(), "-U", OWNER, "-D"]);
    copying.arg(folder.join("data")).args(["-R", "-N", "-X", "stream", "-c", "fast", "-C", "-S", "standby"]);
    done(&mut copying).unwrap_or_else(|error| panic!("{error}"));
    let standby = serving(&programs, folder, port, &[]);
    primary.sql(None, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.sql(None, "SELECT pg_reload_conf()");
    let until = Instant::now() + Duration::from_secs(60);
    while primary.sql(None, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").trim() != "1" {
        assert!(Instant::now() < until, "the standby does not follow");
        std::thread::sleep(Duration::from_millis(50));
    }
    standby
}

impl Server {
    /// Makes a standby the primary.
    ///
    /// # Panics
    /// If it is none.
    pub fn promote(&self) {
        assert_eq!(self.sql(None, "SELECT pg_promote()").trim(), "t");
        // It is nobody's standby, and has none.
        self.sql(None, "ALTER SYSTEM RESET synchronous_standby_names");
        self.sql(None, "SELECT pg_reload_conf()");
    }
}

fn run(server: &Server, database: Option<&str>, sql: &str) -> Result<String, String> {
    let port = server.port.to_string();
    done(
        Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port])
            .args(["-U", OWNER, "-d", database.unwrap_or("postgres"), "-c", sql]),
    )
}

//! Database servers for tests: each in a temporary folder of its own, on a free loopback port, started when a test first needs it
//! and gone with the test program.

mod mariadb;
mod postgres;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

pub use mariadb::{durable_mariadb, mariadb, own_mariadb};
pub use postgres::{durable_postgres, own_postgres, postgres};

/// A server that runs.
pub struct Server {
    /// Its folder.
    pub folder: PathBuf,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The folder or file of its Unix socket.
    pub socket: PathBuf,
    scheme: &'static str,
    /// How it is started, as whom, and its process.
    program: (Command, Option<&'static str>),
    process: AtomicU32,
    run: fn(&Server, database: Option<&str>, sql: &str) -> Result<String, String>,
}

/// Who owns everything, without a password.
pub const OWNER: &str = "keyturn";

impl Server {
    /// Kills it, as a power cut would.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn kill(&self) {
        let process = self.process.load(Ordering::Relaxed).to_string();
        done(Command::new("kill").args(["-s", "KILL", &process])).unwrap_or_else(|error| panic!("{error}"));
        while Path::new("/proc").join(&process).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it once more, on its port and in its folder.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        let (command, user) = &self.program;
        self.process.store(serve(command, *user, self.port, &self.folder.join("log")), Ordering::Relaxed);
        self.ready();
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process.load(Ordering::Relaxed)
    }

    fn ready(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.try_sql(None, "SELECT 1") {
            assert!(Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A database of its own, and its address.
    ///
    /// # Panics
    /// If the server refuses it.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("panel{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(None, &format!("CREATE DATABASE {name}"));
        Database { server: self, url: format!("{}://{OWNER}@127.0.0.1:{}/{name}", self.scheme, self.port), name }
    }

    /// What the server's own client prints for statements: tabs between columns, a line for each row.
    ///
    /// # Panics
    /// If the server refuses them.
    pub fn sql(&self, database: Option<&str>, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same, or what the client says.
    ///
    /// # Errors
    /// The client's.
    pub fn try_sql(&self, database: Option<&str>, sql: &str) -> Result<String, String> {
        (self.run)(self, database, sql)
    }
}

/// A database on a server.
pub struct Database<'a> {
    /// Where.
    pub server: &'a Server,
    /// Its name.
    pub name: String,
    /// Its address, with the owner's name.
    pub url: String,
}

impl Database<'_> {
    /// As [`Server::sql`].
    ///
    /// # Panics
    /// Likewise.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(Some(&self.name), sql)
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// Runs to its end.
fn done(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|cause| format!("{command:?}: {cause}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(format!("{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr)))
}

/// A folder of this process. Those of test programs that are gone are removed.
fn folder(name: &str) -> PathBuf {
    let prefix = format!("keyturn-{name}-");
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.split_once('-')).map(|(id, _)| id);
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let ours = format!("{prefix}{}-", std::process::id());
    tempfile::Builder::new().prefix(&ours).tempdir().expect("a folder").keep()
}

/// Whether this is root, who starts a server as somebody else.
fn is_root() -> bool {
    done(Command::new("id").arg("-u")).expect("id").trim() == "0"
}

/// Starts `command`, as `user` if one is named, so that it ends with this process, and waits until something listens on `port`.
/// Answers its process.
fn serve(command: &Command, user: Option<&str>, port: u16, log: &Path) -> u32 {
    let mut ending = Command::new("setpriv");
    if let Some(user) = user {
        ending.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    }
    ending.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    // Whoever waits for a pipe of this program does not wait for the server.
    let said = std::fs::File::create(log).expect("a log");
    ending.stdin(Stdio::null()).stdout(said.try_clone().expect("the log")).stderr(said);
    let (started, process) = channel();
    let (ended, end) = channel();
    // A server is told of its parent's end when the thread ends that started it. So this one waits for it.
    std::thread::spawn(move || {
        let mut child = ending.spawn().expect("setpriv starts");
        let _ = started.send(child.id());
        let _ = ended.send(child.wait());
    });
    let process = process.recv().expect("started");
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = end.try_recv().ok();
        let said = || String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
        assert!(ended.is_none() && Instant::now() < until, "the server did not start: {ended:?}\n{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    process
}

//! `keyturn serve` on a panel's database, and a client of plain sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use keyturn_host::plugin::grants::digest;
use keyturn_tests::{FOREIGN, demo_folder};
use serde_json::Value;

pub const PASSWORD: &str = "copper lantern oats";
pub const ANOTHER: &str = "velvet compass harbour";

/// A panel's folder: configuration, grants, database.
pub struct Panel {
    pub folder: tempfile::TempDir,
    pub config: PathBuf,
    /// What its commands log, if not what they do by themselves.
    pub level: Option<&'static str>,
}

impl Panel {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = demo_folder(folder.path(), "http://127.0.0.1:8089");
        let panel = Self { folder, config, level: None };
        // One key and one cache for all tests: what one has compiled, the next one loads.
        let mut key = std::fs::OpenOptions::new();
        let key = key.write(true).create_new(true).mode(0o600).open(panel.folder.path().join("keyturn.key"));
        key.and_then(|mut key| key.write_all("07".repeat(32).as_bytes())).expect("written");
        let cache = format!("cache = \"{}/compiled\"", env!("CARGO_TARGET_TMPDIR"));
        panel.edit("cache = \"cache\"", &cache);
        panel.edit("even-ms = 250", "even-ms = 0");
        // Each test says where its panel is.
        panel.edit("[server]\nsign-in = \"/sign-in\"\n\n", "");
        let mail = "[mail]\ntransport = \"folder\"\nfrom = \"no-reply@northwind.example\"\n\n[mail.folder]";
        panel.edit("[mail.folder]", mail);
        panel.foreign(&FOREIGN.packed());
        let database = panel.database();
        database
            .execute_batch(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, kind TEXT, login TEXT UNIQUE, email TEXT, name TEXT, locale TEXT,
                     state TEXT, reseller_id INTEGER, password_hash TEXT, created_at TEXT, updated_at TEXT);
                 CREATE TABLE sessions (token BLOB PRIMARY KEY, person_id INTEGER);
                 INSERT INTO people (id, kind, login, email, name, locale, state, reseller_id) VALUES
                     (1, 'customer', 'marta', 'marta@vidal.example', 'Marta Vidal', 'en', 'active', NULL),
                     (2, 'customer', 'omar', 'omar@haddad.example', 'Omar Haddad', 'en', 'active', 7),
                     (7, 'reseller', 'rita', 'rita@reseller.example', 'Rita', 'en', 'active', NULL);
                 INSERT INTO sessions VALUES (x'01', 1), (x'02', 1);",
            )
            .expect("rows");
        panel
    }

    /// Admits this component as the foreign plugin, from the next start or reload on.
    pub fn foreign(&self, component: &[u8]) {
        let folder = self.folder.path().join("plugins.d");
        std::fs::write(folder.join("acme-report.wasm"), component).expect("written");
        let grants = format!(
            "component = \"acme-report.wasm\"\nsha256 = \"{}\"\n[grants]\ndatabase = true\n",
            digest(component)
        );
        std::fs::write(folder.join("acme-report.toml"), grants).expect("written");
    }

    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("panel.db")).expect("opens")
    }

    /// Changes the configuration.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.config).expect("reads");
        assert!(text.contains(from), "the configuration has no {from}");
        std::fs::write(&self.config, text.replace(from, to)).expect("writes");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyturn"));
        command.arg("--config").arg(&self.config).args(arguments);
        command.envs(self.level.map(|level| ("RUST_LOG", level)));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("keyturn runs")
    }

    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Makes a key and answers its token.
    #[track_caller]
    pub fn key(&self, name: &str, may: &str, more: &[&str]) -> String {
        let mut arguments = vec!["keys", "add", name, "--may", may, "--accounts", "customer"];
        arguments.extend(more);
        self.done(&arguments).trim().to_owned()
    }

    pub fn serve(self) -> Server {
        let command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        Server::start(self, command)
    }

    /// The same, with the database on a disk of its own that holds so little; only the server sees it.
    pub fn serve_on_a_small_disk(self, size: &str) -> Server {
        self.edit("sqlite = \"panel.db\"", "sqlite = \"disk/panel.db\"");
        std::fs::create_dir(self.folder.path().join("disk")).expect("a folder");
        // All of it in the one file.
        self.database().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("checkpointed");
        let mount = format!("mount -t tmpfs -o size={size} small disk && cp panel.db disk/ && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount, env!("CARGO_BIN_EXE_keyturn")]);
        command.arg("--config").arg(&self.config).args(["serve", "--listen", "127.0.0.1:0"]);
        command.current_dir(self.folder.path());
        Server::start(self, command)
    }
}

/// A server under test.
pub struct Server {
    pub panel: Panel,
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
}

impl Server {
    pub fn start(panel: Panel, mut command: Command) -> Self {
        let log = panel.folder.path().join("server.log");
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let child = command.stdout(Stdio::piped()).stderr(errors).spawn();
        let mut child = child.expect("keyturn starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("reads");
        let address = line.trim().strip_prefix("Listening on http://").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line}{}", read(&log)));
        Self { panel, child, address, log }
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for something to stand in the log.
    pub fn logs(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "“{text}” never stood in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends by itself, with this code.
    pub fn ends(mut self) -> (Option<i32>, Panel) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("asked") {
                let panel = std::mem::replace(
                    &mut self.panel,
                    Panel { folder: tempfile::tempdir().expect("a folder"), config: PathBuf::new(), level: None },
                );
                return (status.code(), panel);
            }
            assert!(Instant::now() < until, "the server did not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        stream
    }

    /// One request, whole.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = asked(self.address, method, path, headers, body).expect("connects");
        Answer::read(&answer).unwrap_or_else(|| panic!("no HTTP: {}", String::from_utf8_lossy(&answer)))
    }

    /// Calls a hook, bearing a key.
    pub fn call(&self, token: &str, hook: &str, arguments: &Value) -> Answer {
        self.call_with(token, hook, arguments, &[])
    }

    pub fn call_with(&self, token: &str, hook: &str, arguments: &Value, more: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        headers.extend(more);
        self.ask("POST", &format!("/v1/hooks/{hook}"), &headers, arguments.to_string().as_bytes())
    }

    pub fn get(&self, token: &str, path: &str) -> Answer {
        self.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request, and whatever came back before the connection ended.
fn asked(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    // A server that has read enough may have closed its end.
    let _ = stream.write_all(&[head.as_bytes(), b"\r\n", body].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(answer)
}

/// Calls a hook of a host that may be gone, or go before it has answered; none: it did not answer.
pub fn try_call(address: SocketAddr, token: &str, hook: &str, arguments: &Value, key: &str) -> Option<Answer> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json"), ("Idempotency-Key", key)];
    let path = format!("/v1/hooks/{hook}");
    let answer = asked(address, "POST", &path, &headers, arguments.to_string().as_bytes()).ok()?;
    let answer = Answer::read(&answer)?;
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    length.is_none_or(|length: usize| answer.body.len() == length).then_some(answer)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What came back.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    fn read(answer: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok())?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        assert!(!chunked, "the tests' client reads whole bodies: {head}");
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|cause| panic!("{cause}: {} {}", self.status, self.body))
    }

    /// The answer of a hook that did it.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(
            self.header("content-type").is_some_and(|kind| kind.ends_with("json")),
            "{:?}",
            self.header("content-type")
        );
        self.json()
    }

    /// The document of a problem.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let document = self.json();
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert_eq!(document["type"], format!("/v1/#{code}"));
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
        assert!(document["request"].as_str().is_some_and(|id| id.len() == 16), "{document}");
        assert_eq!(self.header("x-request-id"), document["request"].as_str());
        document
    }
}

//! The example panel as its own process, with people in it, behind throttles that nothing here reaches.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keyturn_host::Host;
use keyturn_host::config::Config;
use keyturn_host::service_key::{NewKey, VIEWS, WITHOUT_STEP_UP};
use keyturn_tests::client::Client;
use keyturn_tests::sink::Sink;
use keyturn_tests::{Stopped, demo_folder, free_port, listening};
use rusqlite::Connection;

/// Customers, `customer-0` and so on, each with an address.
pub const PEOPLE: usize = 40_000;

/// A panel that serves until this is dropped.
pub struct Panel {
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    config: PathBuf,
    process: Stopped,
}

fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let panel = own.with_file_name("keyturn-example-panel");
    assert!(panel.exists(), "{} is not built; `cargo xtask bench` does it", panel.display());
    panel
}

impl Panel {
    /// On a fresh database, with mail to this server.
    pub fn start(sink: &Sink, workers: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = demo_folder(folder.path(), &format!("http://127.0.0.1:{port}"));
        let replace = |file: &Path, pairs: &[(&str, String)]| {
            let mut text = std::fs::read_to_string(file).expect("reads");
            for (from, to) in pairs {
                assert!(text.contains(from), "{} lacks {from}", file.display());
                text = text.replace(from, to);
            }
            std::fs::write(file, text).expect("writes");
        };
        let mail = format!(
            "[limits]\nrequests-per-minute = 100000000\nviews-per-minute = 100000000\n[mail]\ntransport = \"smtp\"\n\
             from = \"no-reply@northwind.example\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\n",
            sink.address.port()
        );
        let changes = [
            ("[server]\n", "[server]\nproxies = [\"127.0.0.1\"]\n".to_owned()),
            ("[mail.folder]\npath = \"mail\"\n", mail),
            ("even-ms = 250", "even-ms = 0".to_owned()),
        ];
        replace(&config, &changes);
        let settings =
            "[settings]\nrequests-per-address = 100000\nattempts-per-address = 100000\nattempts-per-name = 1000\n";
        let limits = "per-minute = 100000000\n\n[limits]\nwaiting-jobs = 10000000\noutbox-bytes = 4000000000\n";
        replace(
            &folder.path().join("plugins.d/keyturn-password.toml"),
            &[("[settings]\n", settings.to_owned()), ("per-minute = 600", limits.to_owned())],
        );
        let mut command = Command::new(program());
        command.arg("--config").arg(&config).args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        if !workers {
            command.arg("--without-workers");
        }
        let process = Stopped(command.stdout(Stdio::null()).spawn().expect("the panel starts"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        listening(address);
        let panel = Self { address, folder, config, process };
        let mut database = panel.database();
        let all = database.transaction().expect("begins");
        for n in 0..PEOPLE {
            all.prepare_cached(
                "INSERT INTO people (kind, login, email, name, created_at, updated_at)
                 VALUES ('customer', ?1, ?1 || '@mail.example', 'Customer ' || ?1, '', '')",
            )
            .and_then(|mut insert| insert.execute([format!("customer-{n}")]))
            .expect("a row");
        }
        all.commit().expect("committed");
        panel
    }

    pub fn database(&self) -> Connection {
        connected(&self.folder.path().join("panel.db"))
    }

    /// A host of this process on its database.
    pub fn host(&self) -> Host {
        Config::read(&self.config).and_then(|config| config.beside_server().host()).expect("a host")
    }

    /// The token of a key that may do everything.
    pub fn key(&self) -> String {
        let host = self.host();
        let scopes = host.scopes().into_iter().chain([WITHOUT_STEP_UP, VIEWS].map(str::to_owned)).collect();
        let new =
            NewKey { name: "bench".to_owned(), scopes, realms: ["customer".to_owned()].into(), ..NewKey::default() };
        host.add_service_key(&super::console(), new).expect("a key").1.as_str().to_owned()
    }

    pub fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// The command that only works, on the same database.
    pub fn work(&self) -> Stopped {
        let work = Command::new(program()).arg("--config").arg(&self.config).arg("work").stdout(Stdio::null()).spawn();
        Stopped(work.expect("it starts"))
    }

    /// A visitor with an address of their own, which a proxy of ours reports.
    pub fn visitor(&self, nth: usize) -> Client {
        let mut visitor = Client::new(self.address);
        let from = format!("10.{}.{}.{}", nth >> 16 & 255, nth >> 8 & 255, nth & 255);
        visitor.headers.push(("X-Forwarded-For".to_owned(), from));
        visitor
    }

    /// Until no job and no mail waits.
    pub fn idle(&self) {
        idle(&self.database());
    }
}

pub fn connected(path: &Path) -> Connection {
    let database = Connection::open(path).expect("opens");
    database.busy_timeout(Duration::from_secs(30)).expect("set");
    database
}

/// Until no job and no mail waits, in whatever tables of its own the host that is measured keeps what is due.
pub fn idle(database: &Connection) {
    let tables = "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.name LIKE 'keyturnhost!_%' ESCAPE '!' AND c.name = 'due'";
    let mut tables = database.prepare(tables).expect("asked");
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let tables = tables.expect("asked");
    assert!(!tables.is_empty(), "no table of the host says what is due");
    let waits = |table: &String| format!("EXISTS (SELECT 1 FROM {table} WHERE due IS NOT NULL)");
    let waiting = format!("SELECT {}", tables.iter().map(waits).collect::<Vec<_>>().join(" OR "));
    while database.query_row(&waiting, [], |row| row.get(0)).expect("asked") {
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! `keyturn serve` on each engine, by turns: servers that wait for the disk at each commit, as SQLite does. Beside them two hosts on
//! one database, and the same look-up by PHP.

mod php;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keyturn_servers::{Database, Server, durable_mariadb, durable_postgres};
use keyturn_tests::client::Client;
use keyturn_tests::sink::Sink;
use keyturn_tests::{Stopped, free_port, listening};
use serde_json::{Value, json};

use super::load::{Load, cpu, cpu_of_all, memory};
use super::serve::{Build, lay, output};
use super::{PASSWORD_TEXT, hooks, ms, say};

/// How long each is called in a round.
const WHILE: Duration = Duration::from_secs(2);
const CALLERS: [usize; 3] = [1, 8, 64];
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

pub fn measure() {
    let sink = Sink::start(false);
    let (postgres, mariadb) = (durable_postgres(), durable_mariadb());
    let databases = || {
        [
            ("SQLite", Store::sqlite()),
            ("PostgreSQL", Store::Server(postgres.database(), &postgres)),
            ("MariaDB", Store::Server(mariadb.database(), &mariadb)),
        ]
    };
    let few = databases().map(|(name, store)| {
        let panel = Panel::start(name, store, FEW, &sink, 1);
        panel.first_password();
        panel
    });
    for (what, status, body) in CASES {
        for callers in CALLERS {
            for panel in &few {
                panel.call(what, callers, status, body);
            }
        }
        println!();
    }
    for readers in CALLERS {
        few.iter().for_each(|panel| panel.regions(readers));
    }
    println!();
    let Store::Server(database, _) = &few[2].store else { unreachable!("MariaDB is one") };
    for callers in CALLERS {
        php::look_up(database, callers, FEW);
    }
    println!();
    for panel in &few {
        say(&format!("memory of the host on {}", panel.name), &memory(panel.hosts[0].1.0.id()));
    }
    drop(few);
    two_hosts([("PostgreSQL", &postgres), ("MariaDB", &mariadb)], &sink);
    println!();
    let panels: Vec<_> = databases()
        .into_iter()
        .zip(databases())
        .map(|((name, few), (_, many))| {
            [(few, FEW), (many, MANY)].map(|(store, count)| Panel::start(name, store, count, &sink, 1))
        })
        .collect();
    for [few, many] in &panels {
        for panel in [few, many] {
            panel.call(
                "request-reset",
                8,
                204,
                |at, _| json!({ "login_or_email": format!("nobody{at}@vidal.example") }),
            );
        }
    }
}

/// A hook, the status of its answer, and what is asked of the nth time, of so many people.
type Case = (&'static str, u16, fn(usize, usize) -> Value);

const CASES: [Case; 4] = [
    ("account-status", 200, |at, people| json!({ "account": account(at, people) })),
    ("verify", 200, |_, _| json!({ "login_or_email": "user1", "password": PASSWORD_TEXT })),
    (
        "set-password",
        200,
        |at, people| json!({ "account": account(at, people), "new": PASSWORD_TEXT, "must_change": false }),
    ),
    ("request-reset", 204, |at, people| json!({ "login_or_email": format!("user{}", nth(at, people)) })),
];

/// Not the first one, whose password is verified.
fn nth(at: usize, people: usize) -> usize {
    at % (people - 1) + 2
}

fn account(at: usize, people: usize) -> String {
    format!("customer:{}", nth(at, people))
}

/// Two hosts on one database, beside one: what 64 callers get from them.
fn two_hosts(servers: [(&'static str, &Server); 2], sink: &Sink) {
    for (name, server) in servers {
        for hosts in [1, 2] {
            let panel = Panel::start(name, Store::Server(server.database(), server), FEW, sink, hosts);
            panel.first_password();
            for (what, status, body) in [CASES[0], CASES[2]] {
                panel.call(what, 64, status, body);
            }
        }
    }
}

/// A panel's database.
enum Store<'a> {
    File(tempfile::TempDir),
    Server(Database<'a>, &'a Server),
}

impl Store<'_> {
    fn sqlite() -> Self {
        Self::File(tempfile::tempdir().expect("a folder"))
    }

    /// The panel's table, and so many people.
    fn fill(&self, people: usize) {
        match self {
            Self::File(folder) => {
                super::serve::people(&folder.path().join("panel.db"), people);
            }
            Self::Server(database, _) if database.url.starts_with("postgres") => {
                database.sql("CREATE TABLE users (id BIGINT PRIMARY KEY, email TEXT, username TEXT, password TEXT, full_name TEXT)");
                database.sql(&format!(
                    "INSERT INTO users SELECT n, 'u' || n || '@vidal.example', 'user' || n, NULL, 'N' FROM generate_series(1, {people}) n"
                ));
                database.sql("CREATE INDEX users_email ON users (lower(email))");
                database.sql("CREATE INDEX users_username ON users (lower(username))");
                database.sql("ANALYZE users");
            }
            Self::Server(database, _) => {
                database.sql(
                    "CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(190), username VARCHAR(190), password VARCHAR(255),
                     full_name VARCHAR(190))",
                );
                database.sql(&format!(
                    "INSERT INTO users SELECT seq, concat('u', seq, '@vidal.example'), concat('user', seq), NULL, 'N' FROM seq_1_to_{people}"
                ));
                database.sql("CREATE INDEX users_email ON users (email); CREATE INDEX users_username ON users (username); ANALYZE TABLE users");
            }
        }
    }

    /// The line of the configuration.
    fn setting(&self) -> String {
        match self {
            Self::File(folder) => format!("sqlite = \"{}\"", folder.path().join("panel.db").display()),
            Self::Server(database, _) => format!("url = \"{}\"\nconnections = 20", database.url),
        }
    }

    /// Until no job and no mail waits.
    fn idle(&self) {
        match self {
            Self::File(folder) => super::panel::idle(&super::panel::connected(&folder.path().join("panel.db"))),
            Self::Server(database, _) => {
                let tables = ["outbox", "tasks", "deliveries"];
                let waiting =
                    tables.map(|table| format!("(SELECT count(*) FROM keyturnhost_{table} WHERE due IS NOT NULL)"));
                let waiting = format!("SELECT {}", waiting.join(" + "));
                while database.sql(&waiting).trim() != "0" {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// What the server's processor did so far; SQLite's work is the host's.
    fn cpu(&self) -> Duration {
        match self {
            Self::File(_) => Duration::ZERO,
            Self::Server(_, server) => cpu_of_all(server.process()),
        }
    }
}

/// Hosts on one database.
struct Panel<'a> {
    name: &'static str,
    people: usize,
    store: Store<'a>,
    _folder: tempfile::TempDir,
    token: String,
    hosts: Vec<(SocketAddr, Stopped)>,
}

impl<'a> Panel<'a> {
    fn start(name: &'static str, store: Store<'a>, people: usize, sink: &Sink, hosts: usize) -> Self {
        store.fill(people);
        let (build, folder) = (Build::own(), tempfile::tempdir().expect("a folder"));
        let ports: Vec<u16> = (0..hosts).map(|_| free_port()).collect();
        let config = lay(&build, folder.path(), ports[0]);
        let smtp = format!(
            "transport = \"smtp\"\nfrom = \"no-reply@panel.example\"\n\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"none\"\n",
            sink.address.port()
        );
        let (text, folder_mail) =
            (std::fs::read_to_string(&config).expect("reads"), "[mail.folder]\npath = \"mail\"\n");
        let text = text
            .replace("sqlite = \"panel.db\"", &store.setting())
            .replace("transport = \"folder\"\nfrom = \"no-reply@panel.example\"\n", &smtp)
            .replace(folder_mail, "")
            .replace(
                "requests-per-minute = 100000000",
                "requests-per-minute = 100000000\nviews-per-minute = 100000000",
            );
        std::fs::write(&config, text).expect("written");
        let keyturn = || {
            let mut keyturn = build.keyturn();
            keyturn.arg("--config").arg(&config);
            keyturn
        };
        let may = "password/verify,password/account-status,password/set-password,password/request-reset,without-step-up,views";
        let token = output(keyturn().args(["keys", "add", "bench", "--accounts", "customer", "--may", may]));
        let host = |port: u16| {
            let serve =
                keyturn().args(["serve", "--listen", &format!("127.0.0.1:{port}")]).stdout(Stdio::null()).spawn();
            let (process, address) = (Stopped(serve.expect("it starts")), SocketAddr::from(([127, 0, 0, 1], port)));
            listening(address);
            (address, process)
        };
        let hosts = ports.into_iter().map(host).collect();
        Self { name, people, store, _folder: folder, token: token.trim().to_owned(), hosts }
    }

    /// The one that is verified.
    fn first_password(&self) {
        let set = json!({ "account": "customer:1", "new": PASSWORD_TEXT, "must_change": false });
        let mut client = Client::bearing(self.hosts[0].0, &self.token);
        assert_eq!(client.json("/v1/hooks/password/set-password", &set).status, 200);
    }

    /// Processor time so far: of the hosts, and of the database's server.
    fn cpu(&self) -> [Duration; 2] {
        [self.hosts.iter().map(|(_, process)| cpu(process.0.id())).sum(), self.store.cpu()]
    }

    fn call(&self, hook: &str, callers: usize, status: u16, body: fn(usize, usize) -> Value) {
        let path = format!("/v1/hooks/password/{hook}");
        let client = |caller: usize| Client::bearing(self.hosts[caller % self.hosts.len()].0, &self.token);
        let before = self.cpu();
        let load = Load::during(WHILE, (0..callers).map(client).collect(), |client: &mut Client, at| {
            let began = Instant::now();
            let answer = client.json(&path, &body(at, self.people));
            let took = began.elapsed();
            assert_eq!(answer.status, status, "{hook}: {}", answer.body);
            took
        });
        self.store.idle();
        let hosts = if self.hosts.len() > 1 { ", 2 hosts" } else { "" };
        let people = if self.people == MANY { ", 1,000,000 accounts" } else { "" };
        self.say(&format!("{hook}, {callers}, {}{hosts}{people}", self.name), &load, before);
    }

    /// Views of a customer, each signed for its reader.
    fn regions(&self, readers: usize) {
        let before = self.cpu();
        let load = hooks::read(self.hosts[0].0, &self.token, readers, &|at| nth(at, self.people) as i64);
        self.say(&format!("region, {readers}, {}", self.name), &load, before);
    }

    fn say(&self, what: &str, load: &Load, before: [Duration; 2]) {
        let now = self.cpu();
        let each = |part: usize| ms((now[part] - before[part]) / load.count() as u32);
        say(what, &format!("{}   CPU a call {}, database {}", load.words(), each(0), each(1)));
    }
}

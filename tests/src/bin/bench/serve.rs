//! What a request costs the processor in `keyturn serve`, of this build or of another one that is given by its checkout and the
//! folder of its programs. Processor time hangs on the machine's other work far less than time does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use keyturn_host::plugin::grants::digest;
use keyturn_tests::client::Client;
use keyturn_tests::{Stopped, free_port, listening};
use serde_json::{Value, json};

use super::load::cpu;
use super::{PASSWORD_TEXT, say, us};

const PEOPLE: usize = 4_000;
const CALLERS: usize = 8;

/// A build: where its sources are, and its programs.
pub struct Build {
    pub root: PathBuf,
    pub release: PathBuf,
}

impl Build {
    /// The one that this program is of.
    pub fn own() -> Self {
        let program = std::env::current_exe().expect("this program");
        let release = program.parent().expect("in a folder").to_owned();
        Self { root: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), release }
    }

    pub fn keyturn(&self) -> Command {
        let mut keyturn = Command::new(self.release.join("keyturn"));
        keyturn.env("RUST_LOG", "error");
        keyturn
    }
}

/// What a hook is asked, and how often.
type Case = (&'static str, &'static str, usize, fn(usize) -> Value);

const CASES: [Case; 7] = [
    ("account-status", "account-status", 12_000, |at| json!({ "account": account(at) })),
    ("verify", "verify", 150, |_| json!({ "login_or_email": "user1", "password": PASSWORD_TEXT })),
    (
        "verify, nobody",
        "verify",
        150,
        |at| json!({ "login_or_email": format!("nobody{at}"), "password": PASSWORD_TEXT }),
    ),
    (
        "set-password",
        "set-password",
        150,
        |at| json!({ "account": account(at), "new": PASSWORD_TEXT, "must_change": false }),
    ),
    ("reset-and-mail, a link", "reset-and-mail", 2_000, |at| json!({ "account": account(at), "mode": "link" })),
    ("request-reset, known", "request-reset", 2_000, |at| json!({ "login_or_email": format!("user{}", nth(at)) })),
    ("request-reset, unknown", "request-reset", 6_000, |at| json!({ "login_or_email": format!("nobody{at}") })),
];

/// Not the first one, whose password is verified.
fn nth(at: usize) -> usize {
    at % (PEOPLE - 1) + 2
}

fn account(at: usize) -> String {
    format!("customer:{}", nth(at))
}

pub fn measure(build: &Build) {
    let served = Served::start(build);
    let set = json!({ "account": "customer:1", "new": PASSWORD_TEXT, "must_change": false });
    assert_eq!(served.client().json("/v1/hooks/password/set-password", &set).status, 200);
    for (name, hook, requests, arguments) in CASES {
        served.ask(hook, requests / 10, arguments);
        let before = cpu(served.process.0.id());
        served.ask(hook, requests, arguments);
        let each = (cpu(served.process.0.id()) - before) / requests as u32;
        say(&format!("keyturn serve, {name}, CPU a call"), &us(each));
    }
}

/// `keyturn serve` on a database of its own, until this is dropped.
struct Served {
    address: SocketAddr,
    folder: tempfile::TempDir,
    token: String,
    process: Stopped,
}

impl Served {
    fn start(build: &Build) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = lay(build, folder.path(), port);
        people(&folder.path().join("panel.db"), PEOPLE);
        let keyturn = || {
            let mut keyturn = build.keyturn();
            keyturn.arg("--config").arg(&config);
            keyturn
        };
        let may = "password/verify,password/account-status,password/set-password,password/reset-and-mail,\
                   password/request-reset,without-step-up";
        let token = output(keyturn().args(["keys", "add", "bench", "--accounts", "customer", "--may", may]));
        let serve = keyturn().args(["serve", "--listen", &format!("127.0.0.1:{port}")]).stdout(Stdio::null()).spawn();
        let process = Stopped(serve.expect("it starts"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        listening(address);
        Self { address, folder, token: token.trim().to_owned(), process }
    }

    fn client(&self) -> Client {
        Client::bearing(self.address, &self.token)
    }

    /// Asks so often, and waits until what is to be done later is done too.
    fn ask(&self, hook: &str, requests: usize, arguments: fn(usize) -> Value) {
        let path = format!("/v1/hooks/password/{hook}");
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    let mut client = self.client();
                    while let at @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                        && at < requests
                    {
                        let answer = client.json(&path, &arguments(at));
                        assert!([200, 204].contains(&answer.status), "{hook}: {} {}", answer.status, answer.body);
                    }
                });
            }
        });
        super::panel::idle(&super::panel::connected(&self.folder.path().join("panel.db")));
    }
}

/// Lays the folder: configuration, packed plugin, grants. Answers the configuration's path.
pub fn lay(build: &Build, folder: &Path, port: u16) -> PathBuf {
    let plugins = folder.join("plugins.d");
    std::fs::create_dir_all(&plugins).expect("a folder");
    let packed = plugins.join("keyturn-password.wasm");
    let mut pack = build.keyturn();
    pack.args(["plugin", "pack"])
        .arg(build.release.join("../guests/wasm32-wasip2/guest/keyturn_password.wasm"))
        .arg("--manifest")
        .arg(build.root.join("plugin/manifest.toml"))
        .arg("--output")
        .arg(&packed);
    for wit in ["wit/panel", "wit/ui", "wit/password"] {
        pack.arg("--wit").arg(build.root.join(wit));
    }
    output(&mut pack);
    let sha256 = digest(&std::fs::read(&packed).expect("packed"));
    std::fs::write(
        plugins.join("keyturn-password.toml"),
        include_str!("serve/grants.toml").replace("@SHA256@", &sha256),
    )
    .expect("written");
    let config = folder.join("keyturn.toml");
    let text = include_str!("serve/keyturn.toml").replace("@ORIGIN@", &format!("http://127.0.0.1:{port}"));
    std::fs::write(&config, text).expect("written");
    config
}

/// A panel's table, with so many people.
pub fn people(path: &Path, count: usize) {
    let database = super::panel::connected(path);
    database.execute_batch(include_str!("serve/schema.sql")).expect("the schema");
    let rows = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?1)
                INSERT INTO users SELECT n, 'u' || n || '@vidal.example', 'user' || n, NULL, 'N' FROM s";
    database.execute(rows, [count as i64]).expect("rows");
}

/// What a command of the build prints.
pub fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

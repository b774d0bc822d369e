//! Webhooks whatever happens: a worker that is killed at any moment, once in the very moment between a destination's answer and
//! the row's. Nothing that was queued is lost, nothing goes under two ids, and only what was under way goes twice.
//!
//! A child process (this test, started again) works on the deliveries, which the test itself receives. It is killed, and the
//! next one goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use keyturn_host::accounts::sql;
use keyturn_host::seal::Keys;
use keyturn_host::sqlite::{self, Options};
use keyturn_host::storage::deliveries::{DeliveryFilter, DeliveryId, DeliveryState, NewDelivery};
use keyturn_host::storage::{Commit, Effect, Store};
use keyturn_host::webhooks::config::WebhookConfig;
use keyturn_host::webhooks::secret::Secret;
use keyturn_host::work::Shutdown;
use keyturn_host::{Host, HostBuilder};

fn keys() -> Arc<Keys> {
    Arc::new(Keys::new([7; 32]))
}

/// The test looks on while its child works.
fn beside() -> Options {
    Options { beside_server: true, ..Options::default() }
}

fn open(path: &Path) -> Arc<Store> {
    let provider = Arc::new(sql::Sql::new(BTreeMap::new(), &sqlite::Sqlite).expect("no realms"));
    Arc::new(sqlite::open(path, keys(), provider, beside()).expect("opened"))
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("in range")
}

fn emit(storage: &Store, count: usize) -> BTreeSet<String> {
    let one = |_| {
        let id = DeliveryId::random();
        let new = NewDelivery {
            id: id.clone(),
            destination: "here".to_owned(),
            event: "password.changed".to_owned(),
            account: None,
            body: "{\"type\":\"password.changed\"}".to_owned(),
        };
        let effects = vec![Effect::Deliver(Box::new(new))];
        storage.commit(Commit::bare("p", now(), effects)).expect("queued");
        id.to_string()
    };
    (0..count).map(one).collect()
}

/// A folder with a panel in it, and where its events go.
struct Panel {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Panel {
    fn new(address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, Secret::made().as_str()).expect("written");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
        Self { folder, address }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("panel.db")
    }

    fn connection(&self) -> rusqlite::Connection {
        let panel = rusqlite::Connection::open(self.path()).expect("opened");
        panel.busy_timeout(Duration::from_secs(5)).expect("set");
        panel
    }

    /// As if the time of all leases were over.
    fn leases_run_out(&self) {
        let sql = "UPDATE keyturnhost_deliveries SET due = 0 WHERE state = 'sending'";
        self.connection().execute(sql, []).expect("written");
    }

    fn states(&self) -> Vec<(DeliveryState, u32)> {
        let filter = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
        open(&self.path()).deliveries(&filter).expect("read").iter().map(|one| (one.state, one.attempts)).collect()
    }

    fn child(&self) -> Child {
        Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "webhooks::child", "--test-threads=1"])
            .env("KEYTURN_WEBHOOKS_FOLDER", self.folder.path())
            .env("KEYTURN_WEBHOOKS_URL", format!("http://{}/", self.address))
            .spawn()
            .expect("started")
    }
}

fn host(folder: &Path, url: &str, storage: Arc<Store>) -> Host {
    let config: WebhookConfig = toml::from_str(&format!(
        "name = 'here'\nurl = '{url}'\nsecret-file = 'secret'\nevents = ['password.changed']\nallow-private = true"
    ))
    .expect("TOML");
    let here = config.destination(|path| folder.join(path)).expect("its files");
    HostBuilder::new(storage, keys())
        .with(|host| host.settings.webhooks = [Arc::new(here)].into())
        .build()
        .expect("a host")
}

/// Not a test of its own: does nothing unless another one has started it.
#[test]
fn child() {
    let (Ok(folder), Ok(url)) = (std::env::var("KEYTURN_WEBHOOKS_FOLDER"), std::env::var("KEYTURN_WEBHOOKS_URL"))
    else {
        return;
    };
    let folder = Path::new(&folder);
    let storage = open(&folder.join("panel.db"));
    let host = host(folder, &url, Arc::clone(&storage));
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| host.run_workers(&shutdown));
        let until = Instant::now() + Duration::from_secs(60);
        let waits = || {
            let counts = storage.delivery_counts().expect("read");
            counts.iter().any(|(_, state, _)| matches!(state, DeliveryState::Queued | DeliveryState::Sending))
        };
        while Instant::now() < until && waits() {
            std::thread::sleep(Duration::from_millis(5));
        }
        shutdown.stop();
    });
}

/// A destination that runs `before` it answers 200, and tells of each id when the sender has read the answer.
fn destination(before: impl Fn() + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = channel();
    let before = Arc::new(before);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (before, tell) = (Arc::clone(&before), tell.clone());
            std::thread::spawn(move || {
                let Some((id, mut stream)) = received(stream) else { return };
                before();
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                // It has been read, or the sender is dead, when the other end is closed.
                let _ = stream.read(&mut [0]);
                let _ = tell.send(id);
            });
        }
    });
    (address, told)
}

/// The id of a request that came whole.
fn received(stream: TcpStream) -> Option<(String, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("webhook-id", value)) => id = Some(value.to_owned()),
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None if line == "\r\n" => break,
            None => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some((id?, reader.into_inner()))
}

#[test]
fn a_worker_killed_between_the_answer_and_its_row_leaves_an_event_that_goes_again_under_the_same_id() {
    // Who locks the database before the answer is read keeps it from being noted.
    let (lock, locks) = channel::<PathBuf>();
    let locks = std::sync::Mutex::new(locks);
    let held = Arc::new(std::sync::Mutex::new(None));
    let holds = Arc::clone(&held);
    let (address, told) = destination(move || {
        if let Ok(path) = locks.lock().expect("whole").try_recv() {
            let panel = rusqlite::Connection::open(path).expect("opened");
            panel.busy_timeout(Duration::from_secs(5)).expect("set");
            panel.execute_batch("BEGIN IMMEDIATE").expect("locked");
            *holds.lock().expect("whole") = Some(panel);
        }
    });
    let panel = Panel::new(address);
    let queued = emit(&open(&panel.path()), 1);
    lock.send(panel.path()).expect("told");
    let mut child = panel.child();
    let first = told.recv_timeout(Duration::from_secs(30)).expect("answered");
    child.kill().expect("killed with SIGKILL");
    child.wait().expect("ended");
    drop(held.lock().expect("whole").take().expect("it was locked"));
    assert_eq!(panel.states(), [(DeliveryState::Sending, 1)], "the answer was read and not noted");
    panel.leases_run_out();
    let mut child = panel.child();
    let again = told.recv_timeout(Duration::from_secs(30)).expect("answered");
    assert!(child.wait().expect("ended").success());
    assert_eq!(again, first);
    assert!(queued.contains(&first));
    assert_eq!(panel.states(), [(DeliveryState::Accepted, 2)]);
}

#[test]
fn workers_killed_at_any_moment_lose_nothing_and_send_twice_only_what_was_under_way() {
    const KILLS: usize = 6;
    let (address, told) = destination(|| std::thread::sleep(Duration::from_millis(2)));
    let panel = Panel::new(address);
    let queued = emit(&open(&panel.path()), 300);
    let mut under_way = 0;
    for round in 0..=KILLS {
        let mut child = panel.child();
        if round < KILLS {
            let [moment] = keyturn_host::seal::random();
            std::thread::sleep(Duration::from_millis(60 + u64::from(moment)));
            child.kill().expect("killed with SIGKILL");
            child.wait().expect("ended");
            under_way += panel.states().iter().filter(|(state, _)| *state == DeliveryState::Sending).count();
            panel.leases_run_out();
        } else {
            assert!(child.wait().expect("ended").success());
        }
    }
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    while let Ok(id) = told.recv_timeout(Duration::from_millis(200)) {
        *sent.entry(id).or_default() += 1;
    }
    assert_eq!(sent.keys().cloned().collect::<BTreeSet<_>>(), queued, "each went, and nothing else");
    assert!(under_way > 0, "no kill met anything under way");
    let twice = sent.values().filter(|times| **times > 1).count();
    assert!(twice <= KILLS * 2, "{twice} went more than once; two are under way at once");
    assert!(panel.states().iter().all(|(state, _)| *state == DeliveryState::Accepted));
}

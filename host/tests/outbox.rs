//! Mail whatever happens: a worker that is killed at any moment, once in the very moment between a server's acceptance and
//! the row's. Nothing that was queued is lost, nothing is sent under two names, and only what was under way goes twice.
//!
//! A child process (this test, started again) works on the outbox with a transport that says on standard output what it
//! took. It is killed, and the next one goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyturn_host::accounts::sql;
use keyturn_host::mail::Message;
use keyturn_host::mail::template::{Block, Kind, Template, Text, Value};
use keyturn_host::mail::transport::{Attempt, Session, Step, StepKind, Transport, Verdict};
use keyturn_host::seal::Keys;
use keyturn_host::sqlite::{self, Options};
use keyturn_host::storage::outbox::{Kept, MailFilter, MailId, MailState, NewMail, Recipient};
use keyturn_host::storage::{Commit, Effect, Store};
use keyturn_host::work::Shutdown;
use keyturn_host::{Host, HostBuilder};

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, email TEXT, password TEXT);
    INSERT INTO customers (id, login, email) VALUES (1, 'ana', 'ana@panel.example');
";

fn keys() -> Arc<Keys> {
    Arc::new(Keys::new([7; 32]))
}

/// The test looks on while its child works.
fn beside() -> Options {
    Options { beside_server: true, ..Options::default() }
}

fn open(path: &Path) -> Arc<Store> {
    let realms: BTreeMap<String, sql::Mapping> = toml::from_str(
        "customer = { table = 'customers', id = 'id', login = 'login', email = 'email', hash = 'password' }",
    )
    .expect("realms");
    let provider = Arc::new(sql::Sql::new(realms, &sqlite::Sqlite).expect("provider"));
    Arc::new(sqlite::open(path, keys(), provider, beside()).expect("opened"))
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("in range")
}

fn send(storage: &Store, count: usize) -> BTreeSet<String> {
    let text = Text {
        subject: "Hello".to_owned(),
        preheader: "News".to_owned(),
        body: vec![Block::Secret("password".to_owned())],
    };
    let template =
        Template { variables: [("password".to_owned(), Kind::Secret)].into(), texts: [("en".to_owned(), text)].into() };
    let template = Arc::new(Kept::new(&keys(), "hello", &template));
    (0..count)
        .map(|n| {
            let id = MailId::random();
            let mail = NewMail {
                message_id: format!("{id}@panel.example"),
                address: None,
                id,
                to: Recipient::Account("customer:1".parse().expect("id")),
                template: Arc::clone(&template),
                variables: vec![("password".to_owned(), Value::Secret(format!("secret-{n}").into()))],
                expires: now() + 3_600_000,
                per_minute: 10_000,
                origin: None,
            };
            let id = mail.id.to_string();
            let effects = vec![Effect::Send(Box::new(mail))];
            storage.commit(Commit::bare("p", now(), effects)).expect("queued");
            id
        })
        .collect()
}

/// A folder with a panel in it.
struct Panel {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Panel {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("panel.db");
        rusqlite::Connection::open(&path).expect("opened").execute_batch(PANEL).expect("panel");
        Self { path, _folder: folder }
    }

    /// As if the time of all leases were over.
    fn leases_run_out(&self) {
        let panel = rusqlite::Connection::open(&self.path).expect("opened");
        panel.busy_timeout(Duration::from_secs(5)).expect("set");
        panel.execute("UPDATE keyturnhost_outbox SET due = 0 WHERE state = 'sending'", []).expect("written");
    }

    fn states(&self) -> Vec<(MailState, u32)> {
        let filter = MailFilter { limit: 1000, ..MailFilter::default() };
        open(&self.path).mails(&filter).expect("read").iter().map(|mail| (mail.state, mail.attempts)).collect()
    }

    fn child(&self, stays: bool) -> Child {
        Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "outbox::child", "--nocapture", "--test-threads=1"])
            .env("KEYTURN_OUTBOX_DB", &self.path)
            .env("KEYTURN_OUTBOX_STAYS", if stays { "yes" } else { "no" })
            .stdout(Stdio::piped())
            .spawn()
            .expect("started")
    }
}

#[test]
fn no_mail_goes_out_of_a_file_that_was_removed() {
    #[derive(Clone, Default)]
    struct Counting(Arc<AtomicUsize>);
    impl Transport for Counting {
        fn name(&self) -> String {
            "counting".to_owned()
        }
        fn session(&self) -> Box<dyn Session> {
            Box::new(self.clone())
        }
        fn probe(&self) -> Attempt {
            unreachable!("nobody asks")
        }
    }
    impl Session for Counting {
        fn send(&mut self, _: &Message) -> Attempt {
            self.0.fetch_add(1, Ordering::Relaxed);
            Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
        }
    }
    let panel = Panel::new();
    let storage = open(&panel.path);
    send(&storage, 3);
    std::fs::remove_file(&panel.path).expect("removed");
    assert!(storage.in_place().is_err());
    let sent = Counting::default();
    let host = HostBuilder::new(storage, keys())
        .with(|host| host.transport = Some(Arc::new(sent.clone())))
        .build()
        .expect("a host");
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        let works = scope.spawn(|| host.run_workers(&shutdown));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!works.is_finished(), "they wait for the word to stop, like others");
        shutdown.stop();
        works.join().expect("they end");
    });
    assert_eq!(sent.0.load(Ordering::Relaxed), 0);
    assert!(host.workers().is_err());
}

/// Message-IDs that a child's transport took.
fn taken(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("@ ")?.strip_suffix(" .")?.to_owned()))
}

/// Says what it takes; then answers, or stays away for ever.
struct Telling {
    stays: bool,
}

impl Transport for Telling {
    fn name(&self) -> String {
        "mx.example:25".to_owned()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Telling { stays: self.stays })
    }
}

impl Session for Telling {
    fn send(&mut self, message: &Message) -> Attempt {
        assert!(message.drawn.text.contains("secret-"));
        let mut out = std::io::stdout().lock();
        let line = format!("\n@ {} .\n", message.message_id);
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("said");
        drop(out);
        if self.stays {
            std::thread::sleep(Duration::from_secs(3_600));
        }
        std::thread::sleep(Duration::from_millis(2));
        let step = Step { kind: StepKind::Handover, took: Duration::from_millis(1), said: "250 ok".to_owned() };
        Attempt { steps: vec![step], verdict: Verdict::Accepted }
    }
}

fn host(storage: Arc<Store>, stays: bool) -> Host {
    HostBuilder::new(storage, keys())
        .with(|host| host.transport = Some(Arc::new(Telling { stays })))
        .build()
        .expect("a host")
}

/// Not a test of its own: does nothing unless another one has started it.
#[test]
fn child() {
    let (Ok(path), Ok(stays)) = (std::env::var("KEYTURN_OUTBOX_DB"), std::env::var("KEYTURN_OUTBOX_STAYS")) else {
        return;
    };
    let storage = open(Path::new(&path));
    let host = host(Arc::clone(&storage), stays == "yes");
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| host.run_workers(&shutdown));
        let until = Instant::now() + Duration::from_secs(60);
        let waits = |state| matches!(state, MailState::Queued | MailState::Sending);
        while Instant::now() < until && storage.mail_counts().expect("read").iter().any(|(_, state, _)| waits(*state)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        shutdown.stop();
    });
}

#[test]
fn a_worker_killed_between_acceptance_and_its_row_leaves_a_mail_that_goes_again_under_the_same_name() {
    let panel = Panel::new();
    let queued = send(&open(&panel.path), 1);
    let mut child = panel.child(true);
    let first = taken(&mut child).next().expect("taken");
    child.kill().expect("killed with SIGKILL");
    child.wait().expect("ended");
    assert_eq!(panel.states(), [(MailState::Sending, 1)]);
    panel.leases_run_out();
    let mut child = panel.child(false);
    let again: Vec<String> = taken(&mut child).collect();
    assert!(child.wait().expect("ended").success());
    assert_eq!(again, std::slice::from_ref(&first));
    assert!(queued.iter().any(|id| first.starts_with(id.as_str())));
    assert_eq!(panel.states(), [(MailState::Accepted, 2)]);
}

#[test]
fn workers_killed_at_any_moment_lose_nothing_and_send_twice_only_what_was_under_way() {
    const KILLS: usize = 6;
    let panel = Panel::new();
    let queued = send(&open(&panel.path), 400);
    let mut under_way = 0;
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..=KILLS {
        let mut child = panel.child(false);
        let ids = taken(&mut child);
        let reader = std::thread::spawn(move || ids.collect::<Vec<_>>());
        if round < KILLS {
            let [moment] = keyturn_host::seal::random();
            std::thread::sleep(Duration::from_millis(30 + u64::from(moment)));
            child.kill().expect("killed with SIGKILL");
            child.wait().expect("ended");
            under_way += panel.states().iter().filter(|(state, _)| *state == MailState::Sending).count();
            panel.leases_run_out();
        } else {
            assert!(child.wait().expect("ended").success());
        }
        for id in reader.join().expect("read") {
            *sent.entry(id).or_default() += 1;
        }
    }
    let names: BTreeSet<String> =
        sent.keys().map(|id| id.split_once('@').expect("an id and a host").0.to_owned()).collect();
    assert_eq!(names, queued, "each went, and nothing else");
    assert_eq!(sent.len(), queued.len(), "each under one name");
    assert!(under_way > 0, "no kill met anything under way");
    let twice = sent.values().filter(|times| **times > 1).count();
    assert!(twice <= KILLS * 4, "{twice} went more than once; four are under way at once");
    assert!(panel.states().iter().all(|(state, _)| *state == MailState::Accepted));
}

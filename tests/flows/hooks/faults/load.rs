//! What panels ask of hosts while something fails, and that each of it is done once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyturn_servers::Database;
use serde_json::{Value, json};

use crate::hooks::server::{Panel, Server, try_call};
use crate::hooks::servers::{MAY, chosen_by, comes, panel, with_people};

/// Customers with somebody each who sends for them, one request after the other.
pub const WRITERS: usize = 4;
/// So long somebody goes on asking for the same before the test fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// What became of the requests.
#[derive(Default)]
pub struct Tally {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    indeterminate: AtomicUsize,
    unanswered: AtomicUsize,
}

/// A request that was acknowledged.
struct Done {
    hook: &'static str,
    arguments: Value,
    key: String,
    answer: Value,
}

/// Hosts on one database, and those who ask them.
pub struct Load {
    token: String,
    addresses: Vec<RwLock<SocketAddr>>,
    folders: Vec<PathBuf>,
    pub tally: Tally,
    /// How many of each were done: they stand in the audit, each once.
    visits: AtomicUsize,
    passwords: AtomicUsize,
    links: AtomicUsize,
    failed: AtomicBool,
}

/// Folders of hosts, each on a way of its own to one database, and its people.
pub fn panels(database: &Database<'_>, ways: &[String]) -> Vec<Panel> {
    with_people(database);
    for at in 0..WRITERS {
        let (id, login) = (100 + at, format!("writer{at}"));
        database.sql(&format!(
            "INSERT INTO people (id, kind, login, email, name, locale, state)
             VALUES ({id}, 'customer', '{login}', '{login}@vidal.example', 'Person {at}', 'en', 'active')"
        ));
    }
    ways.iter()
        .map(|way| {
            let panel = panel(database);
            panel.edit(&database.url, way);
            panel
        })
        .collect()
}

impl Load {
    pub fn new(panels: Vec<Panel>) -> (Self, Vec<Server>) {
        let token = panels[0].key("billing", MAY, &[]);
        let hosts: Vec<Server> = panels.into_iter().map(Panel::serve).collect();
        let load = Self {
            token,
            addresses: hosts.iter().map(|host| RwLock::new(host.address)).collect(),
            folders: hosts.iter().map(|host| host.panel.folder.path().join("mail")).collect(),
            tally: Tally::default(),
            visits: AtomicUsize::new(0),
            passwords: AtomicUsize::new(0),
            links: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        (load, hosts)
    }

    /// Kills a host and starts it again.
    pub fn kill(&self, hosts: &mut Vec<Server>, at: usize) {
        let host = hosts.remove(at);
        host.signal("KILL");
        let (_, panel) = host.ends();
        let host = panel.serve();
        *self.addresses[at].write().expect("not poisoned") = host.address;
        hosts.insert(at, host);
    }

    fn address(&self, host: usize) -> SocketAddr {
        *self.addresses[host % self.addresses.len()].read().expect("not poisoned")
    }

    /// Asks one host after the other, with one key, until one says that it was done, or that it is refused. 503 is: nothing was
    /// done.
    fn ask(&self, first: usize, hook: &str, arguments: &Value, key: &str) -> Option<Value> {
        let until = Instant::now() + PATIENCE;
        for host in first.. {
            assert!(!self.failed.load(Ordering::SeqCst), "another one has failed");
            let answer = try_call(self.address(host), &self.token, hook, arguments, key);
            let counted = match &answer {
                Some(answer) => match answer.status {
                    200 => {
                        self.tally.acknowledged.fetch_add(1, Ordering::SeqCst);
                        return Some(answer.json());
                    }
                    422 => return None,
                    503 => {
                        assert!(answer.header("retry-after").is_some(), "{}", answer.body);
                        &self.tally.refused
                    }
                    // So long did it wait for its reads: nothing was done either.
                    504 if answer.json()["code"] == "deadline" => &self.tally.refused,
                    504 => {
                        answer.problem(504, "indeterminate");
                        &self.tally.indeterminate
                    }
                    other => panic!("{hook} {arguments}: {other} {}", answer.body),
                },
                None => &self.tally.unanswered,
            };
            counted.fetch_add(1, Ordering::SeqCst);
            let told = answer.map(|answer| answer.body);
            assert!(Instant::now() < until, "{hook} {arguments} {key} is never done: {told:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        unreachable!("there is always a next one")
    }

    /// The token of a mail, when one of the hosts has sent it.
    fn mailed(&self, id: &str) -> String {
        comes("the mail", || {
            assert!(!self.failed.load(Ordering::SeqCst), "another one has failed");
            self.mails(id).first().and_then(|mail| chosen_by(mail))
        })
    }

    /// Mails that hosts have sent with this id.
    fn mails(&self, id: &str) -> Vec<String> {
        let files = self.folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let paths = files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "eml"));
        // One that is just being written is read the next time.
        let texts = paths.filter_map(|path| std::fs::read_to_string(path).ok());
        texts.filter(|text| text.contains(id)).collect()
    }

    /// One customer's way through a round: a counted visit, a new password, a link by mail, and the password that it sets, which two
    /// programs send at once.
    fn writes(&self, round: &str, writer: usize, times: usize) -> Vec<Done> {
        let account = format!("customer:{}", 100 + writer);
        let mut done = Vec::new();
        for at in 0..times {
            let name = format!("{round}-{writer}-{at}");
            let mut does = |host: usize, hook: &'static str, arguments: Value| {
                let key = format!("{hook}-{name}");
                let answer = self.ask(host, hook, &arguments, &key).unwrap_or_else(|| panic!("{hook} is refused"));
                done.push(Done { hook, arguments, key, answer: answer.clone() });
                answer
            };
            let visits = does(writer + at, "report/visit", json!({ "page_name": name }));
            assert_eq!(visits, 1, "{name} was counted once");
            self.visits.fetch_add(1, Ordering::SeqCst);
            let set = json!({"account": account, "new": format!("lantern {name} oats"), "must_change": false});
            does(writer + at + 1, "password/set-password", set);
            self.passwords.fetch_add(1, Ordering::SeqCst);
            let reset = does(writer + at + 2, "password/reset-and-mail", json!({"account": account, "mode": "link"}));
            let token = self.mailed(reset["mail"].as_str().expect("an id"));
            let complete = |of: usize| {
                let chosen = json!({"token": token, "new": format!("velvet {name} harbour {of}")});
                let key = format!("complete-{name}-{of}");
                let answer = self.ask(writer + of, "password/complete-reset", &chosen, &key);
                answer.map(|answer| Done { hook: "password/complete-reset", arguments: chosen, key, answer })
            };
            let used: Vec<Done> = std::thread::scope(|scope| {
                let both = [0, 1].map(|of| scope.spawn(move || complete(of)));
                both.into_iter().filter_map(|one| one.join().expect("asked")).collect()
            });
            assert_eq!(used.len(), 1, "{name}: a token is used once");
            self.links.fetch_add(1, Ordering::SeqCst);
            done.extend(used);
        }
        done
    }

    /// Everybody sends; when they are in the midst of it, something fails, and is whole again. Then all that was acknowledged is
    /// asked for again, of another host, and each account has the password that it got last.
    pub fn round(&self, round: &str, times: usize, fails: impl FnOnce()) {
        let before = self.tally.acknowledged.load(Ordering::SeqCst);
        let watched = |writer: usize| {
            let _tells = Told(&self.failed);
            self.writes(round, writer, times)
        };
        let watched = &watched;
        let done: Vec<Vec<Done>> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || watched(writer))).collect();
            while self.tally.acknowledged.load(Ordering::SeqCst) < before + WRITERS {
                assert!(!self.failed.load(Ordering::SeqCst), "a writer has failed");
                std::thread::sleep(Duration::from_millis(5));
            }
            let _tells = Told(&self.failed);
            fails();
            writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
        });
        for (writer, done) in done.iter().enumerate() {
            for Done { hook, arguments, key, answer } in done {
                let again = self.ask(writer, hook, arguments, key).unwrap_or_else(|| panic!("{key} was acknowledged"));
                assert_eq!(again, *answer, "{key} was acknowledged");
            }
            let last = done.last().expect("something");
            let now = |password: &Value, key: &str| {
                let typed = json!({"login_or_email": format!("writer{writer}"), "password": password});
                self.ask(writer, "password/verify", &typed, key).expect("verified")["kind"].clone()
            };
            assert_eq!(now(&last.arguments["new"], &format!("{}-is-right", last.key)), "accepted");
            // The one before it, which the link has ended.
            let set = done.iter().rev().find(|done| done.hook == "password/set-password").expect("one");
            assert_eq!(now(&set.arguments["new"], &format!("{}-is-over", last.key)), "rejected");
        }
    }

    /// At the end: the audit has each change once, each account the epoch of its last change; and what is printed.
    pub fn ends(&self, name: &str, rounds: usize, hosts: &[Server], sql: impl Fn(&str) -> String) {
        let audit = |operation: &str| {
            let count =
                format!("SELECT count(*) FROM keyturnhost_audit WHERE operation = '{operation}' AND outcome = 'done'");
            sql(&count).trim().parse::<usize>().expect("a number")
        };
        assert_eq!(audit("visit"), self.visits.load(Ordering::SeqCst));
        assert_eq!(audit("set-password"), self.passwords.load(Ordering::SeqCst));
        assert_eq!(audit("complete-reset"), self.links.load(Ordering::SeqCst));
        let epochs = sql("SELECT count(*) FROM keyturnhost_epochs");
        assert_eq!(epochs.trim().parse::<usize>().expect("a number"), WRITERS, "one for each account");
        let ended = |mail: &Value| ["accepted", "withdrawn"].iter().any(|state| mail["state"] == *state);
        let outbox = comes("every mail", || {
            let listed = hosts[0].panel.done(&["outbox", "list", "--json", "--limit", "1000"]);
            let mails: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
            mails.iter().all(ended).then_some(mails)
        });
        let accepted = outbox.iter().filter(|mail| mail["state"] == "accepted");
        let sent: Vec<usize> = accepted.map(|mail| self.mails(mail["id"].as_str().expect("an id")).len()).collect();
        assert!(sent.iter().all(|times| *times > 0), "every mail that was called sent was sent");
        let repeated: usize = sent.iter().map(|times| times - 1).sum();
        let Tally { acknowledged, refused, indeterminate, unanswered } = &self.tally;
        let [acknowledged, refused, indeterminate, unanswered] =
            [acknowledged, refused, indeterminate, unanswered].map(|count| count.load(Ordering::SeqCst));
        println!(
            "{name}: {rounds} rounds; {acknowledged} acknowledged, {refused} refused (503), {indeterminate} indeterminate \
             (504), {unanswered} unanswered; {} mails, {repeated} repeated",
            sent.len()
        );
    }
}

/// Whoever waits for others hears that one of them has failed.
struct Told<'a>(&'a AtomicBool);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

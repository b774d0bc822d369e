//! The storage against what must hold whatever happens: many calls at once, a panel that writes hashes behind the host's
//! back, and a process that is killed at any moment.
//!
//! A child process (this test, started again) does random calls and says on its standard output what was
//! acknowledged. It is killed, and what stands in the database is compared with what it said. The panel's own trigger writes
//! down the order of all hashes, so that it is known which epoch may hold when.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use keyturn_core::accounts::{AccountId, Why};
use keyturn_store::{AuditEntry, AuditFilter, Commit, Effect, Read, Record, RecordKey, Role, StorageError, Store};
use keyturn_store_tests::{Engine, Opening, Panel, every_engine, id};
use zeroize::Zeroizing;

const ACCOUNTS: u64 = 3;
const START: i64 = 1_764_000_000_000;
/// How long a token lives, in the model's own time.
const TOKEN_LIVES: i64 = 60;

const PANEL: &str = "
    CREATE TABLE customers (id NUMBER, login NAME, password TEXT);
    CREATE TABLE history (n NUMBER, account INTEGER, hash TEXT);
    INSERT INTO customers VALUES (1, 'a', 'p-1'), (2, 'b', 'p-2'), (3, 'c', NULL);
    INSERT INTO history (account, hash) VALUES (1, 'p-1'), (2, 'p-2'), (3, '');
";

/// What writes down each hash, in the transaction that stores it.
fn trigger(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER history AFTER UPDATE OF password ON customers
             BEGIN INSERT INTO history (account, hash) VALUES (NEW.id, NEW.password); END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION history() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO history (account, hash) VALUES (NEW.id, NEW.password); RETURN NEW; END $$;
             CREATE TRIGGER history AFTER UPDATE OF password ON customers FOR EACH ROW EXECUTE FUNCTION history()"
        }
    }
}

every_engine!(whatever_happens_each_token_succeeds_once_nothing_acknowledged_is_lost_and_nothing_is_half_there,);

fn whatever_happens_each_token_succeeds_once_nothing_acknowledged_is_lost_and_nothing_is_half_there(engine: Engine) {
    let given = std::env::var("KEYTURN_MODEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = given.unwrap_or_else(|| u64::from_le_bytes(keyturn_core::seal::random()) % 1_000_000);
    let mut total = BTreeMap::new();
    let seeds = if given.is_some() {
        1
    } else if engine.is_server() {
        4
    } else {
        9
    };
    for seed in first..first + seeds {
        println!("seed {seed} (again: KEYTURN_MODEL_SEED={seed})");
        let panel = Panel::of(engine, PANEL);
        panel.run(trigger(engine));
        // Every third one without WAL, as many a panel has it.
        if engine == Engine::Sqlite && !seed.is_multiple_of(3) {
            panel.run("PRAGMA journal_mode = WAL");
        }
        let (mut random, mut said) = (Random(seed), Said::default());
        for round in 0..3 {
            // The last one ends by itself.
            let killed = (round < 2).then(|| Duration::from_millis(20 + random.below(700)));
            run_child(&panel, seed, round, killed, &mut said);
            check(&panel, &mut said, seed);
        }
        for (what, count) in said.counts() {
            *total.entry(what).or_insert(0) += count;
        }
    }
    println!("{total:?}");
    for (what, count) in total {
        assert!(count > 0, "the model never met: {what}");
    }
}

/// What the children acknowledged.
#[derive(Default)]
struct Said {
    done: BTreeSet<String>,
    issued: BTreeSet<String>,
    upgraded: BTreeSet<String>,
    panel: BTreeSet<String>,
    again: BTreeSet<(String, String)>,
    /// Account, hash, epoch.
    seen: BTreeSet<(String, String, String)>,
    conflicts: usize,
    expired: usize,
    void: usize,
    used: usize,
    kills: usize,
}

impl Said {
    fn line(&mut self, line: &str) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match (words[0].as_str(), &words[1..]) {
            ("done", [op]) => drop(self.done.insert(op.clone())),
            ("issued", [token]) => drop(self.issued.insert(token.clone())),
            ("upgraded", [op]) => drop(self.upgraded.insert(op.clone())),
            ("panel", [hash]) => drop(self.panel.insert(hash.clone())),
            ("again", [key, answer]) => drop(self.again.insert((key.clone(), answer.clone()))),
            ("seen", [account, hash, epoch]) => {
                self.seen.insert((account.clone(), hash.clone(), epoch.clone()));
            }
            ("conflict", _) => self.conflicts += 1,
            ("expired", _) => self.expired += 1,
            ("void", _) => self.void += 1,
            ("used", _) => self.used += 1,
            _ => panic!("the child said: {line}"),
        }
    }

    fn counts(&self) -> [(&'static str, usize); 10] {
        [
            ("calls done", self.done.len()),
            ("tokens issued", self.issued.len()),
            ("upgrades", self.upgraded.len()),
            ("hashes written by the panel", self.panel.len()),
            ("second presses", self.again.len()),
            ("expired tokens", self.expired),
            ("void tokens", self.void),
            ("used tokens", self.used),
            ("epochs seen", self.seen.len()),
            ("kills", self.kills),
        ]
    }
}

fn run_child(panel: &Panel, seed: u64, round: u64, killed: Option<Duration>, said: &mut Said) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "model::child", "--nocapture", "--test-threads=1"])
        .env("KEYTURN_MODEL_ENGINE", format!("{:?}", panel.engine))
        .env("KEYTURN_MODEL_DATABASE", panel.address())
        .env("KEYTURN_MODEL_RUN", format!("{seed} {round}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let lines = std::thread::spawn(move || {
        // What was cut off in the middle of a line was not acknowledged.
        let whole = output.split(b'\n').map_while(Result::ok).filter_map(|line| String::from_utf8(line).ok());
        whole.filter_map(|line| Some(line.strip_prefix("@ ")?.strip_suffix(" .")?.to_owned())).collect::<Vec<_>>()
    });
    if let Some(after) = killed {
        std::thread::sleep(after);
        child.kill().expect("killed with SIGKILL");
        said.kills += 1;
        child.wait().expect("ended");
    } else {
        assert!(child.wait().expect("ended").success(), "seed {seed}");
    }
    for line in lines.join().expect("read") {
        said.line(&line);
    }
}

/// Not a test of its own: does nothing unless the model has started it.
#[test]
fn child() {
    let told = ["KEYTURN_MODEL_ENGINE", "KEYTURN_MODEL_DATABASE", "KEYTURN_MODEL_RUN"].map(std::env::var);
    let [Ok(engine), Ok(address), Ok(run)] = told else { return };
    let engine = Engine::ALL.into_iter().find(|known| format!("{known:?}") == engine).expect("an engine");
    let panel = Panel::at(engine, address);
    let (seed, round) = run.split_once(' ').expect("seed and round");
    let (seed, round): (u64, u64) = (seed.parse().expect("seed"), round.parse().expect("round"));
    let storage = open(&panel);
    let clock = AtomicI64::new(START + round as i64 * 100_000);
    let until = Instant::now() + Duration::from_millis(700);
    let threads = 2 + seed % 7;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (storage, clock) = (&storage, &clock);
            scope.spawn(move || {
                let random = Random(seed.wrapping_mul(31).wrapping_add(round).wrapping_mul(31).wrapping_add(thread));
                let mut caller = Caller { storage, clock, random, name: format!("{round}.{thread}"), calls: 0 };
                while Instant::now() < until {
                    caller.step();
                }
            });
        }
        scope.spawn(|| {
            let mut random = Random(seed ^ round.wrapping_mul(977));
            for n in 0.. {
                if Instant::now() >= until {
                    break;
                }
                let hash = format!("p-{round}.{n}");
                let account = 1 + random.below(ACCOUNTS);
                panel.run(&format!("UPDATE customers SET password = '{hash}' WHERE id = {account}"));
                say(&format!("panel {hash}"));
                std::thread::sleep(Duration::from_millis(random.below(12)));
            }
        });
    });
}

/// One line, whole or not at all.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@ {what} .\n").as_bytes()).and_then(|()| out.flush()).expect("said");
}

struct Caller<'a> {
    storage: &'a Store,
    clock: &'a AtomicI64,
    random: Random,
    name: String,
    calls: u64,
}

impl Caller<'_> {
    fn step(&mut self) {
        self.calls += 1;
        let now = self.clock.fetch_add(self.random.below(3) as i64, Ordering::Relaxed);
        let account = customer(1 + self.random.below(ACCOUNTS));
        match self.random.below(10) {
            0..=2 => self.issue(&account, now),
            3..=6 => self.press(now),
            7 => self.post(now),
            8 => self.upgrade(&account, now),
            _ => self.look(&account),
        }
    }

    fn issue(&mut self, account: &AccountId, now: i64) {
        let token = format!("{}/{}", now / 10, self.random.below(4));
        let key = format!("token/{token}");
        // Also one that has ended: a token is never issued twice, or the model could not tell.
        if self.storage.get("p", &key, i64::MIN).expect("read").is_some() {
            return;
        }
        let known = self.storage.account(account).expect("read").expect("there");
        let expires = now + TOKEN_LIVES;
        let value = format!("fresh {account} {} {expires}", known.epoch);
        let reads = vec![Read::Data { key: key.clone(), version: None }];
        let put = Effect::Put { key, value: Zeroizing::new(value.into_bytes()), expires: Some(expires) };
        match self.storage.commit(Commit { reads, effects: vec![put], ..commit(now) }) {
            Ok(()) => say(&format!("issued {token}")),
            Err(StorageError::Changed) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Follows a link and sets a password, as a plugin would: at most three times.
    fn press(&mut self, now: i64) {
        let op = format!("{}-{}", self.name, self.calls);
        let token = format!("{}/{}", (now - self.random.below(80) as i64) / 10, self.random.below(4));
        let key = format!("token/{token}");
        let record_key = if self.random.below(2) == 0 { format!("k/{token}") } else { format!("u/{op}") };
        for _ in 0..3 {
            let Some((value, version)) = self.storage.get("p", &key, now).expect("read") else {
                if self.storage.get("p", &key, i64::MIN).expect("read").is_some() {
                    say("expired");
                }
                return;
            };
            let value = String::from_utf8(value).expect("text");
            let words: Vec<&str> = value.split(' ').collect();
            let (account, epoch, expires) = match words[..] {
                ["fresh", account, epoch, expires] => (account.parse().expect("id"), epoch, expires),
                ["used", ..] => return self.failed(&record_key, now, "used"),
                _ => panic!("{value}"),
            };
            let known = self.storage.account(&account).expect("read").expect("there");
            if known.epoch != epoch {
                // Two reads are not one snapshot: only the commit says what was so at once.
                let reads = [
                    Read::Account { id: account.clone(), seen: Some(Box::new(known.clone())) },
                    Read::Data { key: key.clone(), version: Some(version.clone()) },
                ];
                if self.storage.still("p", &reads, now).expect("read") {
                    return self.failed(&record_key, now, "void");
                }
                continue;
            }
            let audit = AuditEntry {
                at: now,
                plugin: "p".to_owned(),
                operation: "use".to_owned(),
                actor: record_key.clone(),
                key: None,
                subjects: vec![(account.clone(), Role::Password)],
                outcome: expires.to_owned(),
                address: Some(token.clone()),
                request: op.clone(),
                times: None,
            };
            let used = Zeroizing::new(format!("used {op}").into_bytes());
            let commit = Commit {
                reads: vec![
                    Read::Data { key: key.clone(), version: Some(version) },
                    Read::Account { id: account.clone(), seen: Some(Box::new(known)) },
                ],
                effects: vec![
                    Effect::Put { key: key.clone(), value: used, expires: None },
                    Effect::Replace {
                        id: account,
                        hash: format!("h-{op}"),
                        why: Why::Password,
                        epoch: format!("e-{op}"),
                    },
                ],
                audit: Some(audit),
                record: Some((named(&record_key), Record { body: [0; 32], answer: op.clone().into_bytes() })),
                ..commit(now)
            };
            match self.storage.commit(commit) {
                Ok(()) => return say(&format!("done {op}")),
                Err(StorageError::Recorded(record)) => return again(&record_key, &record),
                Err(StorageError::Changed) => {}
                Err(other) => panic!("{other}"),
            }
        }
        say("conflict");
    }

    /// Writes something that nobody read: of two presses with one key only the record knows.
    fn post(&mut self, now: i64) {
        let op = format!("{}-{}", self.name, self.calls);
        let record_key = format!("n/{}", now / 4);
        let put = Effect::Put {
            key: format!("note/{op}"),
            value: Zeroizing::new(format!("note {op}").into_bytes()),
            expires: None,
        };
        let audit = AuditEntry {
            at: now,
            plugin: "p".to_owned(),
            operation: "post".to_owned(),
            actor: record_key.clone(),
            key: None,
            subjects: Vec::new(),
            outcome: "done".to_owned(),
            address: None,
            request: op.clone(),
            times: None,
        };
        let record = Record { body: [0; 32], answer: op.clone().into_bytes() };
        let commit = Commit {
            effects: vec![put],
            audit: Some(audit),
            record: Some((named(&record_key), record)),
            ..commit(now)
        };
        match self.storage.commit(commit) {
            Ok(()) => say(&format!("done {op}")),
            Err(StorageError::Recorded(record)) => again(&record_key, &record),
            Err(other) => panic!("{other}"),
        }
    }

    /// Before a failure is answered the record is looked up once more.
    fn failed(&self, record_key: &str, now: i64, how: &str) {
        match self.storage.record(&named(record_key), now).expect("read") {
            Some(record) => again(record_key, &record),
            None => say(how),
        }
    }

    fn upgrade(&self, account: &AccountId, now: i64) {
        let op = format!("{}-{}", self.name, self.calls);
        let known = self.storage.account(account).expect("read").expect("there");
        let epoch = known.epoch.clone();
        let reads = vec![Read::Account { id: account.clone(), seen: Some(Box::new(known)) }];
        let effects = vec![Effect::Replace { id: account.clone(), hash: format!("u-{op}"), why: Why::Upgrade, epoch }];
        match self.storage.commit(Commit { reads, effects, ..commit(now) }) {
            Ok(()) => say(&format!("upgraded u-{op}")),
            Err(StorageError::Changed) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn look(&self, account: &AccountId) {
        say(&seen(self.storage, account));
    }
}

fn again(record_key: &str, record: &Record) {
    say(&format!("again {record_key} {}", String::from_utf8_lossy(&record.answer)));
}

fn seen(storage: &Store, account: &AccountId) -> String {
    let known = storage.account(account).expect("read").expect("there");
    format!("seen {account} {} {}", known.account.hash.unwrap_or_else(|| "-".to_owned()), known.epoch)
}

/// Compares the database with what was acknowledged so far.
fn check(panel: &Panel, said: &mut Said, seed: u64) {
    panel.is_left_alone();
    let storage = open(panel);
    if panel.engine == Engine::Sqlite {
        assert_eq!(panel.text("PRAGMA integrity_check"), "ok", "seed {seed}");
    }

    let audit = audit(&storage);
    let history = panel.rows("SELECT account, hash FROM history ORDER BY n").into_iter().map(|row| {
        let [account, hash] = <[String; 2]>::try_from(row).expect("two");
        (account.parse::<u64>().expect("a number"), hash)
    });
    let history: Vec<_> = history.collect();
    let written = |hash: &str| history.iter().filter(|(_, other)| other == hash).count();
    let data: BTreeMap<String, String> = all_data(&storage);

    // Nothing is half there: token, hash, audit entry and record stand or fall together.
    let mut tokens = BTreeSet::new();
    let mut keys = BTreeMap::new();
    for entry in &audit {
        let (key, op) = (&entry.actor, &entry.request);
        assert!(keys.insert(key.clone(), op.clone()).is_none(), "seed {seed}: key {key} succeeded twice");
        let record = storage.record(&named(key), entry.at).expect("read").expect("there");
        assert_eq!(String::from_utf8_lossy(&record.answer), *op, "seed {seed}");
        let Some(token) = &entry.address else {
            assert_eq!(data.get(&format!("note/{op}")), Some(&format!("note {op}")), "seed {seed}");
            continue;
        };
        assert!(tokens.insert(token.clone()), "seed {seed}: token {token} succeeded twice");
        assert_eq!(data.get(&format!("token/{token}")), Some(&format!("used {op}")), "seed {seed}");
        assert_eq!(written(&format!("h-{op}")), 1, "seed {seed}: {op}");
        assert!(entry.at < entry.outcome.parse().expect("time"), "seed {seed}: token {token} succeeded after its end");
    }
    let ops: BTreeSet<&String> = audit.iter().map(|entry| &entry.request).collect();
    let uses = history.iter().filter(|(_, hash)| hash.starts_with("h-")).count();
    assert_eq!(uses, tokens.len(), "seed {seed}");
    let begins = |with: &str| data.values().filter(|value| value.starts_with(with)).count();
    assert_eq!(begins("used "), tokens.len(), "seed {seed}");
    assert_eq!(begins("note "), audit.len() - tokens.len(), "seed {seed}");
    let records = panel.number("SELECT count(*) FROM keyturnhost_records");
    assert_eq!(usize::try_from(records), Ok(audit.len()), "seed {seed}");

    // Nothing acknowledged is lost, and two presses saw one success.
    for op in &said.done {
        assert!(ops.contains(op), "seed {seed}: {op} was acknowledged and is lost");
    }
    for token in &said.issued {
        assert!(data.contains_key(&format!("token/{token}")), "seed {seed}: token {token} is lost");
    }
    for hash in said.panel.iter().chain(&said.upgraded) {
        assert_eq!(written(hash), 1, "seed {seed}: {hash}");
    }
    for (key, answer) in &said.again {
        assert_eq!(keys.get(key), Some(answer), "seed {seed}");
    }
    let total = panel.number("SELECT coalesce(sum(bytes), 0) FROM keyturnhost_totals");
    let kept = "SELECT coalesce(sum(octet_length(\"key\") + length(value)), 0) FROM keyturnhost_data";
    let bytes = panel.number(kept);
    assert_eq!(total, bytes, "seed {seed}");

    // An epoch holds for one password only, whoever set it: each hash belongs to the last password set before it.
    for account in 1..=ACCOUNTS {
        said.line(&seen(&storage, &customer(account)));
    }
    let mut passwords: BTreeMap<(String, String), usize> = BTreeMap::new();
    for account in 1..=ACCOUNTS {
        let mut generation = 0;
        for (_, hash) in history.iter().filter(|(other, _)| *other == account) {
            generation += usize::from(!hash.starts_with("u-"));
            let hash = if hash.is_empty() { "-" } else { hash };
            passwords.insert((customer(account).to_string(), hash.to_owned()), generation);
        }
    }
    let mut epochs: BTreeMap<(&String, &String), usize> = BTreeMap::new();
    for (account, hash, epoch) in &said.seen {
        let generation = passwords[&(account.clone(), hash.clone())];
        let before = *epochs.entry((account, epoch)).or_insert(generation);
        assert_eq!(before, generation, "seed {seed}: epoch {epoch} of {account} held under two passwords");
        if let Some(op) = epoch.strip_prefix("e-") {
            assert_eq!(passwords[&(account.clone(), format!("h-{op}"))], generation, "seed {seed}: {epoch}");
        }
    }
}

fn audit(storage: &Store) -> Vec<AuditEntry> {
    let (mut entries, mut before) = (Vec::new(), None);
    loop {
        let filter = AuditFilter { before, limit: 500, ..AuditFilter::default() };
        let page = storage.audit(&filter).expect("listed");
        let Some((last, _)) = page.last() else { return entries };
        before = Some(*last);
        entries.extend(page.into_iter().map(|(_, entry)| entry));
    }
}

fn all_data(storage: &Store) -> BTreeMap<String, String> {
    let rows = storage.scan("p", "", None, u32::MAX, i64::MIN).expect("scanned");
    rows.into_iter().map(|(key, value)| (key, String::from_utf8(value).expect("text"))).collect()
}

fn open(panel: &Panel) -> Store {
    let realms = "customer = { table = 'customers', id = 'id', login = 'login', hash = 'password' }";
    panel.open_with(Opening { realms, ..Opening::default() })
}

fn customer(key: u64) -> AccountId {
    id(&key.to_string())
}

fn named(key: &str) -> RecordKey {
    RecordKey { caller: "c".to_owned(), operation: "use".to_owned(), key: key.to_owned() }
}

fn commit(now: i64) -> Commit {
    Commit::bare("p", now, Vec::new())
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

//! The password plugin in the host, as a panel in Rust calls them: what neither shows alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyturn_host::accounts::sql::Sql;
use keyturn_host::accounts::{Account, AccountId, Matched, Provider, Reach, Scope, Why};
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::embed::{Submitted, Surface};
use keyturn_host::mail::Message;
use keyturn_host::mail::transport::{Attempt, Session, Transport, Verdict};
use keyturn_host::storage::database::Connection;
use keyturn_host::storage::outbox::MailFilter;
use keyturn_host::storage::{AuditEntry, AuditFilter, Role, StorageError};
use keyturn_host::view::{Links, nodes::Target};
use keyturn_host::{CallError, Failure};
use keyturn_tests::{Bench, PASSWORD, all_grants, provider};
use serde_json::{Value, json};

const PEOPLE: &str = "INSERT INTO people (id, kind, login, email, name) VALUES
    (1, 'customer', 'marta', 'marta@vidal.example', 'Marta Vidal')";
const FIRST: &str = "copper lantern oats";
const SECOND: &str = "velvet compass harbour";

/// Takes every mail.
struct Taking;

impl Transport for Taking {
    fn name(&self) -> String {
        "mx.example:25".to_owned()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Taking)
    }
}

impl Session for Taking {
    fn send(&mut self, _: &Message) -> Attempt {
        Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
    }
}

struct Nowhere;

impl Links for Nowhere {
    fn url(&self, _: &str, _: &Target) -> String {
        "/".to_owned()
    }
}

/// The tests' panel, which counts how often an account is read.
struct Counting(Sql, AtomicUsize);

impl Provider for Counting {
    fn realms(&self) -> Vec<&str> {
        self.0.realms()
    }

    fn knows_managers(&self, realm: &str) -> bool {
        self.0.knows_managers(realm)
    }

    fn find(
        &self,
        sql: &dyn Connection,
        typed: &str,
        realms: &[&str],
        limit: usize,
    ) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.0.find(sql, typed, realms, limit)
    }

    fn account(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Account>, StorageError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.account(sql, id)
    }

    fn sessions(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<u32>, StorageError> {
        self.0.sessions(sql, id)
    }

    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String> {
        self.0.accepts(realm, hash)
    }

    fn replace(
        &self,
        sql: &dyn Connection,
        id: &AccountId,
        hash: &str,
        why: Why,
        now: i64,
    ) -> Result<(), StorageError> {
        self.0.replace(sql, id, hash, why, now)
    }
}

/// Once to decide; in the commit, whether it is still so, and what the panel's table has afterwards.
#[test]
fn a_managers_new_password_reads_the_account_once_and_twice_in_the_commit() {
    let provider = Arc::new(Counting(provider(), AtomicUsize::new(0)));
    let bench = Bench::of(PEOPLE, Arc::clone(&provider) as _, |host| host.settings.even_grid = Duration::ZERO);
    bench.admit("keyturn-password", PASSWORD, all_grants());
    let staff = Actor::Account("staff:9".parse().expect("an account"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let reach = Reach::none().with("customer", Scope::All);
    let manager = Caller { verified_at: Some(now), ..Caller::new(staff, reach) };
    let set = json!({"account": "customer:1", "new": FIRST, "must_change": false});
    let before = provider.1.load(Ordering::Relaxed);
    bench.host.call(&manager, "password/set-password", &set, None).expect("set");
    assert_eq!(provider.1.load(Ordering::Relaxed) - before, 3);
}

/// A panel with one customer, who has a password.
fn panel() -> Bench {
    let bench = Bench::new(PEOPLE);
    bench.admit("keyturn-password", PASSWORD, all_grants());
    let set = json!({"account": "customer:1", "new": FIRST, "must_change": false});
    let console = Caller::new(Actor::Console, Reach::none());
    bench.host.call(&console, "password/set-password", &set, None).expect("set");
    bench
}

fn marta() -> AccountId {
    "customer:1".parse().expect("an account")
}

fn sign_in(bench: &Bench, login: &str, password: &str) -> Value {
    let arguments = json!({"login_or_email": login, "password": password});
    bench
        .host
        .call(&Caller::new(Actor::Anonymous, Reach::none()), "password/verify", &arguments, None)
        .expect("answers")
}

/// Her latest audit entry: operation, outcome, role.
fn latest(bench: &Bench) -> (String, String, Role) {
    let filter = AuditFilter { subject: Some(marta()), limit: 1, ..AuditFilter::default() };
    let (_, entry) = bench.host.audit(&filter).expect("read").into_iter().next().expect("an entry");
    let role = entry.subjects.iter().find(|(id, _)| *id == marta()).expect("she is named").1;
    (entry.operation, entry.outcome, role)
}

#[test]
fn a_sign_in_stands_in_the_audit_of_its_account_right_or_wrong() {
    let bench = panel();
    assert_eq!(sign_in(&bench, "marta", FIRST)["kind"], "accepted");
    assert_eq!(latest(&bench), ("verify".to_owned(), "accepted".to_owned(), Role::Checked));
    assert_eq!(sign_in(&bench, "MARTA@vidal.example", SECOND)["kind"], "rejected");
    assert_eq!(latest(&bench), ("verify".to_owned(), "rejected".to_owned(), Role::Checked));
    sign_in(&bench, "nobody", SECOND);
    let all = bench.host.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).expect("read");
    assert!(all[0].1.subjects.is_empty(), "{:?}", all[0]);
}

#[test]
fn who_is_turned_away_writes_nothing() {
    let bench = panel();
    let arguments = json!({"login_or_email": "marta", "password": SECOND});
    let attempt = || bench.host.call(&from(7), "password/verify", &arguments, Some("one key"));
    for _ in 0..10 {
        assert_eq!(attempt().expect("answered")["kind"], "rejected");
    }
    let entries = || bench.host.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).expect("read").len();
    let before = entries();
    for _ in 0..20 {
        let refused = attempt();
        assert!(matches!(refused, Err(CallError::Failed(Failure::Throttled(_)))), "{refused:?}");
    }
    assert_eq!((entries(), rows(&bench, "keyturnhost_records")), (before, 0));
    // The calls may fall into two minutes.
    let times = || counted(&bench, "throttled").iter().map(|line| line.times.unwrap_or(0)).sum::<u64>();
    assert!(comes(|| times() == 20), "{:?}", counted(&bench, "throttled"));
    let line = &counted(&bench, "throttled")[0];
    assert_eq!((line.operation.as_str(), line.actor.as_str(), line.request.as_str()), ("verify", "anonymous", ""));
    assert_eq!((line.address.as_deref(), &line.subjects), (Some("192.0.2.0/24"), &Vec::new()));
}

/// A stranger of one network.
fn from(n: u32) -> Caller {
    Caller {
        address: Some(format!("192.0.2.{}", n % 250).parse().expect("an address")),
        ..Caller::new(Actor::Anonymous, Reach::none())
    }
}

/// A stranger in a network of their own.
fn from_anywhere(n: u32) -> Caller {
    Caller {
        address: Some(format!("2001:db8:{n:x}::7").parse().expect("an address")),
        ..Caller::new(Actor::Anonymous, Reach::none())
    }
}

fn rows(bench: &Bench, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    bench.panel().query_row(&count, [], |row| row.get(0)).expect("counted")
}

/// What the audit has counted under this outcome.
fn counted(bench: &Bench, outcome: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter { limit: 1_000, counted: true, ..AuditFilter::default() };
    let all = bench.host.audit(&filter).expect("read").into_iter().map(|(_, entry)| entry);
    all.filter(|entry| entry.times.is_some() && entry.outcome == outcome).collect()
}

/// What is written behind comes within seconds.
fn comes(mut so: impl FnMut() -> bool) -> bool {
    (0..400).any(|_| {
        let now = so();
        if !now {
            std::thread::sleep(Duration::from_millis(50));
        }
        now
    })
}

/// The same panel, which sends mail and runs no jobs.
fn panel_with_mail() -> Bench {
    let bench = Bench::with(PEOPLE, |host| {
        host.settings.even_grid = Duration::ZERO;
        host.transport = Some(Arc::new(Taking));
    });
    bench.admit("keyturn-password", PASSWORD, all_grants());
    bench
}

#[test]
fn a_forgotten_password_that_is_throttled_answers_as_ever_and_leaves_no_row_and_no_record() {
    let bench = panel_with_mail();
    let ask = |caller: &Caller, name: &str, key: &str| {
        bench
            .host
            .call(caller, "password/request-reset", &json!({"login_or_email": name}), Some(key))
            .expect("answered")
    };
    // Five for a name within the window; the first key is pressed twice.
    let first = ask(&from(0), "marta", "key 0");
    assert_eq!(ask(&from(0), "marta", "key 0"), first);
    for n in 1..5 {
        assert_eq!(ask(&from(n), "marta", &format!("key {n}")), first);
    }
    let all = || ["keyturnhost_records", "keyturnhost_tasks"].map(|table| rows(&bench, table));
    let entries = || bench.host.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).expect("read").len();
    assert_eq!((all(), entries()), ([5, 1], 5), "what is asked for within the limit has its rows");
    for n in 5..40 {
        assert_eq!(ask(&from(n), "marta", &format!("key {n}")), first, "who asks too often is not told");
        assert_eq!(ask(&from(n), "marta", &format!("key {n}")), first, "nor by the second press of one key");
    }
    for n in 0..20 {
        assert_eq!(ask(&from_anywhere(n), " ", &format!("empty {n}")), first);
    }
    assert_eq!((all(), entries()), ([5, 1], 5));
    let times = || counted(&bench, "no-effect").iter().map(|line| line.times.unwrap_or(0)).sum::<u64>();
    assert!(comes(|| times() == 90), "{:?}", counted(&bench, "no-effect"));
    assert!(!serde_json::to_string(&counted(&bench, "no-effect")).expect("JSON").contains("marta"));
}

/// What docs/security.md says, "What a flood can cost".
#[test]
fn a_flood_of_every_public_operation_costs_no_more_rows_than_are_promised() {
    const CALLS: u32 = 900;
    const AN_HOUR: i64 = 1_000;
    const A_MINUTE: i64 = 32 + 8 + 1;
    let bench = panel_with_mail();
    let began = bench.host.now();
    for n in 0..CALLS {
        let key = format!("key {n}");
        let ask = |hook: &str, arguments: Value| bench.host.call(&from_anywhere(n), hook, &arguments, Some(&key));
        ask("password/request-reset", json!({"login_or_email": format!("nobody {n}")})).expect("answered");
        let rejected = json!({"login_or_email": format!("nobody {n}"), "password": ""});
        assert_eq!(ask("password/verify", rejected).expect("answered")["kind"], "rejected");
        let wrong = json!({"token": format!("7RkTq7RkTq7RkTq{n:05}"), "new": SECOND});
        let gone = ask("password/complete-reset", wrong);
        assert!(matches!(gone, Err(CallError::Failed(Failure::NotFound))), "{gone:?}");
    }
    let hours = 1 + bench.host.now().div_euclid(3_600_000) - began.div_euclid(3_600_000);
    let entries = "SELECT count(*) FROM keyturnhost_audit WHERE times IS NULL";
    let read = |sql: &str| bench.panel().query_row(sql, [], |row| row.get::<_, i64>(0)).expect("read");
    assert!((900..=AN_HOUR * hours).contains(&read(entries)), "{} entries of {} calls", read(entries), 3 * CALLS);
    assert!(rows(&bench, "keyturnhost_records") <= AN_HOUR * hours);
    assert_eq!(
        read("SELECT count(*) FROM keyturnhost_tasks"),
        i64::from(CALLS),
        "each who asks within the limits has a job"
    );
    let counts = "SELECT coalesce(sum(times), 0) FROM keyturnhost_audit WHERE times IS NOT NULL";
    assert!(
        comes(|| read(entries) + read(counts) == i64::from(3 * CALLS)),
        "each call is told of, in one way or the other"
    );
    let most = "SELECT max(lines) FROM (SELECT count(*) AS lines FROM keyturnhost_audit WHERE times IS NOT NULL
                GROUP BY operation, at)";
    assert!(read(most) <= A_MINUTE, "{} lines", read(most));
    assert_eq!(
        read("SELECT count(*) FROM keyturnhost_audit WHERE instr(outcome || actor || coalesce(address, ''), 'nobody')"),
        0
    );
}

#[test]
fn beyond_the_audits_room_each_sign_in_has_its_entry_and_each_request_of_a_key_its_record() {
    let bench = panel_with_mail();
    let first = json!({"account": "customer:1", "new": FIRST, "must_change": false});
    let console = Caller::new(Actor::Console, Reach::none());
    bench.host.call(&console, "password/set-password", &first, None).expect("set");
    let key = Caller {
        scopes: ["password/verify".to_owned(), "password/request-reset".to_owned()].into(),
        ..Caller::new(Actor::ServiceKey("billing".to_owned()), Reach::none().with("customer", Scope::All))
    };
    let verify = |name: &str, password: &str| {
        let arguments = json!({"login_or_email": name, "password": password});
        bench.host.call(&key, "password/verify", &arguments, None).expect("answered")["kind"].clone()
    };
    for n in 0..501 {
        assert_eq!(verify(&format!("nobody {n}"), ""), "rejected");
    }
    assert_eq!(verify("marta", FIRST), "accepted");
    let latest = bench.host.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).expect("read").remove(0).1;
    assert_eq!((latest.outcome.as_str(), latest.times), ("accepted", None));
    assert_eq!(latest.subjects, [(marta(), Role::Checked)]);
    // Known or not: the same is left behind, and done once.
    for (name, waiting) in [("marta", 1), ("nobody at all", 2)] {
        let ask = |name: &str| {
            bench.host.call(
                &key,
                "password/request-reset",
                &json!({"login_or_email": name}),
                Some(&format!("key {waiting}")),
            )
        };
        assert_eq!(ask(name).expect("answered"), ask(name).expect("answered"));
        assert!(matches!(ask("somebody else"), Err(CallError::KeyReused)));
        assert_eq!(rows(&bench, "keyturnhost_tasks"), waiting);
    }
}

#[test]
fn parallel_attempts_do_not_pass_a_limit_together() {
    let bench = panel();
    let attempt = |_| loop {
        let arguments = json!({"login_or_email": "marta", "password": ""});
        match bench.host.call(&Caller::new(Actor::Anonymous, Reach::none()), "password/verify", &arguments, None) {
            Err(CallError::Busy(_)) => {}
            Ok(_) => return 1,
            Err(CallError::Failed(Failure::Throttled(_))) => return 0,
            Err(other) => panic!("{other}"),
        }
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..8).map(attempt).sum::<usize>())).collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).sum()
    });
    assert_eq!(passed, 10);
}

/// Her form to change her own password, as it is drawn for this session.
fn own_form(bench: &Bench, surface: &Surface<'_>) -> String {
    let html = bench.host.slot("account.sections", Some(&marta()), 2, surface).html.as_str().to_owned();
    html.split("name=\"kt\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form").to_owned()
}

fn press(bench: &Bench, surface: &Surface<'_>, sealed: &str, current: &str, new: &str) -> Submitted {
    let typed = [("kt", sealed), ("current", current), ("new", new), ("new~again", new)];
    let body: Vec<String> = typed.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    bench.host.submit(body.join("&").as_bytes(), surface).expect("read")
}

#[test]
fn a_form_that_was_sent_before_is_drawn_anew_when_it_holds_something_else() {
    let bench = panel();
    let caller = Caller { session: "her session".to_owned(), ..Caller::new(Actor::Account(marta()), Reach::none()) };
    let surface = Surface { caller: &caller, submit_url: "/account", join: None, links: &Nowhere, corrections: None };
    let sealed = own_form(&bench, &surface);
    assert!(matches!(press(&bench, &surface, &sealed, FIRST, SECOND), Submitted::Done { .. }));
    let Submitted::Again(corrections) = press(&bench, &surface, &sealed, SECOND, "ember quarry violin") else {
        panic!("it ran twice");
    };
    let surface = Surface { corrections: Some(&corrections), ..surface };
    let region = bench.host.slot("account.sections", Some(&marta()), 2, &surface);
    assert!(
        region.html.as_str().contains("This form was already sent")
            || format!("{:?}", region.summary).contains("already sent")
    );
    assert_eq!(sign_in(&bench, "marta", SECOND)["kind"], "accepted");
    let anew = own_form(&bench, &surface);
    assert!(matches!(press(&bench, &surface, &anew, SECOND, "ember quarry violin"), Submitted::Done { .. }));
}

#[test]
fn of_two_presses_that_change_ones_own_password_each_keeps_the_reader_signed_in() {
    let bench = panel();
    let epoch = bench.host.epoch(&marta()).expect("read").expect("there");
    let caller = Caller { session: "her session".to_owned(), ..Caller::new(Actor::Account(marta()), Reach::none()) };
    let surface = Surface { caller: &caller, submit_url: "/account", join: None, links: &Nowhere, corrections: None };
    let sealed = own_form(&bench, &surface);
    let epoch_after = || match press(&bench, &surface, &sealed, FIRST, SECOND) {
        Submitted::Done { own_epoch, .. } => own_epoch.expect("a new epoch"),
        _ => panic!("not done"),
    };
    let (first, second) = (epoch_after(), epoch_after());
    assert_ne!(first, epoch);
    assert_eq!(first, second);
    assert_eq!(bench.host.epoch(&marta()).expect("read").as_ref(), Some(&first));
}

#[test]
fn the_console_is_told_what_a_stored_hash_is_and_nobody_else() {
    let bench = panel();
    let entries = || bench.host.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).expect("read").len();
    let before = entries();
    let ask = |actor: Actor, hash: &str| {
        let caller = Caller::new(actor, Reach::none().with("customer", Scope::All));
        bench.host.call(&caller, "password/recognise-hash", &json!({ "hash": hash }), None)
    };
    let argon2 = "$argon2id$v=19$m=65536,t=4,p=1$U1VRUkNUSWtjM2RPM3IzZQ$giM1QvuDmhEdG/aXJy1+EGyyzuqrLZGz9KW2KwR6HHo";
    let bcrypt = "$2y$10$y6FzoWPtPkdODGAWVfedv.aZ5xEUxszPVOt2sKqBf7Wix7V306Lfq";
    assert_eq!(ask(Actor::Console, bcrypt).expect("known"), json!("bcrypt"));
    assert_eq!(ask(Actor::Console, argon2).expect("known"), json!("argon2id"));
    // 65,536 KiB are the host's ceiling if the grants file says nothing; the plugin's own is above.
    for (hash, message) in [
        (bcrypt[..59].to_owned(), "bcrypt: hash is 59 characters, must be 60"),
        (argon2.replace("m=65536", "m=65537"), "argon2id: m is 65537, must be at most 65536"),
    ] {
        match ask(Actor::Console, &hash) {
            Err(CallError::Failed(Failure::Invalid(errors))) => assert_eq!(errors[0].message, message),
            other => panic!("{other:?}"),
        }
    }
    let others = [Actor::Anonymous, Actor::Account(marta()), Actor::ServiceKey("billing".to_owned()), Actor::System];
    for actor in others {
        assert!(matches!(ask(actor, bcrypt), Err(CallError::Denied { .. })));
    }
    assert_eq!(entries(), before, "nothing was done, so nothing is written");
}

#[test]
fn no_password_consists_of_the_brands_name_which_no_operator_has_to_list() {
    let bench = panel();
    let brand = &bench.host.brand().name;
    let console = Caller::new(Actor::Console, Reach::none());
    let advice = |password: &str| {
        let asked = json!({"password": password, "account": "customer:1"});
        bench.host.call(&console, "password/check-password", &asked, None).expect("answers")["advice"].to_string()
    };
    for password in [format!("{brand}2024!!!!!!!!"), format!("12345{brand}{brand}6")] {
        assert!(
            advice(&password).contains(&format!("The password contains “{brand}”")),
            "{password}: {}",
            advice(&password)
        );
    }
    assert!(!advice(&format!("{brand} copper lantern oats")).contains("contains"));
}

#[test]
fn each_account_of_an_address_gets_its_mail_up_to_the_operators_limit_and_the_older_ones_first() {
    let people: String =
        (1..=70).map(|n| format!("({n}, 'customer', 'site{n}', 'Agency@Vidal.example', 'Agency'),")).collect();
    let rows = format!("INSERT INTO people (id, kind, login, email, name) VALUES {}", people.trim_end_matches(','));
    let most = 50;
    let bench = Bench::with(&rows, |host| {
        host.settings.limits.accounts_per_address = most;
        host.settings.even_grid = Duration::ZERO;
        host.transport = Some(Arc::new(Taking));
    });
    bench.admit("keyturn-password", PASSWORD, all_grants());
    let anonymous = Caller::new(Actor::Anonymous, Reach::none());
    let asked = json!({ "login_or_email": "agency@vidal.example" });
    bench.host.call(&anonymous, "password/request-reset", &asked, None).expect("answered");
    let working = bench.host.start_workers().expect("threads");
    let jobs = || -> i64 {
        let open = "SELECT count(*) FROM keyturnhost_tasks WHERE due IS NOT NULL";
        bench.panel().query_row(open, [], |row| row.get(0)).expect("counted")
    };
    while jobs() > 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    working.finish();
    let filter = MailFilter { limit: 1_000, ..MailFilter::default() };
    let mut mailed: Vec<String> = bench
        .host
        .storage
        .mails(&filter)
        .expect("read")
        .iter()
        .filter_map(|mail| Some(mail.to.account()?.key().to_owned()))
        .collect();
    mailed.reverse();
    assert_eq!(mailed, (1..=most).map(|n| n.to_string()).collect::<Vec<_>>());
    // By the address, all that there are.
    let found = bench.host.storage.mails(&MailFilter { search: Some("agency@vidal.example".to_owned()), ..filter });
    assert_eq!(found.expect("read").len(), most);
}

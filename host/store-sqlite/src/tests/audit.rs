//! What stays of the audit, for how long, and how much room it takes.

use super::*;
use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_store::Role;
use keyturn_store::audit::COUNTED_MOST;

const DAY: i64 = 24 * 3600 * 1000;

fn at(at: i64) -> AuditEntry {
    AuditEntry { at, ..entry("set", "1") }
}

fn counted(network: u32, at: i64, operation: &str) -> AuditEntry {
    let caller = Caller {
        address: Some(std::net::Ipv4Addr::from(network << 8).into()),
        ..Caller::new(Actor::Anonymous, Reach::none())
    };
    AuditEntry::counted(&caller, at, "keyturn-password", operation, "throttled".to_owned())
}

fn everything(storage: &Store) -> Vec<AuditEntry> {
    let filter = AuditFilter { limit: 1_000, counted: true, ..AuditFilter::default() };
    storage.audit(&filter).expect("listed").into_iter().map(|(_, entry)| entry).collect()
}

#[test]
fn what_is_counted_is_written_behind_into_one_line_of_its_minute_and_stands_in_the_list_when_asked_for() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.commit(Commit { audit: Some(entry("set", "1")), ..commit(vec![]) }).expect("committed");
    for _ in 0..7 {
        storage.tally(counted(1, NOW, "verify"));
    }
    let line = || everything(&storage).into_iter().find(|entry| entry.times.is_some());
    assert!(settled(|| line().is_some()));
    storage.tally(counted(1, NOW, "verify"));
    assert!(settled(|| line().and_then(|line| line.times) == Some(8)));
    let expected = AuditEntry { times: Some(8), ..counted(1, NOW, "verify") };
    assert_eq!(line(), Some(expected.clone()));
    assert_eq!((expected.address.as_deref(), expected.at % 60_000), (Some("0.0.1.0/24"), 0));
    let plain = AuditFilter { limit: 10, ..AuditFilter::default() };
    assert_eq!(storage.audit(&plain).expect("listed").len(), 1, "who does not ask sees entries alone");
    let of_operation = AuditFilter { operation: Some("verify".to_owned()), counted: true, ..plain };
    assert_eq!(storage.audit(&of_operation).expect("listed").len(), 1);
    drop(storage);
    let storage = panel.open(Options::default());
    storage.tally(counted(1, NOW, "verify"));
    storage.shutdown();
    drop(storage);
    let storage = panel.open(Options::default());
    assert_eq!(everything(&storage).iter().find_map(|entry| entry.times), Some(9), "nothing is lost at the end");
}

#[test]
fn entries_stay_as_long_as_the_setting_says_and_go_in_the_background_with_whom_they_concern() {
    let panel = Panel::new();
    let storage = panel.open(keeping(Keeps { audit: Duration::from_secs(3 * 24 * 3600), ..Keeps::default() }));
    for n in 0..1_200 {
        let old = Commit { audit: Some(at(NOW - 4 * DAY + n)), ..commit(vec![]) };
        storage.commit(old).expect("committed");
    }
    storage.commit(Commit { audit: Some(at(NOW - 2 * DAY)), ..commit(vec![]) }).expect("committed");
    let counts =
        "SELECT (SELECT count(*) FROM keyturnhost_audit) || ' ' || (SELECT count(*) FROM keyturnhost_audit_subjects)";
    let raw = panel.raw();
    let read = || raw.query_row(counts, [], |row| row.get::<_, String>(0)).expect("read");
    assert!(settled(|| read() == "1 2"), "{}", read());
    assert_eq!(everything(&storage), [at(NOW - 2 * DAY)]);
}

#[test]
fn pruning_by_hand_tells_what_is_old_and_takes_the_oldest_first() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    for days in [10, 30, 20] {
        storage.commit(Commit { audit: Some(at(NOW - days * DAY)), ..commit(vec![]) }).expect("committed");
    }
    (0..3).for_each(|_| storage.tally(counted(1, NOW - 25 * DAY, "verify")));
    assert!(settled(|| everything(&storage).len() == 4));
    let outdated = storage.audit_before(NOW - 15 * DAY).expect("read");
    assert_eq!(outdated, Outdated { entries: 2, counted: 1, oldest: Some(NOW - 30 * DAY) });
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 2), Ok(2));
    assert_eq!(everything(&storage), [at(NOW - 20 * DAY), at(NOW - 10 * DAY)]);
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 2), Ok(1));
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 2), Ok(0));
    assert_eq!(storage.audit_before(NOW - 15 * DAY), Ok(Outdated::default()));
}

#[test]
fn lines_that_only_count_push_out_the_oldest_of_their_own_and_no_entry() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.commit(Commit { audit: Some(at(NOW - 300 * DAY)), ..commit(vec![]) }).expect("committed");
    drop(storage);
    // Without a call there is no time by which anything is over.
    let storage = panel.open(Options::default());
    for n in 0..COUNTED_MOST + 700 {
        storage.tally(counted(n % 30, i64::from(n) * 60_000, "verify"));
    }
    storage.shutdown();
    let storage = panel.open(beside());
    let pruned = [500, 500, 500].map(|most| storage.tidy(0, most));
    assert_eq!(pruned, [Ok(500), Ok(200), Ok(0)]);
    let (oldest, left) =
        ("SELECT min(at) FROM keyturnhost_audit WHERE times IS NOT NULL", "SELECT count(*) FROM keyturnhost_audit");
    let read = |sql: &str| panel.raw().query_row(sql, [], |row| row.get::<_, i64>(0)).expect("read");
    assert_eq!((read(oldest), read(left)), (700 * 60_000, i64::from(COUNTED_MOST) + 1));
    let first = AuditFilter { subject: Some(id("1")), limit: 10, ..AuditFilter::default() };
    assert_eq!(storage.audit(&first).expect("listed").len(), 1, "what concerns somebody is still there");
}

/// What docs/security.md says, "What a flood can cost": the most that there is room for in a day, at its real size.
#[test]
fn a_day_of_the_worst_flood_costs_the_bytes_that_are_promised() {
    let panel = Panel::new();
    let size = || {
        let raw = panel.raw();
        let read = |pragma: &str| raw.query_row(pragma, [], |row| row.get::<_, i64>(0)).expect("read");
        read("PRAGMA page_count") * read("PRAGMA page_size")
    };
    let growth = |write: &(dyn Fn(&Store) + Sync)| {
        // Whoever is gone has written everything.
        drop(panel.open(Options::default()));
        let before = size();
        let storage = panel.open(Options { journal: Journal::Wal, ..Options::default() });
        write(&storage);
        drop(storage);
        size() - before
    };
    // Many at once, as a flood is.
    let commits = |storage: &Store, of: &(dyn Fn(i64) -> Commit + Sync)| {
        std::thread::scope(|scope| {
            for first in 0..64 {
                scope.spawn(move || {
                    (first..24_000).step_by(64).for_each(|n| storage.commit(of(n)).expect("committed"));
                });
            }
        });
    };
    let entries = growth(&|storage| {
        commits(storage, &|n| Commit {
            audit: Some(AuditEntry {
                at: NOW + n * 3_600,
                plugin: "keyturn-password".to_owned(),
                operation: "complete-reset".to_owned(),
                actor: "anonymous".to_owned(),
                key: None,
                subjects: vec![(id(&n.to_string()), Role::Checked)],
                outcome: "invalid: too-short".to_owned(),
                address: Some(format!("2001:db8:{n:x}:ffff:ffff:ffff:ffff:ffff")),
                request: "0123456789abcdef".to_owned(),
                times: None,
            }),
            ..commit(vec![])
        });
    });
    assert!((3_000_000..10_000_000).contains(&entries), "{entries} bytes of entries a day");
    let records = growth(&|storage| {
        commits(storage, &|n| {
            let key = RecordKey { key: format!("key {n}"), ..record_key("") };
            Commit { record: Some((key, record(&"an answer ".repeat(30)))), ..commit(vec![]) }
        });
    });
    assert!((3_000_000..15_000_000).contains(&records), "{records} bytes of records, of a day each");
    let lines = growth(&|storage| {
        for n in 0..COUNTED_MOST {
            storage.tally(counted(n % 32, NOW + i64::from(n / 32) * 60_000, "complete-reset"));
        }
    });
    assert!((5_000_000..20_000_000).contains(&lines), "{lines} bytes of lines that count, however long it lasts");
    let counters = growth(&|storage| {
        for n in 0..100_000 {
            let bound = Bound { key: format!("requests/name/{n:064}"), window: 3_600, limit: u64::MAX };
            storage.count("keyturn-password", &[bound], NOW).expect("counted");
        }
    });
    assert!(
        (5_000_000..40_000_000).contains(&counters),
        "{counters} bytes of counters, each in one step of its window"
    );
}

#[test]
fn counters_in_the_table_are_no_more_than_those_in_memory_however_many_names_are_tried() {
    let panel = Panel::new();
    let storage = panel.open(keeping(Keeps { counters: 100, ..Keeps::default() }));
    let rows = || {
        panel
            .raw()
            .query_row("SELECT count(*) FROM keyturnhost_counters WHERE plugin = 'p'", [], |row| row.get::<_, i64>(0))
    };
    for round in 0..5 {
        for name in 0..100 {
            let bound = Bound { key: format!("name {round} {name}"), window: 3_600, limit: u64::MAX };
            storage.count("p", &[bound], NOW).expect("counted");
        }
        // Until they are written, with what came after them: what never was needs no removing.
        let last = Bound { key: format!("after {round}"), window: 3_600, limit: u64::MAX };
        storage.count("q", &[last], NOW).expect("counted");
        let written = format!("SELECT count(*) FROM keyturnhost_counters WHERE key = 'after {round}'");
        assert!(settled(|| panel.raw().query_row(&written, [], |row| row.get::<_, i64>(0)) == Ok(1)));
        assert!(rows().expect("read") <= 100, "{:?} after {round}", rows());
    }
}

#[test]
fn mails_and_tasks_that_are_done_are_no_more_than_so_many() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let raw = panel.raw();
    raw.execute_batch(
        "INSERT INTO keyturnhost_usage VALUES ('p', 'outbox', 0), ('q', 'outbox', 0);
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50003)
         INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, secrets, state, attempts,
            asked_at, changed_at, expires)
         SELECT 'p' || n, 'p', 'customer:1', 't', x'', x'', iif(n = 1, x'00', NULL), 'accepted', 1, 1764000000000,
            1764000000000, 1800000000000 FROM n;
         INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, state, attempts, asked_at,
            changed_at, expires)
         VALUES ('q', 'q', 'customer:1', 't', x'', x'', 'accepted', 1, 1764000000000, 1764000000000, 1800000000000);
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5002)
         INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, depth, attempts, asked_at, outcome)
         SELECT 't' || n, 'job', 'p', 'p', 'j', 0, 8, 1764000000000, 'trap' FROM n;",
    )
    .expect("rows");
    storage.tidy(NOW, 500).expect("tidied");
    let ids = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, String>(0)).expect("read");
    let mails = "SELECT count(*) || ' ' || (SELECT group_concat(id, ' ') FROM keyturnhost_outbox WHERE number < 5 OR plugin = 'q')
                 FROM keyturnhost_outbox";
    assert_eq!(ids(mails), "50002 p1 p4 q", "one that waits stays, and the others' are not theirs");
    assert_eq!(ids("SELECT count(*) || ' ' || min(number) FROM keyturnhost_tasks"), "5000 3");
}

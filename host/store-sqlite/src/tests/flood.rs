//! How large the file grows.

use super::*;
use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_store::store::Keeps;

fn counted(network: u32, at: i64, operation: &str) -> AuditEntry {
    let caller = Caller {
        address: Some(std::net::Ipv4Addr::from(network << 8).into()),
        ..Caller::new(Actor::Anonymous, Reach::none())
    };
    AuditEntry::counted(&caller, at, "keyturn-password", operation, "throttled".to_owned())
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
        for n in 0..Keeps::default().counted {
            storage.tally(counted(n % 32, NOW + i64::from(n / 32) * 60_000, "complete-reset"));
        }
    });
    assert!((5_000_000..25_000_000).contains(&lines), "{lines} bytes of lines that count, however long it lasts");
    let places = growth(&|storage| assert_eq!(storage.chain_audit(|| true), Ok(124_000)));
    assert!((0..5_000_000).contains(&places), "{places} bytes of their places in the chains");
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

//! What stays of the audit, for how long, and how much room it takes.

use std::net::Ipv4Addr;
use std::time::Duration;

use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_store::store::Keeps;
use keyturn_store::{AuditEntry, AuditFilter, Bound, Commit, Outdated, Store};
use keyturn_store_tests::*;

every_engine!(
    the_audit_lists_newest_first_by_account_and_operation_and_page,
    what_is_counted_is_written_behind_into_one_line_of_its_minute_and_stands_in_the_list_when_asked_for,
    entries_stay_as_long_as_the_setting_says_and_go_with_whom_they_concern,
    pruning_by_hand_tells_what_is_old_and_takes_the_oldest_first,
    lines_that_only_count_push_out_the_oldest_of_their_own_and_no_entry,
    counters_in_the_table_are_no_more_than_those_in_memory_however_many_names_are_tried,
    mails_and_tasks_that_are_done_are_no_more_than_so_many,
);

fn at(at: i64) -> AuditEntry {
    AuditEntry { at, ..entry("set", "1") }
}

fn counted(network: u32, at: i64, operation: &str) -> AuditEntry {
    let caller =
        Caller { address: Some(Ipv4Addr::from(network << 8).into()), ..Caller::new(Actor::Anonymous, Reach::none()) };
    AuditEntry::counted(&caller, at, "keyturn-password", operation, "throttled".to_owned())
}

fn keeping(panel: &Panel, keeps: Keeps) -> Store {
    panel.open_with(Opening { keeps, ..Opening::default() })
}

fn everything(storage: &Store) -> Vec<AuditEntry> {
    let filter = AuditFilter { limit: 1_000, counted: true, ..AuditFilter::default() };
    storage.audit(&filter).expect("listed").into_iter().map(|(_, entry)| entry).collect()
}

fn the_audit_lists_newest_first_by_account_and_operation_and_page(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for (operation, subject) in [("set", "1"), ("set", "2"), ("verify", "1"), ("set", "1")] {
        storage.commit(Commit { audit: Some(entry(operation, subject)), ..commit(vec![]) }).expect("committed");
    }
    let list = |subject: Option<&str>, operation: Option<&str>, before, limit| {
        let filter = AuditFilter {
            subject: subject.map(id),
            operation: operation.map(str::to_owned),
            before,
            limit,
            ..AuditFilter::default()
        };
        storage.audit(&filter).expect("listed").into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    // Numbers go up; a server may leave some out.
    let numbers = list(None, None, None, 10);
    let [fourth, third, second, first] = numbers[..] else { panic!("{numbers:?}") };
    assert!(fourth > third && third > second && second > first);
    assert_eq!(list(None, None, Some(fourth), 2), [third, second]);
    assert_eq!(list(Some("1"), None, None, 10), [fourth, third, first]);
    assert_eq!(list(Some("1"), Some("set"), Some(fourth), 10), [first]);
    assert_eq!(list(None, Some("set"), None, 2), [fourth, second]);
    let all = storage.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).expect("listed");
    assert_eq!(all[0].1, entry("set", "1"));
}

fn what_is_counted_is_written_behind_into_one_line_of_its_minute_and_stands_in_the_list_when_asked_for(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
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
    let storage = panel.open();
    storage.tally(counted(1, NOW, "verify"));
    storage.shutdown();
    drop(storage);
    let storage = panel.open();
    assert_eq!(everything(&storage).iter().find_map(|entry| entry.times), Some(9), "nothing is lost at the end");
}

fn entries_stay_as_long_as_the_setting_says_and_go_with_whom_they_concern(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = keeping(&panel, Keeps { audit: Duration::from_secs(3 * 24 * 3600), ..Keeps::default() });
    for n in 0..1_200 {
        let old = Commit { audit: Some(at(NOW - 4 * DAY + n)), ..commit(vec![]) };
        storage.commit(old).expect("committed");
    }
    storage.commit(Commit { audit: Some(at(NOW - 2 * DAY)), ..commit(vec![]) }).expect("committed");
    storage.chain_audit(|| true).expect("chained");
    storage.tidy_audit(NOW, || true).expect("tidied");
    let counts = "SELECT concat((SELECT count(*) FROM keyturnhost_audit), ' ', (SELECT count(*) FROM keyturnhost_audit_subjects))";
    assert_eq!(panel.text(counts), "1 2");
    assert_eq!(everything(&storage), [at(NOW - 2 * DAY)]);
}

fn pruning_by_hand_tells_what_is_old_and_takes_the_oldest_first(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for days in [30, 20, 10] {
        storage.commit(Commit { audit: Some(at(NOW - days * DAY)), ..commit(vec![]) }).expect("committed");
    }
    (0..3).for_each(|_| storage.tally(counted(1, NOW - 25 * DAY, "verify")));
    assert!(settled(|| everything(&storage).len() == 4));
    let outdated = storage.audit_before(NOW - 15 * DAY).expect("read");
    assert_eq!(outdated, Outdated { entries: 2, counted: 1, oldest: Some(NOW - 30 * DAY) });
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 2), Ok(0), "it has no place in a chain yet");
    storage.chain_audit(|| true).expect("chained");
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 1), Ok(1));
    assert_eq!(storage.audit_before(NOW - 15 * DAY).expect("read").oldest, Some(NOW - 25 * DAY));
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 9), Ok(2));
    assert_eq!(everything(&storage), [at(NOW - 10 * DAY)]);
    assert_eq!(storage.prune_audit(NOW - 15 * DAY, 2), Ok(0));
    assert_eq!(storage.audit_before(NOW - 15 * DAY), Ok(Outdated::default()));
}

fn lines_that_only_count_push_out_the_oldest_of_their_own_and_no_entry(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = keeping(&panel, Keeps { counted: 100, ..Keeps::default() });
    storage.commit(Commit { audit: Some(at(NOW - 300 * DAY)), ..commit(vec![]) }).expect("committed");
    for n in 0..130 {
        storage.tally(counted(n % 3, NOW + i64::from(n) * 60_000, "verify"));
    }
    assert!(settled(|| panel.number("SELECT count(*) FROM keyturnhost_audit") == 131));
    storage.chain_audit(|| true).expect("chained");
    storage.tidy_audit(NOW, || true).expect("tidied");
    let minute = |n: i64| NOW - NOW % 60_000 + n * 60_000;
    assert_eq!(panel.number("SELECT min(at) FROM keyturnhost_audit WHERE times IS NOT NULL"), minute(30));
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_audit"), 101);
    let first = AuditFilter { subject: Some(id("1")), limit: 10, ..AuditFilter::default() };
    assert_eq!(storage.audit(&first).expect("listed").len(), 1, "what concerns somebody is still there");
}

fn counters_in_the_table_are_no_more_than_those_in_memory_however_many_names_are_tried(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = keeping(&panel, Keeps { counters: 100, ..Keeps::default() });
    let rows = || panel.number("SELECT count(*) FROM keyturnhost_counters WHERE plugin = 'p'");
    for round in 0..5 {
        for name in 0..100 {
            let bound = Bound { key: format!("name {round} {name}"), window: 3_600, limit: u64::MAX };
            storage.count("p", &[bound], NOW).expect("counted");
        }
        // Until they are written, with what came after them: what never was needs no removing.
        let last = Bound { key: format!("after {round}"), window: 3_600, limit: u64::MAX };
        storage.count("q", &[last], NOW).expect("counted");
        let written = format!("SELECT count(*) FROM keyturnhost_counters WHERE \"key\" = 'after {round}'");
        assert!(settled(|| panel.number(&written) == 1));
        assert!(rows() <= 100, "{} after {round}", rows());
    }
}

fn mails_and_tasks_that_are_done_are_no_more_than_so_many(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let (none, some) = (engine.bytes(&[]), engine.bytes(&[0]));
    panel.run(&format!(
        "INSERT INTO keyturnhost_usage VALUES ('p', 'outbox', 0), ('q', 'outbox', 0);
         INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, secrets, state, attempts,
            asked_at, changed_at, expires)
         SELECT concat('p', i), 'p', 'customer:1', 't', {none}, {none}, CASE i WHEN 1 THEN {some} END, 'accepted', 1,
            1764000000000, 1764000000000, 1800000000000 FROM {};
         INSERT INTO keyturnhost_outbox (id, plugin, recipient, template_name, template, variables, state, attempts, asked_at,
            changed_at, expires)
         VALUES ('q', 'q', 'customer:1', 't', {none}, {none}, 'accepted', 1, 1764000000000, 1764000000000, 1800000000000);
         INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, depth, attempts, asked_at, outcome, state, changed_at)
         SELECT concat('t', i), 'job', 'p', 'p', 'j', 0, 8, 1764000000000, 'trap', 'gave-up', 1764000000000 FROM {};",
        engine.counted(50_003),
        engine.counted(5_002),
    ));
    storage.tidy(NOW, 500).expect("tidied");
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_outbox"), 50_002);
    let oldest = "SELECT id FROM keyturnhost_outbox WHERE id IN ('p1', 'p2', 'p3', 'p4', 'q') ORDER BY id";
    assert_eq!(panel.column(oldest), ["p1", "p4", "q"], "one that waits stays, and the others' are not theirs");
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_tasks"), 5_000);
    let oldest = "SELECT id FROM keyturnhost_tasks WHERE id IN ('t1', 't2', 't3') ORDER BY id";
    assert_eq!(panel.column(oldest), ["t3"]);
}

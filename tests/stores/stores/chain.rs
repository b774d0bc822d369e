//! The audit's chains: whoever can write the database, and has not the keys, can't quietly change what stands there.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_store::audit::chain::{Chain, Head};
use keyturn_store::audit::verify::{Problem, Verified};
use keyturn_store::{AuditEntry, Commit, Store};
use keyturn_store_tests::*;

every_engine!(
    a_row_that_was_changed_in_any_column_is_named,
    whom_an_entry_concerns_cannot_be_changed_either,
    a_row_that_was_removed_leaves_a_gap_and_what_follows_is_still_checked,
    a_row_that_no_host_wrote_gets_no_place_and_holds_up_no_other,
    a_copy_of_a_row_is_told_from_the_row,
    rows_cannot_change_places,
    the_newest_rows_cannot_be_cut_off_unseen_where_a_head_was_kept,
    what_hosts_delete_leaves_a_chain_that_still_holds,
    no_row_goes_because_somebody_made_it_look_old,
    a_line_that_counts_gets_its_place_when_its_minute_is_over_and_never_changes_again,
    hosts_that_chain_at_once_make_one_chain_without_gaps,
    what_was_there_before_the_chain_is_taken_once_and_a_host_that_dies_in_between_loses_nothing,
    rows_that_no_host_chains_are_a_problem_after_a_while,
    nobody_else_says_how_a_chain_stands,
    with_another_key_the_chain_begins_again,
);

/// So many entries, chained, with their numbers.
fn chained(panel: &Panel, storage: &Store, count: usize) -> Vec<i64> {
    let before = ids(panel).len();
    write(storage, count);
    assert_eq!(storage.chain_audit(|| true), Ok(count as u64));
    ids(panel).split_off(before)
}

fn write(storage: &Store, count: usize) {
    (0..count).for_each(|n| write_at(storage, NOW, n));
}

fn write_at(storage: &Store, at: i64, subject: usize) {
    let audit = Some(AuditEntry { at, ..entry("set", &subject.to_string()) });
    storage.commit(Commit { audit, ..commit(vec![]) }).expect("committed");
}

fn ids(panel: &Panel) -> Vec<i64> {
    let ids = panel.column("SELECT id FROM keyturnhost_audit ORDER BY id");
    ids.into_iter().map(|id| id.parse().expect("a number")).collect()
}

fn verified(storage: &Store, heads: &[Head]) -> [Verified; 2] {
    storage.verify_audit(heads).expect("verified")
}

fn problems(storage: &Store) -> Vec<Problem> {
    let [entries, counts] = verified(storage, &[]);
    [entries.problems, counts.problems].concat()
}

fn heads(storage: &Store) -> Vec<Head> {
    storage.audit_heads().expect("read").to_vec()
}

fn changed(numbers: &[i64]) -> Vec<Problem> {
    numbers.iter().map(|number| Problem::Changed { number: *number }).collect()
}

fn a_row_that_was_changed_in_any_column_is_named(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let changes = [
        "at = at - 1",
        "plugin = 'q'",
        "operation = 'get'",
        "actor = 'system'",
        "outcome = 'done '",
        "address = NULL",
        "request = 'R'",
        "service_key = ''",
        "mark = mark + 1",
    ];
    let numbers = chained(&panel, &storage, changes.len() + 1);
    assert_eq!(problems(&storage), []);
    for (change, number) in changes.iter().zip(&numbers) {
        panel.run(&format!("UPDATE keyturnhost_audit SET {change} WHERE id = {number}"));
    }
    assert_eq!(problems(&storage), changed(&numbers[..changes.len()]));
    // As a line that counts it is in the other chain, and no part of that.
    panel.run(&format!("UPDATE keyturnhost_audit SET times = 1 WHERE id = {}", numbers[3]));
    let [entries, counts] = verified(&storage, &[]);
    assert!(entries.problems.contains(&Problem::Missing { rows: 1, after: Some(numbers[2]) }), "{entries:?}");
    assert_eq!(counts.problems, [Problem::Added { number: numbers[3] }]);
}

fn whom_an_entry_concerns_cannot_be_changed_either(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 6);
    let subjects = "keyturnhost_audit_subjects";
    for (statement, number) in [
        format!("UPDATE {subjects} SET account = 'customer:77' WHERE place = 0 AND entry ="),
        format!("UPDATE {subjects} SET role = 'checked' WHERE place = 0 AND entry ="),
        format!("UPDATE {subjects} SET place = place + 1 WHERE place = 1 AND entry ="),
        format!("DELETE FROM {subjects} WHERE place = 1 AND entry ="),
        format!("INSERT INTO {subjects} (account, entry, place, role) SELECT 'customer:77', id, 2, 'subject' FROM keyturnhost_audit WHERE id ="),
    ]
    .iter()
    .zip(&numbers)
    {
        panel.run(&format!("{statement} {number}"));
    }
    assert_eq!(problems(&storage), changed(&numbers[..5]));
}

fn a_row_that_was_removed_leaves_a_gap_and_what_follows_is_still_checked(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 1_100);
    for at in [3, 4, 1_050] {
        panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id = {}", numbers[at]));
    }
    panel.run(&format!("UPDATE keyturnhost_audit SET outcome = 'trap' WHERE id = {}", numbers[1_090]));
    let missing = |rows, at: usize| Problem::Missing { rows, after: Some(numbers[at]) };
    let expected = [missing(2, 2), missing(1, 1_049), Problem::Changed { number: numbers[1_090] }];
    assert_eq!(problems(&storage), expected);
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id >= {}", numbers[1_080]));
    assert_eq!(problems(&storage)[2..], [missing(20, 1_079)], "the end is known");
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id = {}", numbers[0]));
    assert_eq!(problems(&storage)[0], Problem::Missing { rows: 1, after: None });
}

fn a_row_that_no_host_wrote_gets_no_place_and_holds_up_no_other(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    chained(&panel, &storage, 2);
    let columns = "at, plugin, operation, actor, outcome, request";
    panel.run(&format!(
        "INSERT INTO keyturnhost_audit ({columns}) VALUES ({NOW}, 'p', 'set', 'console', 'done', 'r');
         INSERT INTO keyturnhost_audit (id, {columns}) VALUES (-7, {NOW}, 'p', 'set', 'console', 'done', 'r')"
    ));
    let added = |numbers: &[i64]| numbers.iter().map(|number| Problem::Added { number: *number }).collect::<Vec<_>>();
    let forged = *ids(&panel).last().expect("there");
    assert_eq!(problems(&storage), added(&[-7, forged]));
    // Nor does one that was changed before it had its place.
    write(&storage, 2);
    let last = *ids(&panel).last().expect("there");
    panel.run(&format!("UPDATE keyturnhost_audit SET outcome = 'trap' WHERE id = {last}"));
    assert_eq!(storage.chain_audit(|| true), Ok(1));
    write(&storage, 1);
    assert_eq!(storage.chain_audit(|| true), Ok(1));
    assert_eq!(problems(&storage), added(&[-7, forged, last]));
    // Not even by a place of its own.
    panel.run(&format!("UPDATE keyturnhost_audit SET sequence = 99 WHERE id = {last}"));
    assert!(problems(&storage).contains(&Problem::Added { number: last }));
}

fn a_copy_of_a_row_is_told_from_the_row(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    chained(&panel, &storage, 1);
    write(&storage, 3);
    let numbers = ids(&panel);
    let all = "mark, at, plugin, operation, actor, outcome, address, request, service_key, times, mac, sequence";
    let copy = |of: i64, id: i64| {
        panel.run(&format!(
            "INSERT INTO keyturnhost_audit (id, {all}) SELECT {id}, {all} FROM keyturnhost_audit WHERE id = {of};
             INSERT INTO keyturnhost_audit_subjects (account, entry, place, role)
                SELECT account, {id}, place, role FROM keyturnhost_audit_subjects WHERE entry = {of}"
        ));
    };
    // Its seal fits the copy as well.
    copy(numbers[1], 1_001);
    assert_eq!(problems(&storage)[0], Problem::Added { number: 1_001 });
    assert_eq!(storage.chain_audit(|| true), Ok(3));
    assert_eq!(problems(&storage), [Problem::Added { number: 1_001 }]);
    copy(numbers[1], 1_002);
    copy(numbers[2], -5);
    let added: Vec<Problem> = [1_002, -5, 1_001].map(|number| Problem::Added { number }).to_vec();
    let mut found = problems(&storage);
    found.sort_by_key(|problem| added.iter().position(|added| added == problem));
    assert_eq!(found, added, "the row that was there is none of them");
}

fn rows_cannot_change_places(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 6);
    panel.run("UPDATE keyturnhost_audit SET sequence = 7 - sequence WHERE sequence IN (3, 4)");
    assert_eq!(problems(&storage)[..2], changed(&[numbers[3], numbers[2]]));
    panel.run("UPDATE keyturnhost_audit SET sequence = 7 - sequence WHERE sequence IN (3, 4)");
    assert_eq!(problems(&storage), []);
    panel.run(&format!(
        "UPDATE keyturnhost_audit SET id = 1000 WHERE id = {0};
         UPDATE keyturnhost_audit_subjects SET entry = 1000 WHERE entry = {0}",
        numbers[1]
    ));
    assert_eq!(problems(&storage), changed(&[1_000]));
}

fn the_newest_rows_cannot_be_cut_off_unseen_where_a_head_was_kept(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    chained(&panel, &storage, 5);
    panel.run("CREATE TABLE stolen AS SELECT * FROM keyturnhost_audit_chains");
    let early = heads(&storage);
    let numbers = chained(&panel, &storage, 3);
    let kept = heads(&storage);
    assert_eq!(kept[0].sequence, 8);
    for heads in [&early, &kept] {
        assert_eq!(verified(&storage, heads)[0].problems, []);
    }
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id >= {}", numbers[0]));
    assert!(matches!(problems(&storage)[..], [Problem::Missing { rows: 3, after: Some(_) }]));
    // Whoever has kept how the chain stood can make it stand so again. Not for those who have kept a head.
    panel.run(
        "DELETE FROM keyturnhost_audit_chains;
         INSERT INTO keyturnhost_audit_chains SELECT * FROM stolen",
    );
    assert_eq!(verified(&storage, &early)[0].problems, []);
    assert_eq!(verified(&storage, &kept)[0].problems, [Problem::Cut { sequence: 8 }]);
    chained(&panel, &storage, 4);
    assert_eq!(verified(&storage, &early)[0].problems, []);
    assert_eq!(verified(&storage, &kept)[0].problems, [Problem::Differs { sequence: 8 }]);
}

fn what_hosts_delete_leaves_a_chain_that_still_holds(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let empty = heads(&storage);
    for days in [5, 4, 3, 2, 1] {
        write_at(&storage, NOW - days * DAY, 1);
        storage.chain_audit(|| true).expect("chained");
    }
    let numbers = ids(&panel);
    let kept = heads(&storage);
    panel.run("CREATE TABLE stolen AS SELECT * FROM keyturnhost_audit_chains");
    assert_eq!(storage.prune_audit(NOW - 5 * DAY / 2, 2), Ok(2));
    assert_eq!(storage.prune_audit(NOW - 5 * DAY / 2, 2), Ok(1));
    let [entries, counts] = verified(&storage, &[&kept[..], &empty[..]].concat());
    assert_eq!((entries.found, entries.rows, entries.deleted, entries.head), (0, 2, 3, kept[0]));
    assert_eq!((entries.deleted_heads, counts.found), (vec![empty[0]], 0), "what is gone can't be compared");
    chained(&panel, &storage, 1);
    assert_eq!(problems(&storage), []);
    // More than hosts have deleted is missing.
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id = {}", numbers[3]));
    assert_eq!(problems(&storage), [Problem::Missing { rows: 1, after: None }]);
    // All of it may be old.
    assert!(storage.prune_audit(NOW + DAY, 9).is_err(), "the gap would go with what is deleted");
    panel.run("DELETE FROM keyturnhost_audit_chains; INSERT INTO keyturnhost_audit_chains SELECT * FROM stolen");
    assert_eq!(problems(&storage)[0], Problem::Missing { rows: 4, after: None });
}

fn no_row_goes_because_somebody_made_it_look_old(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 4);
    panel.run(&format!("UPDATE keyturnhost_audit SET at = 1000 WHERE id <= {}", numbers[2]));
    let refused = storage.prune_audit(NOW - DAY, 9).expect_err("refused").to_string();
    assert!(refused.contains(&format!("row {} was changed", numbers[0])), "{refused}");
    assert!(storage.tidy_audit(NOW, || true).is_err());
    assert_eq!(ids(&panel), numbers);
    assert_eq!(problems(&storage), changed(&numbers[..3]));
}

fn counted(at: i64) -> AuditEntry {
    let caller = Caller { address: Some(Ipv4Addr::LOCALHOST.into()), ..Caller::new(Actor::Anonymous, Reach::none()) };
    AuditEntry::counted(&caller, at, "p", "verify", "throttled".to_owned())
}

fn a_line_that_counts_gets_its_place_when_its_minute_is_over_and_never_changes_again(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let times = |condition: &str| {
        let sql = format!("SELECT times FROM keyturnhost_audit WHERE times IS NOT NULL AND {condition} ORDER BY id");
        panel.column(&sql)
    };
    let (open, over) = (keyturn_core::time::now() + DAY, NOW - DAY);
    storage.tally(counted(open));
    storage.tally(counted(over));
    assert!(settled(|| times("at > 0").len() == 2));
    assert_eq!(storage.chain_audit(|| true), Ok(1), "a minute that is not over stays open");
    storage.tally(counted(open));
    storage.tally(counted(over));
    storage.tally(counted(over));
    assert!(settled(|| times("at > 0").len() == 3 && times("times = 2").len() == 2));
    assert_eq!(times("sequence IS NOT NULL"), ["1"], "what comes late begins another line");
    let [_, counts] = verified(&storage, &[]);
    assert_eq!((counts.rows, counts.waiting, counts.head.sequence), (1, 1, 1), "{counts:?}");
    assert_eq!(storage.chain_audit(|| true), Ok(1));
    assert_eq!(problems(&storage), []);
    let head = heads(&storage)[1];
    assert_eq!((head.chain, head.sequence), (Chain::Counts, 2));
    // What somebody changed in an open line is not added to, or the sum would bear a seal.
    panel.run("UPDATE keyturnhost_audit SET times = 700 WHERE sequence IS NULL");
    storage.tally(counted(open));
    assert!(settled(|| times("sequence IS NULL") == ["700", "1"]));
    assert!(matches!(problems(&storage)[..], [Problem::Added { .. }]));
    panel.run("DELETE FROM keyturnhost_audit WHERE times = 700");
    // Deleted apart from entries.
    chained(&panel, &storage, 2);
    assert_eq!(storage.prune_audit(NOW - 1, 1), Ok(1));
    let [entries, counts] = verified(&storage, &[head]);
    assert_eq!((entries.deleted, counts.deleted, entries.found, counts.found), (0, 1, 0, 0));
    panel.run("UPDATE keyturnhost_audit SET times = 1 WHERE sequence = 2 AND times IS NOT NULL");
    assert!(matches!(problems(&storage)[..], [Problem::Changed { .. }]));
}

fn hosts_that_chain_at_once_make_one_chain_without_gaps(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = [panel.open(), panel.open()];
    let writing = AtomicUsize::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, writing) = (&hosts[thread % 2], &writing);
            scope.spawn(move || {
                write(store, 25);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for store in hosts.iter().chain(&hosts) {
            scope.spawn(|| {
                while writing.load(Ordering::SeqCst) > 0 {
                    store.chain_audit(|| true).expect("chained, or another one did");
                }
            });
        }
    });
    hosts[0].chain_audit(|| true).expect("chained");
    let [entries, _] = verified(&hosts[1], &[]);
    assert_eq!((entries.found, entries.rows, entries.head.sequence, entries.waiting), (0, 100, 100, 0), "{entries:?}");
    assert_eq!(panel.number("SELECT count(DISTINCT sequence) FROM keyturnhost_audit WHERE sequence > 0"), 100);
}

/// As of a host of an earlier version: rows without seals, and no chain.
fn before_the_chain(panel: &Panel, rows: u32) {
    drop(panel.open());
    panel.run(&format!(
        "DELETE FROM keyturnhost_audit_chains;
         INSERT INTO keyturnhost_audit (at, plugin, operation, actor, outcome, request, times)
         SELECT {NOW} + i, 'p', 'verify', 'anonymous', 'accepted', 'r', CASE WHEN i <= 3 THEN 7 END FROM {};
         INSERT INTO keyturnhost_audit_subjects (account, entry, place, role)
         SELECT 'customer:1', id, 0, 'checked' FROM keyturnhost_audit",
        panel.engine.counted(rows)
    ));
}

fn what_was_there_before_the_chain_is_taken_once_and_a_host_that_dies_in_between_loses_nothing(engine: Engine) {
    let panel = Panel::new(engine);
    before_the_chain(&panel, 1_203);
    let storage = panel.open();
    let numbers = ids(&panel);
    let [entries, _] = verified(&storage, &[]);
    assert_eq!((entries.found, entries.waiting, entries.taken), (0, 1_200, numbers[1_202]));
    write_at(&storage, keyturn_core::time::now(), 1);
    // Each commit stands by itself: the host dies after the first one.
    assert_eq!(storage.chain_audit(|| false), Ok(500 + 3));
    drop(storage);
    let storage = panel.open();
    let [entries, _] = verified(&storage, &[]);
    assert_eq!((entries.found, entries.rows, entries.waiting), (0, 500, 701));
    assert_eq!(storage.chain_audit(|| true), Ok(701));
    storage.chain_audit(|| true).expect("nothing is left to take");
    let [entries, counts] = verified(&storage, &[]);
    assert_eq!((entries.found, entries.rows, counts.found, counts.rows), (0, 1_201, 0, 3));
    // From then on nothing is taken that bears no seal, whatever its number.
    let (taken, other) = (numbers[600], numbers[601]);
    panel.run(&format!("UPDATE keyturnhost_audit SET outcome = 'rejected' WHERE id = {other}"));
    panel.run(&format!("UPDATE keyturnhost_audit SET sequence = NULL, mac = NULL WHERE id = {taken}"));
    assert_eq!(storage.chain_audit(|| true), Ok(0));
    let [entries, _] = verified(&storage, &[]);
    let missing = Problem::Missing { rows: 1, after: Some(numbers[599]) };
    assert_eq!(entries.problems, [missing, Problem::Added { number: taken }], "{other} follows a gap");
}

fn rows_that_no_host_chains_are_a_problem_after_a_while(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    write(&storage, 2);
    write_at(&storage, keyturn_core::time::now(), 1);
    let [entries, _] = verified(&storage, &[]);
    assert_eq!((entries.waiting, entries.since), (3, Some(NOW)));
    assert_eq!(entries.problems, [Problem::Unchained { rows: 3, since: NOW }]);
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE at = {NOW}"));
    let [entries, _] = verified(&storage, &[]);
    assert_eq!((entries.waiting, entries.found), (1, 0), "one is waiting for a moment");
}

fn nobody_else_says_how_a_chain_stands(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 4);
    for change in ["last = last - 1", "first = 2", "taking = 1", "taken = 1000", "began = 0"] {
        panel.run("CREATE TABLE stood AS SELECT * FROM keyturnhost_audit_chains");
        panel.run(&format!("UPDATE keyturnhost_audit_chains SET {change}"));
        write(&storage, 1);
        let wrong = storage.verify_audit(&[]).expect_err(change).to_string();
        assert!(wrong.contains("keyturnhost_audit_chains of entries"), "{wrong}");
        assert!(storage.chain_audit(|| true).is_err() && storage.prune_audit(NOW + DAY, 9).is_err(), "{change}");
        panel.run(
            "DELETE FROM keyturnhost_audit_chains; INSERT INTO keyturnhost_audit_chains SELECT * FROM stood; DROP TABLE stood",
        );
    }
    assert_eq!(storage.chain_audit(|| true), Ok(5));
    // Nor does it begin again while hosts run, and later not over what was in it.
    panel.run("DELETE FROM keyturnhost_audit_chains");
    assert!(storage.chain_audit(|| true).is_err() && storage.verify_audit(&[]).is_err());
    drop(storage);
    let storage = panel.open();
    assert_eq!(problems(&storage)[0], Problem::Added { number: numbers[0] });
}

fn with_another_key_the_chain_begins_again(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let numbers = chained(&panel, &storage, 3);
    write(&storage, 1);
    let (kept, newest) = (heads(&storage), *ids(&panel).last().expect("there"));
    drop(storage);
    panel.is_left_alone();
    let other = Arc::new(Keys::random());
    panel.replace_key(&other);
    let storage = panel.opened(other, Opening::default()).expect("opened");
    assert_eq!(storage.chain_audit(|| true), Ok(4));
    let [entries, _] = verified(&storage, &kept);
    assert_eq!(entries.problems, [Problem::Differs { sequence: 3 }], "a head of the earlier chain");
    assert_eq!((entries.rows, entries.taken, entries.waiting), (4, newest, 0));
    panel.run(&format!("UPDATE keyturnhost_audit SET actor = 'console ' WHERE id = {}", numbers[1]));
    assert_eq!(problems(&storage), changed(&numbers[1..2]));
}

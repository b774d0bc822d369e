//! The panel's people in the commit of a call: what was read of them, their hashes and epochs, and what the panel does beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyturn_core::accounts::{Matched, Why};
use keyturn_store::{Commit, Read, StorageError};
use keyturn_store_tests::*;

every_engine_and_apart!(
    a_change_to_any_part_of_an_account_that_was_read_is_a_conflict,
    an_epoch_moves_with_every_new_password_whoever_set_it_and_stays_with_an_upgrade,
    a_trigger_of_the_panels_that_rolls_back_harms_no_strangers_commit,
    a_lock_of_the_panels_is_waited_for_and_then_the_database_is_busy,
    the_panels_own_programs_are_told_of_no_deadlock,
    a_find_in_another_script_reads_by_the_same_fold,
);

fn a_change_to_any_part_of_an_account_that_was_read_is_a_conflict(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for change in [
        "UPDATE customers SET login = 'x' WHERE id = 1",
        "UPDATE customers SET password = 'x' WHERE id = 1",
        "DELETE FROM customers WHERE id = 1",
    ] {
        let seen = storage.account(&id("1")).expect("read");
        panel.run(change);
        let reads = vec![Read::Account { id: id("1"), seen: seen.map(Box::new) }];
        assert_eq!(
            storage.commit(Commit { reads, ..commit(vec![put("k", "v")]) }),
            Err(StorageError::Changed),
            "{change}"
        );
    }
    let reads = vec![Read::Account { id: id("1"), seen: None }];
    storage.commit(Commit { reads, ..commit(vec![put("k", "v")]) }).expect("absent is still so");
}

fn an_epoch_moves_with_every_new_password_whoever_set_it_and_stays_with_an_upgrade(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let known = || storage.account(&id("1")).expect("read").expect("there");
    let mut held = vec![known().epoch];
    storage.commit(commit(vec![replace("1", "h1", Why::Upgrade, &held[0])])).expect("committed");
    assert_eq!((known().epoch, known().account.hash.as_deref()), (held[0].clone(), Some("h1")));
    assert_eq!(storage.sessions(&id("1")), Ok(Some(1)), "an upgrade ends no session");
    storage.commit(commit(vec![replace("1", "h2", Why::Password, "fresh")])).expect("committed");
    assert_eq!(known().epoch, "fresh");
    assert_eq!(storage.sessions(&id("1")), Ok(Some(0)));
    held.push(known().epoch);
    for hash in ["'h3'", "'h4'", "NULL"] {
        panel.run(&format!("UPDATE customers SET password = {hash} WHERE id = 1"));
        assert!(!held.contains(&known().epoch), "{hash}");
        held.push(known().epoch);
        let upgraded = replace("1", &format!("up{}", held.len()), Why::Upgrade, &known().epoch);
        storage.commit(commit(vec![upgraded])).expect("committed");
        assert_eq!(held.last(), Some(&known().epoch));
    }
    assert_eq!(storage.account(&id("2")).expect("read").expect("there").account.hash.as_deref(), Some("h0"));
    assert_eq!(
        storage.commit(commit(vec![put("k", "v"), replace("9", "h", Why::Password, "e")])),
        Err(StorageError::Changed)
    );
    assert_eq!(value(&storage, "k"), None);
}

/// Triggers of a panel's that stand in a new password's way, as its engine has them.
fn triggers(engine: Engine) -> Vec<(String, &'static str)> {
    match engine {
        Engine::Sqlite => [
            ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(ROLLBACK, 'no'); END", "rolls back"),
            ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(ABORT, 'no'); END", "aborts"),
            ("AFTER UPDATE OF password ON customers BEGIN SELECT RAISE(FAIL, 'no'); END", "fails"),
            ("BEFORE UPDATE OF password ON customers BEGIN SELECT RAISE(IGNORE); END", "ignores"),
            (
                "AFTER UPDATE OF password ON customers WHEN NEW.password = 'h1'
                 BEGIN UPDATE customers SET password = 'other' WHERE id = NEW.id; END",
                "rewrites",
            ),
            ("AFTER DELETE ON sessions BEGIN SELECT RAISE(ROLLBACK, 'no'); END", "rolls back late"),
        ]
        .map(|(trigger, kind)| (format!("CREATE TRIGGER t {trigger}"), kind))
        .to_vec(),
        Engine::Postgres => [
            ("BEFORE UPDATE OF password ON customers", "RAISE EXCEPTION 'no';", "raises"),
            ("BEFORE UPDATE OF password ON customers", "RETURN NULL;", "ignores"),
            ("BEFORE UPDATE OF password ON customers", "NEW.password := 'other'; RETURN NEW;", "rewrites"),
            (
                "AFTER UPDATE OF password ON customers",
                "IF NEW.password = 'h1' THEN UPDATE customers SET password = 'other' WHERE id = NEW.id; END IF; RETURN NULL;",
                "rewrites later",
            ),
            ("AFTER DELETE ON sessions", "RAISE EXCEPTION 'no';", "raises late"),
            ("BEFORE DELETE ON sessions", "PERFORM 1 / 0; RETURN OLD;", "errs"),
        ]
        .map(|(when, body, kind)| {
            let function = format!("CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$");
            (format!("{function}; CREATE TRIGGER t {when} FOR EACH ROW EXECUTE FUNCTION t()"), kind)
        })
        .to_vec(),
        Engine::MariaDb => [
            ("BEFORE UPDATE ON customers FOR EACH ROW SIGNAL SQLSTATE '45000'", "raises"),
            ("AFTER UPDATE ON customers FOR EACH ROW SIGNAL SQLSTATE '45000'", "raises when it is written"),
            ("BEFORE UPDATE ON customers FOR EACH ROW SET NEW.password = OLD.password", "keeps"),
            ("BEFORE UPDATE ON customers FOR EACH ROW SET NEW.password = 'other'", "rewrites"),
            ("AFTER DELETE ON sessions FOR EACH ROW SIGNAL SQLSTATE '45000'", "raises late"),
            ("BEFORE DELETE ON sessions FOR EACH ROW INSERT INTO nowhere VALUES (1)", "errs"),
        ]
        .map(|(trigger, kind)| (format!("CREATE TRIGGER t {trigger}"), kind))
        .to_vec(),
    }
}

/// What the panel's triggers may do to a new password, and what others see of it: nothing.
fn a_trigger_of_the_panels_that_rolls_back_harms_no_strangers_commit(engine: Engine) {
    for (trigger, kind) in triggers(engine) {
        let panel = Panel::new(engine);
        panel.run(&trigger);
        let storage = panel.open();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let storage = &storage;
                scope.spawn(move || {
                    for n in 0..10 {
                        let key = format!("{thread}/{n}");
                        if n % 3 == 0 {
                            let bad =
                                commit(vec![put(&format!("bad/{key}"), "v"), replace("1", "h1", Why::Password, "e")]);
                            let bad = storage.commit(Commit { audit: Some(entry("bad", "1")), ..bad });
                            assert!(matches!(bad, Err(StorageError::Failed { .. })), "{kind}: {bad:?}");
                        }
                        storage
                            .commit(Commit { audit: Some(entry("good", "2")), ..commit(vec![put(&key, &key)]) })
                            .expect("committed");
                    }
                });
            }
        });
        assert_eq!(storage.scan("p", "", None, 1000, NOW).expect("scanned").len(), 80, "{kind}");
        let audit = audit(&storage);
        assert!(audit.len() == 80 && audit.iter().all(|entry| entry.operation == "good"), "{kind}");
        let known = storage.account(&id("1")).expect("read").expect("there");
        assert_eq!(known.account.hash.as_deref(), Some("h0"), "{kind}");
        assert_eq!(storage.sessions(&id("1")), Ok(Some(1)), "{kind}");
    }
}

fn a_lock_of_the_panels_is_waited_for_and_then_the_database_is_busy(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open_with(Opening { patience: Duration::from_millis(300), ..Opening::default() });
    let change = |hash| commit(vec![put("k", "v"), replace("1", hash, Why::Password, "e")]);
    let mut raw = panel.connect();
    raw.run("BEGIN; UPDATE customers SET login = 'anna' WHERE id = 1");
    assert_eq!(storage.commit(change("h1")), Err(StorageError::Busy));
    assert_eq!(value(&storage, "k"), None, "reading goes on");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| storage.commit(change("h2")));
        std::thread::sleep(Duration::from_millis(50));
        raw.run("COMMIT");
        assert_eq!(waiting.join().expect("joined"), Ok(()));
    });
    let known = storage.account(&id("1")).expect("read").expect("there").account;
    assert_eq!((known.hash.as_deref(), known.values[1].as_deref()), (Some("h2"), Some("anna")));
}

fn a_find_in_another_script_reads_by_the_same_fold(engine: Engine) {
    let panel = Panel::new(engine);
    panel.run("UPDATE customers SET login = 'ΣΊΣΥΦΟΣ' WHERE id = 2");
    let storage = panel.open();
    assert_eq!(storage.find(" σίσυφος", &["customer"], 10), Ok(vec![(id("2"), Matched::Login)]));
}

/// Who writes an account has read it before, as many calls at once do, while the panel's own programs write it, too.
fn the_panels_own_programs_are_told_of_no_deadlock(engine: Engine) {
    let panel = Panel::new(engine);
    // There any program is told so that writes what another node writes.
    if panel.is_on_a_cluster() {
        return;
    }
    let hosts = [panel.open(), panel.open()];
    let ended = AtomicBool::new(false);
    let replaced: usize = std::thread::scope(|scope| {
        let call = |thread: usize| {
            let (store, ended) = (&hosts[thread % 2], &ended);
            move || {
                let mut replaced = 0;
                for n in 0.. {
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                    let known = store.account(&id("1")).expect("read").map(Box::new);
                    let reads = vec![read(store, "k"), Read::Account { id: id("1"), seen: known }];
                    let effects = vec![put("k", "v"), replace("1", &format!("h/{thread}/{n}"), Why::Password, "e")];
                    match store.commit(Commit { reads, audit: Some(entry("set", "1")), ..commit(effects) }) {
                        Ok(()) => replaced += 1,
                        Err(StorageError::Changed) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                replaced
            }
        };
        let calls: Vec<_> = (0..4).map(|thread| scope.spawn(call(thread))).collect();
        let panels = scope.spawn(|| {
            let ran = (0..150).try_for_each(|n| {
                panel.connect().try_run(&format!("UPDATE customers SET login = 'ana{n}' WHERE id = 1"))
            });
            ended.store(true, Ordering::Relaxed);
            ran
        });
        assert_eq!(panels.join().expect("joined"), Ok(()));
        calls.into_iter().map(|call| call.join().expect("joined")).sum()
    });
    assert!(replaced > 0);
    assert_eq!(panel.text("SELECT login FROM customers WHERE id = 1"), "ana149");
}

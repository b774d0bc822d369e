//! Everything of the host's, from each engine to each.

use std::cell::Cell;

use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_store::database::Connection;
use keyturn_store::moves::{Copied, CopyError, End, Side, copy};
use keyturn_store::tables::{Own, own};
use keyturn_store::{AuditFilter, Commit, StorageError};
use keyturn_store_tests::*;

every_engine_and_apart!(
    everything_is_copied_to_each_engine_and_the_source_is_retired,
    a_copy_that_ends_early_leaves_one_in_service_at_most_and_goes_on,
    what_stands_in_the_way_of_a_copy_is_named_and_the_source_stays_in_service,
);

/// Rows of every table, as many as make several batches, of every kind of value; and what hosts write themselves.
fn filled(engine: Engine, rows: u32) -> Panel {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let audit = Some(entry("first", "1"));
    storage.commit(Commit { audit, ..commit(vec![put("k", "v")]) }).expect("committed");
    send(&storage, mail_to(&panel.keys, "1", "secret"));
    storage.shutdown();
    drop(storage);
    for table in own() {
        let one = table.key == ["id"] && table.columns.contains(&("id", "INTEGER"));
        if !["keyturnhost_migrations", "keyturnhost_moves", "keyturnhost_key"].contains(&table.name) {
            fill(&panel, table, if one { 1 } else { rows });
        }
    }
    if engine == Engine::Postgres {
        // Its sequences do not see what is inserted with a number.
        panel.run(&format!("SELECT setval(pg_get_serial_sequence('keyturnhost_audit', 'id'), {})", 999 + rows));
    }
    // A number that was given is not given again, although its row is gone.
    panel.run(&format!("DELETE FROM keyturnhost_audit WHERE id = {}", 999 + rows));
    panel
}

fn fill(panel: &Panel, table: &Own, rows: u32) {
    let engine = panel.engine;
    let value = |(name, kind): &(&str, &str), at: u32| match *kind {
        "NUMBER" => (1_000 + at).to_string(),
        "INTEGER" if *name == "id" => "1".to_owned(),
        "INTEGER" => at.to_string(),
        "NAME" => engine.text(&format!("{name} Ü{at} ")),
        "TEXT" => engine.text(&format!("{name} 'é' \u{1f600} \\ {at}")),
        "DIGEST" => engine.bytes(&[at.to_be_bytes(); 8].concat()),
        "BYTES" => engine.bytes(&vec![0xff_u8; at as usize % 3]),
        other => panic!("{other}: no such type"),
    };
    let row = |at: u32| {
        let values: Vec<String> = table.columns.iter().map(|column| value(column, at)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    let names: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    panel.run(&format!("INSERT INTO {} ({}) VALUES {}", table.name, names.join(", "), rows.join(", ")));
}

fn copied(from: &Panel, to: &Panel) -> Result<Vec<Copied>, CopyError> {
    between(&*from.side().expect("opened"), &*to.side().expect("opened"), &from.keys)
}

fn between(from: &dyn Side, to: &dyn Side, keys: &Keys) -> Result<Vec<Copied>, CopyError> {
    copy(End { side: from, place: "the old one" }, End { side: to, place: "the new one" }, keys, &mut |_| {})
}

fn is_in_service(panel: &Panel) -> bool {
    match panel.opened(panel.keys.clone(), Opening::default()) {
        Ok(_) => true,
        Err(StorageError::Moved(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

fn everything_is_copied_to_each_engine_and_the_source_is_retired(engine: Engine) {
    for other in Engine::ALL {
        let (from, to) = (filled(engine, 450), Panel::new(other));
        let before = from.open();
        let copied = copied(&from, &to).unwrap_or_else(|error| panic!("{other:?}: {error}"));
        assert_eq!(copied.len(), own().len() - 2);
        for table in &copied {
            let count = |panel: &Panel| panel.number(&format!("SELECT count(*) FROM {}", table.table));
            assert_eq!((count(&from), count(&to)), (table.rows as i64, table.rows as i64), "{}", table.table);
        }
        // A host that had it open leases nothing there any more.
        let leased = before.lease_tasks(1, 30_000).err();
        assert!(matches!(leased, Some(StorageError::Moved(_))), "{leased:?}");
        assert!(before.beat(&[], 30_000, now()).is_err(), "nor does it live");
        let refused = from.opened(from.keys.clone(), Opening::default()).err().expect("refused");
        assert!(refused.to_string().contains("copied to the new one"), "{refused}");
        let storage = to.open();
        assert_eq!(value(&storage, "k").as_deref(), Some("v"), "what was sealed is read with the same keys");
        storage.commit(Commit { audit: Some(entry("next", "2")), ..commit(vec![put("k", "w")]) }).expect("committed");
        let newest = storage.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).expect("read");
        assert_eq!(newest[0].0, 1450, "{other:?}: the numbers go on");
    }
}

/// Fails at a commit, as a process does that is killed there: before it, or with its answer lost.
struct Dying<'a> {
    side: &'a dyn Side,
    left: &'a Cell<u32>,
    commits: bool,
}

impl Side for Dying<'_> {
    fn connection(&self) -> &dyn Connection {
        self.side.connection()
    }

    fn begin(&self, writes: bool) -> Result<(), StorageError> {
        self.side.begin(writes)
    }

    fn commit(&self) -> Result<(), StorageError> {
        let Some(left) = self.left.get().checked_sub(1) else {
            if self.commits {
                self.side.commit()?
            } else {
                self.side.rollback()?
            }
            return Err(StorageError::Indeterminate);
        };
        self.left.set(left);
        self.side.commit()
    }

    fn rollback(&self) -> Result<(), StorageError> {
        self.side.rollback()
    }

    fn next_number(&self, table: &str, column: &str) -> Result<Option<i64>, StorageError> {
        self.side.next_number(table, column)
    }

    fn set_next_number(&self, table: &str, column: &str, next: i64) -> Result<(), StorageError> {
        self.side.set_next_number(table, column, next)
    }

    fn unserved(&self) -> Result<(), StorageError> {
        self.side.unserved()
    }
}

fn a_copy_that_ends_early_leaves_one_in_service_at_most_and_goes_on(engine: Engine) {
    for commits in [false, true] {
        let (from, to) = (filled(engine, 3), Panel::new(Engine::Sqlite));
        let (mut ended, mut retired) = (0, 0);
        for most in 0.. {
            let left = Cell::new(most);
            let (source, target) = (from.side().expect("opened"), to.side().expect("opened"));
            let dying = |side| Dying { side, left: &left, commits };
            let done = between(&dying(&*source), &dying(&*target), &from.keys);
            drop((source, target));
            if done.is_ok() {
                break;
            }
            ended += 1;
            let marked = |panel: &Panel| panel.column("SELECT state FROM keyturnhost_moves");
            match (marked(&from), marked(&to)) {
                (from, to) if from.is_empty() && (to.is_empty() || to == ["incomplete"]) => {}
                (from, to) if from == ["retired"] && to == ["incomplete"] => retired += 1,
                // It is complete, and whoever asked does not know.
                (from, to) if from == ["retired"] && to.is_empty() && commits => break,
                marks => panic!("after {most}: {marks:?}"),
            }
        }
        assert!(ended > 20 && retired > 0, "{ended} {retired}");
        assert!(!is_in_service(&from) && is_in_service(&to));
        assert_eq!(value(&to.open(), "k").as_deref(), Some("v"));
    }
}

fn what_stands_in_the_way_of_a_copy_is_named_and_the_source_stays_in_service(engine: Engine) {
    let from = Panel::new(engine);
    let storage = from.open();
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    let empty = Panel::new(Engine::Sqlite);
    let refused = |to: &Panel| copied(&from, to).expect_err("refused").to_string();
    if engine.is_server() {
        storage.beat(&[], 30_000, now()).expect("a sign of life");
        assert!(refused(&empty).contains("stop all hosts"), "{}", refused(&empty));
        from.run("UPDATE keyturnhost_hosts SET beat = 5, worked = 5");
    } else {
        let _served = keyturn_store_sqlite::lock::ServerLock::take(from.address().as_ref()).expect("taken");
        assert!(matches!(from.side().err(), Some(StorageError::Served(_))));
    }
    let full = Panel::new(engine);
    full.open().commit(commit(vec![put("k", "other")])).expect("committed");
    assert!(refused(&full).contains("keyturnhost_data has rows already"), "{}", refused(&full));
    let other = between(&*from.side().expect("opened"), &*empty.side().expect("opened"), &Keys::new([8; 32]));
    assert!(matches!(other, Err(CopyError::Source(StorageError::OtherKey))), "{other:?}");
    if engine.holds_nul() {
        let nul = from.engine.text("a\0b");
        from.run(&format!("UPDATE keyturnhost_data SET \"key\" = {nul}"));
        let refused = refused(&Panel::new(Engine::Postgres));
        assert!(refused.contains("the column key holds a NUL character"), "{refused}");
    }
    if engine == Engine::Sqlite {
        from.run(&format!("UPDATE keyturnhost_data SET \"key\" = '{}'", "é".repeat(201)));
        let refused = refused(&Panel::new(Engine::MariaDb));
        assert!(refused.contains("the column key has more than 200 characters"), "{refused}");
    }
    assert!(is_in_service(&from));
    drop(storage);
    // One that is not finished, and one that is retired, are no sources and no targets.
    assert!(copied(&from, &empty).is_ok());
    let third = Panel::new(Engine::Sqlite);
    assert!(copied(&from, &third).expect_err("retired").to_string().contains("copied to the new one"));
    assert!(copied(&third, &from).expect_err("retired").to_string().contains("copied to the new one"));
}

//! A database whose files are replaced while it is open.

use std::fs;
use std::path::Path;

use super::*;

fn beside_it(panel: &Panel, suffix: &str) -> PathBuf {
    place::beside(&panel.path, suffix)
}

/// A copy of the panel's file, which becomes the file at its path, as `mv` makes it.
fn restored(panel: &Panel, after: &str) {
    let backup = panel.path.with_file_name("backup.db");
    fs::copy(&panel.path, &backup).expect("copied");
    Connection::open(&backup).expect("opened").execute_batch(after).expect("changed");
    fs::rename(&backup, &panel.path).expect("moved over it");
}

fn is_replaced<T: std::fmt::Debug>(result: Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Replaced(_)))
}

#[test]
fn nothing_is_acknowledged_into_a_file_that_is_not_the_one_at_the_path() {
    for journal in [Journal::Keep, Journal::Wal] {
        for (how, replace) in [
            ("moved over", &(|panel: &Panel| restored(panel, "")) as &dyn Fn(&Panel)),
            ("removed", &|panel| fs::remove_file(&panel.path).expect("removed")),
            ("moved away", &|panel| fs::rename(&panel.path, panel.path.with_file_name("old.db")).expect("moved")),
            ("with its log", &|panel| {
                restored(panel, "");
                for suffix in ["-wal", "-shm"] {
                    let _ = fs::remove_file(beside_it(panel, suffix));
                }
            }),
        ] {
            let panel = Panel::new();
            let storage = panel.open(Options { journal, ..Options::default() });
            storage.commit(commit(vec![put("k", "v")])).expect("committed");
            assert_eq!(value(&storage, "k").as_deref(), Some("v"));
            replace(&panel);
            let refused = storage.commit(commit(vec![put("k", "w")]));
            assert!(is_replaced(refused.clone()), "{how}, {journal:?}: {refused:?}");
            let hash = commit(vec![super::replace("1", "h1", Why::Password, "e")]);
            assert!(is_replaced(storage.commit(hash)), "{how}, {journal:?}");
            assert!(is_replaced(storage.get("p", "k", NOW)), "{how}, {journal:?}: what is read is old");
            assert!(is_replaced(storage.in_place()) && is_replaced(storage.last_beat()));
        }
    }
}

#[test]
fn a_log_that_nobody_else_finds_takes_nothing_either() {
    for suffix in ["-wal", "-shm"] {
        let panel = Panel::new();
        let storage = panel.open(Options { journal: Journal::Wal, ..Options::default() });
        storage.commit(commit(vec![put("k", "v")])).expect("committed");
        fs::remove_file(beside_it(&panel, suffix)).expect("removed");
        let refused = storage.commit(commit(vec![put("k", "w")])).expect_err("refused").to_string();
        assert!(refused.contains(&format!("panel.db{suffix} was removed")), "{refused}");
    }
}

#[test]
fn a_symlink_that_is_turned_elsewhere_is_another_file() {
    let panel = Panel::new();
    let (link, other) = (panel.path.with_file_name("link.db"), panel.path.with_file_name("other.db"));
    fs::copy(&panel.path, &other).expect("copied");
    std::os::unix::fs::symlink(&panel.path, &link).expect("linked");
    let storage = crate::open(&link, panel.keys.clone(), provider(), Options::default()).expect("opened");
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&other, &link).expect("linked");
    assert!(is_replaced(storage.commit(commit(vec![put("k", "w")]))));
}

#[test]
fn readers_hear_of_it_also_when_nobody_writes_and_a_file_that_comes_back_changes_nothing() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    let away = panel.path.with_file_name("away.db");
    fs::rename(&panel.path, &away).expect("moved");
    assert!(settled(|| is_replaced(storage.get("p", "k", NOW))));
    fs::rename(&away, &panel.path).expect("moved back");
    assert!(is_replaced(storage.commit(commit(vec![put("k", "w")]))), "the operator starts it again");
    drop(storage);
    assert_eq!(value(&panel.open(Options::default()), "k").as_deref(), Some("v"));
}

#[test]
fn a_file_that_is_moved_while_it_commits_may_have_taken_it() {
    let panel = Panel::new();
    let storage = panel.open(Options { busy: Duration::from_secs(60), ..Options::default() });
    // Without WAL a commit waits for whoever reads, and lets nobody begin to.
    let (reads, begins) = (panel.raw(), panel.raw());
    let read = |db: &Connection| db.query_row("SELECT count(*) FROM customers", [], |row| row.get::<_, i64>(0));
    begins.busy_timeout(Duration::ZERO).expect("set");
    reads.execute_batch("BEGIN").expect("begun");
    read(&reads).expect("read");
    std::thread::scope(|scope| {
        let commits = scope.spawn(|| storage.commit(commit(vec![put("k", "v")])));
        assert!(settled(|| read(&begins).is_err()), "it never came to its commit");
        fs::rename(&panel.path, panel.path.with_file_name("old.db")).expect("moved");
        reads.execute_batch("COMMIT").expect("ended");
        assert_eq!(commits.join().expect("joined"), Err(StorageError::Indeterminate));
    });
    assert!(is_replaced(storage.commit(commit(vec![put("k", "w")]))));
}

/// What a server that was killed has left, and a restored file that was moved over its database.
#[test]
fn a_restored_file_is_not_opened_beside_the_log_of_the_earlier_one() {
    let panel = Panel::new();
    let server = panel.open(Options { journal: Journal::Wal, ..Options::default() });
    restored_backup(&panel);
    server.commit(commit(vec![put("k", "v")])).expect("committed");
    let kept = |suffix: &str| (beside_it(&panel, suffix), panel.path.with_file_name(format!("kept{suffix}")));
    // Links keep what the server takes away when it ends, inode and all.
    for suffix in ["-wal", "-shm", "-server"] {
        let (file, kept) = kept(suffix);
        fs::hard_link(file, kept).expect("kept");
    }
    fs::rename(panel.path.with_file_name("backup.db"), &panel.path).expect("moved over it");
    drop(server);
    for suffix in ["-wal", "-shm"] {
        let (file, kept) = kept(suffix);
        let _ = fs::remove_file(&file);
        fs::hard_link(kept, file).expect("left behind");
    }
    let before = fs::read(&panel.path).expect("read");
    for options in [Options::default(), beside()] {
        let refused = crate::open(&panel.path, panel.keys.clone(), provider(), options).err().expect("refused");
        let said = refused.to_string();
        assert!(said.contains("panel.db-wal still belongs to the earlier one") && said.contains("-shm"), "{said}");
    }
    assert!(crate::look(&panel.path, panel.keys.clone(), provider()).is_err());
    assert!(fs::read(&panel.path).expect("read") == before);
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(beside_it(&panel, suffix)).expect("removed");
    }
    let storage = panel.open(Options::default());
    assert_eq!(value(&storage, "k"), None, "as the backup has it");
    storage.commit(commit(vec![put("k", "w")])).expect("committed");
    assert_eq!(sound(&panel.path), "ok");
}

fn restored_backup(panel: &Panel) {
    let backup = panel.path.with_file_name("backup.db");
    panel.raw().execute("VACUUM INTO ?1", [backup.to_str()]).expect("backed up");
}

fn sound(path: &Path) -> String {
    Connection::open(path).expect("opened").query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked")
}

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn kill(db: &dyn Connection) {
    let own = db.one("SELECT CONNECTION_ID()", &[], |row| row.get::<i64>(0)).expect("asked").expect("a number");
    server().sql(None, &format!("KILL {own}"));
}

#[test]
fn a_connection_that_was_killed_is_replaced() {
    let database = server().database();
    let db = connected(&database);
    db.begin(Mode::Write).expect("begun");
    kill(&db);
    assert_eq!(db.execute("SELECT 1", &[]), Err(StorageError::Busy));
    assert!(!db.is_usable() && !db.goes_on());
    assert_eq!(db.commit(), Err(StorageError::Busy), "nothing was sent");
    let idle = connected(&database);
    kill(&idle);
    assert_eq!(idle.begin(Mode::Read), Err(StorageError::Busy));
}

#[test]
fn a_commit_without_an_answer_is_told_so() {
    let database = server().database();
    let db = connected(&database);
    db.begin(Mode::Write).expect("begun");
    kill(&db);
    assert_eq!(db.commit(), Err(StorageError::Indeterminate));
    assert!(!db.is_usable());
}

struct Killer(AtomicUsize);

impl Provider for Killer {
    fn realms(&self) -> Vec<&str> {
        Vec::new()
    }

    fn knows_managers(&self, _: &str) -> bool {
        false
    }

    fn find(
        &self,
        _: &dyn Connection,
        _: &str,
        _: &[&str],
        _: usize,
    ) -> Result<Vec<(keyturn_core::accounts::AccountId, keyturn_core::accounts::Matched)>, StorageError> {
        Ok(Vec::new())
    }

    fn account(
        &self,
        db: &dyn Connection,
        _: &keyturn_core::accounts::AccountId,
    ) -> Result<Option<keyturn_core::accounts::Account>, StorageError> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            kill(db);
        }
        Ok(None)
    }

    fn sessions(&self, _: &dyn Connection, _: &keyturn_core::accounts::AccountId) -> Result<Option<u32>, StorageError> {
        Ok(None)
    }

    fn accepts(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn replace(
        &self,
        _: &dyn Connection,
        _: &keyturn_core::accounts::AccountId,
        _: &str,
        _: keyturn_core::accounts::Why,
        _: i64,
    ) -> Result<(), StorageError> {
        Ok(())
    }
}

#[test]
fn a_call_whose_connection_is_killed_in_its_midst_is_committed_by_another() {
    let database = server().database();
    let killer = Arc::new(Killer(AtomicUsize::new(0)));
    let store =
        open(&address(&database), Arc::clone(&KEYS), Arc::clone(&killer) as _, Options::default()).expect("opened");
    let gone = keyturn_store::Read::Account { id: "customer:1".parse().expect("an account"), seen: None };
    store.commit(Commit { reads: vec![gone], ..put("a", "1") }).expect("committed");
    assert_eq!(killer.0.load(Ordering::SeqCst), 2, "tried twice");
    assert_eq!(held(&store, "a").as_deref(), Some("1"));
}

#[test]
fn after_all_connections_were_ended_calls_go_on() {
    let database = server().database();
    let store = opened(&database);
    store.commit(put("a", "1")).expect("committed");
    let ended = server().sql(
        None,
        &format!("SELECT concat('KILL ', id, ';') FROM information_schema.processlist WHERE db = '{}'", database.name),
    );
    assert!(ended.contains("KILL"));
    server().sql(None, &ended);
    assert_eq!(held(&store, "a").as_deref(), Some("1"));
    store.commit(put("a", "2")).expect("committed");
    assert_eq!(held(&store, "a").as_deref(), Some("2"));
}

//! How a database is opened, prepared, looked at and closed.

use keyturn_store::{StorageError, Value};
use keyturn_store_tests::*;

every_engine_and_apart!(
    a_database_of_a_newer_version_is_refused_and_an_older_one_is_brought_up_once,
    several_hosts_may_prepare_one_database_at_once,
    after_shutdown_commits_fail_by_name_and_what_was_committed_stays,
    a_reader_cannot_write,
);

fn a_database_of_a_newer_version_is_refused_and_an_older_one_is_brought_up_once(engine: Engine) {
    let panel = Panel::new(engine);
    drop(panel.open());
    drop(panel.open());
    panel.run("INSERT INTO keyturnhost_migrations VALUES (99, 0)");
    let refused = panel.opened(panel.keys.clone(), Opening::default()).err().expect("refused");
    assert!(refused.to_string().contains("version 99") && refused.to_string().contains("newer program"), "{refused}");
}

fn several_hosts_may_prepare_one_database_at_once(engine: Engine) {
    let panel = Panel::new(engine);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| panel.open().commit(commit(vec![put("k", "v")])).expect("committed"));
        }
    });
}

fn after_shutdown_commits_fail_by_name_and_what_was_committed_stays(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    storage.shutdown();
    let error = storage.commit(commit(vec![put("k", "w")])).expect_err("closed");
    assert!(error.to_string().contains("shut down"), "{error}");
    assert_eq!(value(&storage, "k").as_deref(), Some("v"));
}

fn a_reader_cannot_write(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let written = storage.read(|sql| sql.execute("DELETE FROM customers", &[]));
    // PostgreSQL's answer is that of a server which became a replica: try another one.
    let refused = |error: &StorageError| match error {
        StorageError::Failed { .. } => true,
        other => engine == Engine::Postgres && *other == StorageError::Busy,
    };
    assert!(written.as_ref().is_err_and(refused), "{written:?}");
    assert_eq!(storage.read(|sql| sql.rows("SELECT count(*) FROM customers", &[])), Ok(vec![vec![Value::Integer(2)]]));
}

//! A plugin's data, and the records by which a call is done once.

use keyturn_core::accounts::Why;
use keyturn_store::{Commit, Effect, Quotas, StorageError};
use keyturn_store_tests::*;

every_engine!(
    data_is_an_ordered_map_that_another_plugin_does_not_see,
    a_value_reads_as_absent_from_its_end_on_and_that_is_no_change_for_a_call_that_began_before,
    of_two_calls_that_read_one_key_and_write_it_one_succeeds,
    values_and_answers_are_sealed_and_a_moved_or_prolonged_row_is_an_error_that_tells_no_value,
    a_record_met_again_gives_its_answer_and_writes_nothing_for_a_day,
    what_has_ended_is_removed_in_idle_time_and_the_total_shrinks_with_it,
    a_plugin_stores_no_more_than_its_limit_and_may_still_shrink,
);

fn data_is_an_ordered_map_that_another_plugin_does_not_see(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let keys = ["a", "a/1", "a/2", "a/é", "b"];
    storage.commit(commit(keys.iter().map(|key| put(key, key)).collect())).expect("committed");
    let scan = |plugin: &str, prefix: &str, after: Option<&str>, limit| {
        let found = storage.scan(plugin, prefix, after, limit, NOW).expect("scanned");
        found
            .into_iter()
            .map(|(key, value)| {
                assert_eq!(key.as_bytes(), value);
                key
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(scan("p", "", None, 10), keys);
    assert_eq!(scan("p", "a/", None, 10), ["a/1", "a/2", "a/é"]);
    assert_eq!(scan("p", "a/", Some("a/1"), 1), ["a/2"]);
    assert_eq!(scan("p", "a/", Some("a"), 1), ["a/1"]);
    assert_eq!(scan("p", "a/", Some("b"), 10), Vec::<String>::new());
    assert_eq!(scan("q", "", None, 10), Vec::<String>::new());
    storage.commit(commit(vec![Effect::Delete { key: "a".to_owned() }, put("b", "b")])).expect("committed");
    assert_eq!(scan("p", "", None, 10), &keys[1..]);
    assert_eq!(storage.get("q", "b", NOW), Ok(None));
}

fn a_value_reads_as_absent_from_its_end_on_and_that_is_no_change_for_a_call_that_began_before(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    storage.commit(commit(vec![put_until("k", "v", Some(NOW + 10))])).expect("committed");
    let seen = read(&storage, "k");
    assert_eq!(storage.get("p", "k", NOW + 10), Ok(None));
    assert_eq!(storage.still("p", std::slice::from_ref(&seen), NOW), Ok(true));
    assert_eq!(storage.still("p", &[seen], NOW + 10), Ok(false));
    assert_eq!(storage.still("p", &[absent("k")], NOW + 10), Ok(true));
}

fn of_two_calls_that_read_one_key_and_write_it_one_succeeds(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let absent = read(&storage, "k");
    let first = Commit { reads: vec![absent.clone()], ..commit(vec![put("k", "v")]) };
    storage.commit(first).expect("committed");
    let second = Commit { reads: vec![absent], ..commit(vec![put("k", "w"), put("other", "w")]) };
    assert_eq!(storage.commit(second), Err(StorageError::Changed));
    assert_eq!((value(&storage, "k").as_deref(), value(&storage, "other")), (Some("v"), None));
    let seen = read(&storage, "k");
    storage.commit(commit(vec![put("k", "v")])).expect("committed");
    assert_eq!(storage.still("p", &[seen], NOW), Ok(false), "the same value written again is another writing");
}

fn values_and_answers_are_sealed_and_a_moved_or_prolonged_row_is_an_error_that_tells_no_value(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let with_record = Commit {
        record: Some((record_key("k"), record("secret-answer"))),
        ..commit(vec![put("a", "secret-a"), put_until("b", "secret-b", Some(NOW + 10))])
    };
    storage.commit(with_record).expect("committed");
    for sealed in ["SELECT value FROM keyturnhost_data", "SELECT answer FROM keyturnhost_records"] {
        let rows = panel.bytes(sealed);
        assert!(!rows.is_empty() && !rows.iter().flat_map(|row| row.windows(6)).any(|part| part == b"secret"));
    }
    panel.run("UPDATE keyturnhost_data SET expires = expires + 1000 WHERE \"key\" = 'b'");
    panel.run("UPDATE keyturnhost_data SET \"key\" = 'c' WHERE \"key\" = 'a'");
    panel.run(&format!("UPDATE keyturnhost_records SET answer = {}", engine.bytes(&[0; 100])));
    for error in [
        storage.get("p", "b", NOW).expect_err("prolonged"),
        storage.get("p", "c", NOW).expect_err("moved"),
        storage.scan("p", "", None, 10, NOW).expect_err("moved"),
    ] {
        let text = error.to_string();
        assert!(text.contains("keyturnhost_data of p") && !text.contains("secret"), "{text}");
    }
    let error = storage.record(&record_key("k"), NOW).expect_err("forged").to_string();
    assert!(error.contains("keyturnhost_records of p/set"), "{error}");
}

fn a_record_met_again_gives_its_answer_and_writes_nothing_for_a_day(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let press = |answer: &str, now: i64, effect| {
        storage.commit(Commit { now, record: Some((record_key("k"), record(answer))), ..commit(vec![effect]) })
    };
    press("first", NOW, put("k", "first")).expect("committed");
    assert_eq!(press("second", NOW + 1, put("k", "second")), Err(StorageError::Recorded(record("first"))));
    assert_eq!(press("x", NOW, replace("1", "h", Why::Password, "e")), Err(StorageError::Recorded(record("first"))));
    assert_eq!(value(&storage, "k").as_deref(), Some("first"));
    assert_eq!(storage.record(&record_key("k"), NOW), Ok(Some(record("first"))));
    assert_eq!(storage.record(&record_key("other"), NOW), Ok(None));
    let day = 24 * 3600 * 1000;
    assert_eq!(storage.record(&record_key("k"), NOW + day), Ok(None));
    press("next day", NOW + day, put("k", "next day")).expect("committed");
    let text = panel.bytes("SELECT id FROM keyturnhost_records").concat();
    assert!(!String::from_utf8_lossy(&text).contains("session"), "a session is nobody's to read");
}

fn what_has_ended_is_removed_in_idle_time_and_the_total_shrinks_with_it(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let old = commit(vec![put_until("old", "v", Some(NOW + 1)), put("kept", "v")]);
    storage.commit(Commit { record: Some((record_key("k"), record("a"))), ..old }).expect("committed");
    storage.commit(Commit { now: NOW + 25 * 3600 * 1000, ..commit(vec![put("kept", "w")]) }).expect("committed");
    let kept = || panel.column("SELECT \"key\" FROM keyturnhost_data");
    let records = || panel.number("SELECT count(*) FROM keyturnhost_records");
    let bytes = "SELECT (SELECT bytes FROM keyturnhost_totals)
        - (SELECT sum(octet_length(\"key\") + length(value)) FROM keyturnhost_data)";
    assert!(settled(|| kept() == ["kept"] && records() == 0), "{:?}, {}", kept(), records());
    assert_eq!(panel.number(bytes), 0);
}

fn a_plugin_stores_no_more_than_its_limit_and_may_still_shrink(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let within = |stored_bytes, effects| {
        let quotas = Quotas { stored_bytes, ..Quotas::NONE };
        storage.commit(Commit { quotas, ..commit(effects) })
    };
    within(400, vec![put("a", &"x".repeat(100)), put("b", &"x".repeat(100))]).expect("committed");
    assert_eq!(within(400, vec![put("k", ""), put("c", &"x".repeat(100))]), Err(StorageError::Limit("stored-bytes")));
    assert_eq!(value(&storage, "k"), None);
    within(400, vec![put("a", ""), put("c", &"x".repeat(100))]).expect("what is replaced does not count");
    within(10, vec![Effect::Delete { key: "b".to_owned() }]).expect("shrinking is no growth");
    assert_eq!(within(10, vec![put("d", "")]), Err(StorageError::Limit("stored-bytes")));
}

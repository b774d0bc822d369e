//! Counters: kept in memory, written behind.

use keyturn_store::store::Keeps;
use keyturn_store::{Bound, Commit, Counted, Effect, Read, StorageError, Store, Version};
use keyturn_store_tests::*;

every_engine!(
    counters_count_at_once_outlive_a_restart_and_begin_anew_when_forgotten,
    counters_are_written_behind_within_seconds,
);

fn counters_count_at_once_outlive_a_restart_and_begin_anew_when_forgotten(engine: Engine) {
    let panel = Panel::new(engine);
    let keeps = Keeps { counters: 2, ..Keeps::default() };
    let storage = panel.open_with(Opening { keeps, ..Opening::default() });
    let within = |storage: &Store, window, limit, now| {
        storage.count("p", &[Bound { key: "a".to_owned(), window, limit }], now).expect("counted") == Counted::Within
    };
    for n in 1..=3 {
        assert!(within(&storage, 60, n, NOW) && !within(&storage, 60, n, NOW), "{n}");
    }
    assert!(within(&storage, 3600, 1, NOW), "each window has its own");
    drop(storage);
    let storage = panel.open();
    assert!(!within(&storage, 60, 3, NOW + 1) && within(&storage, 60, 4, NOW + 1));
    assert!(within(&storage, 60, 1, NOW + 120_000));
    let failed = Commit {
        reads: vec![Read::Data { key: "x".to_owned(), version: Some(Version([0; 24])) }],
        ..commit(vec![Effect::Forget { key: "a".to_owned() }])
    };
    assert_eq!(storage.commit(failed), Err(StorageError::Changed));
    assert!(!within(&storage, 3600, 1, NOW), "a call that failed forgets nothing");
    storage.commit(commit(vec![Effect::Forget { key: "a".to_owned() }])).expect("committed");
    assert!(within(&storage, 3600, 1, NOW));
    drop(storage);
    assert!(!within(&panel.open(), 3600, 1, NOW));
}

fn counters_are_written_behind_within_seconds(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    storage.count("p", &[Bound { key: "a".to_owned(), window: 60, limit: 1 }], NOW).expect("counted");
    let written = || panel.number("SELECT coalesce(sum(count), 0) FROM keyturnhost_counters");
    assert!(settled(|| written() == 1));
}

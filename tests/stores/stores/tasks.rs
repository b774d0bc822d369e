//! Tasks: one of a key waits, one worker has it, and it ends with its own effects.

use std::collections::BTreeSet;

use std::time::Duration;

use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_store::outbox::ATTEMPTS;
use keyturn_store::tasks::{LeasedTask, NewTask, TaskCount, TaskKind};
use keyturn_store::{AuditEntry, AuditFilter, Commit, Effect, Quotas, Read, StorageError, Store};
use keyturn_store_tests::*;
use zeroize::Zeroizing;

every_engine!(
    a_task_comes_back_as_it_was_left_and_ends_in_the_commit_of_its_effects,
    a_conflict_leaves_the_task_where_it_was,
    while_one_of_a_key_waits_another_only_brings_it_forward,
    what_fails_for_good_is_kept_to_be_seen_and_no_longer_counts,
    what_failed_for_good_runs_again_as_it_was_and_counts_again,
    what_failed_for_good_is_done_by_one_of_its_key_that_waits,
    what_failed_for_good_is_wiped_after_a_week_or_behind_a_thousand_newer_ones_and_then_runs_no_more,
    a_task_whose_workers_all_went_away_fails_and_holds_up_nobody,
    a_payload_is_sealed_for_its_row_and_name,
    several_are_leased_at_once_but_one_that_came_to_nothing_before_goes_alone,
);

const LEASE: i64 = 60_000;

fn job(name: &str, key: Option<&str>, not_before: i64) -> Effect {
    Effect::Enqueue(Box::new(NewTask {
        kind: TaskKind::Job,
        plugin: "p".to_owned(),
        name: name.to_owned(),
        payload: Zeroizing::new(format!("payload of {name}")),
        not_before,
        key: key.map(str::to_owned),
        address: Some("192.0.2.7".to_owned()),
        depth: 2,
    }))
}

fn enqueue(storage: &Store, effects: Vec<Effect>) {
    storage.commit(commit(effects)).expect("queued");
}

fn lease(storage: &Store) -> Vec<LeasedTask> {
    storage.lease_tasks(10, LEASE).expect("leased")
}

fn a_task_comes_back_as_it_was_left_and_ends_in_the_commit_of_its_effects(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    assert_eq!(storage.due().map(|due| due.task), Ok(false));
    enqueue(&storage, vec![job("reset", None, NOW)]);
    assert_eq!(storage.due().map(|due| due.task), Ok(true));
    let leased = lease(&storage).remove(0);
    assert_eq!(leased.payload.as_ref().map(|payload| payload.as_str()), Ok("payload of reset"));
    assert_eq!((leased.name.as_str(), leased.plugin.as_str(), leased.depth, leased.attempts), ("reset", "p", 2, 1));
    assert_eq!(leased.address.as_deref(), Some("192.0.2.7"));
    assert!(lease(&storage).is_empty());
    let ending = || Commit { task: Some(leased.lease.clone()), ..commit(vec![put("k", "v")]) };
    storage.commit(ending()).expect("ended");
    assert_eq!(value(&storage, "k").as_deref(), Some("v"));
    assert_eq!(storage.tasks(false, 10), Ok(vec![]));
    assert_eq!(
        storage.commit(Commit { task: Some(leased.lease), ..commit(vec![put("k", "w")]) }),
        Err(StorageError::LeaseLost)
    );
    assert_eq!(value(&storage, "k").as_deref(), Some("v"), "its effects happen once");
}

fn a_conflict_leaves_the_task_where_it_was(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    enqueue(&storage, vec![job("reset", None, NOW), put("k", "v")]);
    let leased = lease(&storage).remove(0);
    let reads = vec![Read::Data { key: "k".to_owned(), version: None }];
    let conflict = Commit { reads, task: Some(leased.lease.clone()), ..commit(vec![put("k", "w")]) };
    assert_eq!(storage.commit(conflict), Err(StorageError::Changed));
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    storage.commit(Commit { task: Some(leased.lease), ..commit(vec![put("k", "w")]) }).expect("it is still ours");
}

fn while_one_of_a_key_waits_another_only_brings_it_forward(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let later = keyturn_core::time::now() + 3_600_000;
    let quotas = Quotas { waiting_jobs: 2, ..Quotas::NONE };
    let queue = |effects| storage.commit(Commit { quotas, ..commit(effects) });
    queue(vec![job("reset", Some("a"), later)]).expect("queued");
    assert!(lease(&storage).is_empty(), "not yet");
    queue(vec![job("reset", Some("a"), NOW), job("reset", Some("a"), later)]).expect("dropped");
    let full = Quotas { waiting_jobs: 1, ..Quotas::NONE };
    let known = storage.commit(Commit { quotas: full, ..commit(vec![job("reset", Some("a"), NOW)]) });
    assert_eq!(
        known,
        Err(StorageError::Limit("waiting-jobs")),
        "where there is no room, no name tells that its like waits"
    );
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    let running = lease(&storage).remove(0);
    // One that runs may have read what was before: then another is needed, and that one is enough.
    queue(vec![job("reset", Some("a"), later)]).expect("queued");
    assert_eq!(queue(vec![job("other", Some("a"), later)]), Err(StorageError::Limit("waiting-jobs")));
    assert!(storage.settle_task(&running.lease, Some(0), "unavailable").expect("settled"));
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    queue(vec![job("other", Some("a"), later)]).expect("there is room again");
}

fn what_fails_for_good_is_kept_to_be_seen_and_no_longer_counts(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let quotas = Quotas { waiting_jobs: 1, ..Quotas::NONE };
    let queue = || storage.commit(Commit { quotas, ..commit(vec![job("reset", None, NOW)]) });
    queue().expect("queued");
    let leased = lease(&storage).remove(0);
    assert!(storage.settle_task(&leased.lease, Some(0), "unavailable").expect("settled"));
    let again = lease(&storage).remove(0);
    assert_eq!(again.attempts, 2);
    assert!(!storage.settle_task(&leased.lease, None, "not-found").expect("asked"), "the old lease is nobody's");
    assert!(storage.settle_task(&again.lease, None, "not-found").expect("settled"));
    let failed = storage.tasks(true, 10).expect("read");
    assert_eq!(failed[0].outcome.as_deref(), Some("not-found"));
    assert_eq!(storage.task_counts(), Ok(vec![TaskCount { plugin: "p".to_owned(), waiting: 0, failed: 1 }]));
    queue().expect("there is room again");
}

fn audit() -> AuditEntry {
    let console = Caller::new(Actor::Console, Reach::none());
    AuditEntry::of(&console, NOW, "host", "jobs-run-again", "done".to_owned())
}

/// One that has failed for good.
fn failed(storage: &Store, key: Option<&str>) -> String {
    enqueue(storage, vec![job("reset", key, NOW)]);
    let leased = lease(storage).remove(0);
    assert!(storage.settle_task(&leased.lease, None, "not-found").expect("settled"));
    leased.lease.row
}

fn what_failed_for_good_runs_again_as_it_was_and_counts_again(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let id = failed(&storage, None);
    assert_eq!(storage.run_again(&["0".repeat(32), id.clone()], audit()), Ok(vec![id.clone()]));
    assert_eq!(storage.run_again(std::slice::from_ref(&id), audit()), Ok(vec![]), "it waits already");
    assert_eq!(storage.task_counts().expect("counted")[0].waiting, 1);
    let again = lease(&storage).remove(0);
    assert_eq!(again.payload.as_ref().map(|payload| payload.as_str()), Ok("payload of reset"));
    assert_eq!((again.attempts, again.depth), (1, 2));
    storage.commit(Commit { task: Some(again.lease), ..commit(vec![]) }).expect("ended");
    let quotas = Quotas { waiting_jobs: 1, ..Quotas::NONE };
    storage.commit(Commit { quotas, ..commit(vec![job("reset", None, NOW)]) }).expect("each is counted off once");
    let written = storage.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).expect("read");
    assert_eq!(written.iter().filter(|(_, entry)| entry.operation == "jobs-run-again").count(), 1);
}

fn what_failed_for_good_is_done_by_one_of_its_key_that_waits(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let id = failed(&storage, Some("a"));
    enqueue(&storage, vec![job("reset", Some("a"), NOW)]);
    assert_eq!(storage.run_again(std::slice::from_ref(&id), audit()), Ok(vec![id]));
    assert_eq!(lease(&storage).len(), 1);
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
}

fn what_failed_for_good_is_wiped_after_a_week_or_behind_a_thousand_newer_ones_and_then_runs_no_more(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let (id, week) = (failed(&storage, None), 7 * 24 * 3_600_000);
    let whole = || storage.tasks(true, 10).expect("read").iter().map(|task| task.whole).collect::<Vec<_>>();
    let passes = |now| {
        storage.beat(&[], LEASE, now).expect("a sign of life");
        std::thread::sleep(Duration::from_millis(1_500));
    };
    passes(NOW + week - 1);
    assert_eq!(whole(), [true]);
    passes(NOW + week);
    assert_eq!(whole(), [false]);
    assert_eq!(storage.run_again(&[id], audit()), Ok(vec![]));
    panel.run(&format!(
        "INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, payload, depth, attempts, asked_at, state, changed_at)
         SELECT concat('x', i), 'job', 'p', 'p', 'reset', {}, 0, 8, {at}, 'gave-up', {at} FROM {}",
        engine.bytes(&[0]),
        engine.counted(1_001),
        at = NOW + week,
    ));
    passes(NOW + week + 1);
    let carrying = "SELECT count(*), min(id) FROM keyturnhost_tasks WHERE payload IS NOT NULL";
    assert_eq!(panel.rows(carrying), [["1000", "x10"]], "all but the oldest, x1");
}

fn a_task_whose_workers_all_went_away_fails_and_holds_up_nobody(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    enqueue(&storage, vec![job("poison", None, NOW)]);
    for _ in 0..ATTEMPTS {
        assert_eq!(storage.lease_tasks(1, 0).expect("leased").len(), 1);
        std::thread::sleep(Duration::from_millis(2));
    }
    enqueue(&storage, vec![job("next", None, NOW)]);
    assert_eq!(storage.lease_tasks(1, LEASE).expect("leased")[0].name, "next");
    assert!(lease(&storage).is_empty());
    assert_eq!(storage.tasks(true, 10).expect("read")[0].outcome.as_deref(), Some("lost"));
}

fn a_payload_is_sealed_for_its_row_and_name(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for forgery in [
        "name = 'other'",
        "plugin = 'q'",
        "depth = 0",
        &format!("payload = {}", engine.bytes(&[0; 90])),
        "address = NULL",
    ] {
        enqueue(&storage, vec![job("reset", None, NOW)]);
        panel.run(&format!("UPDATE keyturnhost_tasks SET {forgery}"));
        let leased = lease(&storage).remove(0);
        assert!(leased.payload.is_err(), "{forgery}");
        storage.settle_task(&leased.lease, None, "forged").expect("settled");
    }
}

fn several_are_leased_at_once_but_one_that_came_to_nothing_before_goes_alone(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let at = |name: &str, due| job(name, None, due);
    enqueue(&storage, vec![at("tried", NOW), at("one", NOW + 1), at("two", NOW + 2)]);
    let tried = storage.lease_tasks(1, LEASE).expect("leased").remove(0);
    assert!(storage.settle_task(&tried.lease, Some(NOW - keyturn_core::time::now() + 1), "trap").expect("settled"));
    let names = |leased: Vec<LeasedTask>| leased.into_iter().map(|task| task.name).collect::<Vec<_>>();
    let next: Vec<Vec<String>> = (0..3).map(|_| names(lease(&storage))).collect();
    assert_eq!(next.iter().flatten().collect::<BTreeSet<_>>().len(), 3, "{next:?}");
    assert!(next.iter().all(|some| some.len() == 1 || !some.contains(&"tried".to_owned())), "{next:?}");
    enqueue(&storage, vec![at("three", NOW), at("four", NOW)]);
    assert_eq!(lease(&storage).len(), 2);
}

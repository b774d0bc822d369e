//! Tasks: one of a key waits, one worker has it, and it ends with its own effects.

use super::*;
use crate::storage::outbox::ATTEMPTS;
use crate::storage::tasks::{NewTask, TaskKind};

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

fn enqueue(storage: &Sqlite, effects: Vec<Effect>) {
    storage.commit(commit(effects)).expect("queued");
}

fn lease(storage: &Sqlite) -> Vec<LeasedTask> {
    storage.lease_tasks(10, LEASE).expect("leased")
}

#[test]
fn a_task_comes_back_as_it_was_left_and_ends_in_the_commit_of_its_effects() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
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

#[test]
fn a_conflict_leaves_the_task_where_it_was() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    enqueue(&storage, vec![job("reset", None, NOW), put("k", "v")]);
    let leased = lease(&storage).remove(0);
    let reads = vec![Read::Data { key: "k".to_owned(), version: None }];
    let conflict = Commit { reads, task: Some(leased.lease.clone()), ..commit(vec![put("k", "w")]) };
    assert_eq!(storage.commit(conflict), Err(StorageError::Changed));
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    storage.commit(Commit { task: Some(leased.lease), ..commit(vec![put("k", "w")]) }).expect("it is still ours");
}

#[test]
fn while_one_of_a_key_waits_another_only_brings_it_forward() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let later = crate::call::now() + 3_600_000;
    let quotas = Quotas { waiting_jobs: 2, ..Quotas::NONE };
    let queue = |effects| storage.commit(Commit { quotas, ..commit(effects) });
    queue(vec![job("reset", Some("a"), later)]).expect("queued");
    assert!(lease(&storage).is_empty(), "not yet");
    queue(vec![job("reset", Some("a"), NOW), job("reset", Some("a"), later)]).expect("dropped");
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    let running = lease(&storage).remove(0);
    // One that runs may have read what was before: then another is needed, and that one is enough.
    queue(vec![job("reset", Some("a"), later)]).expect("queued");
    assert_eq!(queue(vec![job("other", Some("a"), later)]), Err(StorageError::Limit("waiting-jobs")));
    assert!(storage.settle_task(&running.lease, Some(0), "unavailable").expect("settled"));
    assert_eq!(storage.tasks(false, 10).expect("read").len(), 1);
    queue(vec![job("other", Some("a"), later)]).expect("there is room again");
}

#[test]
fn what_fails_for_good_is_kept_to_be_seen_without_what_it_carried_and_no_longer_counts() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
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
    let payload: Option<Vec<u8>> =
        panel.raw().query_row("SELECT payload FROM keyturnhost_tasks", [], |row| row.get(0)).expect("read");
    assert_eq!(payload, None);
    queue().expect("there is room again");
}

#[test]
fn a_task_whose_workers_all_went_away_fails_and_holds_up_nobody() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
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

#[test]
fn a_payload_is_sealed_for_its_row_and_name() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    for forgery in ["name = 'other'", "plugin = 'q'", "depth = 0", "payload = zeroblob(90)", "address = NULL"] {
        enqueue(&storage, vec![job("reset", None, NOW)]);
        panel.raw().execute_batch(&format!("UPDATE keyturnhost_tasks SET {forgery}")).expect("forged");
        let leased = lease(&storage).remove(0);
        assert!(leased.payload.is_err(), "{forgery}");
        storage.settle_task(&leased.lease, None, "forged").expect("settled");
    }
}

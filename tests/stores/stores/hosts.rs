//! Two hosts on one database: what holds for one holds for both together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};

use keyturn_core::accounts::{Reach, Why};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_store::deliveries::{DeliveryId, NewDelivery};
use keyturn_store::hosts::{About, State};
use keyturn_store::keys::StoredKey;
use keyturn_store::outbox::NewMail;
use keyturn_store::settings::NewSecret;
use keyturn_store::tasks::{NewTask, TaskKind};
use keyturn_store::{AuditEntry, AuditFilter, Bound, Commit, Counted, Effect, Quotas, Read, StorageError, Store};
use keyturn_store_tests::*;
use zeroize::Zeroizing;

use super::outbox;

every_engine!(
    what_one_host_has_acknowledged_the_other_one_reads,
    of_first_writers_of_a_key_one_succeeds,
    of_two_writers_who_each_read_what_the_other_writes_one_succeeds,
    no_update_of_many_is_lost,
    of_many_who_saw_one_password_one_replaces_it,
    of_many_presses_of_one_button_one_is_done_and_all_have_its_answer,
    what_may_be_used_once_is_used_by_one_host_and_only_where_there_are_effects,
    of_many_workers_each_task_has_one_and_is_done_once,
    of_many_workers_each_delivery_has_one,
    of_one_key_one_task_waits_whoever_leaves_it,
    of_many_settings_written_on_one_reading_one_stands,
    of_many_service_keys_of_one_name_one_stands,
    a_limit_is_one_for_all_hosts,
    a_plugins_bytes_are_counted_once_whoever_writes,
    what_is_counted_on_two_hosts_adds_up,
    what_is_over_is_removed_once_by_whoever_tidies,
    signs_of_life_of_two_hosts_are_in_nobodys_way,
    hosts_see_each_other_how_they_are_set_up_and_when_one_stops,
    hosts_that_are_gone_for_long_are_forgotten_but_for_the_last_one_that_worked,
    no_key_is_replaced_under_a_host_that_only_serves,
    what_one_host_has_let_pass_another_one_knows,
    of_hosts_with_other_keys_the_first_one_stays,
);

const THREADS: usize = 8;
const LEASE: i64 = 60_000;

fn two(panel: &Panel) -> [Store; 2] {
    [panel.open(), panel.open()]
}

/// Runs `work` on eight threads at once, every other one on the second host.
fn at_once<T: Send>(hosts: &[Store; 2], work: impl Fn(&Store, usize) -> T + Sync) -> Vec<T> {
    let (all, work) = (Barrier::new(THREADS), &work);
    let all = &all;
    std::thread::scope(|scope| {
        let run = |thread| {
            move || {
                all.wait();
                work(&hosts[thread % 2], thread)
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
    })
}

/// How many succeeded; the others saw a change.
fn successes(done: &[Result<(), StorageError>]) -> usize {
    assert!(done.iter().all(|done| matches!(done, Ok(()) | Err(StorageError::Changed))), "{done:?}");
    done.iter().filter(|done| done.is_ok()).count()
}

fn what_one_host_has_acknowledged_the_other_one_reads(engine: Engine) {
    let panel = Panel::new(engine);
    let [one, other] = two(&panel);
    for n in 0..50 {
        let (writes, reads) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        writes.commit(commit(vec![put("k", &n.to_string())])).expect("committed");
        assert_eq!(value(reads, "k"), Some(n.to_string()));
    }
}

fn of_first_writers_of_a_key_one_succeeds(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 0..10 {
        let key = format!("token/{round}");
        let done = at_once(&hosts, |store, thread| {
            let effects = vec![put(&key, &thread.to_string()), put(&format!("{key}/{thread}"), "")];
            store.commit(Commit { reads: vec![absent(&key)], ..commit(effects) })
        });
        assert_eq!(successes(&done), 1);
        let won = done.iter().position(Result::is_ok).expect("one").to_string();
        assert_eq!(value(&hosts[0], &key), Some(won.clone()));
        let rows = hosts[1].scan("p", &format!("{key}/"), None, 100, NOW).expect("scanned");
        assert_eq!(rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), [format!("{key}/{won}")]);
    }
}

fn of_two_writers_who_each_read_what_the_other_writes_one_succeeds(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 0..10 {
        let keys = [format!("a/{round}"), format!("b/{round}")];
        let done = at_once(&hosts, |store, thread| {
            let reads = keys.iter().map(|key| absent(key)).collect();
            store.commit(Commit { reads, ..commit(vec![put(&keys[thread % 2], "v")]) })
        });
        assert_eq!(successes(&done), 1);
    }
}

fn no_update_of_many_is_lost(engine: Engine) {
    const EACH: usize = 15;
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    hosts[0].commit(commit(vec![put("sum", "0")])).expect("committed");
    let again = at_once(&hosts, |store, _| {
        let (mut done, mut again) = (0, 0);
        while done < EACH {
            let (sum, version) = store.get("p", "sum", NOW).expect("read").expect("there");
            let sum: usize = String::from_utf8(sum).expect("text").parse().expect("a number");
            let reads = vec![Read::Data { key: "sum".to_owned(), version: Some(version) }];
            match store.commit(Commit { reads, ..commit(vec![put("sum", &(sum + 1).to_string())]) }) {
                Ok(()) => done += 1,
                Err(StorageError::Changed) => again += 1,
                Err(other) => panic!("{other}"),
            }
        }
        again
    });
    assert_eq!(value(&hosts[0], "sum"), Some((THREADS * EACH).to_string()));
    assert!(again.into_iter().sum::<usize>() > 0, "nobody met anybody");
}

fn of_many_who_saw_one_password_one_replaces_it(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 0..10 {
        let known = hosts[0].account(&id("1")).expect("read").expect("there");
        let done = at_once(&hosts, |store, thread| {
            let reads = vec![Read::Account { id: id("1"), seen: Some(Box::new(known.clone())) }];
            let name = format!("{round}/{thread}");
            let effects =
                vec![put(&name, "v"), replace("1", &format!("h/{name}"), Why::Password, &format!("e/{name}"))];
            store.commit(Commit { reads, audit: Some(entry("set", "1")), ..commit(effects) })
        });
        assert_eq!(successes(&done), 1);
        let won = format!("{round}/{}", done.iter().position(Result::is_ok).expect("one"));
        let known = hosts[1].account(&id("1")).expect("read").expect("there");
        assert_eq!((known.account.hash, known.epoch), (Some(format!("h/{won}")), format!("e/{won}")));
        assert!(value(&hosts[0], &won).is_some());
        assert_eq!(audit(&hosts[0]).len(), round + 1);
    }
}

fn of_many_presses_of_one_button_one_is_done_and_all_have_its_answer(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 0..10 {
        let done = at_once(&hosts, |store, thread| {
            let answer = thread.to_string();
            let kept = Some((record_key(&format!("k{round}")), record(&answer)));
            let effects = vec![put(&format!("{round}/{answer}"), "v")];
            match store.commit(Commit { record: kept, audit: Some(entry("press", "1")), ..commit(effects) }) {
                Ok(()) => (true, answer),
                Err(StorageError::Recorded(kept)) => (false, String::from_utf8(kept.answer).expect("text")),
                Err(other) => panic!("{other}"),
            }
        });
        let won: Vec<&String> = done.iter().filter(|(won, _)| *won).map(|(_, answer)| answer).collect();
        assert_eq!(won.len(), 1, "{done:?}");
        assert!(done.iter().all(|(_, answer)| answer == won[0]), "{done:?}");
        let rows = hosts[0].scan("p", &format!("{round}/"), None, 10, NOW).expect("scanned");
        assert_eq!((rows.len(), audit(&hosts[0]).len()), (1, round + 1));
    }
}

fn task(name: &str, key: Option<&str>) -> Effect {
    Effect::Enqueue(Box::new(NewTask {
        kind: TaskKind::Job,
        plugin: "p".to_owned(),
        name: name.to_owned(),
        payload: Zeroizing::new(String::new()),
        not_before: NOW,
        key: key.map(str::to_owned),
        address: None,
        depth: 0,
    }))
}

fn of_many_workers_each_task_has_one_and_is_done_once(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let names: BTreeSet<String> = (0..60).map(|n| format!("job {n}")).collect();
    hosts[0].commit(commit(names.iter().map(|name| task(name, None)).collect())).expect("queued");
    let done = at_once(&hosts, |store, thread| {
        let mut done = Vec::new();
        loop {
            let leased = store.lease_tasks(3, LEASE).expect("leased");
            if leased.is_empty() {
                return done;
            }
            for task in leased {
                let effects = vec![put(&format!("{}/{thread}", task.name), "v")];
                store.commit(Commit { task: Some(task.lease), ..commit(effects) }).expect("ended");
                done.push(task.name);
            }
        }
    });
    assert_eq!(done.concat().len(), 60);
    assert_eq!(done.concat().into_iter().collect::<BTreeSet<_>>(), names);
    assert_eq!(hosts[1].scan("p", "job ", None, 100, NOW).expect("scanned").len(), 60);
    // On another node of a cluster a moment later.
    assert!(
        settled(|| panel.number("SELECT count(*) FROM keyturnhost_tasks") == 0),
        "a task that was done is still there"
    );
}

fn of_many_workers_each_delivery_has_one(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let new = |_| {
        let id = DeliveryId::random();
        let body = "{}".to_owned();
        let event = "password.changed".to_owned();
        (id.to_string(), NewDelivery { id, destination: "a".to_owned(), event, account: None, body })
    };
    let queued: BTreeMap<String, NewDelivery> = (0..60).map(new).collect();
    let ids: BTreeSet<String> = queued.keys().cloned().collect();
    let effects = queued.into_values().map(|new| Effect::Deliver(Box::new(new))).collect();
    hosts[0].commit(commit(effects)).expect("queued");
    let leased = at_once(&hosts, |store, _| {
        let next =
            || store.lease_delivery("a", "", LEASE).expect("leased").map(|leased| leased.delivery.id.to_string());
        std::iter::from_fn(next).collect::<Vec<_>>()
    });
    assert_eq!(leased.concat().len(), 60);
    assert_eq!(leased.concat().into_iter().collect::<BTreeSet<_>>(), ids);
}

fn of_one_key_one_task_waits_whoever_leaves_it(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let done = at_once(&hosts, |store, _| store.commit(commit(vec![task("reset", Some("a"))])));
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(hosts[0].lease_tasks(10, LEASE).expect("leased").len(), 1);
    assert_eq!(hosts[1].task_counts().expect("counted")[0].waiting, 1);
}

fn of_many_settings_written_on_one_reading_one_stands(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 1..=10 {
        let seen = hosts[0].settings_version("mail").expect("read");
        let done = at_once(&hosts, |store, thread| {
            let audit = AuditEntry { subjects: Vec::new(), ..entry("s", "1") };
            store.set_settings("mail", seen.as_ref(), thread.to_string().as_bytes(), NewSecret::Keep, audit)
        });
        assert_eq!(successes(&done), 1);
        let won = done.iter().position(Result::is_ok).expect("one").to_string();
        assert_eq!(hosts[1].settings("mail").expect("read").expect("there").values.as_slice(), won.as_bytes());
        assert_eq!(audit(&hosts[1]).len(), round);
    }
}

fn of_many_service_keys_of_one_name_one_stands(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for round in 1..=10 {
        let name = format!("panel {round}");
        let done = at_once(&hosts, |store, thread| {
            let content = Zeroizing::new(thread.to_string().into_bytes());
            let key = StoredKey { id: format!("{round}/{thread}"), name: name.clone(), content, last_used: None };
            store.put_service_key(&key, None, entry("key", "1")).expect("asked")
        });
        assert_eq!(done.iter().filter(|written| **written).count(), 1, "{done:?}");
        let won = done.iter().position(|written| *written).expect("one").to_string();
        let stands = hosts[0].service_key_named(&name).expect("read").expect("there");
        assert_eq!(stands.content.as_slice(), won.as_bytes());
        assert_eq!((hosts[1].service_keys().expect("read").len(), audit(&hosts[1]).len()), (round, round));
    }
}

fn a_limit_is_one_for_all_hosts(engine: Engine) {
    let panel = outbox::with_addresses(engine);
    let hosts = [outbox::open(&panel), outbox::open(&panel)];
    let done = at_once(&hosts, |store, _| {
        let one = || {
            let mail = NewMail { per_minute: 5, ..mail_to(&panel.keys, "1", "secret") };
            match store.commit(Commit { now: outbox::now(), ..commit(vec![Effect::Send(Box::new(mail))]) }) {
                Ok(()) => 1,
                Err(StorageError::Limit("per-minute")) => 0,
                Err(other) => panic!("{other}"),
            }
        };
        (0..4).map(|_| one()).sum::<usize>()
    });
    assert_eq!(done.into_iter().sum::<usize>(), 5);
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_outbox"), 5);
}

fn a_plugins_bytes_are_counted_once_whoever_writes(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let quotas = Quotas { stored_bytes: 2_000, ..Quotas::NONE };
    let done = at_once(&hosts, |store, thread| {
        let write = |n| {
            let put = put(&format!("{}", (thread + n) % 16), &"x".repeat(100 + 10 * n));
            match store.commit(Commit { quotas, ..commit(vec![put]) }) {
                Ok(()) => 1,
                Err(StorageError::Limit("stored-bytes")) => 0,
                Err(other) => panic!("{other}"),
            }
        };
        (0..10).map(write).sum::<usize>()
    });
    assert!((10..80).contains(&done.iter().sum::<usize>()), "{done:?}");
    let total = panel.number("SELECT bytes FROM keyturnhost_totals");
    let kept = "SELECT sum(octet_length(\"key\") + length(value)) FROM keyturnhost_data";
    assert_eq!(total, panel.number(kept));
    assert!((1_500..=2_000).contains(&total), "{total}");
}

fn what_is_counted_on_two_hosts_adds_up(engine: Engine) {
    const EACH: usize = 200;
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let bound = |limit| [Bound { key: "a".to_owned(), window: 3_600, limit }];
    let caller = Caller::new(Actor::Anonymous, Reach::none());
    let counted = || AuditEntry::counted(&caller, NOW, "p", "verify", "throttled".to_owned());
    at_once(&hosts, |store, _| {
        for n in 0..EACH {
            assert_eq!(store.count("p", &bound(u64::MAX), NOW), Ok(Counted::Within));
            store.tally(counted());
            // So that it is written behind in several parts.
            if n % 50 == 49 {
                std::thread::sleep(std::time::Duration::from_millis(400));
            }
        }
    });
    drop(hosts);
    let all = (THREADS * EACH) as u64;
    assert_eq!(panel.number("SELECT sum(count) FROM keyturnhost_counters"), all as i64);
    let host = panel.open();
    let filter = AuditFilter { limit: 10, counted: true, ..AuditFilter::default() };
    let lines: Vec<_> = host.audit(&filter).expect("read").into_iter().map(|(_, entry)| entry.times).collect();
    assert_eq!(lines, [Some(all)]);
    assert!(matches!(host.count("p", &bound(all), NOW), Ok(Counted::Full(_))));
    assert_eq!(host.count("p", &bound(all + 1), NOW), Ok(Counted::Within));
}

fn what_is_over_is_removed_once_by_whoever_tidies(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    for n in 0..100 {
        let kept = Some((record_key(&n.to_string()), record("a")));
        let effects = vec![put_until(&format!("over/{n}"), "v", Some(NOW + 1)), put(&format!("kept/{n}"), "v")];
        hosts[n % 2].commit(Commit { record: kept, ..commit(effects) }).expect("committed");
    }
    let later = NOW + 2 * DAY;
    at_once(&hosts, |store, thread| {
        // Four tidy, and four write meanwhile.
        for n in 0..10 {
            if thread < 4 {
                store.tidy(later, 15).expect("tidied");
            } else {
                store.commit(commit(vec![put(&format!("kept/{}", 10 * thread + n), "w")])).expect("committed");
            }
        }
    });
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_records"), 0);
    let keys = hosts[0].scan("p", "", None, 1_000, NOW).expect("scanned");
    assert!(keys.len() == 100 && keys.iter().all(|(key, _)| key.starts_with("kept/")));
    let total = panel.number("SELECT bytes FROM keyturnhost_totals");
    let kept = "SELECT sum(octet_length(\"key\") + length(value)) FROM keyturnhost_data";
    assert_eq!(total, panel.number(kept));
}

fn signs_of_life_of_two_hosts_are_in_nobodys_way(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    at_once(&hosts, |store, _| (0..5).for_each(|_| store.beat(&[], LEASE, NOW).expect("beats")));
    assert!(hosts[0].last_beat().expect("read").running);
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_hosts"), 2);
}

fn about(name: &str, settings: &[(&str, &str)]) -> About {
    let settings = settings.iter().map(|(name, mac)| ((*name).to_owned(), (*mac).to_owned())).collect();
    About { name: name.to_owned(), version: "1".to_owned(), settings }
}

fn hosts_see_each_other_how_they_are_set_up_and_when_one_stops(engine: Engine) {
    let panel = Panel::new(engine);
    let [one, other] = two(&panel);
    other.introduce(about("other", &[("mail.from", "b"), ("limits.queue-ms", "c")])).expect("kept");
    assert_eq!(one.hosts().expect("read"), [], "only looked at, or a command's");
    one.join().expect("joined");
    one.introduce(about("one", &[("mail.from", "a")])).expect("written");
    other.join().expect("joined");
    other.join().expect("once");
    let hosts = || one.hosts().expect("read");
    let named = |name: &str| hosts().into_iter().find(|host| host.name() == name).expect(name);
    assert_eq!(hosts().len(), 2);
    assert_eq!((named("one").state, named("other").works), (State::Running, false));
    let differ = named("other").about.expect("told").differences(&named("one").about.expect("told"));
    assert_eq!(differ, ["limits.queue-ms", "mail.from"]);
    assert!(!one.last_beat().expect("read").running, "nobody works");
    other.beat(&[], LEASE, NOW).expect("beats");
    assert!(named("other").works && !named("one").works && one.last_beat().expect("read").running);
    drop(other);
    assert_eq!((named("other").state, named("other").works), (State::Stopped, false));
    let beat = one.last_beat().expect("read");
    assert!(!beat.running && beat.at.is_some(), "it is known since when");
    panel.run("UPDATE keyturnhost_hosts SET beat = beat - 60000 WHERE ended IS NULL");
    assert_eq!(named("one").state, State::Silent);
    // What it says of itself is sealed for its own place.
    panel.run("UPDATE keyturnhost_data SET value = substr(value, 2) WHERE \"key\" LIKE 'host/%'");
    assert!(one.hosts().is_err());
}

fn hosts_that_are_gone_for_long_are_forgotten_but_for_the_last_one_that_worked(engine: Engine) {
    let panel = Panel::new(engine);
    let gone = |days: i64, works: bool| {
        let host = panel.open();
        host.introduce(about(&format!("{days} {works}"), &[])).expect("kept");
        host.join().expect("joined");
        if works {
            host.beat(&[], LEASE, NOW).expect("beats");
        }
        drop(host);
        let newest = panel.number("SELECT max(beat) FROM keyturnhost_hosts");
        let back = format!("beat = beat - {0}, ended = ended - {0}, worked = worked - {0}", days * DAY);
        panel.run(&format!("UPDATE keyturnhost_hosts SET {back} WHERE beat = {newest}"));
    };
    gone(5, true);
    gone(4, true);
    gone(3, false);
    gone(0, false);
    let host = panel.open();
    host.join().expect("joined");
    let names: BTreeSet<String> = host.hosts().expect("read").iter().map(|host| host.name().to_owned()).collect();
    assert!(names.contains("4 true") && names.contains("0 false") && names.len() == 3, "{names:?}");
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_data WHERE \"key\" LIKE 'host/%'"), 2);
    // However many start and stop.
    let newest = panel.number("SELECT max(beat) FROM keyturnhost_hosts");
    let more: Vec<String> = (0..150).map(|n| format!("('x{n}', 1, {newest}, 0, 1)")).collect();
    panel.run(&format!("INSERT INTO keyturnhost_hosts (id, started, beat, ahead, ended) VALUES {}", more.join(", ")));
    panel.open().join().expect("joined");
    assert!(panel.number("SELECT count(*) FROM keyturnhost_hosts") <= 103);
}

/// On SQLite the server's lock says that somebody serves.
fn no_key_is_replaced_under_a_host_that_only_serves(engine: Engine) {
    let panel = Panel::new(engine);
    let [host, late] = two(&panel);
    host.join().expect("joined");
    let keys = Keys::new([8; 32]);
    if engine.is_server() {
        assert!(matches!(panel.try_replace_key(&keys), Err(StorageError::Served(_))));
        host.commit(commit(vec![put("k", "v")])).expect("nothing was voided");
        assert_eq!(value(&host, "k"), Some("v".to_owned()));
    }
    drop(host);
    panel.replace_key(&keys);
    assert_eq!(late.join(), Err(StorageError::OtherKey), "one that was about to start");
}

fn what_one_host_has_let_pass_another_one_knows(engine: Engine) {
    const LIMIT: u64 = 10;
    // One server counts alone, in memory.
    if !engine.is_server() {
        return;
    }
    let panel = Panel::new(engine);
    let [one, other] = two(&panel);
    let within = |host: &Store, key: &str| {
        host.count("p", &[Bound { key: key.to_owned(), window: 3_600, limit: LIMIT }], NOW) == Ok(Counted::Within)
    };
    // Longer than until it is written, and than a host believes what it has read.
    let written = |count: i64| {
        let sum = "SELECT coalesce(sum(count), 0) FROM keyturnhost_counters";
        assert!(settled(|| panel.number(sum) == count), "{}", panel.number(sum));
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    };
    let passed = |host: &Store, key: &str| (0..50).filter(|_| within(host, key)).count();
    assert!(within(&one, "both") && within(&other, "both"));
    written(2);
    assert_eq!((passed(&one, "both"), passed(&one, "new")), (8, 10));
    written(20);
    assert_eq!((passed(&other, "both"), passed(&other, "new")), (0, 0), "counted before on this host, and never");
    // Who signs in on one host begins anew on the other.
    one.commit(commit(vec![Effect::Forget { key: "both".to_owned() }])).expect("committed");
    written(10);
    assert!(within(&other, "both") && !within(&other, "new"));
}

/// Their values would look forged to each other.
fn of_hosts_with_other_keys_the_first_one_stays(engine: Engine) {
    let panel = Panel::new(engine);
    let keys: Vec<Arc<Keys>> = (0..4).map(|_| Arc::new(Keys::random())).collect();
    let opened: Vec<bool> = std::thread::scope(|scope| {
        let open = |keys: &Arc<Keys>| panel.opened(Arc::clone(keys), Opening::default());
        let threads: Vec<_> = keys.iter().map(|keys| scope.spawn(move || open(keys))).collect();
        let opened = threads.into_iter().map(|thread| thread.join().expect("joined"));
        opened
            .map(|opened| match opened {
                Ok(_) => true,
                Err(StorageError::OtherKey) => false,
                Err(other) => panic!("{other}"),
            })
            .collect()
    });
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1, "{opened:?}");
    for (keys, first) in keys.iter().zip(opened) {
        assert_eq!(panel.opened(Arc::clone(keys), Opening::default()).is_ok(), first);
    }
}

fn what_may_be_used_once_is_used_by_one_host_and_only_where_there_are_effects(engine: Engine) {
    let panel = Panel::new(engine);
    let hosts = two(&panel);
    let once = |effects, nonce: &str| Commit { once: Some(nonce.to_owned()), ..commit(effects) };
    let done = at_once(&hosts, |host, thread| host.commit(once(vec![put(&thread.to_string(), "done")], "n1")));
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| matches!(done, Ok(()) | Err(StorageError::Replayed))), "{done:?}");
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_data"), 1);
    for host in &hosts {
        host.commit(once(Vec::new(), "n2")).expect("nothing is kept of it");
    }
    hosts[0].commit(once(vec![put("k", "done")], "n2")).expect("so it is not used");
    assert_eq!(panel.number("SELECT count(*) FROM keyturnhost_records"), 2);
}

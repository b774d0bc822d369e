//! The outbox: leased by one, settled once, wiped for good, and never what somebody else has written.

use std::collections::BTreeSet;
use std::time::Duration;

use keyturn_core::accounts::Field;
use keyturn_mail::template::Value;
use keyturn_mail::transport::{Attempt, Step, StepKind, Verdict};
use keyturn_store::outbox::{
    ATTEMPTS, LeasedMail, MailFilter, MailId, MailState, Mend, NewMail, Obstacle, Recipient, Settled,
};
use keyturn_store::queue::Lease;
use keyturn_store::{Commit, Effect, Quotas, Read, StorageError, Store};
use keyturn_store_tests::*;
use zeroize::Zeroizing;

every_engine!(
    a_mail_is_leased_once_with_what_it_was_filled_with_and_its_outcome_is_kept,
    what_a_mail_carried_is_wiped_once_it_is_accepted_withdrawn_or_has_ended,
    a_row_that_somebody_else_has_written_or_altered_is_never_filled,
    a_row_that_cannot_be_one_holds_up_no_other,
    of_many_workers_each_mail_has_one,
    a_lease_that_ran_out_is_the_next_workers_and_whoever_lost_it_settles_nothing,
    a_sign_of_life_prolongs_what_is_under_way,
    a_mail_whose_workers_all_went_away_is_given_up_and_holds_up_nobody,
    a_mail_withdrawn_while_it_is_sent_says_so_unless_it_has_gone,
    what_ran_out_is_not_sent,
    one_is_settled_and_the_next_taken_in_one_write_also_where_the_lease_held_no_more,
    a_plugin_has_so_many_mails_a_minute_and_so_many_bytes_and_a_commit_beyond_leaves_nothing,
    where_the_latest_attempt_went_is_read_and_must_still_be_so,
    what_an_operator_mends_is_written_down_and_what_has_gone_is_left_alone,
    mails_are_found_by_state_plugin_and_whom_they_are_to_newest_first,
);

const LEASE: i64 = 60_000;
const SECRET: &str = "tavo-meki-rusa-dole-fipa-94";

pub(super) fn now() -> i64 {
    keyturn_core::time::now()
}

pub(super) fn with_addresses(engine: Engine) -> Panel {
    let panel = Panel::new(engine);
    panel.run(
        "ALTER TABLE customers ADD email VARCHAR(100); UPDATE customers SET email = concat(login, '@panel.example')",
    );
    panel
}

pub(super) fn open(panel: &Panel) -> Store {
    let realms = "customer = { table = 'customers', id = 'id', login = 'login', email = 'email', hash = 'password' }";
    panel.open_with(Opening { realms, ..Opening::default() })
}

fn lease(storage: &Store) -> Vec<LeasedMail> {
    storage.lease_mail(10, LEASE, Some("ops@panel.example")).expect("leased")
}

fn one(storage: &Store) -> LeasedMail {
    let mut leased = lease(storage);
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

fn told(verdict: Verdict, said: &str) -> Option<(String, Attempt)> {
    let step = Step { kind: StepKind::Handover, took: Duration::from_millis(5), said: said.to_owned() };
    Some(("mx.example:25".to_owned(), Attempt { steps: vec![step], verdict }))
}

fn accepted() -> Settled {
    Settled { state: MailState::Accepted, again_in: None, told: told(Verdict::Accepted, "250 ok"), obstacle: None }
}

fn delayed(pause: i64) -> Settled {
    let told = told(Verdict::Delayed, "451 later");
    Settled { state: MailState::Delayed, again_in: Some(pause), told, obstacle: None }
}

fn state(storage: &Store, id: &MailId) -> MailState {
    storage.mail(id).expect("read").expect("there").state
}

fn a_mail_is_leased_once_with_what_it_was_filled_with_and_its_outcome_is_kept(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
    assert_eq!(state(&storage, &id), MailState::Queued);
    let leased = one(&storage);
    assert_eq!(lease(&storage).len(), 0, "it is under way");
    let filling = leased.filling.as_ref().expect("opens");
    assert_eq!(filling.template, template());
    assert_eq!(filling.variables["password"], Value::Secret(Zeroizing::new(SECRET.to_owned())));
    assert_eq!(filling.variables["until"], Value::Time(5));
    assert_eq!((filling.origin.as_deref(), filling.message_id.as_str()), (Some("192.0.2.7"), "one@panel.example"));
    assert_eq!(leased.account.as_ref().and_then(|a| a.value(Field::Email)), Some("ana@panel.example"));
    assert_eq!((leased.mail.attempts, state(&storage, &id)), (1, MailState::Sending));

    assert!(storage.settle_mail(&leased.lease, &delayed(0)).expect("settled"));
    let again = one(&storage);
    assert_eq!(
        (again.mail.attempts, again.mail.last.as_ref().map(|told| told.attempt.verdict)),
        (2, Some(Verdict::Delayed))
    );
    assert!(storage.settle_mail(&again.lease, &accepted()).expect("settled"));
    let mail = storage.mail(&id).expect("read").expect("there");
    assert_eq!((mail.state, mail.due, mail.whole), (MailState::Accepted, None, false));
    assert_eq!(mail.last.expect("told").attempt.steps[0].said, "250 ok");
    let filling = storage.filling(&id).expect("opens").expect("there");
    assert_eq!(filling.variables.keys().collect::<Vec<_>>(), ["until"], "what is no secret can still be shown");
    assert_eq!(lease(&storage).len(), 0);
}

fn what_a_mail_carried_is_wiped_once_it_is_accepted_withdrawn_or_has_ended(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    type End = fn(&Store, &MailId);
    let ends: [End; 3] = [
        |storage, _| {
            let leased = one(storage);
            storage.settle_mail(&leased.lease, &accepted()).expect("settled");
        },
        |storage, id| {
            let withdraw = Effect::Withdraw { id: id.clone() };
            storage.commit(Commit { now: now(), ..commit(vec![withdraw]) }).expect("withdrawn");
        },
        |storage, _| {
            assert!(settled(|| {
                storage.beat(&[], LEASE, now() + 7_200_000).expect("beats");
                storage.mails(&MailFilter { limit: 1, ..MailFilter::default() }).expect("read")[0].state
                    == MailState::Ended
            }));
        },
    ];
    let secrets = || panel.bytes("SELECT secrets FROM keyturnhost_outbox");
    for end in ends {
        let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
        let [sealed] = <[Vec<u8>; 1]>::try_from(secrets()).expect("one");
        assert!(sealed.len() > SECRET.len() && !sealed.windows(9).any(|part| SECRET.as_bytes().starts_with(part)));
        end(&storage, &id);
        assert_eq!(secrets(), [[0; 0]; 0]);
        assert!(!storage.mail(&id).expect("read").expect("there").whole);
    }
}

fn a_row_that_somebody_else_has_written_or_altered_is_never_filled(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    for forgery in [
        "UPDATE keyturnhost_outbox SET recipient = 'customer:2'",
        "UPDATE keyturnhost_outbox SET recipient = 'operators'",
        "UPDATE keyturnhost_outbox SET expires = expires + 1",
        "UPDATE keyturnhost_outbox SET plugin = 'q'",
        "UPDATE keyturnhost_outbox SET asked_at = asked_at - 1",
        &format!("UPDATE keyturnhost_outbox SET template = {}", engine.bytes(&[0; 32])),
        &format!("UPDATE keyturnhost_outbox SET secrets = {}", engine.bytes(&[0; 100])),
        "UPDATE keyturnhost_outbox SET secrets = variables",
        "UPDATE keyturnhost_outbox SET secrets = NULL",
        &format!("UPDATE keyturnhost_templates SET text = {}", engine.bytes(&[0; 100])),
        "UPDATE keyturnhost_outbox SET id = '00000000000000000000000000000000'",
    ] {
        send(&storage, mail_to(&panel.keys, "1", SECRET));
        panel.run(forgery);
        assert!(one(&storage).filling.is_err(), "{forgery}");
        panel.run("DELETE FROM keyturnhost_outbox; DELETE FROM keyturnhost_templates");
    }
    // What one mail carried cannot go with another, and what has gone cannot go again.
    send(&storage, mail_to(&panel.keys, "1", SECRET));
    send(&storage, mail_to(&panel.keys, "1", "another"));
    panel.run(
        "UPDATE keyturnhost_outbox SET secrets = (SELECT secrets FROM (
            SELECT secrets FROM keyturnhost_outbox ORDER BY number LIMIT 1) AS first)",
    );
    let leased = lease(&storage);
    assert_eq!(leased.iter().map(|leased| leased.filling.is_ok()).collect::<Vec<_>>(), [true, false]);
    storage.settle_mail(&leased[0].lease, &accepted()).expect("settled");
    panel.run("UPDATE keyturnhost_outbox SET state = 'queued', due = 0");
    assert!(lease(&storage).iter().all(|leased| leased.filling.is_err()));
}

fn a_row_that_cannot_be_one_holds_up_no_other(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    for nonsense in ["id = 'x'", "recipient = 'x'", "state = 'x'"] {
        send(&storage, mail_to(&panel.keys, "1", SECRET));
        panel.run(&format!("UPDATE keyturnhost_outbox SET {nonsense}"));
        let good = send(&storage, mail_to(&panel.keys, "2", SECRET));
        let leased: Vec<MailId> = lease(&storage).into_iter().map(|leased| leased.mail.id).collect();
        assert_eq!(leased, std::slice::from_ref(&good), "{nonsense}");
        let all = MailFilter { limit: 10, ..MailFilter::default() };
        assert!(storage.mails(&all).expect("listed").iter().any(|mail| mail.id == good), "{nonsense}");
        assert_eq!(storage.due().map(|due| due.mail), Ok(false), "{nonsense}");
        panel.run("DELETE FROM keyturnhost_outbox");
    }
}

fn of_many_workers_each_mail_has_one(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let sent: BTreeSet<MailId> = (0..60).map(|_| send(&storage, mail_to(&panel.keys, "1", SECRET))).collect();
    let other = open(&panel);
    let leased: Vec<MailId> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6)
            .map(|n| {
                let storage = if n % 2 == 0 { &storage } else { &other };
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    loop {
                        let leased = storage.lease_mail(3, LEASE, None).expect("leased");
                        if leased.is_empty() {
                            return mine;
                        }
                        mine.extend(leased.into_iter().map(|leased| leased.mail.id));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("joined")).collect()
    });
    assert_eq!(leased.len(), 60);
    assert_eq!(leased.into_iter().collect::<BTreeSet<_>>(), sent);
}

fn a_lease_that_ran_out_is_the_next_workers_and_whoever_lost_it_settles_nothing(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let lost = storage.lease_mail(1, 0, None).expect("leased").remove(0);
    std::thread::sleep(Duration::from_millis(5));
    let next = one(&storage);
    assert_ne!(lost.lease, next.lease);
    assert!(!storage.settle_mail(&lost.lease, &accepted()).expect("asked"));
    assert_eq!(state(&storage, &id), MailState::Sending);
    assert!(storage.settle_mail(&next.lease, &accepted()).expect("settled"));
    assert!(!storage.settle_mail(&next.lease, &delayed(0)).expect("asked"), "once");
    assert_eq!(state(&storage, &id), MailState::Accepted);
}

fn a_sign_of_life_prolongs_what_is_under_way(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    send(&storage, mail_to(&panel.keys, "1", SECRET));
    let held = storage.lease_mail(1, 200, None).expect("leased").remove(0);
    storage.beat(std::slice::from_ref(&held.lease), LEASE, now()).expect("beats");
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(lease(&storage).len(), 0);
    let beat = storage.last_beat().expect("read");
    assert!(beat.running && beat.at.is_some());
}

fn a_mail_whose_workers_all_went_away_is_given_up_and_holds_up_nobody(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let poison = send(&storage, mail_to(&panel.keys, "1", SECRET));
    for attempt in 1..=ATTEMPTS {
        assert_eq!(storage.lease_mail(1, 0, None).expect("leased")[0].mail.attempts, attempt);
        std::thread::sleep(Duration::from_millis(2));
    }
    let next = send(&storage, mail_to(&panel.keys, "2", SECRET));
    assert_eq!(one(&storage).mail.id, next);
    assert_eq!(state(&storage, &poison), MailState::GaveUp);
}

fn a_mail_withdrawn_while_it_is_sent_says_so_unless_it_has_gone(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    for (settled, then) in [(accepted(), MailState::Accepted), (delayed(0), MailState::Withdrawn)] {
        let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
        let leased = one(&storage);
        let withdraw = vec![Effect::Withdraw { id: id.clone() }];
        storage.commit(Commit { now: now(), ..commit(withdraw) }).expect("withdrawn");
        assert_eq!(state(&storage, &id), MailState::Withdrawn);
        assert!(storage.settle_mail(&leased.lease, &settled).expect("settled"));
        assert_eq!(state(&storage, &id), then);
        assert_eq!(lease(&storage).len(), 0);
    }
    // Another plugin's is not withdrawn.
    let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let foreign = Commit { plugin: "q".to_owned(), now: now(), ..commit(vec![Effect::Withdraw { id: id.clone() }]) };
    storage.commit(foreign).expect("nothing");
    assert_eq!(state(&storage, &id), MailState::Queued);
}

fn what_ran_out_is_not_sent(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let late = NewMail { expires: now() - 1, ..mail_to(&panel.keys, "1", SECRET) };
    let late = send(&storage, late);
    let good = send(&storage, mail_to(&panel.keys, "1", SECRET));
    assert_eq!(storage.lease_mail(1, LEASE, None).expect("leased")[0].mail.id, good);
    assert_eq!(state(&storage, &late), MailState::Ended);
}

fn one_is_settled_and_the_next_taken_in_one_write_also_where_the_lease_held_no_more(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let (first, second) =
        (send(&storage, mail_to(&panel.keys, "1", SECRET)), send(&storage, mail_to(&panel.keys, "1", SECRET)));
    let leased = storage.lease_mail(1, LEASE, None).expect("leased").remove(0);
    assert_eq!(leased.mail.id, first);
    let accepted = Settled { state: MailState::Accepted, again_in: None, told: None, obstacle: None };
    let go_on = |lease: &Lease| storage.settle_and_lease_mail(lease, &accepted, LEASE, None).expect("written");
    let (held, next) = go_on(&leased.lease);
    assert_eq!((held, next.map(|next| next.mail.id)), (true, Some(second.clone())));
    assert_eq!((state(&storage, &first), state(&storage, &second)), (MailState::Accepted, MailState::Sending));
    let third = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let (held, next) = go_on(&leased.lease);
    assert_eq!((held, next.map(|next| next.mail.id)), (false, Some(third)), "the old lease is nobody's");
    assert!(go_on(&leased.lease).1.is_none());
}

fn a_plugin_has_so_many_mails_a_minute_and_so_many_bytes_and_a_commit_beyond_leaves_nothing(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let mail = || NewMail { per_minute: 2, ..mail_to(&panel.keys, "1", SECRET) };
    let three = (0..3).map(|_| Effect::Send(Box::new(mail()))).collect();
    let refused = storage.commit(Commit { now: now(), ..commit(three) });
    assert_eq!(refused, Err(StorageError::Limit("per-minute")));
    assert_eq!(storage.mail_counts(), Ok(vec![]));
    send(&storage, mail());
    send(&storage, mail());
    let third = Commit { now: now(), ..commit(vec![Effect::Send(Box::new(mail()))]) };
    assert_eq!(storage.commit(third), Err(StorageError::Limit("per-minute")));
    let later = Commit { now: now() + 61_000, ..commit(vec![Effect::Send(Box::new(mail()))]) };
    storage.commit(later).expect("a minute later");
    assert_eq!(storage.mails_lately("p", now() + 61_000), Ok(1));
    let quotas = Quotas { outbox_bytes: 1_500, ..Quotas::NONE };
    let full = Commit { now: now() + 200_000, quotas, ..commit(vec![Effect::Send(Box::new(mail()))]) };
    assert_eq!(storage.commit(full), Err(StorageError::Limit("outbox-bytes")));
}

fn where_the_latest_attempt_went_is_read_and_must_still_be_so(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let read = |address| vec![Read::Mail { id: id.clone(), address }];
    assert_eq!(storage.still("p", &read(None), now()), Ok(true));
    let leased = one(&storage);
    let mac = Recipient::Account(keyturn_store_tests::id("1")).address_mac(&panel.keys, "ana@panel.example").to_vec();
    assert_eq!(storage.mail(&id).expect("read").expect("there").address, Some(mac.clone()), "noted before it goes");
    let stale = Commit { reads: read(None), now: now(), ..commit(vec![put("k", "v")]) };
    assert_eq!(storage.commit(stale), Err(StorageError::Changed));
    assert_eq!(storage.still("p", &read(Some(mac.clone())), now()), Ok(true));
    storage.settle_mail(&leased.lease, &delayed(0)).expect("settled");
    panel.run("UPDATE customers SET email = 'new@panel.example' WHERE id = 1");
    let leased = one(&storage);
    assert_eq!(
        leased.account.and_then(|account| account.value(Field::Email).map(str::to_owned)).as_deref(),
        Some("new@panel.example")
    );
    assert_eq!(storage.still("p", &read(Some(mac)), now()), Ok(false));
}

fn what_an_operator_mends_is_written_down_and_what_has_gone_is_left_alone(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let refused = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let leased = one(&storage);
    let no = Settled {
        state: MailState::Refused,
        again_in: None,
        told: told(Verdict::Refused, "550 no"),
        obstacle: Some(Obstacle::NoAddress),
    };
    storage.settle_mail(&leased.lease, &no).expect("settled");
    assert_eq!(lease(&storage).len(), 0);
    let gone = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let leased = one(&storage);
    storage.settle_mail(&leased.lease, &accepted()).expect("settled");
    let under_way = send(&storage, mail_to(&panel.keys, "1", SECRET));
    one(&storage);
    let all = [refused.clone(), gone.clone(), under_way.clone(), MailId::random()];
    assert_eq!(storage.mend(Mend::Retry, &all, entry("outbox-retry", "1")), Ok(vec![refused.clone()]));
    let again = one(&storage);
    assert_eq!((again.mail.id, again.mail.attempts, again.mail.obstacle), (refused.clone(), 1, None));
    storage.settle_mail(&again.lease, &delayed(60_000)).expect("settled");
    assert_eq!(storage.mend(Mend::Withdraw, &all, entry("outbox-withdraw", "1")), Ok(vec![refused.clone()]));
    assert_eq!(state(&storage, &refused), MailState::Withdrawn);
    assert_eq!(storage.mend(Mend::Retry, &all, entry("outbox-retry", "1")), Ok(vec![]), "nothing is left to send");
    let audit = audit(&storage);
    assert_eq!(
        audit.iter().map(|entry| entry.operation.as_str()).collect::<Vec<_>>(),
        ["outbox-withdraw", "outbox-retry"]
    );
}

fn mails_are_found_by_state_plugin_and_whom_they_are_to_newest_first(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    let first = send(&storage, mail_to(&panel.keys, "1", SECRET));
    let second = send(&storage, mail_to(&panel.keys, "2", SECRET));
    let leased = storage.lease_mail(1, LEASE, None).expect("leased").remove(0);
    storage.settle_mail(&leased.lease, &accepted()).expect("settled");
    let found = |filter: MailFilter| -> Vec<MailId> {
        storage.mails(&filter).expect("read").into_iter().map(|mail| mail.id).collect()
    };
    let all = || MailFilter { limit: 10, ..MailFilter::default() };
    assert_eq!(found(all()), [second.clone(), first.clone()]);
    assert_eq!(
        found(MailFilter { search: Some(" BEN@panel.example".to_owned()), ..all() }),
        std::slice::from_ref(&second)
    );
    assert_eq!(found(MailFilter { search: Some("nobody".to_owned()), ..all() }), []);
    assert_eq!(
        found(MailFilter { states: vec![MailState::Accepted, MailState::Ended], ..all() }),
        std::slice::from_ref(&first)
    );
    assert_eq!(found(MailFilter { account: Some(id("1")), ..all() }), std::slice::from_ref(&first));
    assert_eq!(found(MailFilter { plugin: Some("q".to_owned()), ..all() }), []);
    let before = storage.mail(&second).expect("read").map(|mail| mail.number);
    assert_eq!(found(MailFilter { before, ..all() }), [first]);
    let mut counts = storage.mail_counts().expect("read");
    counts.sort_by_key(|(_, state, _)| state.name());
    let customers = |state, count| ("customer".to_owned(), state, count);
    assert_eq!(counts, [customers(MailState::Accepted, 1), customers(MailState::Queued, 1)]);
}

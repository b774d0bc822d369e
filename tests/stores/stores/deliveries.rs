//! Deliveries: written with their call, one worker has one, and what somebody else wrote is not sent.

use keyturn_store::deliveries::{
    ATTEMPTS, DeliveryFilter, DeliveryId, DeliveryState, LeasedDelivery, NewDelivery, SettledDelivery, TOLD, Tried,
};
use keyturn_store::{AuditEntry, AuditFilter, Commit, Effect, Quotas, Read, StorageError, Store, Version};
use keyturn_store_tests::*;

every_engine!(
    a_delivery_comes_back_as_it_was_left_to_one_worker_of_its_destination,
    a_call_that_comes_to_nothing_leaves_no_delivery,
    a_row_that_somebody_else_wrote_or_altered_is_never_opened,
    who_is_out_of_attempts_by_dying_is_given_up,
    a_destination_that_is_gone_is_left_alone_until_it_is_enabled,
    of_what_is_too_much_it_is_counted_how_much_it_was_and_the_call_succeeds,
    plugins_take_turns_so_that_one_that_tells_much_delays_none_that_tells_little,
    of_what_is_done_so_much_stays_of_each_plugin_and_one_that_tells_much_displaces_no_other,
    what_is_done_stays_a_month_and_what_is_on_hold_is_given_up_after_one,
    only_so_many_attempts_are_told_of,
);

const LEASE: i64 = 60_000;

fn deliver(to: &str) -> (DeliveryId, Effect) {
    let id = DeliveryId::random();
    let new = NewDelivery {
        id: id.clone(),
        destination: to.to_owned(),
        event: "password.changed".to_owned(),
        account: Some("customer:1".parse().expect("id")),
        body: "{\"type\":\"password.changed\"}".to_owned(),
    };
    (id, Effect::Deliver(Box::new(new)))
}

fn queue(storage: &Store, to: &str) -> DeliveryId {
    let (id, effect) = deliver(to);
    storage.commit(commit(vec![effect])).expect("queued");
    id
}

fn lease(storage: &Store, to: &str) -> Vec<LeasedDelivery> {
    let mut turn = String::new();
    let next = || {
        let leased = storage.lease_delivery(to, &turn, LEASE).expect("leased")?;
        turn.clone_from(&leased.delivery.plugin);
        Some(leased)
    };
    std::iter::from_fn(next).collect()
}

fn settled(state: DeliveryState, again_in: Option<i64>) -> SettledDelivery {
    let tried = Tried { at: 0, took_ms: 7, status: Some(500), said: "500 Oops".to_owned() };
    SettledDelivery { state, again_in, tried, gone: false }
}

fn audit() -> AuditEntry {
    entry("webhook-send-again", "1")
}

fn a_delivery_comes_back_as_it_was_left_to_one_worker_of_its_destination(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    assert_eq!(storage.deliveries_due(&["a", "b"]), Ok(false));
    let id = queue(&storage, "a");
    assert_eq!((storage.deliveries_due(&["b"]), storage.deliveries_due(&["b", "a"])), (Ok(false), Ok(true)));
    assert!(lease(&storage, "b").is_empty());
    let leased = lease(&storage, "a").remove(0);
    assert_eq!(leased.body.as_ref().map(|body| body.as_str()), Ok("{\"type\":\"password.changed\"}"));
    assert_eq!((leased.delivery.attempts, leased.delivery.state), (1, DeliveryState::Sending));
    assert_eq!((leased.delivery.id.clone(), leased.delivery.plugin.as_str()), (id.clone(), "p"));
    assert!(lease(&storage, "a").is_empty(), "somebody has it");
    assert_eq!(storage.send_again(std::slice::from_ref(&id), audit()), Ok(vec![]), "nor is it sent again meanwhile");
    assert_eq!(storage.settle_delivery(&leased.lease, &settled(DeliveryState::Delayed, Some(-1))), Ok(true));
    assert_eq!(storage.settle_delivery(&leased.lease, &settled(DeliveryState::Accepted, None)), Ok(false));
    let delayed = storage.delivery(&id).expect("read").expect("there");
    assert_eq!((delayed.state, delayed.tried.len()), (DeliveryState::Delayed, 1));
    assert!(delayed.tried[0].at > 0 && delayed.tried[0].said == "500 Oops");
    let again = lease(&storage, "a").remove(0);
    assert_eq!((again.delivery.id.as_str(), again.delivery.attempts), (id.as_str(), 2));
    assert_eq!(storage.delivery_counts(), Ok(vec![("a".to_owned(), DeliveryState::Sending, 1)]));
}

fn a_call_that_comes_to_nothing_leaves_no_delivery(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let reads = vec![Read::Data { key: "k".to_owned(), version: Some(Version([7; 24])) }];
    let conflict = Commit { reads, ..commit(vec![deliver("a").1]) };
    assert_eq!(storage.commit(conflict), Err(StorageError::Changed));
    assert_eq!(storage.deliveries_due(&["a"]), Ok(false));
}

fn a_row_that_somebody_else_wrote_or_altered_is_never_opened(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for change in [
        "destination = 'b'",
        "plugin = 'q'",
        "event = 'password.checked'",
        "id = 'msg_00000000000000000000000000000000'",
        &format!("payload = {}", engine.bytes(&[0])),
    ] {
        queue(&storage, "a");
        panel.run(&format!("UPDATE keyturnhost_deliveries SET {change}"));
        let leased = [lease(&storage, "a"), lease(&storage, "b")].concat();
        assert!(leased[0].body.as_ref().is_err_and(|said| said.contains("not sealed by this host")), "{change}");
        panel.run("DELETE FROM keyturnhost_deliveries");
    }
    queue(&storage, "a");
    let whole = queue(&storage, "a");
    panel.run(&format!("UPDATE keyturnhost_deliveries SET state = 'x' WHERE id <> '{whole}'"));
    let leased = lease(&storage, "a");
    assert_eq!(leased.iter().map(|one| &one.delivery.id).collect::<Vec<_>>(), [&whole], "it holds up no other");
}

fn who_is_out_of_attempts_by_dying_is_given_up(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let id = queue(&storage, "a");
    for attempt in 1..=ATTEMPTS {
        assert_eq!(lease(&storage, "a")[0].delivery.attempts, attempt);
        panel.run("UPDATE keyturnhost_deliveries SET due = 0");
    }
    assert!(lease(&storage, "a").is_empty());
    let lost = storage.delivery(&id).expect("read").expect("there");
    assert_eq!((lost.state, lost.due), (DeliveryState::GaveUp, None));
    assert_eq!(storage.send_again(std::slice::from_ref(&id), audit()), Ok(vec![id]));
    assert_eq!(lease(&storage, "a")[0].delivery.attempts, 1);
    let entries = storage.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).expect("read");
    assert_eq!(entries[0].1.operation, "webhook-send-again");
}

fn a_destination_that_is_gone_is_left_alone_until_it_is_enabled(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    queue(&storage, "a");
    queue(&storage, "a");
    let leased = storage.lease_delivery("a", "", LEASE).expect("leased").expect("one");
    let gone = SettledDelivery { gone: true, ..settled(DeliveryState::GaveUp, None) };
    assert_eq!(storage.settle_delivery(&leased.lease, &gone), Ok(true));
    assert_eq!(storage.deliveries_due(&["a"]), Ok(false));
    assert!(lease(&storage, "a").is_empty());
    let noted = storage.noted_destinations().expect("read");
    assert!(noted[0].0 == "a" && noted[0].1.disabled_at.is_some());
    assert_eq!(storage.enable_destination("a", audit()), Ok(true));
    assert_eq!(lease(&storage, "a").len(), 1);
    assert_eq!(storage.enable_destination("a", audit()), Ok(false));
}

fn of_what_is_too_much_it_is_counted_how_much_it_was_and_the_call_succeeds(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let quotas = Quotas { waiting_deliveries: 2, ..Quotas::NONE };
    let commit = |effects| Commit { quotas, ..commit(effects) };
    for _ in 0..5 {
        storage.commit(commit(vec![deliver("a").1, put("k", "v")])).expect("the call is done all the same");
    }
    storage.commit(commit(vec![deliver("b").1])).expect("another destination has its own");
    storage
        .commit(Commit { plugin: "q".to_owned(), ..commit(vec![deliver("a").1]) })
        .expect("another plugin has its own");
    let noted = storage.noted_destinations().expect("read");
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].0.as_str(), noted[0].1.missed, noted[0].1.missed_at), ("a", 3, Some(NOW)));
    assert_eq!(lease(&storage, "a").len(), 3);
}

fn plugins_take_turns_so_that_one_that_tells_much_delays_none_that_tells_little(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    for plugin in ["p", "p", "p", "p", "q", "b"] {
        storage.commit(Commit { plugin: plugin.to_owned(), ..commit(vec![deliver("a").1]) }).expect("queued");
    }
    let turns: Vec<String> = lease(&storage, "a").into_iter().map(|one| one.delivery.plugin).collect();
    assert_eq!(turns, ["b", "p", "q", "p", "p", "p"]);
}

fn of_what_is_done_so_much_stays_of_each_plugin_and_one_that_tells_much_displaces_no_other(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let done = |plugin: &str, state: &str, most: u32| {
        let sql = format!(
            "INSERT INTO keyturnhost_deliveries (id, destination, plugin, event, payload, state, attempts, asked_at, changed_at)
             SELECT concat('msg_{plugin}_{state}_', i), 'a', '{plugin}', 'e', {}, '{state}', 1, 0, {NOW} FROM {}",
            engine.bytes(&[]),
            engine.counted(most),
        );
        panel.run(&sql);
    };
    done("q", "gave-up", 1);
    done("p", "gave-up", 1);
    done("p", "accepted", 10_000);
    let first = panel.number("SELECT min(number) FROM keyturnhost_deliveries WHERE state = 'accepted'");
    let second =
        format!("SELECT min(number) FROM keyturnhost_deliveries WHERE state = 'accepted' AND number > {first}");
    let second = panel.number(&second);
    queue(&storage, "a");
    let leased = lease(&storage, "a").remove(0);
    storage.settle_delivery(&leased.lease, &settled(DeliveryState::Accepted, None)).expect("settled");
    let counts = storage.delivery_counts().expect("read");
    let count = |state| counts.iter().find(|(_, known, _)| *known == state).map(|(.., count)| *count);
    assert_eq!((count(DeliveryState::Accepted), count(DeliveryState::GaveUp)), (Some(10_000), Some(2)));
    let oldest = "SELECT min(number) FROM keyturnhost_deliveries WHERE state = 'accepted'";
    assert_eq!(panel.number(oldest), second, "the oldest went");
}

fn what_is_done_stays_a_month_and_what_is_on_hold_is_given_up_after_one(engine: Engine) {
    const MONTH: i64 = 30 * 24 * 3600 * 1000;
    let panel = Panel::new(engine);
    let storage = panel.open();
    let done = queue(&storage, "a");
    let leased = lease(&storage, "a").remove(0);
    storage.settle_delivery(&leased.lease, &settled(DeliveryState::Accepted, None)).expect("settled");
    let held = queue(&storage, "a");
    let all = || storage.deliveries(&DeliveryFilter { limit: 10, ..DeliveryFilter::default() }).expect("read");
    let changed = storage.delivery(&done).expect("read").expect("there").changed_at;
    panel.run(&format!("UPDATE keyturnhost_deliveries SET changed_at = {} WHERE state = 'queued'", changed + 1));
    storage.tidy(changed + MONTH - 1, 10).expect("tidied");
    assert_eq!(all().len(), 2);
    storage.tidy(changed + MONTH, 10).expect("tidied");
    assert_eq!(all().iter().map(|one| (&one.id, one.state)).collect::<Vec<_>>(), [(&held, DeliveryState::Queued)]);
    let later = changed + 1 + MONTH;
    storage.tidy(later, 10).expect("tidied");
    let given_up = storage.delivery(&held).expect("read").expect("there");
    assert_eq!((given_up.state, given_up.due, given_up.changed_at), (DeliveryState::GaveUp, None, later));
    assert_eq!(storage.send_again(std::slice::from_ref(&held), audit()), Ok(vec![held]), "it can be sent all the same");
}

fn only_so_many_attempts_are_told_of(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let id = queue(&storage, "a");
    for _ in 0..TOLD + 3 {
        let leased = lease(&storage, "a").remove(0);
        storage.settle_delivery(&leased.lease, &settled(DeliveryState::GaveUp, None)).expect("settled");
        storage.send_again(std::slice::from_ref(&id), audit()).expect("queued");
    }
    assert_eq!(storage.delivery(&id).expect("read").expect("there").tried.len(), TOLD);
}

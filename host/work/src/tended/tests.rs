//! What becomes of deliveries: again after a pause, on hold, in turns, and while destinations are replaced.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyturn_webhooks::testing::*;

use super::*;
use crate::testing::{self, Ground};
use crate::work::Work;
use keyturn_core::accounts::Reach;
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::time::now;
use keyturn_store::deliveries::{Delivery, DeliveryState};
use keyturn_store::deliveries::{DeliveryId, NewDelivery};
use keyturn_store::{Commit, Effect, Store};
use keyturn_webhooks::send::Verdict;

/// A host with these destinations, and its storage.
struct Stage {
    host: Work,
    storage: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(webhooks: Vec<Destination>) -> Self {
        let ground = Ground::new("", "");
        let host = ground
            .host()
            .with(|host| host.settings.webhooks = webhooks.into_iter().map(Arc::new).collect())
            .build()
            .expect("a host");
        let Ground { folder, storage, .. } = ground;
        Self { host, storage, folder }
    }

    /// As a call leaves it behind.
    fn emit(&self, destination: &str) -> DeliveryId {
        self.emit_at(destination, now())
    }

    fn emit_at(&self, destination: &str, now: i64) -> DeliveryId {
        self.emit_of("p", destination, now)
    }

    fn emit_of(&self, plugin: &str, destination: &str, now: i64) -> DeliveryId {
        let id = DeliveryId::random();
        let new = NewDelivery {
            id: id.clone(),
            destination: destination.to_owned(),
            event: "password.changed".to_owned(),
            account: Some("customer:1".parse().expect("id")),
            body: "{\"type\":\"password.changed\"}".to_owned(),
        };
        let commit = Commit::bare(plugin, now, vec![Effect::Deliver(Box::new(new))]);
        self.storage.commit(commit).expect("queued");
        self.host.bells.webhook.ring_all();
        id
    }

    fn get(&self, id: &DeliveryId) -> Delivery {
        self.storage.delivery(id).expect("read").expect("there")
    }

    #[track_caller]
    fn comes_to(&self, id: &DeliveryId, state: DeliveryState) -> Delivery {
        testing::comes_to(|| self.get(id), |it| it.state == state)
    }

    /// As if the pauses were over.
    fn due_now(&self) {
        let panel = rusqlite::Connection::open(self.folder.path().join("panel.db")).expect("opened");
        panel.busy_timeout(Duration::from_secs(5)).expect("set");
        panel.execute("UPDATE keyturnhost_deliveries SET due = 0 WHERE state = 'delayed'", []).expect("written");
        self.host.bells.webhook.ring_all();
    }

    fn working(&self, act: impl FnOnce()) {
        testing::working(&self.host, act);
    }
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

#[test]
fn an_event_that_was_not_taken_goes_again_under_the_same_id_until_it_is_given_up() {
    let (address, told) = answering("HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nbusy");
    let stage = Stage::new(vec![private(address)]);
    stage.working(|| {
        // Told an hour ago: each attempt is signed as of its own time, or a receiver takes it for a replay.
        let id = stage.emit_at("here", now() - 3_600_000);
        let delayed = stage.comes_to(&id, DeliveryState::Delayed);
        let pause = delayed.due.expect("again") - delayed.changed_at;
        assert!((4_000..=6_000).contains(&pause), "{pause}");
        let mut pauses = vec![pause];
        for attempt in 2..=10 {
            stage.due_now();
            let state = if attempt < 10 { DeliveryState::Delayed } else { DeliveryState::GaveUp };
            let until = Instant::now() + Duration::from_secs(10);
            while stage.get(&id).attempts < attempt && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            let settled = stage.comes_to(&id, state);
            assert_eq!((settled.attempts, settled.tried.len()), (attempt, attempt as usize));
            assert_eq!(settled.tried.last().expect("told").said, "500 Internal Server Error: busy");
            pauses.extend(settled.due.map(|due| due - settled.changed_at));
        }
        // In seconds, as the specification has them; a fifth more or less.
        let middle = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(pauses.len(), middle.len());
        for (pause, middle) in pauses.iter().zip(middle) {
            assert!((middle * 800..=middle * 1_200).contains(pause), "{pauses:?}");
        }
        let posted: Vec<Posted> = told.try_iter().collect();
        assert_eq!(posted.len(), 10);
        assert!(posted.iter().all(|one| one.header("webhook-id") == id.as_str() && one.body == posted[0].body));
        let age = |one: &Posted| now() / 1000 - one.header("webhook-timestamp").parse::<i64>().expect("seconds");
        assert!(posted.iter().all(|one| (0..60).contains(&age(one))), "{posted:?}");
        assert_eq!(stage.host.send_again(&console(), std::slice::from_ref(&id)), Ok(vec![id.clone()]));
        let again = stage.comes_to(&id, DeliveryState::Delayed);
        assert_eq!((again.attempts, again.tried.len()), (1, 11));
    });
}

#[test]
fn what_asks_for_time_gets_it() {
    let (address, _told) = answering("HTTP/1.1 429 X\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n");
    let stage = Stage::new(vec![private(address)]);
    stage.working(|| {
        let id = stage.emit("here");
        let delayed = stage.comes_to(&id, DeliveryState::Delayed);
        assert_eq!(delayed.due.expect("again") - delayed.changed_at, 600_000);
    });
}

#[test]
fn a_destination_that_is_gone_has_no_more_until_it_is_enabled() {
    let gone = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&gone);
    let (address, told) = server(move |stream, _| {
        let answer = match asked.load(Ordering::Relaxed) {
            0 => OK,
            _ => "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let stage = Stage::new(vec![private(address)]);
    stage.working(|| {
        let first = stage.emit("here");
        assert_eq!(stage.comes_to(&first, DeliveryState::GaveUp).attempts, 1);
        told.recv().expect("posted");
        let second = stage.emit("here");
        assert!(told.recv_timeout(Duration::from_millis(1_500)).is_err(), "something went there");
        let one = stage.host.one_delivery(&second).expect("read").expect("there");
        assert!(matches!(one.held, Some(Held::Disabled(_))) && one.delivery.state == DeliveryState::Queued);
        assert!(matches!(stage.host.tended().expect("read")[0].held(), Some(Held::Disabled(_))));
        gone.store(0, Ordering::Relaxed);
        assert_eq!(stage.host.enable_destination(&console(), "here"), Ok(true));
        stage.comes_to(&second, DeliveryState::Accepted);
        assert_eq!(stage.host.enable_destination(&console(), "here"), Ok(false));
    });
}

#[test]
fn a_slow_destination_holds_up_no_other_and_one_that_was_removed_is_said_to_be() {
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    // It answers nobody until the test ends.
    let (slow, _told) = server(move |_, _| {
        let _ = ended.lock().expect("whole").recv();
    });
    let (quick, _told) = answering(OK);
    let url = |address| format!("http://{address}/");
    let (slow, quick) = (url(slow), url(quick));
    let more = "allow-private = true\ntimeout-seconds = 60";
    let stage = Stage::new(vec![to("slow", &slow, more), to("quick", &quick, more)]);
    stage.working(|| {
        let waiting: Vec<DeliveryId> = (0..20).map(|_| stage.emit("slow")).collect();
        let removed = stage.emit("removed");
        for _ in 0..20 {
            let id = stage.emit("quick");
            stage.comes_to(&id, DeliveryState::Accepted);
        }
        let sending = waiting.iter().filter(|id| stage.get(id).state == DeliveryState::Sending).count();
        assert!(sending <= 2, "{sending} at once");
        let one = stage.host.one_delivery(&removed).expect("read").expect("there");
        assert_eq!((one.held, one.delivery.attempts), (Some(Held::Removed), 0));
        let tended = stage.host.tended().expect("read");
        let last = tended.last().expect("three");
        assert_eq!((last.name.as_str(), &last.leads, last.waiting), ("removed", &None, 1));
        drop(end);
    });
}

#[test]
fn destinations_are_replaced_while_events_go_out_and_none_is_lost_or_goes_twice() {
    let (old, told_old) = answering(OK);
    let (new, told_new) = answering(OK);
    let at = |address, connections: usize| {
        to("here", &format!("http://{address}/"), &format!("allow-private = true\nconnections = {connections}"))
    };
    let stage = Stage::new(vec![at(old, 2)]);
    stage.working(|| {
        let mut ids = Vec::new();
        for round in 0..200 {
            ids.push(stage.emit("here"));
            if round % 10 == 5 {
                stage.host.replace_destinations(vec![at(if round < 100 { old } else { new }, round % 3 + 1)]);
            }
        }
        ids.iter().for_each(|id| drop(stage.comes_to(id, DeliveryState::Accepted)));
        let told = |told: &Receiver<Posted>| told.try_iter().map(|one| one.header("webhook-id").to_owned()).collect();
        let (first, then): (Vec<String>, Vec<String>) = (told(&told_old), told(&told_new));
        assert!(!first.is_empty() && !then.is_empty(), "{} {}", first.len(), then.len());
        let mut all: Vec<String> = first.into_iter().chain(then).collect();
        let mut wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
        all.sort();
        wanted.sort();
        assert_eq!(all, wanted);
        // Nobody sends there any more, and what is new has senders of its own.
        stage
            .host
            .replace_destinations(vec![at(new, 1), to("more", &format!("http://{old}/"), "allow-private = true")]);
        let (here, more) = (stage.emit("here"), stage.emit("more"));
        stage.comes_to(&here, DeliveryState::Accepted);
        stage.comes_to(&more, DeliveryState::Accepted);
        assert_eq!(told_old.recv_timeout(Duration::from_secs(5)).expect("posted").header("webhook-id"), more.as_str());
    });
}

#[test]
fn what_waits_for_one_that_is_off_or_was_removed_goes_when_it_is_there_again() {
    let (address, told) = answering(OK);
    let at = |more: &str| to("here", &format!("http://{address}/"), &format!("allow-private = true\n{more}"));
    let stage = Stage::new(vec![at("enabled = false")]);
    stage.working(|| {
        let held = |id| stage.host.one_delivery(id).expect("read").expect("there").held;
        let id = stage.emit("here");
        assert_eq!(held(&id), Some(Held::Off));
        assert!(told.recv_timeout(Duration::from_millis(1_500)).is_err(), "it went although the destination is off");
        stage.host.replace_destinations(Vec::new());
        assert_eq!(held(&id), Some(Held::Removed));
        stage.host.replace_destinations(vec![at("")]);
        stage.comes_to(&id, DeliveryState::Accepted);
        assert_eq!(told.recv().expect("posted").header("webhook-id"), id.as_str());
    });
}

#[test]
fn a_destination_that_is_down_and_a_plugin_that_floods_delay_nobody_elses_events() {
    let down = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address");
    let (good, told) = answering(OK);
    let at = |name, address| to(name, &format!("http://{address}/"), "allow-private = true\nconnections = 1");
    let stage = Stage::new(vec![at("down", down), at("good", good)]);
    for _ in 0..500 {
        stage.emit("down");
        stage.emit("good");
    }
    let quiet = stage.emit_of("quiet", "good", now());
    stage.working(|| {
        // By turns: it comes second, and not after the flood.
        let first: Vec<_> = told.iter().take(3).map(|posted| posted.header("webhook-id").to_owned()).collect();
        assert!(first.iter().any(|id| id == quiet.as_str()), "{first:?}");
    });
}

#[test]
fn a_test_is_sent_though_it_is_held_and_the_audit_says_by_whom_and_what_came_of_it() {
    let (taken, told) = answering(OK);
    let (refused, _told) = answering("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    let (silent, _told) = server(|_, _| std::thread::sleep(Duration::from_secs(10)));
    let at = |name, address: SocketAddr, more: &str| {
        let more = format!("allow-private = true\ntimeout-seconds = 9\n{more}");
        to(name, &format!("http://{address}/?token=s3cret"), &more)
    };
    let stage =
        Stage::new(vec![at("taken", taken, "enabled = false"), at("refused", refused, ""), at("silent", silent, "")]);
    let tested = |name| {
        stage.host.test_webhook(&console(), &stage.host.destination(name).expect("there"), Duration::from_secs(1))
    };
    assert_eq!(tested("taken").expect("written down").0, Verdict::Accepted);
    let posted = told.recv().expect("posted");
    assert!(posted.body.starts_with("{\"type\":\"webhook.test\",") && posted.header("webhook-id").starts_with("msg_"));
    assert_eq!(tested("refused").expect("written down").0, Verdict::Gone);
    let (verdict, tried) = tested("silent").expect("written down");
    assert_eq!((verdict, tried.said.as_str()), (Verdict::Unknown, "request: no answer within 1 s"));
    let entries = stage.storage.audit(&keyturn_store::AuditFilter { limit: 10, ..Default::default() }).expect("read");
    let told: Vec<_> =
        entries.iter().map(|(_, e)| (e.operation.as_str(), e.outcome.as_str(), e.actor.as_str())).collect();
    let entry = |outcome| ("webhook-test", outcome, "console");
    assert_eq!(told, [entry("unknown: silent"), entry("failed: refused"), entry("accepted: taken")]);
    assert_eq!(stage.host.tended().expect("read")[1].held(), None, "a test disables nobody");
}

//! Workers with a transport that does as it is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::outbox::Retried;
use crate::testing::{self, Ground};
use crate::work::Work;
use keyturn_core::accounts::{AccountId, Reach};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::seal::Keys;
use keyturn_mail::Message;
use keyturn_mail::template::{Block, Kind, Template, Text, Value};
use keyturn_mail::transport::{Attempt, Session, Step, StepKind, Transport, Verdict};
use keyturn_store::outbox::{Kept, Mail, MailId, MailState, NewMail, Obstacle, Recipient};
use keyturn_store::{AuditFilter, Commit, Effect, Store};

/// Whether the slow server has answered.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Answers by the recipient's local part, and tells what it was given.
struct Fake(Sender<Message>);

impl Transport for Fake {
    fn name(&self) -> String {
        "mx.example:25".to_owned()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(FakeSession(self.0.clone()))
    }
}

struct FakeSession(Sender<Message>);

impl Session for FakeSession {
    fn send(&mut self, message: &Message) -> Attempt {
        let _ = self.0.send(message.clone());
        let (verdict, said) = match message.to.address.split('@').next() {
            Some("refuse") => (Verdict::Refused, "550 5.1.1 mailbox unavailable"),
            Some("delay") => (Verdict::Delayed, "451 later"),
            Some("panic") => panic!("a transport breaks down"),
            Some("hold") => {
                while !ANSWERED.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                (Verdict::Accepted, "250 2.0.0 queued at last")
            }
            _ => (Verdict::Accepted, "250 2.0.0 queued"),
        };
        let step = Step { kind: StepKind::Handover, took: Duration::from_millis(1), said: said.to_owned() };
        Attempt { steps: vec![step], verdict }
    }
}

/// A host with four customers, and workers.
struct Stage {
    host: Work,
    storage: Arc<Store>,
    keys: Arc<Keys>,
    sent: Receiver<Message>,
    folder: tempfile::TempDir,
}

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, email TEXT, password TEXT);
    INSERT INTO customers (id, login, email) VALUES (1, 'ana', 'ana@panel.example'), (2, 'ben', 'refuse@panel.example'),
        (3, 'cem', 'delay@panel.example'), (4, 'dora', 'panic@panel.example'), (5, 'eva', NULL), (6, 'fay', 'hold@panel.example');
";

impl Stage {
    fn new() -> Self {
        let ground = Ground::new(
            PANEL,
            "customer = { table = 'customers', id = 'id', login = 'login', email = 'email', hash = 'password' }",
        );
        let (tell, sent) = channel();
        let host = ground
            .host()
            .with(|host| {
                host.transport = Some(Arc::new(Fake(tell)));
                host.mail.mail.operators = Some("ops@panel.example".to_owned());
            })
            .build()
            .expect("a host");
        let Ground { folder, storage, keys } = ground;
        Self { host, storage, keys, sent, folder }
    }

    fn mail(&self, to: Recipient, variables: &[(&str, Value)]) -> MailId {
        let text = Text {
            subject: "Hello".to_owned(),
            preheader: "x".to_owned(),
            body: vec![Block::Secret("password".to_owned())],
        };
        let template = Template {
            variables: [("password".to_owned(), Kind::Secret)].into(),
            texts: [("en".to_owned(), text)].into(),
        };
        let id = MailId::random();
        let mail = NewMail {
            message_id: format!("{id}@panel.example"),
            address: None,
            id,
            to,
            template: Arc::new(Kept::new(&self.keys, "hello", &template)),
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            expires: now() + 3_600_000,
            per_minute: 1_000,
            origin: None,
        };
        let id = mail.id.clone();
        let commit = Commit::bare("p", now(), vec![Effect::Send(Box::new(mail))]);
        self.storage.commit(commit).expect("queued");
        self.host.bells.mail.ring();
        id
    }

    fn to(&self, customer: &str) -> MailId {
        let secret = Value::Secret("tavo-meki-94".to_owned().into());
        self.mail(Recipient::Account(customer.parse().expect("id")), &[("password", secret)])
    }

    fn get(&self, id: &MailId) -> Mail {
        self.storage.mail(id).expect("read").expect("there")
    }

    /// The mail, as soon as it is in this state.
    #[track_caller]
    fn comes_to(&self, id: &MailId, state: MailState) -> Mail {
        testing::comes_to(|| self.get(id), |it| it.state == state)
    }

    fn panel(&self, sql: &str) {
        let panel = rusqlite::Connection::open(self.folder.path().join("panel.db")).expect("opened");
        panel.busy_timeout(Duration::from_secs(5)).expect("set");
        panel.execute_batch(sql).expect("written");
    }

    /// Runs the workers around something.
    fn working(&self, act: impl FnOnce()) {
        testing::working(&self.host, act);
    }
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

#[test]
fn each_verdict_becomes_its_state_and_none_holds_up_the_others() {
    let stage = Stage::new();
    stage.working(|| {
        let broken = stage.to("customer:4");
        let refused = stage.to("customer:2");
        let delayed = stage.to("customer:3");
        let nowhere = stage.to("customer:5");
        let nobody = stage.to("customer:99");
        let unfilled = stage.mail(Recipient::Account("customer:1".parse().expect("id")), &[]);
        let fine: Vec<MailId> = (0..20).map(|_| stage.to("customer:1")).collect();
        for id in &fine {
            stage.comes_to(id, MailState::Accepted);
        }
        assert_eq!(stage.comes_to(&refused, MailState::Refused).last.expect("told").server, "mx.example:25");
        let (broken, delayed) =
            (stage.comes_to(&broken, MailState::Delayed), stage.comes_to(&delayed, MailState::Delayed));
        assert_eq!((broken.obstacle, delayed.obstacle), (Some(Obstacle::Broken), None));
        let pause = delayed.due.expect("again") - delayed.changed_at;
        assert!((24_000..=36_000).contains(&pause), "{pause}");
        assert_eq!(stage.comes_to(&nowhere, MailState::Refused).obstacle, Some(Obstacle::NoAddress));
        assert_eq!(stage.comes_to(&nobody, MailState::Refused).obstacle, Some(Obstacle::NoAccount));
        assert_eq!(stage.comes_to(&unfilled, MailState::Delayed).obstacle, Some(Obstacle::Template));
    });
    let messages: Vec<Message> = stage.sent.try_iter().collect();
    assert_eq!(messages.len(), 23, "each once");
    assert!(messages.iter().all(|message| message.message_id.ends_with("@panel.example")));
}

#[test]
fn a_mail_to_the_operators_goes_to_the_address_in_their_configuration() {
    let stage = Stage::new();
    stage.working(|| {
        let id = stage.mail(Recipient::Operators, &[("password", Value::Secret("x".to_owned().into()))]);
        stage.comes_to(&id, MailState::Accepted);
    });
    assert_eq!(stage.sent.recv().expect("sent").to.address, "ops@panel.example");
}

#[test]
fn a_refused_mail_goes_to_the_corrected_address_after_it_was_asked_about() {
    let stage = Stage::new();
    stage.working(|| {
        let id = stage.to("customer:2");
        stage.comes_to(&id, MailState::Refused);
        let ids = std::slice::from_ref(&id);
        let retry = |although| stage.host.retry(&console(), ids, although).expect("asked")[0].1;
        assert_eq!(retry(false), Retried::Queued { moved: false });
        stage.comes_to(&id, MailState::Refused);
        stage.panel("UPDATE customers SET email = 'ben@panel.example' WHERE id = 2");
        assert_eq!(retry(false), Retried::Moved);
        assert_eq!(stage.get(&id).state, MailState::Refused);
        assert_eq!(retry(true), Retried::Queued { moved: true });
        stage.comes_to(&id, MailState::Accepted);
        assert_eq!(retry(true), Retried::Not, "there is nothing left to send");
    });
    let messages: Vec<Message> = stage.sent.try_iter().collect();
    assert_eq!(messages.last().expect("sent").to.address, "ben@panel.example");
    assert!(messages.windows(2).all(|pair| pair[0].message_id == pair[1].message_id));
    let audit = stage.host.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).expect("read");
    let told: Vec<_> = audit.iter().map(|(_, e)| (e.plugin.as_str(), e.operation.as_str(), e.subjects.len())).collect();
    assert_eq!(told, [("host", "outbox-retry", 1), ("host", "outbox-retry", 1)]);
}

#[test]
fn who_does_not_reach_an_account_neither_sees_nor_mends_its_mail() {
    let stage = Stage::new();
    let id = stage.to("customer:1");
    let ids = std::slice::from_ref(&id);
    let stranger: AccountId = "staff:9".parse().expect("id");
    let stranger = Caller::new(Actor::Account(stranger), Reach::none());
    let own = Caller::new(Actor::Account("customer:1".parse().expect("id")), Reach::none());
    let nobody = Caller::new(Actor::Anonymous, Reach::none());
    for (caller, sees) in [(&stranger, false), (&nobody, false), (&own, true)] {
        assert_eq!(stage.host.mail(caller, &id).expect("read").is_some(), sees);
        assert_eq!(stage.host.withdraw(caller, ids).expect("asked"), []);
        assert_eq!(stage.host.retry(caller, ids, true).expect("asked")[0].1, Retried::Not);
    }
    assert_eq!(stage.host.withdraw(&console(), ids).expect("done"), ids);
    let one = stage.host.mail(&console(), &id).expect("read").expect("seen");
    let text = one.drawn.expect("drawn").text;
    assert!(text.contains("••••") && !text.contains("tavo"), "{}", text.as_str());
}

#[test]
fn workers_stop_and_the_page_knows_since_when() {
    let stage = Stage::new();
    assert_eq!(stage.host.workers().expect("read"), Workers::Stopped { since: None });
    stage.working(|| {
        let id = stage.to("customer:1");
        stage.comes_to(&id, MailState::Accepted);
        assert_eq!(stage.host.workers().expect("read"), Workers::Running);
    });
    stage.panel("UPDATE keyturnhost_hosts SET worked = 5");
    assert_eq!(stage.host.workers().expect("read"), Workers::Stopped { since: Some(5) });
    let id = stage.to("customer:1");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(stage.get(&id).state, MailState::Queued);
}

#[test]
fn a_mail_that_a_server_takes_its_time_over_stays_its_workers_while_work_is_stopped() {
    let stage = Stage::new();
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| stage.host.run_workers(&shutdown));
        let id = stage.to("customer:6");
        stage.sent.recv().expect("sent");
        let leased = stage.get(&id).due.expect("a lease");
        // The lease grows by the clock.
        std::thread::sleep(Duration::from_millis(5));
        shutdown.stop();
        let until = Instant::now() + Duration::from_secs(10);
        while stage.get(&id).due <= Some(leased) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let prolonged = stage.get(&id).due > Some(leased);
        ANSWERED.store(true, Ordering::Relaxed);
        assert!(prolonged, "another worker would send it too");
        stage.comes_to(&id, MailState::Accepted);
    });
}

#[test]
fn pauses_grow_are_not_all_the_same_and_end() {
    let middle: Vec<i64> = (1..=7).map(|attempt| pause(attempt).expect("again")).collect();
    assert!(middle.windows(2).all(|pair| pair[0] < pair[1]), "{middle:?}");
    assert_eq!((pause(8), pause(9)), (None, None));
    let several: HashSet<i64> = (0..20).filter_map(|_| pause(1)).collect();
    assert!(several.len() > 1 && several.iter().all(|pause| (24_000..=36_000).contains(pause)));
}

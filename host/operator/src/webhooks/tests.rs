//! The pages of webhooks, on deliveries that were brought to each state by hand.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::host::Operator;
use crate::stage::{Ground, Routes, form, operate, operators};
use keyturn_core::accounts::{Reach, Scope};
use keyturn_core::caller::Actor;
use keyturn_core::caller::Caller;
use keyturn_core::time::now;
use keyturn_pages::Surface;
use keyturn_runtime::CallError;
use keyturn_store::deliveries::{DeliveryId, NewDelivery, SettledDelivery, Tried};
use keyturn_store::{Commit, Effect, Store};
use keyturn_webhooks::Destination;
use keyturn_webhooks::config::WebhookConfig;
use keyturn_webhooks::secret::Secret;

const PANEL: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, password TEXT);";

struct Stage {
    host: Operator,
    storage: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let ground =
            Ground::new(PANEL, "customer = { table = 'customers', id = 'id', login = 'login', hash = 'password' }");
        let host = ground.host().build().expect("a host");
        let Ground { folder, storage, .. } = ground;
        let secret = folder.path().join("secret");
        std::fs::write(&secret, Secret::made().as_str()).expect("written");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
        storage.beat(&[], 30_000, now()).expect("a sign of life");
        let stage = Self { host, storage, folder };
        stage.host.replace_destinations(vec![stage.billing("https://billing.example/hook", "")]);
        stage
    }

    fn billing(&self, url: &str, more: &str) -> Destination {
        let config: WebhookConfig = toml::from_str(&format!(
            "name = 'billing'\nurl = '{url}'\nsecret-file = 'secret'\nevents = ['password.changed']\n{more}"
        ))
        .expect("TOML");
        config.destination(|path| self.folder.path().join(path)).expect("its files")
    }

    fn queue(&self, destination: &str) -> DeliveryId {
        let id = DeliveryId::random();
        let new = NewDelivery {
            id: id.clone(),
            destination: destination.to_owned(),
            event: "password.changed".to_owned(),
            account: Some("customer:1".parse().expect("id")),
            body: "{\"type\":\"password.changed\",\"data\":{\"way\":\"<b>\"}}".to_owned(),
        };
        let commit = Commit::bare("p", now(), vec![Effect::Deliver(Box::new(new))]);
        self.storage.commit(commit).expect("queued");
        id
    }

    fn brought_to(&self, state: DeliveryState, said: &str) -> DeliveryId {
        let id = self.queue("billing");
        if state == DeliveryState::Queued {
            return id;
        }
        while let Some(leased) = self.storage.lease_delivery("billing", "", 60_000).expect("leased") {
            let settled = SettledDelivery {
                state,
                again_in: (state == DeliveryState::Delayed).then_some(60_000),
                tried: Tried { at: 0, took_ms: 12, status: Some(500), said: said.to_owned() },
                gone: said.starts_with("410"),
            };
            if state != DeliveryState::Sending {
                assert!(self.storage.settle_delivery(&leased.lease, &settled).expect("settled"));
            }
        }
        id
    }

    fn draw(&self, caller: &Caller, page: &str, query: &[(&str, &str)]) -> Result<String, CallError> {
        Ok(operators(&self.host, (page, query), &surface(caller))?.html.to_string())
    }

    #[track_caller]
    fn one(&self, id: &DeliveryId) -> String {
        self.draw(&owner(), "delivery", &[("delivery", id.as_str())]).expect("drawn")
    }

    #[track_caller]
    fn list(&self, query: &[(&str, &str)]) -> String {
        self.draw(&owner(), "webhooks", query).expect("drawn")
    }

    /// Presses a button, and answers what is said.
    #[track_caller]
    fn press(&self, html: &str, button: &str) -> String {
        let body = format!("kt={}", form(html, button));
        match operate(&self.host, body.as_bytes(), &surface(&owner())) {
            Ok(Submitted::Done { notice, .. }) => {
                self.host.notice(&notice, &surface(&owner())).expect("for him").to_string()
            }
            _ => panic!("not done"),
        }
    }

    fn state(&self, id: &DeliveryId) -> DeliveryState {
        self.storage.delivery(id).expect("read").expect("there").state
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/webhooks?show=failed", join: None, links: &Routes, corrections: None }
}

fn signed_in(account: &str, scope: Scope) -> Caller {
    let mut caller = Caller::new(Actor::Account(account.parse().expect("id")), Reach::none().with("customer", scope));
    caller.session = format!("session of {account}");
    caller
}

fn owner() -> Caller {
    signed_in("staff:1", Scope::All)
}

#[test]
fn the_page_draws_each_state_with_its_word_and_what_may_be_done() {
    for (state, word, again) in [
        (DeliveryState::Queued, "Queued", false),
        (DeliveryState::Sending, "Sending", false),
        (DeliveryState::Accepted, "Accepted", false),
        (DeliveryState::Delayed, "Delayed", false),
        (DeliveryState::GaveUp, "Gave up", true),
    ] {
        let stage = Stage::new();
        let id = stage.brought_to(state, "500 Oops: <img src=x>");
        let html = stage.list(&[]);
        assert!(html.contains(&format!(">{word}</span>")), "{word}: {html}");
        assert_eq!(html.contains(">Send again</button>"), again, "{word}");
        assert!(html.contains(&format!("href=\"/delivery?delivery={id}\"")) && html.contains("customer:1"), "{html}");
        let tried = !matches!(state, DeliveryState::Queued | DeliveryState::Sending);
        assert_eq!(html.contains("500 Oops: &lt;img src=x&gt;"), tried, "{html}");
        assert!(!html.contains("<img"), "{html}");
        let one = stage.one(&id);
        assert!(one.contains(&format!(">{word}</span>")) && one.contains("&lt;b&gt;"), "{one}");
        assert_eq!(one.contains(">Send again</button>"), state != DeliveryState::Sending, "{word}");
    }
}

#[test]
fn what_was_given_up_is_sent_again_one_by_one_and_all_together() {
    let stage = Stage::new();
    let ids: Vec<DeliveryId> = (0..3).map(|_| stage.brought_to(DeliveryState::GaveUp, "404 Not Found")).collect();
    let one = stage.one(&ids[0]);
    assert!(stage.press(&one, "Send again").contains("1 delivery is sent again"));
    assert_eq!(stage.state(&ids[0]), DeliveryState::Queued);
    let html = stage.list(&[("show", "failed"), ("to", "billing")]);
    assert!(html.contains(">Failed <span class=\"kt-count\">2</span>"), "{html}");
    assert!(stage.press(&html, "Send all failed again").contains("2 deliveries are sent again"));
    assert!(ids.iter().all(|id| stage.state(id) == DeliveryState::Queued));
    let audit = stage.storage.audit(&keyturn_store::AuditFilter { limit: 10, ..Default::default() }).expect("read");
    let told: Vec<_> = audit.iter().map(|(_, e)| (e.operation.as_str(), e.actor.as_str(), e.subjects.len())).collect();
    assert_eq!(told, [("webhook-send-again", "staff:1", 1); 2]);
}

#[test]
fn a_destination_that_is_gone_or_was_removed_is_said_to_be_and_holds_what_waits() {
    let stage = Stage::new();
    stage.brought_to(DeliveryState::GaveUp, "410 Gone");
    let waits = stage.queue("billing");
    let removed = stage.queue("former");
    // A running attempt is not on hold: it ends, whatever its destination has answered since.
    stage.queue("elsewhere");
    stage.storage.lease_delivery("elsewhere", "", 60_000).expect("leased");
    let html = stage.list(&[]);
    assert!(html.contains(">Gone</span>") && html.contains("It answered 410 Gone: today "), "{html}");
    assert!(html.contains(">Not in keyturn.toml</span>"), "{html}");
    assert_eq!(html.matches(">On hold</span>").count(), 2, "{html}");
    let one = stage.one(&removed);
    assert!(one.contains("no longer in keyturn.toml"), "{one}");
    let one = stage.one(&waits);
    assert!(one.contains("Enable it when it works again"), "{one}");
    assert!(stage.press(&html, "Enable").contains("Enabled again"));
    let html = stage.list(&[]);
    assert!(html.contains(">Active</span>") && !html.contains(">Gone</span>"), "{html}");
}

#[test]
fn a_test_is_sent_by_its_button_and_what_came_of_it_is_said_as_it_is() {
    use std::io::{Read as _, Write as _};
    let stage = Stage::new();
    // The answer to the next connection; none: it waits.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let answers = ["HTTP/1.1 204 X\r\n\r\n", "HTTP/1.1 401 X\r\nContent-Length: 3\r\n\r\n<b>", ""];
        let mut kept = Vec::new();
        for (answer, mut stream) in answers.into_iter().zip(listener.incoming().map_while(Result::ok)) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            kept.push(stream);
        }
        std::thread::sleep(std::time::Duration::from_secs(5));
    });
    let more = "allow-private = true\ntimeout-seconds = 1";
    stage.host.replace_destinations(vec![stage.billing(&url, more)]);
    let html = stage.list(&[]);
    for (class, said, beside) in [
        ("kt-success", "billing accepted the test", "204 No Content"),
        ("kt-danger", "billing did not accept the test", "401 Unauthorized: &lt;b&gt;"),
        (
            "kt-warning",
            "We can&#39;t tell whether billing accepted the test: no answer came",
            "request: no answer within 1 s",
        ),
    ] {
        let notice = stage.press(&html, "Send a test");
        assert!(notice.contains(said) && notice.contains(beside) && notice.contains(class), "{notice}");
    }
    let caller = Caller { locale: "es".to_owned(), ..owner() };
    assert!(stage.draw(&caller, "webhooks", &[]).expect("drawn").contains(">Enviar prueba</button>"));
    // One that is not in the configuration has no address to send it to.
    stage.queue("former");
    assert_eq!(stage.list(&[]).matches(">Send a test</button>").count(), 1);
    stage.host.replace_destinations(Vec::new());
    let body = format!("kt={}", form(&html, "Send a test"));
    assert!(operate(&stage.host, body.as_bytes(), &surface(&owner())).is_err());
}

#[test]
fn a_destination_that_is_off_is_said_to_be() {
    let stage = Stage::new();
    let waits = stage.queue("billing");
    stage.host.replace_destinations(vec![stage.billing("https://billing.example/hook", "enabled = false")]);
    let html = stage.list(&[]);
    assert!(html.contains(">Off</span>") && html.contains(">On hold</span>"), "{html}");
    let one = stage.one(&waits);
    assert!(one.contains("Its destination is disabled in keyturn.toml."), "{one}");
}

#[test]
fn who_does_not_reach_everybody_sees_nothing_and_sends_nothing() {
    let stage = Stage::new();
    let id = stage.brought_to(DeliveryState::GaveUp, "404 Not Found");
    let html = stage.list(&[]);
    for caller in [
        signed_in("reseller:7", Scope::Own),
        signed_in("customer:1", Scope::None),
        Caller::new(Actor::Anonymous, Reach::none()),
    ] {
        for (page, query) in [("webhooks", &[][..]), ("delivery", &[("delivery", id.as_str())])] {
            let drawn = stage.draw(&caller, page, query);
            assert!(matches!(drawn, Err(CallError::Denied { .. })), "{:?}", caller.actor);
        }
        let body = format!("kt={}", form(&html, "Send again"));
        let submitted = operate(&stage.host, body.as_bytes(), &surface(&caller));
        assert!(!matches!(submitted, Ok(Submitted::Done { .. })), "{:?}", caller.actor);
    }
    // The same session, but no longer with all that reach.
    let lesser = Caller { reach: Reach::none().with("customer", Scope::Own), ..owner() };
    for button in ["Send again", "Send a test"] {
        let body = format!("kt={}", form(&html, button));
        assert!(operate(&stage.host, body.as_bytes(), &surface(&lesser)).is_err(), "{button}");
    }
    assert_eq!(stage.state(&id), DeliveryState::GaveUp);
}

#[test]
fn an_empty_page_says_how_to_set_it_up_and_a_stopped_worker_since_when() {
    let stage = Stage::new();
    let html = stage.list(&[]);
    assert!(html.contains("No event was sent to a webhook yet."), "{html}");
    assert!(stage.list(&[("show", "failed")]).contains("No delivery has failed."));
    stage.queue("billing");
    assert!(!stage.list(&[]).contains("No webhooks are being sent"));
    let panel = rusqlite::Connection::open(stage.folder.path().join("panel.db")).expect("opened");
    panel.execute_batch("UPDATE keyturnhost_hosts SET worked = 5").expect("written");
    let html = stage.list(&[]);
    assert!(html.contains("No webhooks are being sent") && html.contains("1 Jan 1970, 00:00"), "{html}");
    assert!(html.contains("<code dir=\"ltr\">panel work</code>"), "{html}");
}

#[test]
fn older_ones_follow_by_a_cursor() {
    let stage = Stage::new();
    let first = stage.queue("billing");
    for _ in 0..25 {
        stage.queue("billing");
    }
    let newest = stage.list(&[]);
    assert!(!newest.contains(first.as_str()) && newest.contains("25 deliveries"), "{newest}");
    let (_, rest) = newest.split_once("href=\"/webhooks?before=").expect("older ones");
    let older = stage.list(&[("before", rest.split_once('"').expect("end").0)]);
    assert!(older.contains(first.as_str()) && older.contains(">Newest</a>") && !older.contains(">Older</a>"));
}

//! The page on keys that were made by it and beside it.

use std::sync::{Arc, Mutex};

use super::*;
use crate::page::place;
use crate::service_key::NewKey;
use crate::stage::{Ground, Routes, operate, operators};
use keyturn_core::accounts::{Reach, Scope};
use keyturn_core::caller::{Actor, Caller};
use keyturn_core::time::now;
use keyturn_pages::Surface;
use keyturn_store::AuditFilter;
use keyturn_ui::Corrections;
use keyturn_ui::html::nodes::Painter;

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, password TEXT, reseller TEXT);
    CREATE TABLE staff (id INTEGER PRIMARY KEY, login TEXT, password TEXT);
";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

struct Stage {
    host: Operator,
    folder: tempfile::TempDir,
}

/// What a key is made of where the test says nothing else.
const BILLING: &[(&str, &str)] = &[("name", "billing"), ("may:mails", "1"), ("realm:customer", "1")];

impl Stage {
    fn new() -> Self {
        let ground = Ground::new(
            PANEL,
            "customer = { table = 'customers', id = 'id', login = 'login', hash = 'password', manager = 'reseller' }
             staff = { table = 'staff', id = 'id', login = 'login', hash = 'password' }",
        );
        Self { host: ground.host().build().expect("a host"), folder: ground.folder }
    }

    fn draw(&self, caller: &Caller, query: &[(&str, &str)]) -> Result<String, CallError> {
        self.drawn_with(caller, query, None)
    }

    fn drawn_with(
        &self,
        caller: &Caller,
        query: &[(&str, &str)],
        corrections: Option<&Corrections>,
    ) -> Result<String, CallError> {
        let surface = Surface { corrections, ..surface(caller) };
        operators(&self.host, ("keys", query), &surface).map(|page| page.html.to_string())
    }

    #[track_caller]
    fn page(&self, query: &[(&str, &str)]) -> String {
        self.draw(&owner(), query).expect("drawn")
    }

    fn send(&self, caller: &Caller, page: &str, fields: &[(&str, &str)]) -> Result<Submitted, SubmitError> {
        operate(&self.host, &body(page, fields), &surface(caller))
    }

    /// Makes the key by the page, and answers the page that shows its token.
    #[track_caller]
    fn make(&self, fields: &[(&str, &str)]) -> String {
        revealed(self.send(&owner(), &self.page(&[("new", "1")]), fields))
    }

    fn names(&self) -> Vec<String> {
        self.host.service_keys().expect("read").into_iter().map(|key| key.name).collect()
    }

    fn works(&self, token: &str) -> bool {
        self.host.service_key_of(token).expect("read").is_some()
    }

    fn audit(&self) -> Vec<(String, String, String)> {
        let entries = self.host.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).expect("read");
        let entries = entries.into_iter().rev().map(|(_, entry)| entry);
        entries.map(|entry| (entry.actor, entry.operation, entry.outcome)).collect()
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/keys?new=1", join: None, links: &Routes, corrections: None }
}

#[track_caller]
fn body(page: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let (_, sealed) = page.split_once("name=\"kt\" value=\"").unwrap_or_else(|| panic!("a form: {page}"));
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("kt", sealed.split_once('"').expect("its end").0).extend_pairs(fields);
    body.finish().into_bytes()
}

#[track_caller]
fn revealed(submitted: Result<Submitted, SubmitError>) -> String {
    match submitted.expect("run") {
        Submitted::Reveal(page) => page.html.to_string(),
        Submitted::Again(corrections) => panic!("{corrections:?}"),
        _ => panic!("nothing shown"),
    }
}

#[track_caller]
fn again(submitted: Result<Submitted, SubmitError>) -> Corrections {
    match submitted.expect("run") {
        Submitted::Again(corrections) => corrections,
        Submitted::Reveal(page) => panic!("{}", page.html),
        _ => panic!("something else"),
    }
}

#[track_caller]
fn token(page: &str) -> String {
    let (_, token) = page.split_once("<code>kt_").unwrap_or_else(|| panic!("a token: {page}"));
    format!("kt_{}", token.split_once('<').expect("its end").0)
}

fn signed_in(account: &str, customers: Scope, staff: Scope) -> Caller {
    let reach = Reach::none().with("customer", customers).with("staff", staff);
    let mut caller = Caller::new(Actor::Account(account.parse().expect("id")), reach);
    caller.session = format!("session of {account}");
    caller.verified_at = Some(now());
    caller
}

fn owner() -> Caller {
    signed_in("staff:1", Scope::All, Scope::All)
}

#[test]
fn the_list_says_what_each_key_may_for_whom_from_where_and_how_it_stands() {
    let stage = Stage::new();
    assert!(stage.page(&[]).contains("No keys yet."));
    stage.make(&[
        ("name", "billing"),
        ("may:mails", "1"),
        ("may:without-step-up", "1"),
        ("realm:customer", "1"),
        ("managed-by", "<7>"),
        ("from", "192.0.2.0/24, 2001:db8::1"),
        ("days", "30"),
    ]);
    stage.make(&[("name", "panel"), ("may:views", "1"), ("realm:customer", "1"), ("realm:staff", "1")]);
    let html = stage.page(&[]);
    for said in [
        ">billing<p",
        "<li>Read the state of an email</li>",
        "<li>Skip password confirmation</li>",
        "for each customer of &lt;7&gt;",
        "from 192.0.2.0/24, 2001:db8::1",
        "for each customer, staff",
        "from anywhere",
        ">Works</span>",
        "until ",
        "Not used yet",
        "href=\"/keys?revoke=billing\"",
        "href=\"/keys?rotate=panel\"",
        "href=\"/keys?new=1\"",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
    let of_billing = stage.host.service_keys().expect("read").remove(0);
    let end = of_billing.expires.expect("an end");
    assert!((end - now() - 30 * DAY).abs() < HOUR, "{end}");
    stage.host.note_use(&of_billing, Some("192.0.2.9".parse().expect("address")));
    let html = stage.page(&[]);
    assert!(html.contains("from 192.0.2.9") && html.matches("Not used yet").count() == 1, "{html}");
}

#[test]
fn what_was_never_used_for_90_days_is_warned_of_and_what_has_ended_offers_nothing() {
    let stage = Stage::new();
    stage.make(BILLING);
    let key = stage.host.service_keys().expect("read").remove(0);
    let list = |change: &dyn Fn(&mut ServiceKey)| {
        let mut key = key.clone();
        change(&mut key);
        let offered = Offered::by(&stage.host, Words::of("en"));
        let owner = owner();
        let surface = surface(&owner);
        let asked = stage.host.asked(&surface);
        asked.draw(&PAGE, &list::sheet(&[key], &offered, &asked)).html.to_string()
    };
    let now = now();
    let warned = "kt-warning\">Never used</span>";
    assert!(!list(&|key| key.made = now - 89 * DAY).contains(warned));
    let unused = list(&|key| key.made = now - 91 * DAY);
    assert!(unused.contains(warned) && unused.contains("revoke=billing"), "{unused}");
    let ended = list(&|key| (key.made, key.expires) = (now - 91 * DAY, Some(now - HOUR)));
    assert!(ended.contains(">Expired</span>") && !ended.contains(warned) && !ended.contains("revoke="), "{ended}");
    let revoked = list(&|key| key.revoked = Some(now - HOUR));
    assert!(revoked.contains(">Revoked</span>") && !revoked.contains("rotate="), "{revoked}");
}

#[test]
fn who_does_not_reach_everybody_sees_no_key_and_changes_none() {
    let stage = Stage::new();
    let token = token(&stage.make(BILLING));
    let others = [
        signed_in("staff:2", Scope::All, Scope::None),
        signed_in("reseller:7", Scope::Own, Scope::None),
        signed_in("customer:1", Scope::None, Scope::None),
        Caller::new(Actor::Anonymous, Reach::none()),
        Caller::new(
            Actor::ServiceKey("x".to_owned()),
            Reach::none().with("customer", Scope::All).with("staff", Scope::All),
        ),
    ];
    for other in others {
        assert!(!stage.host.reaches_everybody(&other));
        for query in [&[][..], &[("new", "1")], &[("revoke", "billing")], &[("rotate", "billing")]] {
            let drawn = stage.draw(&other, query);
            assert!(matches!(drawn, Err(CallError::Denied { .. })), "{:?} {query:?}", other.actor);
        }
        // Not even with a form that was drawn for this caller.
        let key = stage.host.service_keys().expect("read").remove(0);
        let acts = [Act::Make, Act::Rotate(key.name.clone(), stage.host.seen(&key)), Act::Revoke(key.name)];
        for (at, act) in acts.iter().enumerate() {
            let mut form = String::new();
            stage.host.framed_own(crate::OWN, place("keys"), &surface(&other), |frame| {
                let mut painter = Painter::new(frame, 2);
                painter.open_form(&press(&PAGE, act), &[], &[], "kt-form");
                form = painter.html.done().to_string();
            });
            let sent = stage.send(&other, &form, &[]);
            assert!(matches!(sent, Err(SubmitError::Call(CallError::Denied { .. }))), "{:?} {at}", other.actor);
        }
    }
    assert!(stage.works(&token) && stage.names() == ["billing"]);
    assert!(stage.host.reaches_everybody(&Caller::new(Actor::Console, Reach::none())));
}

/// Keeps all that is logged by a thread.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl tracing::Subscriber for Heard {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut Fields(self));
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Fields(self));
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Fields(self));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Fields<'a>(&'a Heard);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        let _ = write!(self.0.0.lock().expect("whole"), "{field}={value:?} ");
    }
}

#[test]
fn a_token_is_shown_once_and_stands_in_no_later_page_notice_log_or_file() {
    let (stage, heard) = (Stage::new(), Heard::default());
    tracing::subscriber::with_default(heard.clone(), || {
        tracing::info!("heard");
        let page = stage.make(BILLING);
        assert!(page.contains("This is shown only once.") && page.contains("kt-secret"), "{page}");
        let first = token(&page);
        let second = token(&revealed(stage.send(&owner(), &stage.page(&[("rotate", "billing")]), &[])));
        assert!(first != second && stage.works(&first) && stage.works(&second));
        let sent = stage.send(&owner(), &stage.page(&[("revoke", "billing")]), &[]).expect("run");
        let Submitted::Done { url, notice, own_epoch: None } = sent else { panic!("not done") };
        assert_eq!(url, "/keys");
        assert!(!stage.works(&first) && !stage.works(&second));
        let said = stage.host.notice(&notice, &surface(&owner())).expect("for him").to_string();
        assert!(
            said.contains("billing has been revoked") && said.contains("The next request with it is refused."),
            "{said}"
        );
        let pages = [&[][..], &[("new", "1")], &[("revoke", "billing")], &[("rotate", "billing")]];
        let shown: String = pages.map(|query| stage.page(query)).concat();
        let files = std::fs::read_dir(stage.folder.path()).expect("read");
        let files: Vec<u8> =
            files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("read")).collect();
        let log = heard.0.lock().expect("whole").clone();
        assert!(log.contains("heard"));
        for token in [first, second] {
            let secret = token.rsplit('_').next().expect("a secret");
            for (place, text) in [("pages", shown.as_bytes()), ("notice", said.as_bytes()), ("log", log.as_bytes())] {
                assert!(!text.windows(secret.len()).any(|at| at == secret.as_bytes()), "{place}");
            }
            assert!(!notice.contains(secret) && !files.windows(secret.len()).any(|at| at == secret.as_bytes()));
        }
    });
    let done = |what: &str| ("staff:1".to_owned(), what.to_owned(), "done: billing".to_owned());
    assert_eq!(stage.audit(), [done("keys-add"), done("keys-rotate"), done("keys-revoke")]);
}

#[test]
fn a_form_sent_again_makes_no_second_key_and_no_second_token() {
    let stage = Stage::new();
    let form = stage.page(&[("new", "1")]);
    let first = token(&revealed(stage.send(&owner(), &form, BILLING)));
    let corrections = again(stage.send(&owner(), &form, BILLING));
    assert_eq!(corrections.errors[0].field, "name");
    assert_eq!(stage.names(), ["billing"]);
    let rotate = stage.page(&[("rotate", "billing")]);
    let second = token(&revealed(stage.send(&owner(), &rotate, &[])));
    let corrections = again(stage.send(&owner(), &rotate, &[]));
    let page = stage.drawn_with(&owner(), &[("rotate", "billing")], Some(&corrections)).expect("drawn");
    assert!(page.contains("the key has changed since this page was opened"), "{page}");
    assert!(stage.works(&first) && stage.works(&second));
    let of_rotations = stage.audit().iter().filter(|(_, what, _)| what == "keys-rotate").count();
    assert_eq!(of_rotations, 1);
    let revoke = stage.page(&[("revoke", "billing")]);
    for _ in 0..2 {
        assert!(matches!(stage.send(&owner(), &revoke, &[]).expect("run"), Submitted::Done { .. }));
    }
    assert_eq!(stage.audit().len(), 3);
    for deed in ["revoke", "rotate"] {
        let page = stage.page(&[(deed, "billing")]);
        assert!(page.contains("no longer works") && !page.contains("<form"), "{page}");
    }
    let corrections = again(stage.send(&owner(), &rotate, &[]));
    assert!(corrections.message.is_some());
}

#[test]
fn a_password_is_asked_for_before_a_key_is_made_rotated_or_revoked() {
    let stage = Stage::new();
    let late = Caller { verified_at: Some(now() - HOUR), ..owner() };
    let mut shown = String::new();
    for (query, fields) in [(("new", "1"), BILLING), (("rotate", "billing"), &[]), (("revoke", "billing"), &[])] {
        let (before, page) = (stage.audit(), stage.draw(&late, &[query]).expect("drawn"));
        let Submitted::StepUp(held) = stage.send(&late, &page, fields).expect("run") else { panic!("{query:?} ran") };
        assert_eq!(stage.audit(), before, "{query:?}");
        let form = stage.host.held(&owner(), &held).expect("his");
        match operate(&stage.host, &form, &surface(&owner())).expect("run") {
            Submitted::Reveal(page) => shown = page.html.to_string(),
            Submitted::Done { .. } => assert!(!stage.works(&token(&shown))),
            _ => panic!("{query:?}"),
        }
        assert_eq!(stage.audit().len(), before.len() + 1, "{query:?}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_field_in_the_readers_words_before_a_password_is_asked_for() {
    let stage = Stage::new();
    stage.make(BILLING);
    let late = Caller { verified_at: None, ..owner() };
    let spanish = Caller { locale: "es".to_owned(), ..late.clone() };
    let with = |changes: &[(&'static str, &'static str)]| {
        let mut fields = vec![("name", "two"), ("may:mails", "1"), ("realm:customer", "1")];
        fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        fields
    };
    let cases = [
        (with(&[("name", "Two")]), "name", "A name has 1 to 40", "Un nombre tiene"),
        (with(&[("name", "billing")]), "name", "A key has or had", "Una clave tiene o tuvo"),
        (with(&[("name", "")]), "name", "Fill in “Name”", "Rellena «Nombre»"),
        (with(&[("may:mails", "")]), "may:accounts", "Choose at least one", "Elige al menos"),
        (
            with(&[("may:mails", ""), ("may:without-step-up", "1")]),
            "may:accounts",
            "Choose at least one",
            "Elige al menos",
        ),
        (with(&[("realm:customer", "")]), "realm:customer", "Choose which accounts", "Elige qué cuentas"),
        (with(&[("may:views", "1"), ("managed-by", "7")]), "managed-by", "A key that shows", "Una clave que muestra"),
        (with(&[("realm:staff", "1"), ("managed-by", "7")]), "managed-by", "Accounts of staff", "Las cuentas de staff"),
        (with(&[("from", "192.0.2.1, nowhere")]), "from", "nowhere isn't an address", "nowhere no es"),
        (with(&[("days", "0")]), "days", "Write a number of days", "Escribe un número de días"),
        (with(&[("days", "soon")]), "days", "Write a number of days", "Escribe un número de días"),
    ];
    for (fields, field, english, other) in cases {
        for (caller, said) in [(&late, english), (&spanish, other)] {
            let page = stage.draw(caller, &[("new", "1")]).expect("drawn");
            let corrections = again(stage.send(caller, &page, &fields));
            assert_eq!(corrections.errors.len(), 1, "{:?}", corrections.errors);
            assert_eq!(corrections.errors[0].field, field, "{fields:?}");
            assert!(corrections.errors[0].message.starts_with(said), "{:?}", corrections.errors);
            let html = stage.drawn_with(caller, &[("new", "1")], Some(&corrections)).expect("drawn");
            let invalid = format!("name=\"{field}\"");
            let at = html.split("<input").find(|input| input.contains(&invalid)).expect("the field");
            assert!(at.contains("aria-invalid=\"true\""), "{at}");
            // What was typed stays.
            let named = fields.iter().find(|(name, _)| *name == "name").map_or("", |(_, name)| name);
            assert!(html.contains(&format!("name=\"name\" value=\"{named}\"")), "{html}");
        }
    }
    assert_eq!(stage.names(), ["billing"]);
    // A field that the page did not have is nobody's wish.
    let sent = stage.send(&owner(), &stage.page(&[("new", "1")]), &with(&[("may:report/all", "1")]));
    assert!(matches!(sent, Err(SubmitError::Form(_))));
}

#[test]
fn a_hook_that_is_gone_since_the_form_was_drawn_is_said_at_its_tick() {
    let cause = KeyProblem::Scope { scope: "report/all".to_owned(), known: String::new() };
    let (field, _) = why(&cause, Words::of("en")).expect("words");
    assert_eq!(field.as_deref(), Some("may:report/all"));
    // Nothing is made either way: what is asked for is looked up when the key is made.
    let stage = Stage::new();
    let new = NewKey {
        name: "x".to_owned(),
        scopes: ["report/all".to_owned()].into(),
        realms: ["customer".to_owned()].into(),
        ..NewKey::default()
    };
    assert!(matches!(stage.host.add_service_key(&owner(), new), Err(KeyProblem::Scope { .. })));
}

#[test]
fn a_key_reaches_no_realm_that_is_mapped_some_day_only() {
    let stage = Stage::new();
    let realms = ["customer".to_owned(), "clients".to_owned()].into();
    let new = NewKey { name: "x".to_owned(), scopes: ["mails".to_owned()].into(), realms, ..NewKey::default() };
    let refused = stage.host.add_service_key(&owner(), new).map(|_| ());
    assert!(matches!(refused, Err(KeyProblem::Realm { realm, .. }) if realm == "clients"));
    assert!(stage.names().is_empty());
}

//! Mail, jobs and events: what a plugin asks for happens once and later, or, when its call fails, never.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyturn_host::accounts::{AccountId, Reach, Scope};
use keyturn_host::caller::{Actor, Caller};
use keyturn_host::embed::{Submitted, Surface};
use keyturn_host::mail::Message;
use keyturn_host::mail::config::MailConfig;
use keyturn_host::mail::transport::{Attempt, Session, Transport, Verdict};
use keyturn_host::plugin::grants::Grants;
use keyturn_host::plugin::limits::Limits;
use keyturn_host::plugin::manifest::{Mail, Wants};
use keyturn_host::storage::outbox::{MailFilter, MailState};
use keyturn_host::storage::tasks::Task;
use keyturn_host::view::Links;
use keyturn_host::view::nodes::Target;
use keyturn_host::work::Shutdown;
use keyturn_host::{CallError, Host, HostBuilder};
use keyturn_tests::{Bench, COURIER, all_grants};
use serde_json::{Value, json};

use super::{PEOPLE, surface};

/// How many mails there are in each state.
fn counts(host: &Host) -> Vec<(MailState, u64)> {
    let console = Caller::new(Actor::Console, Reach::none());
    host.mail_counts(&console).expect("read").expect("the console sees all")
}

/// Takes everything.
struct Taking(Sender<Message>);

impl Transport for Taking {
    fn name(&self) -> String {
        "mx.example:25".to_owned()
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Taking(self.0.clone()))
    }
}

impl Session for Taking {
    fn send(&mut self, message: &Message) -> Attempt {
        let _ = self.0.send(message.clone());
        Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
    }
}

/// The courier's manifest without its hooks, since two plugins cannot both have them.
fn without_hooks() -> String {
    let mut manifest: toml::Table = COURIER.manifest.parse().expect("TOML");
    let operations = manifest.get_mut("operations").and_then(toml::Value::as_array_mut).expect("operations");
    let mut forms = std::mem::take(operations);
    forms.retain(|row| row.get("form").and_then(toml::Value::as_bool) == Some(true));
    forms.iter_mut().filter_map(toml::Value::as_table_mut).for_each(|row| {
        row.remove("hook");
    });
    *operations = forms;
    manifest.to_string()
}

/// Two couriers, `first` and `second`, that listen to each other; only the first has hooks.
struct Office {
    bench: Bench,
    sent: Mutex<Receiver<Message>>,
}

impl Office {
    fn new() -> Self {
        Self::granting(all_grants(), Limits::default())
    }

    fn granting(wants: Wants, limits: Limits) -> Self {
        let (tell, sent) = channel();
        let mail = MailConfig {
            from: Some("accounts@panel.northwind.example".to_owned()),
            operators: Some("ops@northwind.example".to_owned()),
            ..MailConfig::default()
        };
        let set = |host: &mut HostBuilder| {
            host.settings.even_grid = Duration::ZERO;
            host.transport = Some(Arc::new(Taking(tell)));
            host.mail.mail = mail;
        };
        let office = Self { bench: Bench::with(PEOPLE, set), sent: Mutex::new(sent) };
        for (name, component) in [("first", COURIER.packed()), ("second", COURIER.packed_as(&without_hooks()))] {
            let grants = Grants { limits: limits.clone(), ..Grants::of(&component, wants.clone()) };
            office.bench.host.admit(name, &component, &grants).unwrap_or_else(|cause| panic!("{cause}"));
        }
        office
    }

    fn call(&self, function: &str, arguments: Value) -> Result<Value, CallError> {
        self.call_as(&console(), function, arguments)
    }

    /// Of `first`.
    fn call_as(&self, caller: &Caller, function: &str, arguments: Value) -> Result<Value, CallError> {
        self.bench.host.call(caller, &format!("courier/{function}"), &arguments, None)
    }

    fn ok(&self, function: &str, arguments: Value) -> Value {
        self.call(function, arguments).unwrap_or_else(|cause| panic!("{function}: {cause}"))
    }

    /// The error that the capability has answered, as the courier tells it.
    fn no(&self, function: &str, arguments: Value) -> String {
        match self.call(function, arguments) {
            Err(CallError::Error(Value::String(error))) => error,
            other => panic!("{function}: {other:?}"),
        }
    }

    fn enqueue(&self, job: &str, payload: &str, key: Option<&str>) {
        self.ok("enqueue", json!({ "job": job, "payload": payload, "key": key }));
    }

    fn tasks(&self) -> Vec<Task> {
        self.bench.host.storage.tasks(false, 100).expect("read")
    }

    /// What the second courier has under a key of its data; it has no hook, so its rows are read.
    fn second_noted(&self, key: &str) -> bool {
        let sql = "SELECT count(*) FROM keyturnhost_data WHERE plugin = 'second' AND key = ?1";
        self.bench.panel().query_row(sql, [key], |row| row.get::<_, i64>(0)).expect("read") > 0
    }

    /// Runs the workers until it is so.
    #[track_caller]
    fn works_until(&self, so: impl Fn() -> bool) {
        let shutdown = Shutdown::new();
        let host = &self.bench.host;
        let done = std::thread::scope(|scope| {
            scope.spawn(|| host.run_workers(&shutdown));
            let until = Instant::now() + Duration::from_secs(10);
            let mut done = false;
            while !done && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
                done = so();
            }
            shutdown.stop();
            done
        });
        assert!(done, "it did not come so: {:?}", self.tasks());
    }

    fn sent(&self) -> Vec<Message> {
        self.sent.lock().expect("not poisoned").try_iter().collect()
    }
}

fn console() -> Caller {
    Caller::new(Actor::Console, Reach::none())
}

fn hello(to: &str, secret: &str) -> Value {
    json!({
        "to": { "kind": "account", "value": to },
        "template": "hello",
        "variables": [["password", { "kind": "secret", "value": secret }], ["until", { "kind": "time", "value": 5 }]],
    })
}

fn words(text: &str) -> Value {
    let variables = json!([["words", { "kind": "text", "value": text }]]);
    json!({ "to": { "kind": "operators" }, "template": "words", "variables": variables })
}

#[test]
fn a_mail_tells_from_where_it_was_asked_for_but_not_where_somebody_else_sits() {
    let office = Office::new();
    let customer: AccountId = "customer:1".parse().expect("an account");
    let manager: AccountId = "staff:9".parse().expect("an account");
    let reach = Reach::none().with("customer", Scope::All);
    for (actor, told) in [
        (Actor::Anonymous, true),
        (Actor::Account(customer), true),
        (Actor::Account(manager), false),
        (Actor::Console, false),
    ] {
        let address = Some("192.0.2.7".parse().expect("an address"));
        let caller = Caller { address, ..Caller::new(actor.clone(), reach.clone()) };
        office.call_as(&caller, "send", hello("customer:1", "tavo-meki-94")).unwrap_or_else(|cause| panic!("{cause}"));
        let sent = Mutex::new(Vec::new());
        office.works_until(|| {
            sent.lock().expect("not poisoned").extend(office.sent());
            !sent.lock().expect("not poisoned").is_empty()
        });
        let text = sent.lock().expect("not poisoned")[0].drawn.text.to_string();
        assert_eq!(text.contains("192.0.2.x"), told, "{actor:?}: {text}");
    }
}

#[test]
fn a_mail_goes_to_the_address_on_file_and_its_plugin_learns_what_became_of_it() {
    let office = Office::new();
    let id = office.ok("send", hello("customer:1", "tavo-meki-94"));
    assert_eq!(office.ok("state", json!({ "mail": id })), json!("MailState::Queued"));
    assert_eq!(office.ok("current", json!({ "mail": id })), json!(true));
    office.ok("send", words("The disk is nearly full."));
    office.works_until(|| office.ok("state", json!({ "mail": id })) == json!("MailState::Accepted"));
    office.works_until(|| counts(&office.bench.host).len() == 1);
    let sent = office.sent();
    let to_marta = sent.iter().find(|message| message.to.address == "marta@vidal.example").expect("sent");
    assert!(
        to_marta.drawn.text.contains("tavo-meki-94") && to_marta.drawn.text.contains("Marta Vidal"),
        "{}",
        to_marta.drawn.text.as_str()
    );
    let domain = to_marta.message_id.strip_prefix(id.as_str().expect("text"));
    assert_eq!(domain, Some("@panel.northwind.example"));
    let to_ops = sent.iter().find(|message| message.to.address == "ops@northwind.example").expect("sent");
    assert!(to_ops.drawn.text.contains("nearly full"));
    office.bench.panel().execute("UPDATE people SET email = 'new@vidal.example' WHERE id = 1", []).expect("changed");
    assert_eq!(office.ok("current", json!({ "mail": id })), json!(false), "it went elsewhere");
}

#[test]
fn a_call_sees_what_it_has_queued_and_withdrawn() {
    let office = Office::new();
    let states = office.ok("send-and-withdraw", json!({ "to": "customer:1", "secret": "x" }));
    assert_eq!(states, json!(["MailState::Queued", "MailState::Withdrawn"]));
    let mails = office.bench.host.storage.mails(&MailFilter { limit: 10, ..MailFilter::default() }).expect("read");
    assert!(mails.len() == 1 && !mails[0].whole);
}

#[test]
fn a_call_that_fails_leaves_nothing_behind() {
    let office = Office::new();
    let failed = office.call("fail-after", json!({ "to": "customer:1" }));
    assert!(matches!(failed, Err(CallError::Failed(_))), "{failed:?}");
    assert!(office.tasks().is_empty());
    assert!(counts(&office.bench.host).is_empty());
}

#[test]
fn a_mail_that_is_not_to_be_is_refused_by_its_reason() {
    let office = Office::new();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut arguments = hello("customer:1", "x");
        change(&mut arguments);
        office.no("send", arguments)
    };
    assert!(with(&|a| a["to"]["value"] = json!("customer:77")).contains("NotFound"));
    assert!(with(&|a| a["to"]["value"] = json!("customer:2")).contains("NoAddress"));
    let couple = "UPDATE people SET email = 'omar@vidal.example, marta@vidal.example' WHERE id = 2";
    office.bench.panel().execute(couple, []).expect("changed");
    let unusable = with(&|a| a["to"]["value"] = json!("customer:2"));
    assert!(unusable.contains("UnusableAddress(\"it has more than one address\")"), "{unusable}");
    assert!(with(&|a| a["to"]["value"] = json!("stranger:1")).contains("Denied(\"recipients stranger\")"));
    assert!(with(&|a| a["template"] = json!("other")).contains("BadTemplate"));
    assert!(with(&|a| a["variables"] = json!([])).contains("password: is missing"));
    assert!(
        with(&|a| a["variables"][0][1] = json!({ "kind": "number", "value": 5 }))
            .contains("password: has another kind")
    );
    assert!(with(&|a| a["variables"][0][0] = json!("other")).contains("other: the template has no such variable"));
    assert!(with(&|a| a["variables"][0][1]["value"] = json!("a\nb")).contains("one line"));
    assert!(
        with(&|a| a["variables"][1] = json!(["password", { "kind": "secret", "value": "x" }])).contains("given twice")
    );
    assert!(counts(&office.bench.host).is_empty());
}

#[test]
fn mail_goes_as_far_as_its_grant() {
    let mail = Mail { recipients: ["staff".to_owned()].into(), operators: false, text: false, per_minute: 2 };
    let office = Office::granting(Wants { mail: Some(mail), ..all_grants() }, Limits::default());
    assert!(office.no("send", hello("customer:1", "x")).contains("Denied(\"recipients customer\")"));
    assert!(office.no("send", words("x")).contains("Denied(\"operators\")"));
    let to_staff = json!({ "to": { "kind": "account", "value": "staff:9" }, "template": "words",
        "variables": [["words", { "kind": "text", "value": "x" }]] });
    assert!(office.no("send", to_staff).contains("Denied(\"text\")"));
    office.ok("send", hello("staff:9", "x"));
    office.ok("send", hello("staff:9", "x"));
    assert!(office.no("send", hello("staff:9", "x")).contains("Limit(\"per-minute\")"));
}

#[test]
fn who_does_not_reach_an_account_neither_mails_it_nor_touches_its_mail() {
    let office = Office::new();
    let id = office.ok("send", hello("customer:1", "x"));
    let stranger =
        |scope| Caller::new(Actor::Account("customer:2".parse().expect("id")), Reach::none().with("customer", scope));
    for (scope, may) in [(Scope::None, false), (Scope::All, true)] {
        for (function, arguments) in
            [("send", hello("customer:1", "x")), ("state", json!({ "mail": id })), ("withdraw", json!({ "mail": id }))]
        {
            let answer = office.call_as(&stranger(scope), function, arguments);
            assert_eq!(answer.is_ok(), may, "{function}: {answer:?}");
        }
    }
}

#[test]
fn a_host_without_a_transport_says_so() {
    let bench = Bench::new(PEOPLE);
    bench.admit("first", COURIER, all_grants());
    let answer = bench.host.call(&console(), "courier/ready", &json!({}), None);
    assert!(
        matches!(&answer, Err(CallError::Error(error)) if error.to_string().contains("NotConfigured")),
        "{answer:?}"
    );
}

#[test]
fn a_job_runs_once_as_the_system_from_where_it_was_asked() {
    let office = Office::new();
    let caller =
        Caller { address: Some("192.0.2.7".parse().expect("address")), ..Caller::new(Actor::Anonymous, Reach::none()) };
    office.call_as(&caller, "enqueue", json!({ "job": "note", "payload": "one" })).expect("queued");
    office.enqueue("note", "again", Some("key"));
    office.enqueue("note", "dropped", Some("key"));
    office.works_until(|| office.tasks().is_empty());
    let noted = office.ok("noted", json!({ "key": "note" }));
    let mut lines: Vec<&str> = noted.as_str().expect("text").lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["again Actor::System ", "one Actor::System 192.0.2.7"]);
    let audit =
        office.bench.host.audit(&keyturn_host::storage::AuditFilter { limit: 10, ..Default::default() }).expect("read");
    let ran = audit
        .iter()
        .filter(|(_, entry)| entry.operation == "note" && entry.actor == "system" && entry.outcome == "done");
    assert_eq!(ran.count(), 2);
}

#[test]
fn a_job_may_leave_another_behind_and_none_runs_before_its_time() {
    let office = Office::new();
    office.enqueue("chain", "5", None);
    let later = office.bench.host.now() + 3_600_000;
    office.ok("enqueue", json!({ "job": "later", "payload": "x", "not_before": later }));
    office.works_until(|| office.tasks().len() == 1);
    assert_eq!(office.ok("noted", json!({ "key": "chain" })).as_str().expect("text").lines().count(), 6);
    assert_eq!(office.tasks()[0].name, "later");
}

#[test]
fn a_job_that_fails_is_tried_again_or_listed_and_leaves_nothing_behind() {
    let office = Office::new();
    for job in ["refuse", "unavailable", "trap"] {
        office.enqueue(job, "x", None);
    }
    office.works_until(|| office.tasks().iter().all(|task| task.outcome.is_some()));
    for task in office.tasks() {
        let again = task.due.map(|due| due - office.bench.host.now());
        match (task.name.as_str(), task.outcome.as_deref(), again) {
            ("refuse", Some("not-found"), None) => {}
            ("unavailable", Some("unavailable"), Some(pause)) => {
                assert!((100_000..=120_000).contains(&pause), "{pause}")
            }
            ("trap", Some("trap"), Some(pause)) => assert!((10_000..=36_000).contains(&pause), "{pause}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(office.ok("noted", json!({ "key": task.name })), json!(""), "its effects were not applied");
    }
    assert_eq!(office.bench.host.storage.tasks(true, 10).expect("read").len(), 1);
}

#[test]
fn a_job_that_the_manifest_does_not_declare_or_that_is_too_many_is_refused() {
    let office = Office::granting(all_grants(), Limits { waiting_jobs: 2, ..Limits::default() });
    assert!(office.no("enqueue", json!({ "job": "other", "payload": "" })).contains("Undeclared(\"other\")"));
    assert!(
        office.no("enqueue", json!({ "job": "note", "payload": "x".repeat(65_537) })).contains("Limit(\"payload\")")
    );
    office.enqueue("note", "1", None);
    office.enqueue("note", "2", None);
    match office.call("enqueue", json!({ "job": "note", "payload": "3" })) {
        Err(CallError::Busy(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_reaches_each_listener_but_not_who_told_it() {
    let office = Office::new();
    assert!(office.no("emit", json!({ "name": "other", "number": 1 })).contains("Undeclared"));
    office.ok("emit", json!({ "name": "courier.news", "number": 7 }));
    assert_eq!(office.tasks().iter().map(|task| task.plugin.as_str()).collect::<Vec<_>>(), ["second"]);
    office.works_until(|| office.tasks().is_empty());
    assert!(office.second_noted("heard"));
    assert_eq!(office.ok("noted", json!({ "key": "heard" })), json!(""));
}

#[test]
fn events_that_lead_to_one_another_end() {
    let office = Office::new();
    office.ok("emit", json!({ "name": "courier.loop", "number": 1 }));
    office.works_until(|| office.tasks().is_empty());
    let heard = office.ok("noted", json!({ "key": "heard" }));
    let heard: Vec<&str> = heard.as_str().expect("text").lines().collect();
    assert_eq!(
        heard,
        [
            "second courier.loop 2",
            "second courier.loop 4",
            "second courier.loop 6",
            "second courier.loop 8",
            "Error::Limit(\"event-depth\")",
        ]
    );
}

#[test]
fn what_is_not_granted_is_refused_by_name_and_setting() {
    let bench = Bench::new("");
    let component = COURIER.packed();
    let refused = |wants: Wants| {
        bench.host.admit("courier", &component, &Grants::of(&component, wants)).err().expect("refused").to_string()
    };
    for (wants, import, setting) in [
        (Wants { mail: None, ..all_grants() }, "keyturn:panel/mail", "`grants.mail`"),
        (Wants { jobs: false, ..all_grants() }, "keyturn:panel/jobs", "`grants.jobs`"),
        (Wants { events: false, ..all_grants() }, "keyturn:panel/events", "`grants.events`"),
    ] {
        let refused = refused(wants);
        assert!(refused.contains(import) && refused.contains(setting), "{refused}");
    }
}

#[test]
fn an_operation_that_asks_for_a_fresh_proof_is_done_for_who_has_given_one() {
    let office = Office::new();
    let id: AccountId = "customer:1".parse().expect("id");
    let at = |verified_at| Caller { verified_at, ..Caller::new(Actor::Account(id.clone()), Reach::none()) };
    let now = office.bench.host.now();
    for (caller, may) in [
        (at(None), false),
        (at(Some(now - 16 * 60_000)), false),
        (at(Some(now - 60_000)), true),
        (Caller::new(Actor::Anonymous, Reach::none()), false),
        (console(), true),
    ] {
        let answer = office.call_as(&caller, "noted", json!({ "key": "x" }));
        match answer {
            Ok(_) => assert!(may, "{caller:?}"),
            Err(CallError::StepUp { operation }) => assert!(!may && operation == "noted", "{caller:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_operation_without_effects_is_stopped_when_it_asks_for_one() {
    let office = Office::new();
    for what in ["send", "withdraw", "enqueue", "emit"] {
        let stopped = office.call("quietly", json!({ "what": what }));
        assert!(matches!(stopped, Err(CallError::EffectsRefused { .. })), "{what}: {stopped:?}");
    }
    assert!(office.tasks().is_empty() && counts(&office.bench.host).is_empty());
}

/// Ana, who manages everybody, in a session of hers.
fn ana(verified_at: Option<i64>) -> Caller {
    let reach = Reach::none().with("customer", Scope::All);
    let session = "a session".to_owned();
    Caller { verified_at, session, ..Caller::new(Actor::Account("staff:9".parse().expect("id")), reach) }
}

fn desk(office: &Office) -> String {
    let marta: AccountId = "customer:1".parse().expect("id");
    let page = office.bench.host.page("first", "desk", Some(&marta), &[], &surface(&ana(None)));
    page.unwrap_or_else(|cause| panic!("{cause}")).html.to_string()
}

fn filled(office: &Office, more: &str) -> Vec<u8> {
    let html = desk(office);
    let sealed = html.split_once("name=\"kt\" value=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a form").0;
    format!("kt={sealed}&new=copper+lantern&new~again=copper+lantern{more}").into_bytes()
}

#[test]
fn a_form_that_needs_a_fresh_proof_waits_for_it_sealed_and_then_runs_once() {
    let office = Office::new();
    let host = &office.bench.host;
    let body = filled(&office, "");
    let Ok(Submitted::StepUp(held)) = host.submit(&body, &surface(&ana(None))) else { panic!("it was run") };
    assert!(!held.contains("lantern") && counts(host).is_empty());
    let now = host.now();
    // Unproved, it waits on; in another session it is nothing.
    assert!(matches!(
        host.submit(&host.held(&ana(None), &held).expect("held"), &surface(&ana(None))),
        Ok(Submitted::StepUp(_))
    ));
    let elsewhere = Caller { session: "another".to_owned(), ..ana(Some(now)) };
    assert!(host.held(&elsewhere, &held).is_err());
    for _ in 0..2 {
        let Ok(Submitted::Done { .. }) =
            host.submit(&host.held(&ana(None), &held).expect("held"), &surface(&ana(Some(now))))
        else {
            panic!("not run")
        };
    }
    let mails = host.storage.mails(&MailFilter { limit: 10, ..MailFilter::default() }).expect("read");
    assert_eq!(mails.len(), 1, "two presses are one");
    assert!(desk(&office).contains("Email queued for marta@vidal.example"));
    office.works_until(|| desk(&office).contains("Accepted by mx.example:25"));
    assert!(office.sent()[0].drawn.text.contains("copper lantern"));
}

#[test]
fn a_notice_says_what_became_of_its_mail_when_it_is_shown() {
    let office = Office::new();
    let host = &office.bench.host;
    let ana = ana(Some(host.now()));
    let Ok(Submitted::Done { notice, .. }) = host.submit(&filled(&office, ""), &surface(&ana)) else {
        panic!("not run")
    };
    let shown = || host.notice(&notice, &surface(&ana)).expect("shown").to_string();
    assert!(shown().contains("Email queued for"), "{}", shown());
    office.works_until(|| shown().contains("Accepted by mx.example:25"));
}

/// Targets of a panel where a mail goes while its page is being drawn.
struct Meanwhile<'a> {
    office: &'a Office,
    gone: AtomicBool,
}

impl Links for Meanwhile<'_> {
    fn url(&self, _: &str, target: &Target) -> String {
        if matches!(target, Target::Mail(_)) && !self.gone.swap(true, Ordering::Relaxed) {
            let accepted = MailFilter { states: vec![MailState::Accepted], limit: 1, ..MailFilter::default() };
            self.office.works_until(|| !self.office.bench.host.storage.mails(&accepted).expect("read").is_empty());
        }
        "/".to_owned()
    }
}

#[test]
fn a_page_is_of_one_moment_also_where_its_mail_goes_while_it_is_drawn() {
    let office = Office::new();
    let host = &office.bench.host;
    let ana = ana(Some(host.now()));
    let Ok(Submitted::Done { .. }) = host.submit(&filled(&office, ""), &surface(&ana)) else { panic!("not run") };
    let marta: AccountId = "customer:1".parse().expect("id");
    let links = Meanwhile { office: &office, gone: AtomicBool::new(false) };
    let surface = Surface { links: &links, ..surface(&ana) };
    let page = host.page("first", "desk", Some(&marta), &[], &surface).unwrap_or_else(|cause| panic!("{cause}"));
    let html = page.html.as_str();
    assert!(html.contains("Accepted by mx.example:25") && !html.contains("kt-again"), "{html}");
}

#[test]
fn a_password_is_generated_for_the_script_or_shown_beside_its_field() {
    let office = Office::new();
    let host = &office.bench.host;
    let ask = |more| host.submit(&filled(&office, more), &surface(&ana(None)));
    let Ok(Submitted::Script(json)) = ask("&kt-generate=new&kt-script=1") else { panic!("not generated") };
    assert_eq!(json.as_str(), r#"{"value":"velvet-compass-94"}"#);
    let Ok(Submitted::Again(corrections)) = ask("&kt-generate=new") else { panic!("not shown") };
    let marta: AccountId = "customer:1".parse().expect("id");
    let ana = ana(None);
    let again = Surface { corrections: Some(&corrections), ..surface(&ana) };
    let page = host.page("first", "desk", Some(&marta), &[], &again).unwrap_or_else(|cause| panic!("{cause}"));
    assert!(page.html.as_str().contains("velvet-compass-94"));
}

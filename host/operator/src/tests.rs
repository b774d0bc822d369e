//! The operator's pages, on mails that were brought to each state by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::outbox::Act;
use super::page::press;
use super::*;
use crate::stage::{Ground, Routes, form, operate, operators};
use keyturn_accounts::Sql;
use keyturn_core::accounts::{Account, AccountId, Matched, Reach, Scope, Why};
use keyturn_core::caller::Actor;
use keyturn_core::seal::Keys;
use keyturn_core::time::now;
use keyturn_mail::template::{Block, Kind, Template, Text, Value};
use keyturn_mail::transport::{Attempt, Step, StepKind, Verdict};
use keyturn_package::grants::Grants;
use keyturn_package::manifest::Wants;
use keyturn_store::Provider;
use keyturn_store::database::Connection;
use keyturn_store::outbox::{Kept, Mail, MailId, MailState, NewMail, Obstacle, Recipient, Settled};
use keyturn_store::tasks::{NewTask, TaskKind};
use keyturn_store::{Commit, Effect, StorageError, Store};
use keyturn_ui::Page;
use keyturn_ui::nodes::{Action, Intent, Run};

const PANEL: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, login TEXT, email TEXT, password TEXT, reseller TEXT);
    INSERT INTO customers (id, login, email, reseller) VALUES (1, 'ana', 'ana@panel.example', '7'),
        (2, 'ben', 'ben@panel.example', '8');
";
const REALMS: &str = "customer = { table = 'customers', id = 'id', login = 'login', email = 'email', hash = 'password',
    manager = 'reseller' }";
const SECRET: &str = "tavo-meki-94";

struct Stage {
    host: Operator,
    storage: Arc<Store>,
    keys: Arc<Keys>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::at("http://127.0.0.1:8080")
    }

    fn at(origin: &str) -> Self {
        Self::on(Ground::new(PANEL, REALMS), origin)
    }

    fn on(ground: Ground, origin: &str) -> Self {
        let host = ground
            .host()
            .with(|host| {
                host.mail.mail =
                    toml::from_str("transport = 'folder'\nfrom = 'panel@panel.example'\nfolder = { path = 'sent' }")
                        .expect("TOML");
                host.mail.origin = Some(origin.to_owned());
                host.mail.folder = ground.folder.path().to_owned();
            })
            .build()
            .expect("a host");
        let Ground { folder, storage, keys } = ground;
        Self { host, storage, keys, folder }
    }

    fn mail(&self, customer: &str, subject: &str) -> MailId {
        let text = Text {
            subject: subject.to_owned(),
            preheader: "x".to_owned(),
            body: vec![Block::Text("Hello there.".to_owned()), Block::Secret("password".to_owned())],
        };
        let template = Template {
            variables: [("password".to_owned(), Kind::Secret)].into(),
            texts: [("en".to_owned(), text)].into(),
        };
        let id = MailId::random();
        let mail = NewMail {
            id: id.clone(),
            to: Recipient::Account(customer.parse().expect("id")),
            template: Arc::new(Kept::new(&self.keys, "hello", &template)),
            variables: vec![("password".to_owned(), Value::Secret(SECRET.to_owned().into()))],
            expires: now() + 3_600_000,
            per_minute: 1_000,
            origin: None,
            message_id: format!("{id}@panel.example"),
            address: None,
        };
        let commit = Commit::bare("p", now(), vec![Effect::Send(Box::new(mail))]);
        self.storage.commit(commit).expect("queued");
        id
    }

    /// A mail to Ana in this state; others that wait are brought there too.
    fn brought_to(&self, state: MailState, said: &str) -> MailId {
        let id = self.mail("customer:1", "Your password");
        match state {
            MailState::Queued => {}
            MailState::Withdrawn => {
                self.host.withdraw(&admin(), std::slice::from_ref(&id)).expect("withdrawn");
            }
            MailState::Sending => drop(self.storage.lease_mail(10, 60_000, None).expect("leased")),
            state => self.settle(state, said, None),
        }
        id
    }

    /// Settles everything that waits.
    fn settle(&self, state: MailState, said: &str, obstacle: Option<Obstacle>) {
        let step = |kind, said: &str| Step { kind, took: Duration::from_millis(12), said: said.to_owned() };
        for leased in self.storage.lease_mail(10, 60_000, None).expect("leased") {
            let steps = vec![step(StepKind::Connect, "220 mx.example"), step(StepKind::Handover, said)];
            let settled = Settled {
                state,
                again_in: (state == MailState::Delayed).then_some(60_000),
                told: Some(("mx.example:25".to_owned(), Attempt { steps, verdict: Verdict::Delayed })),
                obstacle,
            };
            assert!(self.storage.settle_mail(&leased.lease, &settled).expect("settled"));
        }
    }

    fn get(&self, id: &MailId) -> Mail {
        self.storage.mail(id).expect("read").expect("there")
    }

    fn panel(&self, sql: &str) {
        let panel = rusqlite::Connection::open(self.folder.path().join("panel.db")).expect("opened");
        panel.execute_batch(sql).expect("written");
    }

    fn draw(&self, caller: &Caller, page: &str, query: &[(&str, &str)]) -> Result<Page, CallError> {
        operators(&self.host, (page, query), &surface(caller))
    }

    /// The page of one mail.
    #[track_caller]
    fn one(&self, id: &MailId) -> String {
        self.draw(&admin(), "mail", &[("mail", id.as_str())]).expect("drawn").html.to_string()
    }

    #[track_caller]
    fn outbox(&self, caller: &Caller, query: &[(&str, &str)]) -> String {
        self.draw(caller, "outbox", query).expect("drawn").html.to_string()
    }

    /// A mail's page with the question whether to withdraw it.
    #[track_caller]
    fn asks_withdraw(&self, id: &MailId) -> String {
        let query = [("mail", id.as_str()), ("ask", "withdraw")];
        self.draw(&admin(), "mail", &query).expect("drawn").html.to_string()
    }

    fn submit(&self, caller: &Caller, sealed: &str) -> Result<Submitted, SubmitError> {
        operate(&self.host, format!("kt={sealed}").as_bytes(), &surface(caller))
    }

    /// Presses a button of these pages, and answers where it leads and what is said there.
    #[track_caller]
    fn press(&self, caller: &Caller, sealed: &str) -> (String, String) {
        match self.submit(caller, sealed).expect("run") {
            Submitted::Done { url, notice, own_epoch: None } => {
                let said = self.host.notice(&notice, &surface(caller)).expect("for him");
                (url, said.to_string())
            }
            _ => panic!("not done"),
        }
    }
}

fn surface(caller: &Caller) -> Surface<'_> {
    Surface { caller, submit_url: "/outbox?show=failed", join: None, links: &Routes, corrections: None }
}

fn signed_in(account: &str, scope: Scope) -> Caller {
    let actor = Actor::Account(account.parse().expect("id"));
    let mut caller = Caller::new(actor, Reach::none().with("customer", scope));
    caller.session = format!("session of {account}");
    caller
}

fn admin() -> Caller {
    signed_in("staff:1", Scope::All)
}

/// A button of the outbox.
fn button(label: &str, act: &Act) -> Action {
    let run = Run::Submit(press(&outbox::PAGE, act));
    Action { label: label.to_owned(), intent: Intent::Neutral, run, unavailable: None }
}

/// Where a page of the outbox leads to older ones.
#[track_caller]
fn cursor(html: &str) -> &str {
    let (_, rest) = html.split_once("href=\"/outbox?before=").expect("older ones");
    rest.split_once('"').expect("its end").0
}

/// Ana's, and not Ben's.
fn reseller() -> Caller {
    signed_in("reseller:7", Scope::Own)
}

#[test]
fn the_outbox_draws_each_state_with_its_word_and_what_may_be_done() {
    for (state, word, retry, withdraw) in [
        (MailState::Queued, "Queued", false, true),
        (MailState::Sending, "Sending", false, false),
        (MailState::Accepted, "Accepted", false, false),
        (MailState::Delayed, "Delayed", true, true),
        (MailState::Refused, "Refused", true, true),
        (MailState::GaveUp, "Gave up", true, true),
        (MailState::Ended, "Ended", false, false),
        (MailState::Withdrawn, "Withdrawn", false, false),
    ] {
        let stage = Stage::new();
        let id = stage.brought_to(state, "421 come later");
        let html = stage.outbox(&admin(), &[]);
        assert!(html.contains(&format!(">{word}</span>")), "{word}: {html}");
        assert_eq!(html.contains(">Retry</button>"), retry, "{word}");
        // Asked about first, on the mail's own page; no button does it here.
        assert_eq!(
            html.contains(&format!("href=\"/mail?mail={id}&amp;ask=withdraw\">Withdraw</a>")),
            withdraw,
            "{word}"
        );
        assert!(!html.contains(">Withdraw</button>"), "{word}");
        assert!(
            html.contains(&format!("href=\"/mail?mail={id}\"")) && html.contains(">ana<wbr>@panel.example<"),
            "{html}"
        );
        assert!(html.contains("Your password") && !html.contains(SECRET), "{html}");
        if state == MailState::Delayed {
            assert!(
                html.contains("421 come later") && html.contains("Next attempt: ") && html.contains("1\u{a0}of\u{a0}8")
            );
        }
    }
}

#[test]
fn what_a_server_or_a_template_says_is_text() {
    let stage = Stage::new();
    stage.mail("customer:1", "</a><script>alert(1)</script>");
    stage.settle(MailState::Refused, "550 <img src=x onerror=alert(2)>\u{202e}", None);
    let html = stage.outbox(&admin(), &[("q", "ana"), ("show", "\"><b>")]);
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'), "{html}");
    assert!(html.contains("550 &lt;img src=x") && html.contains("&lt;script&gt;"), "{html}");
}

#[test]
fn filters_count_search_finds_and_older_ones_follow() {
    let stage = Stage::new();
    stage.brought_to(MailState::Refused, "550 no");
    stage.brought_to(MailState::Accepted, "250 ok");
    let ben = stage.mail("customer:2", "For Ben");
    let html = stage.outbox(&admin(), &[]);
    for (label, count) in [("Waiting", 1), ("Failed", 1), ("Accepted", 1), ("All", 3)] {
        assert!(html.contains(&format!(">{label} <span class=\"kt-count\">{count}</span>")), "{label}: {html}");
    }
    let found = stage.outbox(&admin(), &[("q", "BEN@panel.example")]);
    assert!(found.contains(ben.as_str()) && !found.contains("ana@panel.example"), "{found}");
    let none = stage.outbox(&admin(), &[("q", "<nobody>")]);
    assert!(none.contains("user name or address “&lt;nobody&gt;”") && none.contains(">Show all</a>"), "{none}");
    for _ in 0..25 {
        stage.mail("customer:1", "More");
    }
    let newest = stage.outbox(&admin(), &[]);
    assert!(!newest.contains(ben.as_str()));
    let older = stage.outbox(&admin(), &[("before", cursor(&newest))]);
    assert!(older.contains(ben.as_str()) && older.contains(">Newest</a>") && !older.contains(">Older</a>"), "{older}");
}

#[test]
fn an_empty_outbox_says_why_and_stopped_workers_since_when() {
    let stage = Stage::new();
    let html = stage.outbox(&admin(), &[]);
    assert!(html.contains("No emails yet.") && html.contains("No worker has sent email"), "{html}");
    stage.brought_to(MailState::Accepted, "250 ok");
    let html = stage.outbox(&admin(), &[("show", "failed")]);
    assert!(html.contains("All emails were accepted. Last: today "), "{html}");
    let waits = stage.mail("customer:1", "Another");
    assert!(stage.outbox(&admin(), &[("show", "failed")]).contains("No email has failed."));
    stage.host.withdraw(&admin(), &[waits]).expect("withdrawn");
    stage.storage.beat(&[], 30_000, now()).expect("a sign of life");
    assert!(!stage.outbox(&admin(), &[]).contains("kt-notice kt-danger"));
    stage.panel("UPDATE keyturnhost_hosts SET worked = 5");
    let html = stage.outbox(&admin(), &[]);
    assert!(html.contains("No email is being sent") && html.contains("It last ran: 1 Jan 1970, 00:00"), "{html}");
    assert!(html.contains("<code dir=\"ltr\">panel work</code>"), "{html}");
    let waits = stage.mail("customer:1", "A third");
    let html = stage.one(&waits);
    assert_eq!(html.matches("<code dir=\"ltr\">panel work</code>").count(), 1, "{html}");
    assert!(html.contains("<bdi>No email is being sent</bdi>") && !html.contains("Waiting to be sent"), "{html}");
}

#[test]
fn the_page_of_a_mail_that_may_fare_on_offers_to_check_again_and_leads_to_its_account() {
    let stage = Stage::new();
    let id = stage.mail("customer:1", "For Ana");
    let draw = || stage.one(&id);
    let live = format!("data-kt-live=\"{id}\"");
    let html = draw();
    assert!(html.contains(&live) && html.contains("href=\"/outbox?show=failed\">Check again</a>"), "{html}");
    assert!(
        html.contains("href=\"/host/Target::Overview(&quot;customer:1&quot;)\"><bdi>ana@panel.example</bdi></a>"),
        "{html}"
    );
    stage.settle(MailState::Accepted, "250 ok", None);
    let html = draw();
    assert!(html.contains(&live) && !html.contains("Check again"), "{html}");
}

#[test]
fn a_reseller_sees_counts_and_mends_only_his_own() {
    let stage = Stage::new();
    let ana = stage.mail("customer:1", "For Ana");
    let ben = stage.mail("customer:2", "For Ben");
    stage.settle(MailState::Refused, "550 no", None);
    let html = stage.outbox(&reseller(), &[("show", "failed")]);
    assert!(html.contains(ana.as_str()) && !html.contains(ben.as_str()) && !html.contains("kt-count"), "{html}");
    let (_, said) = stage.press(&reseller(), form(&html, "Retry all failed"));
    assert!(said.contains("1 email is tried again"), "{said}");
    assert_eq!((stage.get(&ana).state, stage.get(&ben).state), (MailState::Queued, MailState::Refused));
    // Even a form of the administrator's page lets a reseller reach no further.
    let mut page = String::new();
    let place = page::place("outbox");
    stage.host.framed_own(crate::OWN, place, &surface(&reseller()), |frame| {
        let mut painter = Painter::new(frame, 2);
        painter.action(&button("Take", &Act::Withdraw(ben.clone())));
        page = painter.html.done().to_string();
    });
    let (_, said) = stage.press(&reseller(), form(&page, "Take"));
    assert!(said.contains("Nothing was changed"), "{said}");
    assert_eq!(stage.get(&ben).state, MailState::Refused);
}

#[test]
fn a_form_works_for_its_own_session_only_and_a_second_press_does_nothing() {
    let stage = Stage::new();
    let id = stage.brought_to(MailState::Refused, "550 no");
    let html = stage.outbox(&admin(), &[]);
    let retry = form(&html, "Retry");
    let other = signed_in("staff:2", Scope::All);
    assert!(matches!(stage.submit(&other, retry), Err(SubmitError::Form(FormError::Foreign))));
    let mut later = admin();
    later.session = "another".to_owned();
    assert!(matches!(stage.submit(&later, retry), Ok(Submitted::Stale(_))));
    assert!(stage.submit(&admin(), "bm90aGluZw").is_err());
    assert_eq!(stage.get(&id).state, MailState::Refused);
    let (url, said) = stage.press(&admin(), retry);
    assert_eq!((url.as_str(), stage.get(&id).state), ("/outbox?show=failed", MailState::Queued));
    assert!(said.contains("Email queued again") && said.contains("Email queued for ana@panel.example."), "{said}");
    let (url, said) = stage.press(&admin(), form(&stage.asks_withdraw(&id), "Withdraw email"));
    assert_eq!((url, stage.get(&id).state), (format!("/mail?mail={id}"), MailState::Withdrawn));
    assert!(said.contains("It won&#39;t be sent. Its contents are deleted."), "{said}");
    assert!(stage.press(&admin(), retry).1.contains("Nothing was changed"));
}

#[test]
fn a_mail_shows_each_step_its_headers_and_its_texts_without_what_is_secret() {
    for (state, retry) in [
        (MailState::Accepted, false),
        (MailState::Delayed, true),
        (MailState::Refused, true),
        (MailState::Ended, false),
    ] {
        let stage = Stage::new();
        let id = stage.brought_to(state, "550 <b>5.1.1</b>");
        let page = stage.draw(&admin(), "mail", &[("mail", id.as_str())]).expect("drawn");
        let html = page.html.as_str();
        assert_eq!(page.title, "Your password");
        for part in ["220 mx.example", "550 &lt;b&gt;5.1.1", "12 ms", "Connection", "Hello there.", "••••"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(html.contains(&format!("&lt;{id}@panel.example&gt;")) && html.contains("&lt;html"), "{html}");
        assert!(!html.contains(SECRET) && !html.contains("<b>") && html.matches("<h1").count() == 1, "{html}");
        assert_eq!(html.contains(">Retry</button>"), retry, "{state:?}");
    }
    let stage = Stage::new();
    let id = stage.brought_to(MailState::Queued, "");
    let html = stage.one(&id);
    assert!(html.contains("No attempt yet.") && html.contains("&amp;ask=withdraw\">Withdraw</a>"), "{html}");
}

#[test]
fn what_withdrawing_a_mail_takes_away_is_asked_before_it_is_done() {
    let stage = Stage::new();
    let id = stage.mail("customer:1", "Your password");
    let html = stage.asks_withdraw(&id);
    for part in ["Withdraw this email?", "A password or link in it is deleted", ">Cancel</a>"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(html.contains(&format!("href=\"/mail?mail={id}\"")), "the way back: {html}");
    assert_eq!(stage.get(&id).state, MailState::Queued, "nothing is done by looking");
    stage.settle(MailState::Accepted, "250 ok", None);
    assert!(!stage.asks_withdraw(&id).contains("Withdraw"), "there is nothing left to ask");
}

#[test]
fn a_mail_that_one_does_not_reach_is_as_one_that_is_not_there() {
    let stage = Stage::new();
    let id = stage.mail("customer:2", "For Ben");
    for (caller, id) in [(reseller(), id), (admin(), MailId::random())] {
        let drawn = stage.draw(&caller, "mail", &[("mail", id.as_str())]);
        assert!(matches!(drawn, Err(CallError::Failed(keyturn_runtime::Failure::NotFound))));
    }
}

#[test]
fn a_retry_to_another_address_is_asked_about_and_holds_for_that_address_only() {
    let stage = Stage::new();
    let id = stage.brought_to(MailState::Refused, "550 no");
    let before = stage.outbox(&admin(), &[]);
    stage.panel("UPDATE customers SET email = 'anna@panel.example' WHERE id = 1");
    let (url, said) = stage.press(&admin(), form(&before, "Retry"));
    assert_eq!((url, stage.get(&id).state), (format!("/mail?mail={id}"), MailState::Refused));
    assert!(said.contains("Check the address first"), "{said}");
    assert!(!stage.outbox(&admin(), &[]).contains(">Retry</button>"), "the question stands on the mail's page");
    let asked = stage.one(&id);
    assert!(asked.contains("A retry sends this email to anna@panel.example."), "{asked}");
    stage.panel("UPDATE customers SET email = 'other@panel.example' WHERE id = 1");
    assert!(stage.press(&admin(), form(&asked, "Retry to this address")).1.contains("Check the address first"));
    assert_eq!(stage.get(&id).state, MailState::Refused);
    let asked = stage.one(&id);
    stage.press(&admin(), form(&asked, "Retry to this address"));
    assert_eq!(stage.get(&id).state, MailState::Queued);
}

/// Writes a mail as the folder transport does, and answers its file's name.
fn put_into_inbox(stage: &Stage, subject: &str, text: &str) -> String {
    put_into_inbox_as(stage, &MailId::random(), subject, text)
}

fn put_into_inbox_as(stage: &Stage, id: &MailId, subject: &str, text: &str) -> String {
    let mailbox = |address: &str| keyturn_mail::Mailbox { name: String::new(), address: address.to_owned() };
    let transport = stage.host.mail.outgoing().transport.clone().expect("mail is on");
    let attempt = transport.session().send(&keyturn_mail::Message {
        message_id: format!("{id}@panel.example"),
        from: mailbox("panel@panel.example"),
        reply_to: None,
        to: mailbox("ana@panel.example"),
        date: now(),
        drawn: keyturn_mail::draw::Drawn {
            subject: subject.to_owned(),
            text: text.to_owned().into(),
            html: "<script>alert(1)</script><p>Hello</p>".to_owned().into(),
        },
    });
    attempt.steps.last().expect("a step").said.strip_suffix(".eml").expect("its file").to_owned()
}

#[test]
fn the_inbox_shows_text_with_working_links_and_keeps_html_in_a_sandbox() {
    let stage = Stage::new();
    let inbox = |stage: &Stage| stage.draw(&admin(), "inbox", &[]).expect("drawn").html.to_string();
    assert!(inbox(&stage).contains("Ask for a new password on the sign-in page and look here"));
    let link = "http://127.0.0.1:8080/reset/7RkTq\"><b>";
    let name = put_into_inbox(&stage, "Choose <i>one</i>", &format!("Hello <b>Ana</b>\n\n{link}\n"));
    let address = name.replace('@', "%40");
    let list = inbox(&stage);
    assert!(
        list.contains(&format!("href=\"/inbox-mail?name={address}\"")) && list.contains("ana@panel.example"),
        "{list}"
    );
    assert!(list.contains("Choose &lt;i&gt;one") && list.contains(" ago"), "{list}");
    let html = stage.draw(&admin(), "inbox-mail", &[("name", &name)]).expect("drawn").html.to_string();
    assert!(html.contains("<a href=\"http://127.0.0.1:8080/reset/7RkTq&quot;&gt;&lt;b&gt;\""), "{html}");
    assert!(html.contains(&format!("<iframe sandbox src=\"/inbox-html?name={address}\"")), "{html}");
    assert!(!html.contains("<script") && !html.contains("<b>") && html.contains("Hello &lt;b&gt;Ana"), "{html}");
    assert!(
        OperatorPage::named("inbox-mail")
            .and_then(OperatorPage::csp)
            .is_some_and(|csp| csp.starts_with(look::CSP) && csp.ends_with("frame-src 'self'"))
    );
    assert!(stage.host.inbox_document(&admin(), &name).expect("there").contains("<p>Hello</p>"));
    let headers = document_headers().map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")));
    assert!(headers[0].contains("default-src 'none'; style-src 'unsafe-inline'; sandbox;"), "{headers:?}");
    for name in ["../panel", "..", ".x", "a/b", "nobody", ""] {
        assert!(stage.draw(&admin(), "inbox-mail", &[("name", name)]).is_err(), "{name}");
        assert!(stage.host.inbox_document(&admin(), name).is_err(), "{name}");
    }
}

#[test]
fn the_inbox_shows_nobody_the_mail_of_somebody_out_of_reach() {
    let stage = Stage::new();
    // Ana is customer 1, and the reseller's; what the outbox does not know may be anybody's.
    let (hers, others) = (stage.mail("customer:1", "Hers"), stage.mail("customer:2", "Another's"));
    let names = [
        put_into_inbox_as(&stage, &hers, "Hers", "text"),
        put_into_inbox_as(&stage, &others, "Another's", "text"),
        put_into_inbox(&stage, "Unknown", "text"),
    ];
    let account = |name: &str, reach| Caller::new(Actor::Account(name.parse().expect("id")), reach);
    let none = Reach::none;
    for (who, caller, seen) in [
        ("everybody's manager", admin(), [true, true, true]),
        ("her reseller", account("reseller:7", none().with("customer", Scope::Own)), [true, false, false]),
        ("herself", account("customer:1", none()), [true, false, false]),
        ("of another realm", account("staff:3", none().with("reseller", Scope::All)), [false, false, false]),
    ] {
        let list = stage.draw(&caller, "inbox", &[]).expect("drawn").html.to_string();
        for (name, seen) in names.iter().zip(seen) {
            assert_eq!(list.contains(&name.replace('@', "%40")), seen, "{who}: {name}");
            assert_eq!(stage.draw(&caller, "inbox-mail", &[("name", name)]).is_ok(), seen, "{who}: {name}");
            assert_eq!(stage.host.inbox_document(&caller, name).is_ok(), seen, "{who}: {name}");
        }
    }
}

#[test]
fn there_is_no_inbox_where_links_lead_elsewhere_nor_for_nobody() {
    for (origin, there) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost", true),
        ("http://[::1]:80", true),
        ("https://panel.example", false),
        ("http://127.0.0.1.panel.example", false),
        ("http://localhost@panel.example", false),
        ("http://0.0.0.0:8080", false),
    ] {
        let stage = Stage::at(origin);
        let name = put_into_inbox(&stage, "One", "text");
        assert_eq!(stage.host.has_inbox(), there, "{origin}");
        assert_eq!(stage.draw(&admin(), "inbox", &[]).is_ok(), there, "{origin}");
        assert_eq!(stage.draw(&admin(), "inbox-mail", &[("name", &name)]).is_ok(), there, "{origin}");
        assert_eq!(stage.host.inbox_document(&admin(), &name).is_ok(), there, "{origin}");
        let nobody = Caller::new(Actor::Anonymous, Reach::none());
        assert!(stage.draw(&nobody, "inbox", &[]).is_err());
    }
}

#[test]
fn to_look_at_a_page_changes_nothing() {
    let stage = Stage::new();
    let id = stage.brought_to(MailState::Refused, "550 no");
    let before = stage.get(&id);
    stage.outbox(&admin(), &[("show", "failed")]);
    stage.one(&id);
    assert_eq!(stage.get(&id), before);
    assert_eq!(stage.host.audit(&keyturn_store::AuditFilter { limit: 10, ..Default::default() }).expect("read"), []);
}

/// A panel's accounts, and how often one was asked for.
struct Counting {
    accounts: Sql,
    asked: AtomicUsize,
}

impl Provider for Counting {
    fn realms(&self) -> Vec<&str> {
        self.accounts.realms()
    }
    fn knows_managers(&self, realm: &str) -> bool {
        self.accounts.knows_managers(realm)
    }
    fn find(
        &self,
        sql: &dyn Connection,
        typed: &str,
        realms: &[&str],
        limit: usize,
    ) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.accounts.find(sql, typed, realms, limit)
    }
    fn account(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Account>, StorageError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.accounts.account(sql, id)
    }
    fn sessions(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<u32>, StorageError> {
        self.accounts.sessions(sql, id)
    }
    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String> {
        self.accounts.accepts(realm, hash)
    }
    fn replace(
        &self,
        sql: &dyn Connection,
        id: &AccountId,
        hash: &str,
        why: Why,
        now: i64,
    ) -> Result<(), StorageError> {
        self.accounts.replace(sql, id, hash, why, now)
    }
}

#[test]
fn an_outbox_page_reads_each_account_once() {
    let accounts =
        Sql::new(toml::from_str(REALMS).expect("realms"), &keyturn_store_sqlite::Sqlite).expect("a provider");
    let counting = Arc::new(Counting { accounts, asked: AtomicUsize::new(0) });
    let stage = Stage::on(Ground::on(PANEL, Arc::clone(&counting) as Arc<dyn Provider>), "http://127.0.0.1:8080");
    for _ in 0..10 {
        stage.mail("customer:1", "For Ana");
        stage.mail("customer:2", "For Ben");
    }
    for (caller, mails) in [(admin(), 20), (reseller(), 10)] {
        counting.asked.store(0, Ordering::Relaxed);
        let html = stage.outbox(&caller, &[]);
        assert_eq!(html.matches("<tr").count(), 1 + mails, "{html}");
        assert_eq!(counting.asked.load(Ordering::Relaxed), 2, "{:?}", caller.actor);
    }
}

#[test]
fn a_form_that_was_read_is_run_as_it_was_read_and_its_body_is_not_read_again() {
    let stage = Stage::new();
    let id = stage.brought_to(MailState::Refused, "550 no");
    let html = stage.outbox(&admin(), &[]);
    let body = format!("kt={}", form(&html, "Retry"));
    let read = stage.host.read_form(&admin(), body.as_bytes()).expect("ours");
    assert_eq!(read.plugin(), OWN);
    let without = PostedForm { body: b"", ..read };
    let done = stage.host.operator_submit(without, &surface(&admin()));
    assert!(matches!(done, Ok(Submitted::Done { .. })) && stage.get(&id).state == MailState::Queued);
    // Whoever takes it for a plugin's does nothing by it.
    let read = stage.host.read_form(&admin(), body.as_bytes()).expect("ours");
    assert!(stage.host.submit_form(read, &surface(&admin())).is_err());
}

#[test]
fn every_page_has_a_name_of_its_own_and_one_in_the_navigation_has_words_in_each_language() {
    for (at, page) in PAGES.into_iter().enumerate() {
        assert!(PAGES[..at].iter().all(|other| other.name != page.name), "{}", page.name);
        let above = OperatorPage::named(page.under()).expect("a page");
        assert!(above.navigation("en").is_some(), "{} stands under what is in no navigation", page.name);
        for locale in ["en", "es"] {
            let words = page.navigation(locale).map(|(group, label)| [group, label]);
            assert!(words.iter().flatten().all(|word| !word.starts_with("nav-")), "{words:?}");
        }
    }
}

#[test]
fn what_is_done_to_somebodys_mails_and_webhooks_has_words_in_each_language() {
    for name in ["outbox-retry", "outbox-withdraw", "webhook-send-again"] {
        let [english, spanish] = ["en", "es"].map(|locale| operation(name, locale).expect("words"));
        assert_ne!(english, spanish, "{name}");
    }
    assert_eq!(operation("set-password", "en"), None, "a plugin's own");
}

#[test]
fn a_page_that_is_for_others_is_not_drawn_whatever_its_own_code_forgets() {
    let stage = Stage::new();
    let nobody = Caller::new(Actor::Anonymous, Reach::none());
    for page in PAGES {
        for who in [&nobody, &reseller()] {
            let may = (page.who)(&stage.host, who).is_ok();
            let drawn = stage.draw(who, page.name, &[]);
            let refused =
                matches!(drawn, Err(CallError::Denied { .. } | CallError::Failed(keyturn_runtime::Failure::NotFound)));
            assert!(may || refused, "{} for {:?}", page.name, who.actor);
        }
        assert!((page.who)(&stage.host, &nobody).is_err(), "{}", page.name);
    }
}

#[test]
fn no_plugin_has_the_hosts_own_name() {
    let stage = Stage::new();
    let refused = stage.host.admit(OWN, b"", &Grants::of(b"", Wants::default()));
    assert!(refused.err().expect("refused").to_string().contains("the host uses the name host itself"));
}

impl Stage {
    /// A job that failed for good, by its name.
    fn failed_job(&self, name: &str) {
        let job = NewTask {
            kind: TaskKind::Job,
            plugin: "p".to_owned(),
            name: name.to_owned(),
            payload: SECRET.to_owned().into(),
            not_before: 0,
            key: None,
            address: None,
            depth: 0,
        };
        let commit = Commit::bare("p", now(), vec![Effect::Enqueue(Box::new(job))]);
        self.storage.commit(commit).expect("queued");
        for leased in self.storage.lease_tasks(10, 60_000).expect("leased") {
            assert!(self.storage.settle_task(&leased.lease, None, "refused: <no>").expect("settled"));
        }
    }
}

#[test]
fn work_that_failed_is_listed_below_the_outbox_and_run_again_by_its_button() {
    let stage = Stage::new();
    assert!(!stage.outbox(&admin(), &[]).contains("Failed jobs"));
    stage.failed_job("find-and-mail");
    let html = stage.outbox(&admin(), &[("show", "failed")]);
    for part in [
        ">Failed jobs</h2>",
        "find-and-mail",
        "Job of p",
        "refused: &lt;no&gt;",
        "kt-times\">Attempts: 1\u{a0}of\u{a0}8",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains(SECRET) && !html.contains("Run all again"), "{html}");
    for _ in 0..26 {
        stage.mail("customer:1", "Hello");
    }
    let newest = stage.outbox(&admin(), &[]);
    assert!(newest.contains("Failed jobs"));
    for elsewhere in [("show", "accepted"), ("q", "ana"), ("before", cursor(&newest))] {
        assert!(!stage.outbox(&admin(), &[elsewhere]).contains("Failed jobs"), "{elsewhere:?}");
    }
    let (url, said) = stage.press(&admin(), form(&html, "Run again"));
    assert!(url == "/outbox?show=failed" && said.contains("1 is run again"), "{said}");
    assert_eq!(stage.storage.lease_tasks(10, 60_000).expect("leased").len(), 1);
    let (_, said) = stage.press(&admin(), form(&html, "Run again"));
    assert!(said.contains("Nothing was changed"), "{said}");
    stage.failed_job("one");
    stage.failed_job("other");
    let html = stage.outbox(&admin(), &[]);
    assert!(stage.press(&admin(), form(&html, "Run all again")).1.contains("2 are run again"));
}

#[test]
fn a_cursor_tells_a_manager_nothing_of_how_many_mails_there_are_and_is_nobody_elses() {
    let stage = Stage::new();
    let first = stage.mail("customer:1", "First");
    for _ in 0..25 {
        stage.mail("customer:1", "More");
    }
    let newest = stage.outbox(&reseller(), &[]);
    // As long for the second mail as for the millionth, and another each time.
    let again = stage.outbox(&reseller(), &[]);
    let (one, other) = (cursor(&newest), cursor(&again));
    assert!(one.parse::<i64>().is_err() && one.len() == other.len() && one != other, "{one} {other}");
    let older = stage.outbox(&reseller(), &[("before", cursor(&newest))]);
    assert!(older.contains(first.as_str()) && older.contains(">Newest</a>"), "{older}");
    // Neither another's, nor a number by hand: each shows the newest, as if nothing had been asked.
    let others = stage.outbox(&admin(), &[]);
    for before in [cursor(&others), "2", "", "AAAA"] {
        let html = stage.outbox(&reseller(), &[("before", before)]);
        assert!(!html.contains(first.as_str()) && !html.contains(">Newest</a>"), "{before}: {html}");
    }
}

#[test]
fn work_that_failed_is_no_affair_of_who_reaches_only_some() {
    let stage = Stage::new();
    stage.failed_job("find-and-mail");
    assert!(!stage.outbox(&reseller(), &[]).contains("Failed jobs"));
    // Sealed for her all the same, so that only the host's own question is left.
    let draw = |frame: &keyturn_ui::Frame<'_>| {
        let mut painter = Painter::new(frame, 2);
        painter.action(&button("Run", &Act::RunAllAgain));
        painter.html.done().to_string()
    };
    let html = stage.host.framed_own(crate::OWN, page::place("outbox"), &surface(&reseller()), draw);
    assert!(stage.press(&reseller(), form(&html, "Run")).1.contains("Nothing was changed"));
    assert!(stage.storage.lease_tasks(10, 60_000).expect("leased").is_empty());
}

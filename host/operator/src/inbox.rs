//! The trial inbox: emails that the folder transport has written, with their links and passwords. So it exists only if emails
//! go into a folder and links lead to this machine: on a real panel nobody reads another's email here.

use std::path::PathBuf;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use super::one_mail::table;
use super::page::{self, Asked, Stands, link, no_form, not_found, place, target, text};
use super::sheet::{Part, Sheet, whole};
use crate::host::Operator;
use keyturn_core::caller::{Actor, Caller, OWN};
use keyturn_core::origin::names_this_machine;
use keyturn_mail::transport::folder::Filed;
use keyturn_runtime::CallError;
use keyturn_store::outbox::MailId;
use keyturn_ui::Page;
use keyturn_ui::html::Html;
use keyturn_ui::html::nodes::Painter;
use keyturn_ui::nodes::{ColumnKind, Empty, Intent, Node, Table};
use keyturn_ui::shell::{Link, parts};

pub(super) static PAGE: page::Page =
    page::Page { name: "inbox", stands: Stands::In("nav-mail"), remote: false, who, draw: list, act: no_form };
/// One of them, by its name. It frames [`Operator::inbox_document`].
pub(super) static MAIL: page::Page =
    page::Page { name: "inbox-mail", stands: Stands::Under("inbox"), remote: false, who, draw: one, act: no_form };
/// Its address has the HTML of an email, not a page.
pub const DOCUMENT: &str = "inbox-html";

/// Emails on the page.
const LISTED: usize = 50;
/// Files of the folder that are read.
const FILES: usize = 10_000;

/// The headers of an answer that is an email's HTML: nothing in it runs or loads anything, and only the panel's own pages can
/// frame it. Set them before `harden`, which leaves headers that are set.
pub fn document_headers() -> [(HeaderName, HeaderValue); 3] {
    let csp = "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; \
               frame-ancestors 'self'";
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    ]
}

impl Operator {
    /// Whether there is an inbox: emails go into a folder, and links lead to this machine.
    pub fn has_inbox(&self) -> bool {
        self.inbox_folder().is_some()
    }

    /// The HTML of an email of the inbox, for a frame; [`document_headers`] go with it. Its address is the target [`DOCUMENT`] with the email's name.
    ///
    /// # Errors
    /// [`CallError`]; [`keyturn_runtime::Failure::NotFound`] if there is no such email, or no inbox.
    pub fn inbox_document(&self, caller: &Caller, name: &str) -> Result<Zeroizing<String>, CallError> {
        Ok(open(self, caller, name)?.html)
    }

    fn inbox_folder(&self) -> Option<PathBuf> {
        let outgoing = self.mail.outgoing();
        let folder = outgoing.transport.as_ref()?.folder()?;
        // People who can only reach the page Email settings must not turn a panel into a trial.
        let trial = outgoing.origin_fixed && names_this_machine(keyturn_core::origin::host(&outgoing.origin)?);
        trial.then(|| folder.to_owned())
    }
}

/// Whether the caller may read this email: it is to an account that the caller reaches. For emails that are not in the outbox,
/// such as test emails, and those to the operators, that is unknown: they are for callers with access to every realm.
fn is_for(host: &Operator, caller: &Caller, name: &str) -> bool {
    let id = name.split_once('@').and_then(|(id, _)| id.parse::<MailId>().ok());
    let mail = id.and_then(|id| host.storage.mail(&id).ok().flatten());
    let reached = mail.is_some_and(|mail| host.delivery_of(&mail, caller).is_some());
    reached || host.reaches_everybody(caller)
}

fn who(host: &Operator, caller: &Caller) -> Result<(), CallError> {
    folder(host, caller).map(drop)
}

fn folder(host: &Operator, caller: &Caller) -> Result<PathBuf, CallError> {
    host.inbox_folder().filter(|_| caller.actor != Actor::Anonymous).ok_or_else(not_found)
}

fn open(host: &Operator, caller: &Caller, name: &str) -> Result<Filed, CallError> {
    let folder = folder(host, caller)?;
    is_for(host, caller, name).then(|| Filed::read(&folder, name)).flatten().ok_or_else(not_found)
}

fn list(asked: &Asked<'_>) -> Result<Page, CallError> {
    let Asked { host, caller, words, .. } = *asked;
    let folder = folder(host, caller)?;
    let mut files = Filed::names(&folder, FILES);
    files.sort_by(|one, other| other.cmp(one));
    let files = files.into_iter().filter(|(_, name)| is_for(host, caller, name)).take(LISTED);
    let rows = files.map(|(at, name)| {
        let mail = Filed::read(&folder, &name);
        let subject = mail.as_ref().map_or(words.get("inbox-unread"), |mail| &mail.subject);
        let age = SystemTime::now().duration_since(at).unwrap_or_default().as_secs();
        let age = words.fill("inbox-ago", &[("time", &words.duration(age))]);
        let to = mail.as_ref().map_or("", |mail| &mail.to);
        vec![vec![link(subject, target(MAIL.name, &[("name", &name)]))], text(to), text(&age)]
    });
    let columns = [
        ("mail-header-subject", ColumnKind::Text),
        ("outbox-column-to", ColumnKind::Text),
        ("inbox-age", ColumnKind::Time),
    ];
    let empty = Empty { text: asked.say("inbox-none-hint"), ..asked.empty("inbox-none") };
    let mails = Node::Table(Table { empty, ..table("inbox", &columns, rows, words) });
    let parts = vec![Part::Nodes(vec![mails])];
    Ok(asked.draw(&PAGE, &Sheet { title: asked.word("inbox"), parts, ..Sheet::default() }))
}

fn one(asked: &Asked<'_>) -> Result<Page, CallError> {
    let Asked { host, caller, surface, .. } = *asked;
    let name = asked.argument("name").ok_or_else(not_found)?;
    let mail = open(host, caller, name)?;
    Ok(host.framed_own(OWN, place(MAIL.name), surface, |frame| {
        let painter = &mut Painter::new(frame, 2);
        let words = painter.words;
        let facts = [("outbox-column-to", &mail.to), ("inbox-from", &mail.from)];
        let facts = facts.map(|(key, value)| asked.fact(key, text(value)));
        painter.html.class("div", "kt-sections");
        painter.sections(&[asked.heading("mail-headers"), Node::Facts(facts.into())]);
        painter.open_section("kt-section kt-card", words.get("inbox-text"));
        painter.html.class("div", "kt-code").open("pre", &[("dir", Some("auto"))]);
        mail.text.lines().for_each(|line| linked(line, &mut painter.html));
        painter.html.close("pre").close("div").close("section");
        painter.open_section("kt-section kt-card", words.get("inbox-html"));
        painter.html.element("p", &[("class", Some("kt-hint"))], words.get("inbox-html-hint"));
        let url = painter.url(&target(DOCUMENT, &[("name", name)]));
        let attributes = [
            // Without a value it is the strictest sandbox.
            ("sandbox", Some("")),
            ("src", Some(url.as_str())),
            ("title", Some(words.get("inbox-html"))),
            ("width", Some("100%")),
            ("height", Some("640")),
        ];
        painter.html.open("iframe", &attributes).close("iframe").close("section").close("div");
        let inbox = painter.url(&target(PAGE.name, &[]));
        let back = parts::button_link(Link { label: words.get("inbox"), url: &inbox }, Intent::Quiet);
        whole(painter, &mail.subject, None, &back)
    }))
}

/// A line of the text; a link is alone on its line, and works.
fn linked(line: &str, html: &mut Html) {
    let url = line.trim();
    html.open("code", &[]);
    match url.starts_with("https://") || url.starts_with("http://") {
        true => html.element("a", &[("href", Some(url)), ("rel", Some("noreferrer"))], url),
        false => html.text(line),
    };
    html.close("code");
}

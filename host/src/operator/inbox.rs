//! The inbox of a trial: mails that the folder transport has written, with their links and passwords. So there is one only
//! where mail goes into a folder and links lead to this machine: on a real panel nobody reads another's mail here.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use super::eml::{self, Eml};
use super::{OperatorSurface, not_found, page as whole, place};
use crate::CallError;
use crate::caller::{Actor, Caller};
use crate::host::Host;
use crate::origin::names_this_machine;
use crate::storage::outbox::MailId;
use crate::view::Page;
use crate::view::html::nodes::Painter;
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup, values};
use crate::view::nodes::{ColumnKind, Intent};
use crate::view::shell::{Link, parts};

/// Mails listed.
const LISTED: usize = 50;
/// Files of the folder that are looked at.
const FILES: usize = 10_000;
/// Bytes of a mail that are read.
const BYTES: u64 = 1024 * 1024;

/// A mail's HTML, for a frame of the inbox: an answer of its own.
pub struct Document {
    /// As the mail has it.
    pub html: Zeroizing<String>,
}

impl Document {
    /// What its answer bears: nothing in it runs or loads anything, and only the panel's own pages frame it. Set them before
    /// [`crate::http::harden`], which leaves what is set.
    #[must_use]
    pub fn headers() -> [(HeaderName, HeaderValue); 3] {
        let csp = "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'self'";
        [
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp)),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        ]
    }
}

impl Host {
    /// Whether there is an inbox: mail goes into a folder, and links lead to this machine.
    #[must_use]
    pub fn has_inbox(&self) -> bool {
        self.inbox_folder().is_some()
    }

    /// The HTML of a mail of the inbox. Its address is that of the mail's page and `/html`.
    ///
    /// # Errors
    /// [`CallError`]; [`crate::Failure::NotFound`] where there is no such mail, or no inbox.
    pub fn inbox_document(&self, caller: &Caller, name: &str) -> Result<Document, CallError> {
        let (_, mail) = open_for(self, caller, name)?;
        Ok(Document { html: mail.ok_or_else(not_found)?.html })
    }

    fn inbox_folder(&self) -> Option<PathBuf> {
        let post = self.0.post();
        let folder = post.transport.as_ref()?.folder()?;
        // Whoever can only reach the page Email settings must not turn a panel into a trial.
        let trial = post.origin_fixed && names_this_machine(crate::origin::host(&post.origin)?);
        trial.then(|| folder.to_owned())
    }
}

/// Whether this mail may be read by the caller: it is to somebody whom the caller reaches. Of what the outbox does not know, such as a
/// test mail, and of what goes to the operators, nobody knows whom it concerns: it is for those who reach everybody.
fn is_for(host: &Host, caller: &Caller, name: &str) -> bool {
    let id = name.split_once('@').and_then(|(id, _)| id.parse::<MailId>().ok());
    let mail = id.and_then(|id| host.0.storage.mail(&id).ok().flatten());
    let reached = mail.is_some_and(|mail| host.delivery_of(&mail, caller).is_some());
    reached || host.reaches_everybody(caller)
}

fn folder(host: &Host, caller: &Caller) -> Result<PathBuf, CallError> {
    host.inbox_folder().filter(|_| caller.actor != Actor::Anonymous).ok_or_else(not_found)
}

/// A name that the transport gives to a file; no other can leave the folder.
fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@');
    name.len() <= 255 && name.ends_with(".eml") && !name.starts_with('.') && name.bytes().all(fits)
}

fn open_for(host: &Host, caller: &Caller, name: &str) -> Result<(SystemTime, Option<Eml>), CallError> {
    let folder = folder(host, caller)?;
    if !is_for(host, caller, name) {
        return Err(not_found());
    }
    open(&folder, name)
}

/// When it was written, and the mail, if it can be read as one.
fn open(folder: &Path, name: &str) -> Result<(SystemTime, Option<Eml>), CallError> {
    if !is_name(name) {
        return Err(not_found());
    }
    let path = folder.join(name);
    let about = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file).ok_or_else(not_found)?;
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|_| not_found())?;
    let read = file.take(BYTES).read_to_string(&mut text);
    let written = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((written, read.ok().and_then(|_| eml::read(&text))))
}

pub(super) fn list(host: &Host, caller: &Caller, surface: &OperatorSurface<'_>) -> Result<Page, CallError> {
    let folder = folder(host, caller)?;
    // Before the first mail there is no folder.
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().take(FILES);
    let mut files: Vec<(SystemTime, String)> = files
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok().filter(|name| is_name(name))?;
            Some((entry.metadata().ok()?.modified().ok()?, name))
        })
        .collect();
    files.sort_by(|one, other| other.cmp(one));
    let files: Vec<_> = files.into_iter().filter(|(_, name)| is_for(host, caller, name)).take(LISTED).collect();
    let mails: Vec<_> =
        files.iter().map(|(at, name)| (*at, name, open(&folder, name).ok().and_then(|m| m.1))).collect();
    Ok(host.framed_own(caller, place("inbox"), &surface.surface, |frame| {
        let painter = &mut Painter::new(frame, 2);
        let words = painter.words;
        let columns = [
            (words.get("mail-header-subject"), ColumnKind::Text, false),
            (words.get("outbox-column-to"), ColumnKind::Text, false),
            (words.get("inbox-age"), ColumnKind::Time, false),
        ];
        let rows: Vec<_> = mails
            .iter()
            .map(|(at, name, mail)| {
                let url = format!("{}/{name}", surface.inbox);
                let subject = mail.as_ref().map_or(words.get("inbox-unread"), |mail| &mail.subject);
                let to = mail.as_ref().map_or("", |mail| &mail.to);
                let age = SystemTime::now().duration_since(*at).unwrap_or_default().as_secs();
                let age = words.fill("inbox-ago", &[("time", &words.duration(age))]);
                let mut link = Html::new();
                link.open("a", &[("href", Some(&url))]).element("bdi", &[], subject).close("a");
                let to = values::address(to);
                (vec![link.done(), to, Markup::text(&age)], Markup::default())
            })
            .collect();
        let mut empty = Html::new();
        empty.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], words.get("inbox-none"));
        empty.element("p", &[("class", Some("kt-text"))], words.get("inbox-none-hint")).close("div");
        let grid = Grid { caption: words.get("inbox"), columns: &columns, rows: &rows, empty: &empty.done() };
        painter.html.class("div", "kt-sections").markup(&grid.draw(words)).close("div");
        whole(painter, words.get("inbox"), None, &Markup::default())
    }))
}

pub(super) fn one(host: &Host, caller: &Caller, name: &str, surface: &OperatorSurface<'_>) -> Result<Page, CallError> {
    let (_, mail) = open_for(host, caller, name)?;
    let mail = mail.ok_or_else(not_found)?;
    Ok(host.framed_own(caller, place("inbox-mail"), &surface.surface, |frame| {
        let painter = &mut Painter::new(frame, 2);
        let words = painter.words;
        let mut facts = Html::new();
        facts.class("dl", "kt-facts");
        for (key, value) in [("outbox-column-to", &mail.to), ("inbox-from", &mail.from)] {
            facts.open("div", &[]).element("dt", &[], words.get(key)).open("dd", &[]);
            facts.element("bdi", &[], value).close("dd").close("div");
        }
        facts.close("dl");
        let mut text = Html::new();
        text.class("div", "kt-code").open("pre", &[("dir", Some("auto"))]);
        mail.text.lines().for_each(|line| linked(line, &mut text));
        text.close("pre").close("div");
        let mut framed = Html::new();
        let url = format!("{}/{name}/html", surface.inbox);
        let attributes = [
            ("src", Some(url.as_str())),
            ("title", Some(words.get("inbox-html"))),
            ("width", Some("100%")),
            ("height", Some("640")),
        ];
        framed.element("p", &[("class", Some("kt-hint"))], words.get("inbox-html-hint"));
        // An attribute without a value is the strictest sandbox.
        framed.open("iframe", &[&[("sandbox", Some(""))][..], &attributes[..]].concat()).close("iframe");
        painter.html.class("div", "kt-sections");
        for (id, key, body) in [
            ("inbox-facts", "mail-headers", facts.done()),
            ("inbox-text", "inbox-text", text.done()),
            ("inbox-html", "inbox-html", framed.done()),
        ] {
            painter.html.markup(&parts::card(id, words.get(key), &body));
        }
        painter.html.close("div");
        let back = parts::button_link(Link { label: words.get("inbox"), url: surface.inbox }, Intent::Quiet);
        whole(painter, &mail.subject, None, &back)
    }))
}

/// A line of the text; a link stands alone on its line, and works.
fn linked(line: &str, html: &mut Html) {
    let url = line.trim();
    html.open("code", &[]);
    match url.starts_with("https://") || url.starts_with("http://") {
        true => html.element("a", &[("href", Some(url)), ("rel", Some("noreferrer"))], url),
        false => html.text(line),
    };
    html.close("code");
}

//! The outbox: which mails wait, failed or were accepted, and what to do about those that failed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;

use super::{
    Deed, OWN, OperatorSurface, ask_withdraw, button, jobs, may_retry, may_withdraw, page as whole, place, state_badge,
};
use crate::CallError;
use crate::caller::Caller;
use crate::host::Host;
use crate::origin::with_query;
use crate::outbox::Seen;
use crate::storage::deliveries::DeliveryState;
use crate::storage::outbox::{Mail, MailFilter, MailState, Recipient};
use crate::storage::tasks::Task;
use crate::view::html::nodes::{Painter, banner_close, banner_open};
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup, values};
use crate::view::nodes::{Action, ColumnKind, Intent, Run, Target, Tone, Value};
use crate::view::shell::{Link, parts};
use crate::view::{Delivery, Page};
use keyturn_core::time::now;

/// Mails on a page.
const PAGE: u32 = 25;
/// Bytes of what may be searched for.
const TYPED: usize = 254;

/// Which mails are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// Those that are still to go.
    Waiting,
    /// Those about which somebody has to do something.
    Failed,
    /// Those that a server took.
    Accepted,
    /// All of them.
    #[default]
    All,
}

impl Shown {
    pub(super) const ALL: [Shown; 4] = [Shown::Waiting, Shown::Failed, Shown::Accepted, Shown::All];

    /// Its name in an address.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shown::Waiting => "waiting",
            Shown::Failed => "failed",
            Shown::Accepted => "accepted",
            Shown::All => "all",
        }
    }

    /// From an address; what it is not is [`Shown::All`].
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|shown| shown.name() == name).unwrap_or_default()
    }

    /// The states; empty: any.
    #[must_use]
    pub fn states(self) -> &'static [MailState] {
        match self {
            Shown::Waiting => &[MailState::Queued, MailState::Sending, MailState::Delayed],
            Shown::Failed => &[MailState::Refused, MailState::GaveUp, MailState::Ended],
            Shown::Accepted => &[MailState::Accepted],
            Shown::All => &[],
        }
    }

    /// The states of webhooks' deliveries; empty: any.
    #[must_use]
    pub fn delivery_states(self) -> &'static [DeliveryState] {
        match self {
            Shown::Waiting => &DeliveryState::WAITING,
            Shown::Failed => &[DeliveryState::GaveUp],
            Shown::Accepted => &[DeliveryState::Accepted],
            Shown::All => &[],
        }
    }
}

/// What the outbox's address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The filter.
    pub shown: Shown,
    /// A login or address; empty: anybody's.
    pub search: String,
    /// Only mails older than one: its number, sealed for the reader. Numbers are of all mails, and how many there are is not the
    /// affair of who reaches some.
    pub before: Option<String>,
}

impl Listed {
    /// From the query of the page's address. What it does not know is left alone.
    pub fn asked<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut listed = Self::default();
        for (name, value) in query {
            match name {
                "show" => listed.shown = Shown::named(value),
                "q" if value.len() <= TYPED => value.trim().clone_into(&mut listed.search),
                "before" => listed.before = Some(value.to_owned()),
                _ => {}
            }
        }
        listed
    }

    fn url(&self, outbox: &str) -> String {
        let mut query = Serializer::new(String::new());
        if self.shown != Shown::All {
            query.append_pair("show", self.shown.name());
        }
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        if let Some(before) = &self.before {
            query.append_pair("before", before);
        }
        let query = query.finish();
        with_query(outbox, &query)
    }

    fn filter(&self, before: Option<i64>) -> MailFilter {
        MailFilter {
            states: self.shown.states().to_vec(),
            search: Some(self.search.clone()).filter(|typed| !typed.is_empty()),
            before,
            limit: PAGE,
            ..MailFilter::default()
        }
    }
}

/// What the page says, read before it is drawn.
struct Sheet<'a> {
    host: &'a Host,
    listed: &'a Listed,
    url: &'a str,
    /// Whether the reader may set how mail goes.
    may_set: bool,
    seen: Seen,
    /// Where to go on.
    older: Option<String>,
    subjects: Vec<Option<String>>,
    counts: Option<Vec<(MailState, u64)>>,
    /// When a mail was accepted last, if none waits and none has failed.
    last: Option<i64>,
    stopped: Markup,
    /// Jobs and events that have failed, where the address asks for everything or for what has failed.
    jobs: Vec<Task>,
}

pub(super) fn page(
    host: &Host,
    caller: &Caller,
    listed: &Listed,
    surface: &OperatorSurface<'_>,
) -> Result<Page, CallError> {
    let broken = CallError::of_storage;
    // One that is not his, or not ours, is left alone like anything else that is not known.
    let before = listed.before.as_deref().and_then(|sealed| opened(sealed, host, caller));
    let listed = &Listed { before: listed.before.clone().filter(|_| before.is_some()), ..listed.clone() };
    let seen = host.seen_mails(caller, &listed.filter(before)).map_err(broken)?;
    let last = if seen.mails.is_empty() && listed.shown == Shown::Failed {
        let newest = |shown: Shown| {
            let filter = MailFilter { states: shown.states().to_vec(), limit: 1, ..MailFilter::default() };
            host.seen_mails(caller, &filter).map(|seen| seen.mails.first().map(|(mail, _)| mail.changed_at))
        };
        // Not all was accepted while some of it waits.
        match newest(Shown::Waiting).map_err(broken)? {
            Some(_) => None,
            None => newest(Shown::Accepted).map_err(broken)?,
        }
    } else {
        None
    };
    let sheet = Sheet {
        host,
        listed,
        url: surface.outbox,
        may_set: host.may_set_mail(caller),
        older: seen.older.map(|older| sealed(older, host, caller)),
        subjects: host.masked_subjects(&seen),
        seen,
        counts: host.mail_counts(caller).map_err(broken)?,
        last,
        stopped: host.stopped_banner(caller, surface.start),
        jobs: match listed.shown {
            Shown::Failed | Shown::All if listed.search.is_empty() && listed.before.is_none() => {
                host.failed_jobs(caller)?
            }
            _ => Vec::new(),
        },
    };
    Ok(host.framed_own(caller, place("outbox"), &surface.surface, |frame| sheet.draw(&mut Painter::new(frame, 2))))
}

fn cursor(caller: &Caller) -> [String; 2] {
    ["outbox cursor".to_owned(), caller.actor.name()]
}

fn sealed(before: i64, host: &Host, caller: &Caller) -> String {
    let place = cursor(caller);
    URL_SAFE_NO_PAD.encode(host.keys().seal(&place.each_ref().map(String::as_str), &before.to_be_bytes()))
}

fn opened(sealed: &str, host: &Host, caller: &Caller) -> Option<i64> {
    let (place, sealed) = (cursor(caller), URL_SAFE_NO_PAD.decode(sealed).ok()?);
    let before = host.keys().open_sealed(&place.each_ref().map(String::as_str), &sealed).ok()?;
    Some(i64::from_be_bytes(before.as_slice().try_into().ok()?))
}

impl Sheet<'_> {
    fn draw(&self, painter: &mut Painter<'_>) -> Page {
        self.banners(painter);
        let banners = painter.html.done();
        self.filters(painter);
        self.table(painter);
        self.paging(painter);
        let jobs = jobs::draw(&self.jobs, painter);
        painter.html.markup(&jobs);
        let body = painter.html.done();
        let words = painter.words;
        let kept = [("show", self.listed.shown.name())];
        let kept = if self.listed.shown == Shown::All { &[][..] } else { &kept[..] };
        let search = parts::search(self.url, words.get("outbox-search"), &self.listed.search, kept, words);
        painter.html.markup(&search);
        // One press takes all of them, so it does not stand beside some of them.
        let all = self.listed.search.is_empty() && self.listed.shown == Shown::Failed;
        if all && self.seen.mails.iter().any(|(_, delivery)| may_retry(delivery)) {
            painter.action(&button(words.get("outbox-retry-all"), &Deed::RetryAll, Intent::Neutral));
        }
        let actions = painter.html.done();
        painter.html.markup(&body);
        let page = whole(painter, words.get("outbox"), None, &actions);
        Page { html: Html::new().markup(&banners).markup(&page.html).done(), ..page }
    }

    fn banners(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        if self.host.0.post().transport.is_none() {
            banner_open(&mut painter.html, Tone::Warning, words.get("outbox-off"), None, words);
            if self.may_set {
                let settings = Action {
                    label: words.get("outbox-off-settings").to_owned(),
                    intent: Intent::Neutral,
                    run: Run::Go(Target::EmailSettings),
                    unavailable: None,
                };
                painter.actions(&[settings]);
            } else {
                let ask = words.fill("outbox-off-ask", &[("contact", &self.host.brand().contact)]);
                painter.html.element("p", &[("class", Some("kt-text"))], &ask);
            }
            banner_close(&mut painter.html);
        }
        painter.html.markup(&self.stopped);
    }

    fn filters(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        let urls = Shown::ALL.map(|shown| {
            let listed = Listed { shown, before: None, ..self.listed.clone() };
            (shown, listed.url(self.url), words.get(&format!("outbox-{}", shown.name())).to_owned())
        });
        let items: Vec<_> = urls
            .iter()
            .map(|(shown, url, label)| (Link { label, url }, *shown == self.listed.shown, self.count(*shown)))
            .collect();
        painter.html.markup(&parts::tabs(words.get("outbox-filters"), &items, words));
    }

    /// Counts are of everything, so they do not stand over what is found.
    fn count(&self, shown: Shown) -> Option<i64> {
        let counts = self.counts.as_ref().filter(|_| self.listed.search.is_empty())?;
        let states = shown.states();
        let counted = counts.iter().filter(|(state, _)| states.is_empty() || states.contains(state));
        i64::try_from(counted.map(|(_, count)| count).sum::<u64>()).ok()
    }

    fn table(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        let before = painter.html.done();
        let columns = [
            (words.get("outbox-column-when"), ColumnKind::Time, false),
            (words.get("outbox-column-mail"), ColumnKind::Text, false),
            (words.get("outbox-column-state"), ColumnKind::State, false),
        ];
        let mut rows = Vec::new();
        for ((mail, delivery), subject) in self.seen.mails.iter().zip(&self.subjects) {
            painter.cell(&[Value::Time(mail.asked_at)]);
            let when = painter.html.done();
            let cells = vec![when, what(mail, delivery, subject.as_deref(), painter), state(delivery, painter)];
            actions(mail, delivery, painter);
            rows.push((cells, painter.html.done()));
        }
        let empty = self.empty(painter);
        let grid = Grid { caption: words.get("outbox"), columns: &columns, rows: &rows, empty: &empty }.draw(words);
        painter.html.markup(&before).markup(&grid);
    }

    fn empty(&self, painter: &mut Painter<'_>) -> Markup {
        let words = painter.words;
        let listed = self.listed;
        let title = match (listed.shown, self.last) {
            _ if !listed.search.is_empty() => words.fill("outbox-none-found", &[("typed", &listed.search)]),
            _ if self.seen.older.is_some() || listed.before.is_some() => words.get("outbox-none-here").to_owned(),
            (Shown::Failed, Some(last)) => {
                let time = words.time(last, painter.frame.now, &painter.frame.zone);
                words.fill("outbox-done-last", &[("time", &time)])
            }
            (Shown::Failed, None) => words.get("outbox-none-failed").to_owned(),
            (Shown::Waiting, _) => words.get("outbox-no-waiting").to_owned(),
            (Shown::Accepted, _) => words.get("outbox-none-accepted").to_owned(),
            (Shown::All, _) => words.get("outbox-none").to_owned(),
        };
        let mut html = Html::new();
        html.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], &title);
        if !listed.search.is_empty() {
            let url = Listed { search: String::new(), before: None, ..listed.clone() }.url(self.url);
            html.markup(&parts::button_link(Link { label: words.get("outbox-show-all"), url: &url }, Intent::Neutral));
        }
        html.close("div").done()
    }

    /// By cursor: ten million mails have no page 400,000.
    fn paging(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        let at = |before| Listed { before, ..self.listed.clone() }.url(self.url);
        let links = [
            (self.listed.before.is_some().then(|| at(None)), "outbox-newest", None),
            (self.older.clone().map(|older| at(Some(older))), "outbox-older", Some("next")),
        ];
        if links.iter().all(|(url, ..)| url.is_none()) {
            return;
        }
        let html = &mut painter.html;
        html.open("nav", &[("class", Some("kt-paging")), ("aria-label", Some(words.get("pages")))]);
        html.element("p", &[], &words.count("outbox-shown", self.seen.mails.len() as u64)).class("div", "kt-actions");
        for (url, key, rel) in links {
            if let Some(url) = url {
                let attributes = [("class", Some("kt-button")), ("href", Some(url.as_str())), ("rel", rel)];
                html.element("a", &attributes, words.get(key));
            }
        }
        html.close("div").close("nav");
    }
}

/// The address as the reader may see it.
fn to(mail: &Mail, delivery: &Delivery, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    match (&delivery.to, &mail.to) {
        (Some(address), _) => values::address(address),
        (None, Recipient::Operators) => Markup::text(words.get("outbox-operators")),
        (None, Recipient::Account(id) | Recipient::Previous(id)) => {
            Html::new().element("code", &[("dir", Some("ltr"))], id.as_str()).done()
        }
    }
}

/// The subject; below it to whom, and what was answered last. In columns of their own none of them would have room.
fn what(mail: &Mail, delivery: &Delivery, subject: Option<&str>, painter: &Painter<'_>) -> Markup {
    let url = painter.frame.links.url(OWN, &Target::Mail(mail.id.to_string()));
    let mut html = Html::new();
    html.open("a", &[("href", Some(&url))]).element("bdi", &[], subject.unwrap_or(&mail.template)).close("a");
    html.class("p", "kt-hint").markup(&to(mail, delivery, painter)).close("p");
    html.markup(&answer(delivery, painter)).done()
}

fn state(delivery: &Delivery, painter: &Painter<'_>) -> Markup {
    let mut html = Html::new();
    values::badge(&mut html, &state_badge(delivery.state, painter.words));
    let (n, most) = (delivery.attempts.to_string(), Delivery::ATTEMPTS.to_string());
    let attempts = painter.words.fill("outbox-attempts", &[("n", &n), ("most", &most)]);
    html.element("p", &[("class", Some("kt-hint kt-times"))], &attempts).done()
}

fn answer(delivery: &Delivery, painter: &Painter<'_>) -> Markup {
    let words = painter.words;
    let hint = [("class", Some("kt-hint"))];
    let mut html = Html::new();
    if let Some(obstacle) = delivery.obstacle {
        html.element("p", &hint, words.get(&format!("obstacle-{}", obstacle.name())));
    } else if let Some(said) = &delivery.said {
        html.open("p", &hint).element("code", &[("dir", Some("ltr"))], said).close("p");
    }
    if let (MailState::Delayed, Some(due)) = (delivery.state, delivery.due) {
        let time = words.time(due, now(), &painter.frame.zone);
        html.element("p", &hint, &words.fill("outbox-next", &[("time", &time)]));
    }
    html.done()
}

fn actions(mail: &Mail, delivery: &Delivery, painter: &mut Painter<'_>) {
    let words = painter.words;
    if may_retry(delivery) {
        let label = words.get("mail-retry");
        // To another address only after the question, which stands on the mail's own page.
        let action = match delivery.moved {
            true => Action {
                label: label.to_owned(),
                intent: Intent::Neutral,
                run: Run::Go(Target::Mail(mail.id.to_string())),
                unavailable: None,
            },
            false => button(label, &Deed::Retry(mail.id.clone(), None), Intent::Neutral),
        };
        painter.action(&action);
    }
    if may_withdraw(delivery) {
        ask_withdraw(&mail.id, painter);
    }
}

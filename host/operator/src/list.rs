//! The lists of emails, webhook deliveries, jobs and events.

use super::page::{Asked, Page, target, text};
use super::sheet::{Line, List, ListRow, Sentence, Tabs};
use keyturn_store::outbox::MailState;
use keyturn_store::queue::Entry;
use keyturn_ui::nodes::{Action, Badge, ColumnKind, Empty, Target, Value};

/// Rows of one page.
pub(super) const ROWS: u32 = 25;
/// The most bytes of a search.
const TYPED: usize = 254;

keyturn_core::named! {
    /// Which rows are shown; the name is for an address.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Shown {
        /// Those not yet sent.
        Waiting = "waiting",
        /// Those that need somebody to act.
        Failed = "failed",
        /// Those that were accepted.
        Accepted = "accepted",
        /// All of them.
        #[default]
        All = "all",
    }
}

impl Shown {
    /// The states of emails and deliveries; empty: any.
    pub fn states(self) -> &'static [MailState] {
        match self {
            Shown::Waiting => &[MailState::Queued, MailState::Sending, MailState::Delayed],
            Shown::Failed => &[MailState::Refused, MailState::GaveUp, MailState::Ended],
            Shown::Accepted => &[MailState::Accepted],
            Shown::All => &[],
        }
    }
}

/// The parameters of a list's address.
#[derive(Clone)]
pub(super) struct Listed {
    pub page: &'static str,
    pub shown: Shown,
    /// The argument of another filter, and its value: a login or address, a destination.
    pub only: (&'static str, Option<String>),
    /// Only rows older than this number. Sealed for the reader in an address: numbers count all rows, and their number is not
    /// for people who reach only some.
    pub before: Option<i64>,
}

impl Listed {
    /// For a page with the filter `only`. Values that are invalid, or sealed for another reader, are ignored.
    pub(super) fn of(asked: &Asked<'_>, page: &Page, only: &'static str) -> Self {
        let shown = asked.argument("show").and_then(Shown::named).unwrap_or_default();
        let named = asked.argument(only).map(str::trim).filter(|value| !value.is_empty() && value.len() <= TYPED);
        let before = asked.argument("before").and_then(|sealed| opened(sealed, page.name, asked));
        Self { page: page.name, shown, only: (only, named.map(str::to_owned)), before }
    }

    pub(super) fn only(&self) -> Option<&str> {
        self.only.1.as_deref()
    }

    /// The page with its filters, from its newest rows.
    pub(super) fn target(&self) -> Target {
        self.older(None)
    }

    /// The page without the other filter.
    pub(super) fn without(&self) -> Target {
        Self { only: (self.only.0, None), ..self.clone() }.target()
    }

    fn older(&self, before: Option<&str>) -> Target {
        let show = (self.shown != Shown::All).then(|| ("show", self.shown.name()));
        let only = self.only().map(|only| (self.only.0, only));
        let arguments: Vec<_> = show.into_iter().chain(only).chain(before.map(|before| ("before", before))).collect();
        target(self.page, &arguments)
    }

    pub(super) fn tabs(&self, label: &str, asked: &Asked<'_>, count: impl Fn(Shown) -> Option<u64>) -> Tabs {
        let items = Shown::ALL.map(|shown| {
            let label = asked.word(&format!("outbox-{}", shown.name()));
            let count = count(shown).map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            (label, Self { shown, ..self.clone() }.target(), shown == self.shown, count)
        });
        Tabs { label: asked.word(label), items: items.into() }
    }

    /// The number of rows shown, and links to newer and older rows, if there are any; `older`: the number before which to
    /// continue.
    pub(super) fn foot(&self, shown: String, older: Option<i64>, asked: &Asked<'_>) -> Option<(String, Vec<Action>)> {
        let newest = self.before.map(|_| asked.leads("outbox-newest", self.target()));
        let older = older.map(|older| sealed(older, self.page, asked));
        let older = older.map(|older| asked.leads("outbox-older", self.older(Some(&older))));
        let turns: Vec<Action> = newest.into_iter().chain(older).collect();
        (!turns.is_empty()).then_some((shown, turns))
    }
}

fn cursor(page: &str, asked: &Asked<'_>) -> [String; 2] {
    [format!("{page} cursor"), asked.caller.actor.name()]
}

fn sealed(before: i64, page: &str, asked: &Asked<'_>) -> String {
    asked.host.keys().seal_text(&cursor(page, asked), &before.to_be_bytes())
}

fn opened(sealed: &str, page: &str, asked: &Asked<'_>) -> Option<i64> {
    let before = asked.host.keys().open_text(&cursor(page, asked), sealed).ok()?;
    Some(i64::from_be_bytes(before.as_slice().try_into().ok()?))
}

/// One row, of any kind: what the queue knows of it, and what this page says of it.
pub(super) struct Row {
    pub entry: Entry,
    pub what: Value,
    /// To whom, about whom, for whom.
    pub about: Line,
    /// In place of the latest answer.
    pub said: Option<Sentence>,
    pub badge: Badge,
    /// Whether the next attempt is known.
    pub goes_on: bool,
    pub actions: Vec<Action>,
}

impl Row {
    /// Everything else is below its name. In columns of its own it would have no room.
    fn drawn(self, asked: &Asked<'_>) -> ListRow {
        let Entry { asked_at, attempts, most, due, said, .. } = self.entry;
        let said = self.said.or_else(|| Some(vec![Value::Code(said?)])).map(Line::Small);
        let next = due.filter(|_| self.goes_on).map(|due| asked.small("outbox-next", &[("time", &asked.time(due))]));
        let what = [Line::Plain(vec![self.what]), self.about].into_iter().chain(said).chain(next).collect();
        let attempts =
            asked.words.fill("outbox-attempts", &[("n", &attempts.to_string()), ("most", &most.to_string())]);
        let state = vec![Line::Plain(vec![Value::Badge(self.badge)]), Line::Figures(text(&attempts))];
        ListRow { cells: vec![vec![Line::Plain(vec![Value::Time(asked_at)])], what, state], actions: self.actions }
    }
}

/// Lists them; `what`: the words for this kind.
pub(super) fn list(caption: &str, what: &str, rows: Vec<Row>, empty: Empty, asked: &Asked<'_>) -> List {
    let columns = [
        ("outbox-column-when", ColumnKind::Time),
        (what, ColumnKind::Text),
        ("outbox-column-state", ColumnKind::State),
    ];
    List::of(asked, caption, &columns, rows.into_iter().map(|row| row.drawn(asked)).collect(), empty)
}

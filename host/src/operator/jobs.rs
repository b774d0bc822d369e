//! Jobs and events that failed for good, below the outbox: a link that was asked for and never made leaves no mail to look at.

use super::{Deed, button};
use crate::CallError;
use crate::accounts::Scope;
use crate::caller::{Actor, Caller};
use crate::host::Host;
use crate::outbox::AT_ONCE;
use crate::storage::outbox::ATTEMPTS;
use crate::storage::tasks::{Task, TaskKind};
use crate::view::html::nodes::Painter;
use crate::view::html::table::Grid;
use crate::view::html::{Html, Markup};
use crate::view::nodes::{ColumnKind, Intent, Value};

/// Those that are shown: the newest.
const SHOWN: usize = 10;

impl Host {
    /// Whether somebody may see what plugins do behind the pages, and have it done again: it concerns everybody of a realm, so
    /// who reaches only some of one does not.
    pub(super) fn may_see_jobs(&self, caller: &Caller) -> bool {
        match caller.actor {
            Actor::Console => true,
            Actor::Account(_) => {
                let scopes: Vec<Scope> =
                    self.0.storage.realms().iter().map(|realm| caller.reach.scope(realm)).collect();
                scopes.contains(&Scope::All) && !scopes.contains(&Scope::Own)
            }
            Actor::Anonymous | Actor::ServiceKey(_) | Actor::System => false,
        }
    }

    /// Those that have failed, as far as this caller may see any; at most as many as run again at one press.
    pub(super) fn failed_jobs(&self, caller: &Caller) -> Result<Vec<Task>, CallError> {
        if !self.may_see_jobs(caller) {
            return Ok(Vec::new());
        }
        self.tasks(true, AT_ONCE).map_err(CallError::of_storage)
    }
}

/// The section; nothing where none has failed.
pub(super) fn draw(failed: &[Task], painter: &mut Painter<'_>) -> Markup {
    if failed.is_empty() {
        return Markup::default();
    }
    let (words, before) = (painter.words, painter.html.done());
    let columns = [
        (words.get("jobs-column-when"), ColumnKind::Time, false),
        (words.get("jobs-column-what"), ColumnKind::Text, false),
        (words.get("jobs-column-outcome"), ColumnKind::Text, false),
    ];
    let mut rows = Vec::new();
    for task in &failed[..failed.len().min(SHOWN)] {
        painter.cell(&[Value::Time(task.asked_at)]);
        let when = painter.html.done();
        let cells = vec![when, what(task, painter), outcome(task, painter)];
        if task.whole {
            painter.action(&button(words.get("jobs-run-again"), &Deed::RunAgain(task.id.clone()), Intent::Neutral));
        }
        rows.push((cells, painter.html.done()));
    }
    let title = words.get("jobs-failed");
    let grid = Grid { caption: title, columns: &columns, rows: &rows, empty: &Markup::default() }.draw(words);
    if failed.len() > 1 && failed.iter().any(|task| task.whole) {
        painter.action(&button(words.get("jobs-run-all-again"), &Deed::RunAllAgain, Intent::Neutral));
    }
    let all = painter.html.done();
    painter.html.markup(&before);
    let mut html = Html::new();
    html.element("h2", &[], title)
        .element("p", &[("class", Some("kt-text"))], words.get("jobs-failed-lead"))
        .markup(&grid);
    html.class("div", "kt-paging").element("p", &[], &words.count("jobs-shown", failed.len() as u64));
    html.class("div", "kt-actions").markup(&all).close("div").close("div").done()
}

fn what(task: &Task, painter: &Painter<'_>) -> Markup {
    let key = match task.kind {
        TaskKind::Job => "jobs-job",
        TaskKind::Event => "jobs-event",
    };
    let mut html = Html::new();
    html.element("code", &[("dir", Some("ltr"))], &task.name);
    html.element("p", &[("class", Some("kt-hint"))], &painter.words.fill(key, &[("plugin", &task.plugin)])).done()
}

/// How it ended last, and how often it was tried.
fn outcome(task: &Task, painter: &Painter<'_>) -> Markup {
    let mut html = Html::new();
    html.element("code", &[("dir", Some("ltr"))], task.outcome.as_deref().unwrap_or_default());
    let (n, most) = (task.attempts.to_string(), ATTEMPTS.to_string());
    let attempts = painter.words.fill("outbox-attempts", &[("n", &n), ("most", &most)]);
    html.element("p", &[("class", Some("kt-hint"))], &attempts).done()
}

//! My account: the person's details, what plugins let them change, and their sessions.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::view::Corrections;
use keyturn_host::view::html::Html;
use keyturn_host::view::nodes::{Action, Badge, Column, ColumnKind, Empty, Intent, Node, Row, Run, Table, Tone, Value};
use keyturn_host::view::shell::Heading;

use crate::answer::{self, Failed};
use crate::pages::activity;
use crate::pages::forms::{self, Submission, said, target, text};
use crate::pages::overview::{fact, language};
use crate::people::Person;
use crate::request::{Request, Sheet, role_key};
use crate::session::device;
use crate::visitor::session_cookie;
use crate::words::Words;

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let corrections = forms::carried(request)?;
    draw(request, corrections.as_ref())
}

/// POST.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    forms::posted(request, run, draw)
}

fn run(request: &mut Request, submission: &Submission) -> Result<Response, Failed> {
    let person = request.person()?;
    if submission.action == "sign-out-everywhere" {
        end_all(request, &person)?;
        request.say("said-signed-out-everywhere", 0);
        return Ok(answer::see_other("/sign-in"));
    }
    let session = text(submission, "session").parse();
    let (true, Ok(session)) = (submission.action == "end-session", session) else {
        return Err(Failed::Forged);
    };
    // A session that has already ended is fine.
    if request.site.people.end_own_session(person.id, session)? {
        write_down(request, "end-session", &person)?;
    }
    request.say("said-session-ended", 0);
    Ok(answer::see_other("/account"))
}

/// Ends every session of the reader, including this one: somebody with a copy of its cookie has this very session.
pub fn end_all(request: &mut Request, person: &Person) -> Result<(), Failed> {
    request.site.people.end_sessions(person.id)?;
    write_down(request, "end-sessions", person)?;
    request.set_cookie(session_cookie(request.site.https), "", Some(0));
    Ok(())
}

/// Writes it to the audit log, beside what plugins do.
pub fn write_down(request: &Request, deed: &str, person: &Person) -> Result<(), Failed> {
    let account = person.account().ok_or(Failed::NoPage)?;
    Ok(request.site.host.write_down(&request.visitor.caller(), deed, &account)?)
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let person = request.person()?;
    let account = person.account().ok_or(Failed::SignIn)?;
    let words = request.words();
    let caller = request.visitor.caller();
    let surface = request.surface(&caller, "/account", corrections);
    let facts = request.region("account", None, &facts(words, &person), &surface)?;
    let sessions = request.region("sessions", None, &sessions(request, &person)?, &surface)?;
    let plugins = request.site.host.slot("account.sections", Some(&account), 2, &surface);
    let activity = activity::of(request, &account)?;
    let summary = plugins.summary.and(sessions.summary).draw(words.host);
    let mut body = Html::new();
    body.markup(&facts.html).markup(&plugins.html).markup(&sessions.html).markup(&activity);
    let title = words.get("account-title");
    let sheet = Sheet {
        title,
        under: None,
        above: &[],
        heading: Some(Heading { text: title, badge: None, actions: &Default::default() }),
        summary: &summary,
        body: &body.done(),
    };
    let html = request.sheet(&person, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}

fn facts(words: Words, person: &Person) -> Vec<Node> {
    let email = person.email.as_deref().unwrap_or(words.get("no-email"));
    let facts = vec![
        fact(words.get("column-name"), said(&person.name)),
        fact(words.get("fact-login"), said(&person.login)),
        fact(words.get("fact-email"), said(email)),
        fact(words.get("fact-language"), said(&language(&person.locale))),
        fact(words.get("column-role"), said(words.get(role_key(person)))),
    ];
    vec![Node::Heading(words.get("fact-account").to_owned()), Node::Facts(facts)]
}

fn sessions(request: &Request, person: &Person) -> Result<Vec<Node>, Failed> {
    let words = request.words();
    let own = request.visitor.session.as_ref().map(|session| session.id);
    let listed = request.site.people.sessions(person.id)?;
    let rows = listed.iter().map(|session| {
        let this = Some(session.id) == own;
        let mut name = said(&device(&session.agent).unwrap_or_else(|| words.get("device-unknown").to_owned()));
        if this {
            name.push(Value::Text(" ".to_owned()));
            name.push(Value::Badge(Badge { tone: Tone::Info, text: words.get("session-this").to_owned() }));
        }
        let end = Action {
            label: words.get("session-end").to_owned(),
            intent: Intent::Neutral,
            run: Run::Submit(target("end-session", &[("session", &session.id.to_string())])),
            unavailable: None,
        };
        let address = session.address.as_ref().map_or_else(|| said("—"), |address| vec![Value::Code(address.clone())]);
        Row {
            cells: vec![name, vec![Value::Time(session.created)], vec![Value::Time(session.last_seen)], address],
            actions: if this { Vec::new() } else { vec![end] },
        }
    });
    let column = |label: &str, kind| Column { label: label.to_owned(), kind, low: false };
    let table = Table {
        caption: words.get("sessions-title").to_owned(),
        columns: vec![
            column(words.get("session-where"), ColumnKind::Text),
            column(words.get("session-since"), ColumnKind::Time),
            column(words.get("session-seen"), ColumnKind::Time),
            column(words.get("activity-from"), ColumnKind::Text),
        ],
        rows: rows.collect(),
        empty: Empty { title: words.get("none").to_owned(), text: Vec::new(), action: None },
    };
    let everywhere = Action {
        label: words.get("sign-out-everywhere").to_owned(),
        intent: Intent::Neutral,
        run: Run::Submit(target("sign-out-everywhere", &[])),
        unavailable: None,
    };
    Ok(vec![
        Node::Heading(words.get("sessions-title").to_owned()),
        Node::Table(table),
        Node::Text(said(words.get("sign-out-everywhere-hint"))),
        Node::Actions(vec![everywhere]),
    ])
}

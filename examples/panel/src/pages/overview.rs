//! Overview of one person: what the panel knows, what plugins show, and recent activity.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;
use keyturn_host::accounts::AccountId;
use keyturn_host::embed::Surface;
use keyturn_host::view::html::nodes::Painter;
use keyturn_host::view::html::{Html, Markup};
use keyturn_host::view::nodes::{Action, Badge, Fact, Form, Intent, Node, Run, Target, TextLink, Tone, Value};
use keyturn_host::view::shell::parts::button_link;
use keyturn_host::view::shell::{Heading, Link};
use keyturn_host::view::words::Language;
use keyturn_host::view::{Corrections, Place};

use crate::answer::{self, Failed};
use crate::folk::Folk;
use crate::pages::account::write_down;
use crate::pages::forms::{self, Submission, said, target};
use crate::pages::{activity, operator, people};
use crate::people::{Kind, Person, account};
use crate::request::{OWN, Request, Sheet, role_key, title_key};
use crate::words::Words;

const LABEL: usize = 120;
/// The query that asks whether to end all sessions.
const END_SESSIONS: &str = "end-sessions";

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
    let (_, _, person) = people::subject(request)?;
    if submission.action != "end-sessions" || submission.subject != person.account() {
        return Err(Failed::Forged);
    }
    let ended = request.site.people.end_sessions(person.id)?;
    write_down(request, "end-sessions", &person)?;
    request.say("said-sessions-ended", ended);
    Ok(answer::see_other(&person.url()))
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let (viewer, folk, person) = people::subject(request)?;
    if viewer.id == person.id {
        return Ok(answer::see_other("/account"));
    }
    let account = person.account().ok_or(Failed::NoSuch(folk))?;
    if request.asked("ask") == END_SESSIONS {
        return ask(request, folk, &viewer, &person, corrections);
    }
    let words = request.words();
    let caller = request.visitor.caller();

    let facts = facts(words, &viewer, &person, &request.site.host.brand().zone);
    let submit_url = request.address(&[]);
    let surface = request.surface(&caller, &submit_url, corrections);
    let own = request.region("overview", Some(&account), &facts, &surface)?;
    let plugins = request.site.host.slot("customer.sections", Some(&account), 2, &surface);
    let activity = activity::of(request, &account)?;
    let mut body = Html::new();
    // One row of cards, the plugins' first: people come here to see the state of an email.
    body.class("div", "kt-sections").markup(&plugins.html).markup(&own.html).close("div");
    body.markup(&activity);
    let mut summary = Html::new();
    if operator::runs(&viewer) {
        summary.markup(&request.site.host.stopped_banner(&request.site.start, &surface));
    }
    let summary = summary.markup(&own.summary.and(plugins.summary).draw(words.host)).done();

    let actions = actions(request, &account, &Surface { corrections: None, ..surface });
    let list = format!("/{}", folk.path());
    let above = [Link { label: words.get(title_key(folk)), url: &list }];
    let sheet = Sheet {
        title: &person.name,
        under: Some(folk),
        above: &above,
        heading: Some(Heading {
            text: &person.name,
            badge: Some(people::state_badge(words, &person)),
            actions: &actions,
        }),
        summary: &summary,
        body: &body.done(),
    };
    let html = request.sheet(&viewer, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}

/// Asks before it ends all sessions of somebody.
fn ask(
    request: &mut Request,
    folk: Folk,
    viewer: &Person,
    person: &Person,
    corrections: Option<&Corrections>,
) -> Result<Response, Failed> {
    let words = request.words();
    let account = person.account().ok_or(Failed::NoSuch(folk))?;
    let back = Target::Overview(account.to_string());
    let node = match request.site.people.count_sessions(person.id)? {
        0 => Node::Text(said(words.get("end-sessions-none"))),
        n => Node::Form(Form {
            submit: target("end-sessions", &[]),
            intro: Vec::new(),
            points: vec![said(&words.count("end-sessions-text", n)), said(words.get("end-sessions-password"))],
            fields: Vec::new(),
            submit_label: words.get("end-sessions").to_owned(),
            submit_intent: Intent::Danger,
            cancel: Some(back.clone()),
        }),
    };
    let mut nodes = vec![node];
    if let Node::Text(_) = &nodes[0] {
        let label = words.get("back-to-overview").to_owned();
        nodes.push(Node::Actions(vec![Action {
            label,
            intent: Intent::Neutral,
            run: Run::Go(back),
            unavailable: None,
        }]));
    }
    let submit_url = request.address(&[]);
    let caller = request.visitor.caller();
    let surface = request.surface(&caller, &submit_url, corrections);
    let region = request.region("end-sessions", Some(&account), &nodes, &surface)?;
    let title = words.fill("end-sessions-title", &[("name", &person.name)]);
    let list = format!("/{}", folk.path());
    let above =
        [Link { label: words.get(title_key(folk)), url: &list }, Link { label: &person.name, url: &person.url() }];
    let sheet = Sheet {
        title: &title,
        under: Some(folk),
        above: &above,
        heading: Some(Heading { text: &title, badge: None, actions: &Markup::default() }),
        summary: &region.summary.draw(words.host),
        body: &region.html,
    };
    let html = request.sheet(viewer, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}

fn actions(request: &Request, account: &AccountId, surface: &Surface<'_>) -> Markup {
    let words = request.words();
    let action =
        |label: &str, run: Run| Action { label: label.to_owned(), intent: Intent::Neutral, run, unavailable: None };
    let actions = [action(words.get("details-manage"), Run::Go(Target::AccountDetails(account.to_string())))];
    // Plugins' first: people come here for these.
    let plugins = request.site.host.rows("customer.actions", std::slice::from_ref(account), surface);
    let mut all = Html::new();
    for row in plugins.into_iter().flatten() {
        all.markup(&row.actions).markup(&row.sentence);
    }
    let place = Place::Slot { name: "overview.actions".to_owned(), subject: Some(account.clone()) };
    let own = request.site.host.framed_own(OWN, place, surface, |frame| {
        let mut painter = Painter::new(frame, 2);
        painter.row_actions(&actions);
        // Another page first asks about what would end.
        let url = format!("{}?ask={END_SESSIONS}", surface.submit_url.split('?').next().unwrap_or_default());
        let link = Link { label: words.get("end-sessions"), url: &url };
        painter.html.markup(&button_link(link, Intent::Neutral));
        painter.html.done()
    });
    all.markup(&own).done()
}

pub fn fact(label: &str, value: Vec<Value>) -> Fact {
    Fact { label: label.to_owned(), value }
}

/// A language in its own name.
pub fn language(tag: &str) -> String {
    Language::known(tag).map_or_else(|| tag.to_owned(), |language| language.name().to_owned())
}

fn facts(words: Words, viewer: &Person, person: &Person, zone: &TimeZone) -> Vec<Node> {
    let email = match &person.email {
        Some(email) => said(email),
        None => vec![Value::Badge(Badge { tone: Tone::Warning, text: words.get("no-email").to_owned() })],
    };
    let mut facts = vec![
        fact(words.get("fact-login"), said(&person.login)),
        fact(words.get("fact-email"), email),
        fact(words.get("fact-language"), said(&language(&person.locale))),
    ];
    match (person.kind, &person.reseller) {
        (Kind::Customer, _) if viewer.kind == Kind::Reseller => {}
        (Kind::Customer, Some((id, name))) => {
            let reseller = account(Folk::Resellers.realm(), *id).map(|account| {
                let text = name.chars().take(LABEL).collect();
                Value::Link(TextLink { text, target: Target::Overview(account.to_string()) })
            });
            facts.push(fact(words.get("column-reseller"), reseller.map_or_else(|| said(name), |link| vec![link])));
        }
        (Kind::Customer, None) => facts.push(fact(words.get("column-reseller"), said(words.get("none")))),
        _ => facts.push(fact(words.get("column-role"), said(words.get(role_key(person))))),
    }
    if let Some(since) = person.since {
        facts.push(fact(words.get("fact-since"), said(&words.host.day(since, zone))));
    }
    let last = person.signed_in_at.map_or_else(|| said(words.get("never")), |at| vec![Value::Time(at)]);
    facts.push(fact(words.get("fact-signed-in"), last));
    vec![Node::Heading(words.get("fact-account").to_owned()), Node::Facts(facts)]
}

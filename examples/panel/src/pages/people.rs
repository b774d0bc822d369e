//! The lists: customers, resellers, administrators. One page for the three.

use axum::http::StatusCode;
use axum::response::Response;
use keyturn_host::accounts::AccountId;
use keyturn_host::view::Corrections;
use keyturn_host::view::html::table::Grid;
use keyturn_host::view::html::{Html, Markup, values};
use keyturn_host::view::nodes::{ColumnKind, Intent, Tone};
use keyturn_host::view::shell::parts::{button_link, paging, search, tabs};
use keyturn_host::view::shell::{Heading, Link};

use crate::answer::{self, Failed};
use crate::folk::Folk;
use crate::pages::{forms, operator};
use crate::people::{Filter, Kind, Listing, PAGE, Person, Within};
use crate::request::{Request, Sheet, role_key, title_key};
use crate::words::Words;

/// The list at this address, and what the reader sees of it.
pub fn within(request: &Request) -> Result<(Person, Folk, Within), Failed> {
    let folk = Folk::at(request.param("folk")).ok_or(Failed::NoPage)?;
    let person = request.person()?;
    let within = Within::seen_by(&person, folk).ok_or(Failed::Forbidden)?;
    Ok((person, folk, within))
}

/// Somebody in the list, or nobody that the reader may know about.
pub fn subject(request: &Request) -> Result<(Person, Folk, Person), Failed> {
    let folk = Folk::at(request.param("folk")).ok_or(Failed::NoPage)?;
    let viewer = request.person()?;
    let found = find(request, &viewer, folk, request.param("id"))?.ok_or(Failed::NoSuch(folk))?;
    Ok((viewer, folk, found))
}

/// Whose account it is, if the reader manages that person.
pub fn of_account(request: &Request, account: &AccountId) -> Result<Option<(Folk, Person)>, Failed> {
    let (Some(viewer), Some(folk)) = (request.visitor.person(), Folk::of_realm(account.realm())) else {
        return Ok(None);
    };
    let found = find(request, viewer, folk, account.key())?.filter(|person| person.id != viewer.id);
    Ok(found.map(|person| (folk, person)))
}

fn find(request: &Request, viewer: &Person, folk: Folk, id: &str) -> Result<Option<Person>, Failed> {
    match (Within::seen_by(viewer, folk), id.parse::<i64>()) {
        (Some(within), Ok(id)) => Ok(request.site.people.find(within, id)?),
        _ => Ok(None),
    }
}

/// GET.
pub fn show(request: &mut Request) -> Result<Response, Failed> {
    let corrections = forms::carried(request)?;
    draw(request, corrections.as_ref())
}

/// POST: only plugins have forms here.
pub fn post(request: &mut Request) -> Result<Response, Failed> {
    forms::posted(request, |_, _| Err(Failed::Forged), draw)
}

fn draw(request: &mut Request, corrections: Option<&Corrections>) -> Result<Response, Failed> {
    let (viewer, folk, within) = within(request)?;
    let words = request.words();
    let typed = request.asked("q").trim().to_owned();
    let filter = Filter::named(request.asked("show"));
    let page: i64 = request.asked("page").parse().unwrap_or(1).clamp(1, 1_000_000);
    let listing = request.site.people.list(within, &typed, filter, page - 1)?;
    let found = listing.counts[filter as usize];
    if listing.people.is_empty() && found > 0 {
        return Ok(answer::see_other(&page_address(request, last_page(found))));
    }

    let title = words.get(title_key(folk));
    let here = format!("/{}", folk.path());
    let mut body = Html::new();
    if listing.total > 0 {
        body.markup(&filters(request, words, filter, &listing));
    }
    let summary = table(request, &viewer, folk, &listing, &typed, corrections, &mut body);
    if found > 0 {
        body.markup(&pages(request, words, page, found, listing.people.len()));
    }
    let list = if filter == Filter::All { here } else { format!("{here}?show={}", filter.name()) };
    let actions = search(&list, words.get("search-label"), &typed, words.host);
    let nothing = Markup::default();
    let actions = if listing.total > 0 { &actions } else { &nothing };
    let sheet = Sheet {
        title,
        under: Some(folk),
        above: &[],
        heading: Some(Heading { text: title, badge: None, actions }),
        summary: &summary,
        body: &body.done(),
    };
    let html = request.sheet(&viewer, &sheet);
    Ok(answer::page(StatusCode::OK, &html))
}

fn filters(request: &Request, words: Words, current: Filter, listing: &Listing) -> Markup {
    let labels = [
        words.get("filter-all"),
        words.get("filter-active"),
        words.get("filter-suspended"),
        words.get("filter-no-email"),
    ];
    let urls = Filter::ALL.map(|filter| {
        let name = if filter == Filter::All { "" } else { filter.name() };
        request.address(&[("show", name), ("page", "")])
    });
    let items: Vec<_> = Filter::ALL
        .into_iter()
        .map(|filter| {
            let at = filter as usize;
            let link = Link { label: labels[at], url: &urls[at] };
            (link, filter == current, Some(listing.counts[at]))
        })
        .collect();
    tabs(words.get("filter-label"), &items, words.host)
}

fn pages(request: &Request, words: Words, page: i64, found: i64, rows: usize) -> Markup {
    let number = |n: i64| words.host.number(n);
    let (from, to) = ((page - 1) * PAGE + 1, (page - 1) * PAGE + i64::try_from(rows).unwrap_or_default());
    let shown = words.fill("paging", &[("from", &number(from)), ("to", &number(to)), ("total", &number(found))]);
    let previous = (page > 1).then(|| page_address(request, page - 1));
    let next = (page < last_page(found)).then(|| page_address(request, page + 1));
    paging(&shown, previous.as_deref(), next.as_deref(), words.host)
}

fn last_page(found: i64) -> i64 {
    (found + PAGE - 1) / PAGE
}

fn page_address(request: &Request, page: i64) -> String {
    request.address(&[("page", &if page == 1 { String::new() } else { page.to_string() })])
}

/// The table; answers the errors of a plugin's form in it.
fn table(
    request: &Request,
    viewer: &Person,
    folk: Folk,
    listing: &Listing,
    typed: &str,
    corrections: Option<&Corrections>,
    body: &mut Html,
) -> Markup {
    let words = request.words();
    let resellers = folk == Folk::Customers && viewer.kind != Kind::Reseller;
    let mut columns = vec![
        (words.get("column-name"), ColumnKind::Text, false),
        (words.get("column-state"), ColumnKind::State, false),
        (words.get("column-email"), ColumnKind::Text, false),
        (words.get("column-password"), ColumnKind::Text, false),
    ];
    match folk {
        Folk::Customers if resellers => columns.push((words.get("column-reseller"), ColumnKind::Text, true)),
        Folk::Administrators => columns.push((words.get("column-role"), ColumnKind::Text, true)),
        _ => {}
    }
    // Plugins are asked about people that the reader manages, and nobody manages themselves.
    let others = || listing.people.iter().filter(|person| person.id != viewer.id);
    let subjects: Vec<AccountId> = others().filter_map(Person::account).collect();
    let caller = request.visitor.caller();
    let submit_url = request.address(&[]);
    let surface = request.surface(&caller, &submit_url, corrections);
    let mut said = if subjects.is_empty() {
        Vec::new().into_iter()
    } else {
        request.site.host.rows("customers.row", &subjects, &surface).into_iter()
    };
    let rows: Vec<(Vec<Markup>, Markup)> = listing
        .people
        .iter()
        .map(|person| {
            let own = person.id == viewer.id;
            let from_plugins = if own { Vec::new() } else { said.next().unwrap_or_default() };
            let mut password = Html::new();
            let mut actions = Html::new();
            for (at, row) in from_plugins.iter().enumerate() {
                // In a narrow table, the first is beside its label, the others below it.
                let line = if at == 0 { "span" } else { "div" };
                password.open(line, &[]).markup(&row.sentence).close(line);
                actions.markup(&row.actions);
            }
            let details = if own { "/account".to_owned() } else { format!("{}/details", person.url()) };
            actions.open("a", &[("class", Some("kt-button")), ("href", Some(&details))]);
            actions.text(words.get(if own { "my-account" } else { "manage" }));
            actions.text(" ").element("span", &[("class", Some("kt-hidden"))], &person.name).close("a");
            let mut cells = vec![name(person, own), state(words, person), email(words, person), password.done()];
            if resellers {
                cells.push(reseller(person));
            } else if folk == Folk::Administrators {
                cells.push(Markup::text(words.get(role_key(person))));
            }
            (cells, actions.done())
        })
        .collect();
    let empty = empty(words, viewer, folk, listing, typed);
    let grid = Grid { caption: words.get(title_key(folk)), columns: &columns, rows: &rows, empty: &empty };
    body.markup(&grid.draw(words.host));
    Markup::default()
}

fn name(person: &Person, own: bool) -> Markup {
    let mut html = Html::new();
    let url = if own { "/account".to_owned() } else { person.url() };
    html.open("a", &[("href", Some(&url))]).element("bdi", &[], &person.name).close("a");
    html.class("div", "kt-hint").element("bdi", &[("dir", Some("ltr"))], &person.login).close("div");
    html.done()
}

/// Whether somebody may sign in.
pub fn state_badge(words: Words, person: &Person) -> (Tone, &str) {
    if person.suspended {
        (Tone::Off, words.get("state-suspended"))
    } else {
        (Tone::Success, words.get("state-active"))
    }
}

fn badge(tone: Tone, text: &str) -> Markup {
    values::badge(&mut Html::new(), tone, text).done()
}

fn state(words: Words, person: &Person) -> Markup {
    let (tone, text) = state_badge(words, person);
    badge(tone, text)
}

fn email(words: Words, person: &Person) -> Markup {
    match &person.email {
        Some(email) => values::address(email),
        None => badge(Tone::Warning, words.get("no-email")),
    }
}

fn reseller(person: &Person) -> Markup {
    match &person.reseller {
        Some((_, name)) => Html::new().element("bdi", &[], name).done(),
        None => Markup::text("—"),
    }
}

fn empty(words: Words, viewer: &Person, folk: Folk, listing: &Listing, typed: &str) -> Markup {
    let mut html = Html::new();
    html.class("div", "kt-empty");
    let here = format!("/{}", folk.path());
    if listing.total == 0 {
        let (title, hint) = match folk {
            Folk::Customers => (words.get("customers-empty"), words.get("customers-empty-hint")),
            Folk::Resellers => (words.get("resellers-empty"), words.get("resellers-empty-hint")),
            Folk::Administrators => (words.get("administrators-empty"), words.get("administrators-empty-hint")),
        };
        html.element("p", &[("class", Some("kt-notice-title"))], title);
        html.element("p", &[("class", Some("kt-text"))], hint);
        if folk == Folk::Customers && operator::runs(viewer) {
            html.class("p", "kt-text").text(words.get("customers-import")).text(" ");
            html.element("code", &[("dir", Some("ltr"))], "keyturn-example-panel import FILE.csv").close("p");
        }
    } else {
        let text = if typed.is_empty() {
            words.get("filter-none").to_owned()
        } else {
            words.fill("search-none", &[("typed", typed)])
        };
        html.element("p", &[("class", Some("kt-notice-title"))], &text);
        let link = Link { label: words.get("show-all"), url: &here };
        html.markup(&button_link(link, Intent::Neutral));
    }
    html.close("div").done()
}

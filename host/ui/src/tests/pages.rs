//! Whole pages: shells, languages, colours. Set KEYTURN_PAGES to a folder to have them written there and look at them.

use super::super::form::{Posted, read};
use super::super::html::table::Grid;
use super::super::shell::{Chrome, Group, Heading, Item, Link, Panel, Post, Theme, User, panel, parts, public};
use super::super::words::Words;
use super::super::{Markup, draw_region, draw_row, draw_view, look};
use super::*;

const POST: Post<'static> = Post { url: "/theme", hidden: &[("token", "x")] };

fn keep(name: &str, html: &Markup) {
    if let Some(folder) = std::env::var_os("KEYTURN_PAGES").map(std::path::PathBuf::from) {
        // Beside the pages, since they are looked at as files.
        let html = html.as_str().replace("\"/kt/", "\"");
        std::fs::write(folder.join(format!("{name}.html")), html).expect("written");
        for asset in [&look::CSS, &look::JS, &look::ICON] {
            std::fs::write(folder.join(&asset.name), &asset.content).expect("written");
        }
    }
}

fn choose() -> View {
    let mut password = field("password", "New password", new_password(true));
    password.hint = Some("At least 15 characters. Three or four unrelated words work well. You can paste.".to_owned());
    let fixed = FieldKind::Fixed(Line { kind: LineKind::Username, value: "marta.vidal".to_owned() });
    let login = Field { own: true, ..field("login", "User name", fixed) };
    let mut form = form(vec![login, password]);
    form.submit_label = "Save password".to_owned();
    let shown = Value::Account(ShownAccount { account: "customer:42".to_owned(), show: AccountField::Login });
    View {
        title: vec![text("Choose a new password")],
        lead: Some(vec![text("For "), shown, text(". The link works until "), Value::Time(NOW + 3_600_000), text(".")]),
        outcome: None,
        nodes: vec![Node::Form(form), Node::Text(vec![text("Saving ends every open session.")])],
    }
}

fn section() -> Vec<Node> {
    let option =
        |value: &str, label: &str| ChoiceOption { value: value.to_owned(), label: label.to_owned(), hint: None };
    let options = vec![option("none", "Nothing"), option("mail", "A mail that says so")];
    let mut form = form(vec![
        field("password", "New password", new_password(true)),
        field("must", "Must change at next sign-in", FieldKind::Tick(true)),
        field(
            "tell",
            "What the customer is told",
            FieldKind::Choice(Choice { options, value: Some("none".to_owned()) }),
        ),
        Field { required: false, ..field("note", "Note", line(LineKind::Plain, "")) },
    ]);
    form.cancel = Some(Target::Overview("customer:42".to_owned()));
    let fact = |label: &str, value| Fact { label: label.to_owned(), value };
    let action = |label: &str, intent, run, unavailable| Action { label: label.to_owned(), intent, run, unavailable };
    let submit = || Run::Submit(Submission { action: "end".to_owned(), subject: None, arguments: vec![] });
    let row = |what: &str, tone, state: &str| Row {
        cells: vec![
            vec![Value::Time(NOW - 240_000)],
            vec![text(what)],
            vec![Value::Badge(Badge { tone, text: state.to_owned() })],
            vec![Value::Number(1_284)],
        ],
        actions: vec![action("End", Intent::Neutral, submit(), None)],
    };
    let column = |label: &str, kind| Column { label: label.to_owned(), kind, low: false };
    vec![
        Node::Heading("Password".to_owned()),
        Node::Form(form),
        Node::Heading("Account".to_owned()),
        Node::Facts(vec![
            fact("User name", vec![text("marta.vidal")]),
            fact("Customer since", vec![text("9 Mar 2021")]),
        ]),
        Node::Heading("Password and sign-in".to_owned()),
        Node::Facts(vec![
            fact("Password", vec![text("Temporary, ends in "), Value::Duration(82_800)]),
            fact("Last changed", vec![Value::Time(NOW)]),
        ]),
        Node::Heading("Recent activity".to_owned()),
        Node::Table(Table {
            caption: "Recent activity".to_owned(),
            columns: vec![
                column("When", ColumnKind::Time),
                column("What", ColumnKind::Text),
                column("State", ColumnKind::State),
                column("Times", ColumnKind::Number),
            ],
            rows: vec![row("Password reset", Tone::Success, "Done"), row("Sign-in", Tone::Off, "Suspended")],
            empty: Empty { title: "Nothing yet".to_owned(), text: vec![], action: None },
        }),
        Node::Heading("Recovery codes".to_owned()),
        Node::Notice(Notice {
            tone: Tone::Warning,
            title: "Two codes are left".to_owned(),
            body: vec![text("Ask "), Value::Contact, text(" or make new ones.")],
            actions: vec![action("Make new ones", Intent::Neutral, submit(), None)],
        }),
        Node::Code(Code {
            label: "Codes".to_owned(),
            lines: vec!["tavo-meki".to_owned(), "rusa-dole".to_owned()],
            secret: true,
        }),
        Node::Actions(vec![
            action("End all sessions", Intent::Danger, submit(), None),
            action("Overview", Intent::Quiet, Run::Go(Target::Overview("customer:42".to_owned())), None),
            action("Reset", Intent::Primary, submit(), Some(vec![text("There is no email address.")])),
        ]),
    ]
}

fn user() -> User<'static> {
    User {
        name: "Ana Ferrer",
        role: "Administrator",
        account: "/account",
        sign_out: Post { url: "/sign-out", hidden: &[] },
    }
}

fn groups<'a>() -> [Group<'a>; 2] {
    let item = |label, current| Item { link: Link { label, url: "/x" }, current };
    let people = Box::leak(Box::new([item("Customers", true), item("Resellers", false)]));
    let mail = Box::leak(Box::new([item("Outbox", false)]));
    [Group { label: "People", items: people }, Group { label: "Mail", items: mail }]
}

fn in_panel(chrome: &Chrome<'_>, heading: Heading<'_>, notice: &Markup, body: &Markup, above: &[Link<'_>]) -> Markup {
    let title = heading.text;
    let (user, groups) = (user(), groups());
    let heading = Some(heading);
    panel(&Panel { chrome, title, groups: &groups, user: &user, above, here: title, notice, heading, body })
}

fn customers(stage: &Stage, chrome: &Chrome<'_>) -> Markup {
    let words = Words::of(chrome.locale);
    let frame = stage.frame(Place::Slot { name: "customers.row".to_owned(), subject: None });
    let names = ["Marta Vidal", "Bramble & Finch Ltd", "عمر الحداد"];
    let states = [(Tone::Success, "Active"), (Tone::Warning, "Must change"), (Tone::Off, "Suspended")];
    let rows: Vec<_> = names
        .iter()
        .zip(states)
        .map(|(name, (tone, state))| {
            let said = [Node::Text(vec![text("Temporary, 23 h left")])];
            let password = draw_row(&said, &frame).expect("drawn").sentence;
            let badge = draw_row(&[Node::Text(vec![Value::Badge(Badge { tone, text: state.to_owned() })])], &frame);
            let link = super::super::html::Html::new()
                .open("a", &[("href", Some("/c"))])
                .element("bdi", &[], name)
                .close("a")
                .done();
            let manage = parts::button_link(Link { label: "Manage", url: "/c" }, Intent::Neutral);
            let email = Markup::text("marta@estudiovidal.example");
            (vec![link, badge.expect("drawn").sentence, email, password], manage)
        })
        .collect();
    let columns = [
        ("Name", ColumnKind::Text, false),
        ("Status", ColumnKind::State, false),
        ("Email", ColumnKind::Text, false),
        ("Password", ColumnKind::Text, true),
    ];
    let grid = Grid { caption: "Customers", columns: &columns, rows: &rows, empty: &Markup::default() }.draw(words);
    let tab = |label, current, count| (Link { label, url: "/c" }, current, Some(count));
    let tabs = parts::tabs("Filter", &[tab("All", true, 1_284), tab("Suspended", false, 61)], words);
    let paging = parts::paging("1–3 of 1,284", None, Some("/c?after=x"), words);
    let mut body = super::super::html::Html::new();
    body.markup(&tabs).markup(&grid).markup(&paging);
    let search = parts::search("/c", "Name, user name or email", "", words);
    let heading = Heading { text: "Customers", badge: None, actions: &search };
    in_panel(chrome, heading, &Markup::default(), &body.done(), &[])
}

#[test]
fn each_shell_is_one_document_with_its_landmarks_in_both_languages_and_all_colours() {
    for locale in ["en", "es"] {
        for theme in Theme::ALL {
            let mut stage = Stage::new();
            stage.caller.locale = locale.to_owned();
            let (brand, languages) = (brand(), ["?language=en", "?language=es"].map(str::to_owned));
            let themes = Some(POST);
            let chrome = Chrome { locale, theme, brand: &brand, home: "/", languages: &languages, themes };
            let place = Place::Link { page: "choose".to_owned(), token: "token".to_owned().into() };
            let page = draw_view(&choose(), &stage.frame(place.clone())).expect("drawn");
            assert!(!page.html.as_str().contains("token"), "the link's token is sealed");
            let first = public(&chrome, &page.title, &page.html);

            let sent = format!("kt={}&password=one&password~again=two", sealed_in(page.html.as_str()));
            let Ok(Posted::Submission(posted)) = read(sent.as_bytes(), &stage.keys, &stage.caller, NOW) else {
                panic!("read")
            };
            assert_eq!(posted.place.token(), Some("token"));
            stage.corrections = Some(posted.corrections(posted.problems.clone(), None));
            let page = draw_view(&choose(), &stage.frame(place)).expect("drawn");
            let wrong = public(&chrome, &page.title, &page.html);
            stage.corrections = None;

            let region = draw_region(&section(), &stage.frame(Stage::slot()), 2).expect("drawn");
            let actions = parts::button_link(Link { label: "Manage account details", url: "/d" }, Intent::Neutral);
            let banner = parts::banner(Tone::Success, "Saved", "The new password is in use.", Words::of(locale));
            let heading = Heading { text: "Marta Vidal", badge: Some((Tone::Success, "Active")), actions: &actions };
            let above = [Link { label: "Customers", url: "/c" }];
            let overview = in_panel(&chrome, heading, &banner, &region.html, &above);
            let list = customers(&stage, &chrome);
            for (name, html) in [("choose", &first), ("wrong", &wrong), ("overview", &overview), ("customers", &list)] {
                keep(&format!("{name}-{locale}-{}", theme.name()), html);
                let html = html.as_str();
                assert!(
                    html.starts_with("<!doctype html>") && html.contains(&format!("<html lang=\"{locale}\"")),
                    "{name}"
                );
                for (piece, count) in
                    [("<h1", 1), ("<main", 1), ("<footer", 1), ("<header", 1), ("kt-skip", 1), ("<title>", 1)]
                {
                    assert_eq!(html.matches(piece).count(), count, "{name}: {piece}");
                }
                assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("<script>"), "{name}");
                let ids = attributes(html, "id");
                assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len(), "{name}: {ids:?}");
                assert_eq!(html.contains("data-theme"), theme != Theme::Auto);
            }
            assert!(wrong.as_str().contains("<title>Error: Choose a new password · Northwind Hosting</title>"));
        }
    }
}

#[test]
fn the_policy_lets_nothing_in_but_the_panels_own_files() {
    assert!(look::CSP.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"));
    assert!(!look::CSP.contains("unsafe") && !look::CSP.contains("http"));
}

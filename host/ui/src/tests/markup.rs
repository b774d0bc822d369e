//! Ids, labels, descriptions, what browsers are told, what is drawn back.

use std::collections::BTreeSet;

use super::super::form::{Posted, read};
use super::super::{FieldError, draw_region, draw_view};
use super::*;

fn body(sealed: &str, pairs: &[(&str, &str)]) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("kt", sealed);
    pairs.iter().for_each(|(name, value)| {
        body.append_pair(name, value);
    });
    body.finish()
}

fn all_kinds() -> Vec<Field> {
    let option =
        |at: usize| ChoiceOption { value: at.to_string(), label: format!("Answer {at}"), hint: Some("Why".to_owned()) };
    let choice = |n| FieldKind::Choice(Choice { options: (0..n).map(option).collect(), value: None });
    let mut fields = vec![
        field("email", "Email", line(LineKind::Email, "old@example.com")),
        field("few", "Few", choice(3)),
        field("many", "Many", choice(8)),
        field("tick", "Must change", FieldKind::Tick(true)),
        field("login", "User name", FieldKind::Fixed(Line { kind: LineKind::Username, value: "marta".to_owned() })),
        field("password", "New password", new_password(true)),
        field("secret", "Secret", FieldKind::Hidden("hidden value".to_owned())),
    ];
    fields.iter_mut().for_each(|field| field.hint = Some("A hint".to_owned()));
    fields
}

#[test]
fn ids_are_unique_across_regions_and_forms_and_the_same_at_each_drawing() {
    let stage = Stage::new();
    let form = Node::Form(form(all_kinds()));
    let nodes = [Node::Heading("One".to_owned()), form.clone(), Node::Heading("Two".to_owned()), form];
    let places = [
        Stage::slot(),
        Place::Slot { name: "customer.details".to_owned(), subject: Some(id("customer:43")) },
        Place::Slot { name: "customer.sections".to_owned(), subject: Some(id("customer:42")) },
        Place::Page { name: "customer.details".to_owned(), subject: Some(id("customer:42")), arguments: vec![] },
    ];
    let draw = |place: &Place| draw_region(&nodes, &stage.frame(place.clone()), 2).expect("drawn").html.to_string();
    let page: String = places.iter().map(draw).collect();
    let ids = attributes(&page, "id");
    assert!(ids.len() > 100, "{}", ids.len());
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    let again = draw(&places[0]);
    assert_eq!(attributes(&again, "id"), ids[..ids.len() / 4]);
    for name in ["for", "aria-labelledby", "aria-describedby"] {
        for target in attributes(&page, name).iter().flat_map(|ids| ids.split(' ')) {
            assert!(ids.contains(&target), "{name} names {target}, which is not there");
        }
    }
}

#[test]
fn after_an_error_the_summary_leads_to_the_field_which_tells_error_then_hint() {
    let mut stage = Stage::new();
    let nodes = vec![Node::Form(form(all_kinds()))];
    let drawn = draw_view(&view(nodes.clone()), &stage.frame(Stage::slot())).expect("drawn");
    assert_eq!(drawn.title, "Choose a new password");
    let sent = body(
        sealed_in(drawn.html.as_str()),
        &[
            ("email", "not an address"),
            ("many", "3"),
            ("password", "correct horse"),
            ("password~again", "battery staple"),
        ],
    );
    let Ok(Posted::Submission(posted)) = read(sent.as_bytes(), &stage.keys, &stage.caller, NOW) else { panic!("read") };
    let mut errors = posted.problems.clone();
    errors.push(FieldError { field: "secret".to_owned(), message: "Something hidden is wrong.".to_owned() });
    stage.corrections = Some(posted.corrections(errors, Some("Nothing was saved.".to_owned())));
    let page = draw_view(&view(nodes), &stage.frame(Stage::slot())).expect("drawn");
    let html = page.html.as_str();
    assert_eq!(page.title, "Error: Choose a new password");
    assert!(
        html.starts_with("<div class=\"kt-notice kt-danger kt-summary\" role=\"alert\" tabindex=\"-1\">"),
        "{html}"
    );
    let ids = attributes(html, "id");
    for message in ["This isn&#39;t an email address.", "Choose an option: Few.", "The two passwords differ."] {
        let (before, _) = html.split_once(message).expect(message);
        let link = attributes(before, "href").last().copied().unwrap_or_default().to_owned();
        assert!(ids.contains(&link.trim_start_matches('#')), "{message}: {link}");
    }
    assert!(html.contains("<li>Nothing was saved.</li>") && html.contains("<li>Something hidden is wrong.</li>"));
    let described = attributes(html, "aria-describedby");
    let with_errors: Vec<_> = described.iter().filter(|ids| ids.contains("-error")).collect();
    assert_eq!(with_errors.len(), 4, "{described:?}");
    for ids in with_errors {
        let (first, second) = ids.split_once(' ').unwrap_or((ids, "-hint"));
        assert!(first.ends_with("-error") && second.ends_with("-hint"), "{ids}");
    }
    assert_eq!(html.matches("aria-invalid=\"true\"").count(), 4);

    // What was typed is there, what is secret is not, and the answer and the tick are as they were posted.
    assert!(html.contains("value=\"not an address\"") && !html.contains("old@example.com"));
    assert!(html.contains("<option value=\"3\" selected>") && !html.contains(" checked"));
    assert!(!html.contains("correct horse") && !html.contains("battery staple") && !html.contains("hidden value"));
    assert_ne!(sealed_in(html), sealed_in(drawn.html.as_str()));
}

#[test]
fn corrections_of_another_place_or_form_are_not_laid_on_this_one_but_never_lost() {
    let mut stage = Stage::new();
    let nodes = [Node::Form(form(all_kinds()))];
    let drawn = draw_region(&nodes, &stage.frame(Stage::slot()), 2).expect("drawn");
    let sent = body(sealed_in(drawn.html.as_str()), &[("email", "typed@example.com")]);
    let Ok(Posted::Submission(posted)) = read(sent.as_bytes(), &stage.keys, &stage.caller, NOW) else { panic!("read") };
    stage.corrections = Some(posted.corrections(posted.problems.clone(), None));

    let other = Place::Slot { name: "customer.details".to_owned(), subject: Some(id("customer:43")) };
    let drawn = draw_region(&nodes, &stage.frame(other), 2).expect("drawn");
    assert!(drawn.summary.is_empty() && !drawn.html.as_str().contains("typed@example.com"));

    let mut changed = form(all_kinds());
    changed.submit.action = "other".to_owned();
    let drawn = draw_region(&[Node::Form(changed)], &stage.frame(Stage::slot()), 2).expect("drawn");
    assert!(!drawn.html.as_str().contains("typed@example.com"));
    assert!(drawn.summary.draw(stage.words()).as_str().contains("Fill in “New password”."), "{:?}", drawn.summary);
}

#[test]
fn browsers_and_password_managers_are_told_by_kind_and_by_whom_it_is_about() {
    let stage = Stage::new();
    let draw = |own: bool| {
        let kinds = [
            ("user", line(LineKind::Username, "")),
            ("mail", line(LineKind::Email, "")),
            ("port", line(LineKind::Port, "25")),
            ("shown", FieldKind::Fixed(Line { kind: LineKind::Username, value: "marta.vidal".to_owned() })),
            ("now", FieldKind::CurrentPassword),
            ("next", new_password(true)),
        ];
        let fields = kinds.into_iter().map(|(name, kind)| Field { own, ..field(name, "Label", kind) }).collect();
        draw_region(&[Node::Form(form(fields))], &stage.frame(Stage::slot()), 2).expect("drawn").html.to_string()
    };
    let own = ["username", "email", "off", "username", "current-password", "new-password", "new-password"];
    assert_eq!(attributes(&draw(true), "autocomplete"), own);
    let others = ["off", "off", "off", "current-password", "new-password", "new-password"];
    let html = draw(false);
    assert_eq!(attributes(&html, "autocomplete"), others);
    assert!(html.contains("<bdi>marta.vidal</bdi>") && !html.contains("readonly"));
    assert_eq!(attributes(&html, "passwordrules"), ["minlength: 15;", "minlength: 15;"]);
    assert_eq!(attributes(&html, "data-kt-rate"), ["next"]);
    assert_eq!(attributes(&html, "inputmode"), ["email", "numeric"]);
    assert!(!html.contains("maxlength") && html.contains(" novalidate"));
    assert_eq!(attributes(&html, "data-kt-show")[2], "Show the repeated password");
}

#[test]
fn a_view_has_one_h1_and_its_sections_follow_the_level_asked_for() {
    let stage = Stage::new();
    let nodes = vec![Node::Text(vec![text("x")]), Node::Heading("A".to_owned()), Node::Heading("B".to_owned())];
    let page = draw_view(&view(nodes.clone()), &stage.frame(Stage::slot())).expect("drawn").html;
    assert_eq!((page.as_str().matches("<h1").count(), page.as_str().matches("<h2").count()), (1, 2));
    let region = draw_region(&nodes, &stage.frame(Stage::slot()), 3).expect("drawn").html;
    assert_eq!((region.as_str().matches("<h1").count(), region.as_str().matches("<h3").count()), (0, 2));
}

#[test]
fn the_line_from_the_plugin_stands_unless_it_speaks_for_the_panel() {
    let stage = Stage::new();
    let nodes = [Node::Text(vec![text("x")])];
    let mut frame = stage.frame(Stage::slot());
    assert!(draw_region(&nodes, &frame, 2).expect("drawn").html.as_str().contains("From the plugin example"));
    frame.speaks_for_panel = true;
    assert!(!draw_region(&nodes, &frame, 2).expect("drawn").html.as_str().contains("From the plugin"));
}

#[test]
fn an_action_that_cannot_run_is_a_reason_and_not_a_dead_button() {
    let stage = Stage::new();
    let run = Run::Submit(Submission { action: "reset".to_owned(), subject: None, arguments: vec![] });
    let unavailable = Some(vec![text("There is no email address.")]);
    let action = Action { label: "Reset".to_owned(), intent: Intent::Primary, run, unavailable };
    let html = draw_region(&[Node::Actions(vec![action])], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    assert!(html.as_str().contains("<strong>Reset</strong>: There is no email address."));
    assert!(!html.as_str().contains("<button") && !html.as_str().contains("<form"));
}

#[test]
fn a_field_of_an_account_that_the_reader_may_not_see_is_a_dash() {
    let stage = Stage::new();
    let show = |show| Value::Account(ShownAccount { account: "customer:42".to_owned(), show });
    let sentence = vec![show(AccountField::Login), text(" "), show(AccountField::Email)];
    let html = draw_region(&[Node::Text(sentence)], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    assert!(html.as_str().contains(">marta.vidal</bdi> <bdi class=\"kt-account\">—</bdi>"), "{html}");
}

#[test]
fn a_page_target_without_a_subject_keeps_that_of_its_place() {
    let stage = Stage::new();
    let target = Target::Page(PageTarget { page: "log".to_owned(), subject: None, arguments: vec![] });
    let link = Value::Link(TextLink { text: "Log".to_owned(), target });
    let html = draw_region(&[Node::Text(vec![link])], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    assert!(html.as_str().contains("href=\"/p/example/log/customer:42\""), "{html}");
}

#[test]
fn a_table_keeps_its_roles_and_says_what_is_not_there() {
    let stage = Stage::new();
    let column = |label: &str, kind| Column { label: label.to_owned(), kind, low: kind == ColumnKind::Number };
    let mut table = Table {
        caption: "Activity".to_owned(),
        columns: vec![column("When", ColumnKind::Time), column("Times", ColumnKind::Number)],
        rows: vec![Row { cells: vec![vec![Value::Time(NOW)], vec![Value::Number(1_284)]], actions: vec![] }],
        empty: Empty { title: "Nothing yet".to_owned(), text: vec![text("It will stand here.")], action: None },
    };
    let html =
        draw_region(&[Node::Table(table.clone())], &stage.frame(Stage::slot()), 2).expect("drawn").html.to_string();
    let roles = ["table", "rowgroup", "row", "columnheader", "columnheader", "rowgroup", "row", "rowheader", "cell"];
    assert_eq!(attributes(&html, "role"), roles);
    assert!(
        html.contains(">Today 13:02</time>") && html.contains(">1,284</span>") && html.contains("kt-numbers kt-low")
    );
    table.rows.clear();
    let html = draw_region(&[Node::Table(table)], &stage.frame(Stage::slot()), 2).expect("drawn").html;
    assert!(html.as_str().contains("Nothing yet") && !html.as_str().contains("<table"));
}

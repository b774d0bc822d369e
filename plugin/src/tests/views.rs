use super::*;
use crate::bindings::nodes::{Field, FieldKind, Form, Node, Target, Value as Shown, View};
use crate::bindings::views::{Answer, Input};
use crate::{links, views};

fn choose(panel: &Panel, token: &str) -> View {
    panel.run(|ports| views::page(ports, "choose", Some(token))).unwrap()
}

fn slot(panel: &Panel, name: &str) -> Vec<Node> {
    panel.run(|ports| views::slot(ports, name, &[Some(MARTA.to_owned())])).unwrap().remove(0)
}

fn form(nodes: &[Node]) -> &Form {
    let form = nodes.iter().find_map(|node| match node {
        Node::Form(form) => Some(form),
        _ => None,
    });
    form.expect("no form")
}

fn submit(panel: &Panel, action: &str, token: Option<&str>, inputs: &[(&str, Input)]) -> Result<Answer, Failure> {
    let inputs = inputs.iter().map(|(name, input)| ((*name).to_owned(), input.clone())).collect();
    let subject = (action == "set-password").then_some(MARTA);
    panel.run(|ports| views::submit(ports, action, subject, token, inputs))
}

fn password(text: &str) -> Input {
    Input::Password(text.to_owned())
}

/// Numbers as they are, everything else by its kind: enough to read a sentence.
fn read(sentence: &[Shown]) -> String {
    let part = |value: &Shown| match value {
        Shown::Text(text) | Shown::Code(text) => text.clone(),
        Shown::Number(n) => n.to_string(),
        Shown::Badge(badge) => format!("[{}]", badge.text),
        Shown::Time(_) => "(time)".to_owned(),
        Shown::Contact => "(contact)".to_owned(),
        other => format!("{other:?}"),
    };
    sentence.iter().map(part).collect()
}

fn outcome(answer: Answer) -> (Target, String) {
    match answer {
        Answer::Done((target, outcome)) => (target, format!("{}. {}", outcome.title, read(&outcome.body))),
        other => panic!("not done: {other:?}"),
    }
}

fn token(panel: &Panel) -> String {
    panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token
}

#[test]
fn the_choose_page_shows_the_login_and_asks_for_a_new_password() {
    let panel = panel();
    let view = choose(&panel, &token(&panel));
    let form = form(&view.nodes);
    assert_eq!(form.submit.action, "complete-reset");
    assert!(matches!(&form.fields[..], [
        Field { kind: FieldKind::Fixed(login), .. },
        Field { kind: FieldKind::NewPassword(new), own: true, .. },
    ] if login.value == "marta.vidal" && new.min_length == 15 && new.repeat && new.rate.as_deref() == Some("check-password")));
}

#[test]
fn a_link_that_does_not_work_says_which_it_was_and_what_to_do_before_anything_is_typed() {
    let panel = panel();
    let says = |token: &str| {
        let view = choose(&panel, token);
        let [Node::Notice(notice)] = &view.nodes[..] else { panic!("more than a notice") };
        assert_eq!(notice.actions.len(), 1, "no dead end");
        read(&notice.body)
    };
    let older = token(&panel);
    let newer = token(&panel);
    assert_eq!(says("7RkTq7RkTq7RkTq7RkTq").split('.').next(), Some("It may have been cut off, or it is too old"));
    assert_eq!(says(&older), "A newer link was made on (time). Use that one.");
    panel.wait(60 * MINUTE);
    assert!(says(&newer).starts_with("This link worked until (time). Your password has not changed."));
    set(&panel, MARTA, SECOND, false);
    assert!(says(&newer).starts_with("The password was changed on (time), after this link was made."));
    let used = token(&panel);
    submit(&panel, "complete-reset", Some(&used), &[("new", password(FIRST))]).unwrap();
    assert!(says(&used).starts_with("This link was used on (time) to choose a password."));
    *panel.locale.borrow_mut() = "es".to_owned();
    assert!(says(&used).starts_with("Este enlace se usó el (time) para elegir una contraseña."));
}

#[test]
fn the_row_says_how_the_password_stands() {
    let panel = panel();
    let says = |panel: &Panel| match &slot(panel, "customers.row")[..] {
        [Node::Text(sentence)] => read(sentence),
        other => panic!("{other:?}"),
    };
    assert_eq!(says(&panel), "Changed (time)");
    set(&panel, MARTA, SECOND, true);
    assert_eq!(says(&panel), "[Must change]");
    make_temporary(&panel, MARTA, panel.now.get() + MINUTE);
    assert_eq!(says(&panel), "[Temporary] until (time)");
    panel.wait(MINUTE);
    assert_eq!(says(&panel), "[Temporary, ended]");
    panel.alter(MARTA, |person| person.hash = Some("$2y$10$elsewhere".to_owned()));
    assert_eq!(says(&panel), "Changed elsewhere since");
    panel.alter(MARTA, |person| person.hash = None);
    assert_eq!(says(&panel), "[No password]");
}

#[test]
fn a_slot_answers_for_each_subject_in_order_also_for_one_that_is_gone() {
    let panel = panel();
    let subjects = [Some(OMAR), Some("customer:9"), None, Some(MARTA)].map(|subject| subject.map(str::to_owned));
    let regions = panel.run(|ports| views::slot(ports, "customers.row", &subjects)).unwrap();
    assert_eq!(regions.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0, 1]);
}

#[test]
fn the_account_page_is_the_readers_own_also_without_a_subject() {
    let panel = panel();
    let draw = |panel: &Panel| panel.run(|ports| views::slot(ports, "account.sections", &[None])).unwrap().remove(0);
    assert!(draw(&panel).is_empty());
    act_as(&panel, MARTA);
    assert_eq!(form(&draw(&panel)).submit.action, "change-own");
}

#[test]
fn what_the_manifest_does_not_name_is_not_found() {
    let panel = panel();
    assert_eq!(panel.run(|ports| views::slot(ports, "sign-in.below", &[None])), Err(Failure::NotFound));
    assert_eq!(panel.run(|ports| views::page(ports, "other", None)), Err(Failure::NotFound));
    assert_eq!(submit(&panel, "other", None, &[]), Err(Failure::NotFound));
    assert_eq!(submit(&panel, "complete-reset", None, &[("new", password(SECOND))]), Err(Failure::NotFound));
}

#[test]
fn the_overview_shows_state_change_and_sessions() {
    let panel = panel();
    let facts = |panel: &Panel| match &slot(panel, "customer.sections")[..] {
        [Node::Heading(_), Node::Facts(facts)] => facts.iter().map(|fact| read(&fact.value)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(facts(&panel), ["[Set]", "(time)", "0"]);
    panel.alter(MARTA, |person| person.sessions = None);
    assert_eq!(facts(&panel)[2], "The panel does not say");
}

#[test]
fn manage_asks_for_a_new_password_that_must_be_changed() {
    let panel = panel();
    let nodes = slot(&panel, "customer.details");
    let form = form(&nodes);
    assert_eq!((form.submit.action.as_str(), form.submit.subject.as_deref()), ("set-password", Some(MARTA)));
    assert!(form.fields.iter().all(|field| !field.own), "the browser must not keep it as the administrator's");
    assert!(form.fields.iter().any(|field| field.name == "must-change" && field.kind == FieldKind::Tick(true)));
    assert_eq!(form.points.len(), 3);

    panel.alter(MARTA, |person| person.sessions = Some(2));
    let inputs = [("new", password(SECOND)), ("must-change", Input::Tick(true))];
    let (target, said) = outcome(submit(&panel, "set-password", None, &inputs).unwrap());
    assert_eq!(target, Target::Overview(MARTA.to_owned()));
    assert_eq!(said, "Password saved. 2 sessions were ended. It must be changed at the next sign-in.");
    assert!(matches!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::MustChange(_))));
}

#[test]
fn who_has_chosen_is_sent_to_sign_in() {
    let panel = panel();
    let token = token(&panel);
    panel.alter(MARTA, |person| person.sessions = Some(1));
    let inputs = [("new", password(SECOND)), ("login", Input::Text("marta.vidal".to_owned()))];
    let (target, said) = outcome(submit(&panel, "complete-reset", Some(&token), &inputs).unwrap());
    assert_eq!(target, Target::SignIn);
    assert_eq!(said, "Your password is new. 1 session was ended. Sign in with it now.");
}

#[test]
fn ones_own_session_is_not_counted_among_the_others() {
    let panel = panel();
    act_as(&panel, MARTA);
    assert!(form(&slot(&panel, "account.sections")).fields.iter().all(|field| field.own));
    panel.alter(MARTA, |person| person.sessions = Some(3));
    let inputs = [("current", password(FIRST)), ("new", password(SECOND))];
    let (target, said) = outcome(submit(&panel, "change-own", None, &inputs).unwrap());
    assert_eq!(target, Target::MyAccount);
    assert_eq!(said, "Your password is new. 2 other sessions were ended.");
}

#[test]
fn every_input_that_is_missing_is_told() {
    let panel = panel();
    let required = |field: &str| (field.to_owned(), "required".to_owned());
    let missing = codes(submit(&panel, "set-password", None, &[]).unwrap_err());
    assert_eq!(missing, [required("new"), required("must-change")]);
    let text = [("current", Input::Text(FIRST.to_owned())), ("new", password(SECOND))];
    assert_eq!(codes(submit(&panel, "change-own", None, &text).unwrap_err()), [required("current")]);
}

#[test]
fn the_meter_knows_whose_form_it_stands_in() {
    let panel = panel();
    let rate = |token: Option<&str>| match submit(
        &panel,
        "check-password",
        token,
        &[("new", password("estudiovidal lantern"))],
    ) {
        Ok(Answer::Rate(strength)) => strength.acceptable,
        other => panic!("{other:?}"),
    };
    let token = token(&panel);
    assert!(rate(None) && !rate(Some(&token)) && rate(Some("7RkTq7RkTq7RkTq7RkTq")));
    act_as(&panel, MARTA);
    assert!(!rate(None));
}

#[test]
fn with_bcrypt_the_field_tells_password_managers_the_longest_length() {
    let panel = panel();
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    let nodes = slot(&panel, "account.sections");
    let rules = form(&nodes).fields.iter().find_map(|field| match &field.kind {
        FieldKind::NewPassword(new) => new.rules.clone(),
        _ => None,
    });
    assert_eq!(rules.as_deref(), Some("minlength: 15; maxlength: 72; allowed: ascii-printable;"));
}

#[test]
fn no_page_and_no_slot_has_effects() {
    let panel = panel();
    let token = token(&panel);
    let data = panel.data();
    choose(&panel, &token);
    for name in ["customers.row", "customer.sections", "customer.details", "account.sections"] {
        slot(&panel, name);
    }
    assert_eq!(panel.data(), data);
}

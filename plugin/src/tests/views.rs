use super::*;
use crate::bindings::nodes::{Action, Delivery, FieldKind, Form, Node, Run, Step, StepState, Target, Value as Shown};
use crate::bindings::password::{Mode, Reset};
use crate::bindings::views::{Answer, Input};
use crate::{generate, links, recovery, reset_and_mail, views};

pub(super) fn slot(panel: &Panel, name: &str) -> Vec<Node> {
    panel.run(|ports| views::slot(ports, name, &[Some(MARTA.to_owned())])).unwrap().remove(0)
}

pub(super) fn form(nodes: &[Node]) -> &Form {
    let form = nodes.iter().find_map(|node| match node {
        Node::Form(form) => Some(form),
        _ => None,
    });
    form.expect("no form")
}

pub(super) fn submit(
    panel: &Panel,
    action: &str,
    token: Option<&str>,
    inputs: &[(&str, Input)],
) -> Result<Answer, Failure> {
    let inputs = inputs.iter().map(|(name, input)| ((*name).to_owned(), input.clone())).collect();
    let subject = ["set-password", "reset-and-mail", "generate-password"].contains(&action).then_some(MARTA);
    panel.run(|ports| views::submit(ports, action, subject, token, inputs))
}

pub(super) fn password(text: &str) -> Input {
    Input::Password(text.to_owned())
}

/// Numbers as they are, everything else by its kind: enough to read a sentence.
pub(super) fn read(sentence: &[Shown]) -> String {
    let part = |value: &Shown| match value {
        Shown::Text(text) | Shown::Code(text) => text.clone(),
        Shown::Number(n) => n.to_string(),
        Shown::Badge(badge) => format!("[{}]", badge.text),
        Shown::Time(_) => "(time)".to_owned(),
        Shown::Duration(seconds) => format!("{} minutes", seconds / 60),
        Shown::Account(shown) => format!("({:?} of {})", shown.show, shown.account),
        Shown::Contact => "(contact)".to_owned(),
        other => format!("{other:?}"),
    };
    sentence.iter().map(part).collect()
}

pub(super) fn outcome(answer: Answer) -> (Target, String) {
    match answer {
        Answer::Done((target, outcome)) => (target, format!("{}. {}", outcome.title, read(&outcome.body))),
        other => panic!("not done: {other:?}"),
    }
}

pub(super) fn token(panel: &Panel) -> String {
    panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token
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
    assert_eq!(says(&panel), "[Temporary, expired]");
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
    assert_eq!(panel.run(|ports| views::slot(ports, "settings.sections", &[None])), Err(Failure::NotFound));
    for page in ["other", "reset"] {
        assert_eq!(panel.run(|ports| views::page(ports, page, None, None, &Vec::new())), Err(Failure::NotFound));
    }
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
    assert_eq!(facts(&panel), ["[Set]", "(time)"]);
}

#[test]
fn manage_asks_for_a_new_password_that_must_be_changed() {
    let panel = panel();
    let nodes = slot(&panel, "customer.details");
    let form = form(&nodes);
    assert_eq!((form.submit.action.as_str(), form.submit.subject.as_deref()), ("set-password", Some(MARTA)));
    assert!(form.fields.iter().all(|field| !field.own), "the browser must not keep it as the administrator's");
    assert!(form.fields.iter().any(|field| field.name == "must-change" && field.kind == FieldKind::Tick(true)));
    let points: Vec<String> = form.points.iter().map(|point| read(point)).collect();
    assert_eq!(points.len(), 3);
    assert!(points[2].starts_with("The customer is told by email that the password was changed."));

    panel.alter(MARTA, |person| person.sessions = Some(2));
    let inputs = [("new", password(SECOND)), ("must-change", Input::Tick(true))];
    let (target, said) = outcome(submit(&panel, "set-password", None, &inputs).unwrap());
    assert_eq!(target, Target::Overview(MARTA.to_owned()));
    assert_eq!(
        said,
        "Password saved. 2 sessions were ended. The customer must change it at the next sign-in. The customer is told by email that the \
         password was changed. The email doesn't contain it; pass it on yourself."
    );
    assert!(matches!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::MustChange(_))));
}

#[test]
fn manage_says_truly_whether_anybody_is_told() {
    let panel = panel();
    let told = |panel: &Panel| read(form(&slot(panel, "customer.details")).points.last().unwrap());
    panel.alter(MARTA, |person| person.email.clear());
    assert!(told(&panel).starts_with("No email is sent, because the account has no address"));
    panel.mail_off.set(true);
    assert!(told(&panel).starts_with("No email is sent, because email is not set up"));
    let inputs = [("new", password(SECOND)), ("must-change", Input::Tick(false))];
    let Ok(Answer::Done((_, outcome))) = submit(&panel, "set-password", None, &inputs) else { panic!("not done") };
    assert_eq!(outcome.mail, None);
    assert_eq!(read(&outcome.body).rsplit(". ").next(), Some("Pass the password on yourself."));
}

#[test]
fn manage_offers_a_generated_password_which_is_good_and_leaves_nothing_behind() {
    let panel = panel();
    let nodes = slot(&panel, "customer.details");
    let operation = form(&nodes).fields.iter().find_map(|field| match &field.kind {
        FieldKind::NewPassword(new) => new.generate.clone(),
        _ => None,
    });
    let before = (panel.data(), panel.outbox());
    let Ok(Answer::Generated(generated)) = submit(&panel, &operation.unwrap(), None, &[]) else {
        panic!("no password")
    };
    assert_eq!((panel.data(), panel.outbox()), before);
    set(&panel, MARTA, &generated, false);
    assert_eq!(panel.run(|ports| generate::for_account(ports, "customer:9")).err(), Some(Failure::NotFound));
}

#[test]
fn who_has_chosen_is_sent_to_sign_in() {
    let panel = panel();
    let token = token(&panel);
    panel.alter(MARTA, |person| person.sessions = Some(1));
    let inputs = [("new", password(SECOND)), ("login", Input::Text("marta.vidal".to_owned()))];
    let (target, said) = outcome(submit(&panel, "complete-reset", Some(&token), &inputs).unwrap());
    assert_eq!(target, Target::SignIn);
    assert_eq!(said, "Your password has been changed. 1 session was ended. Sign in with it now.");
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
    assert_eq!(said, "Your password has been changed. 2 other sessions were ended.");
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

fn reset(panel: &Panel, mode: Mode) -> Reset {
    panel.run(|ports| reset_and_mail::reset_and_mail(ports, MARTA, mode)).unwrap()
}

/// Title and state of each step, before and after the mail itself.
fn steps(panel: &Panel) -> (String, Vec<(String, StepState)>) {
    let nodes = slot(panel, "customer.sections");
    let Node::Heading(title) = &nodes[0] else { panic!("no heading") };
    let delivery = nodes.iter().find_map(|node| match node {
        Node::Delivery(Delivery { before, after, .. }) => Some(before.iter().chain(after)),
        _ => None,
    });
    let steps = delivery.expect("no delivery").map(|Step { title, state, .. }| (read(title), *state));
    (title.clone(), steps.collect())
}

fn after(panel: &Panel) -> (String, StepState) {
    steps(panel).1.pop().unwrap()
}

#[test]
fn the_overview_shows_what_became_of_a_temporary_password() {
    let panel = panel();
    reset(&panel, Mode::Temporary);
    let (title, shown) = steps(&panel);
    assert_eq!(title, "Password reset", "what is only queued is not called mailed");
    let expected = [("Password replaced", StepState::Done), ("Customer signs in", StepState::Ahead)];
    assert_eq!(shown, expected.map(|(title, state)| (title.to_owned(), state)));
    panel.deliver();
    assert_eq!(steps(&panel).0, "Password reset and emailed");
    assert_eq!(after(&panel), ("Waiting for the customer to sign in".to_owned(), StepState::Waiting));
    panel.wait(24 * 60 * MINUTE);
    assert_eq!(after(&panel), ("The temporary password has expired".to_owned(), StepState::Failed));
    set(&panel, MARTA, SECOND, false);
    assert_eq!(after(&panel), ("The password was changed".to_owned(), StepState::Done));
}

#[test]
fn the_overview_shows_what_became_of_a_link() {
    let panel = panel();
    let link = reset(&panel, Mode::Link);
    assert_eq!(steps(&panel).0, "Link to choose a password");
    assert_eq!(after(&panel), ("Customer chooses a password".to_owned(), StepState::Ahead));
    panel.deliver();
    assert_eq!(steps(&panel).0, "Link emailed");
    assert_eq!(after(&panel), ("Waiting for the customer to use the link".to_owned(), StepState::Waiting));
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    assert_eq!(after(&panel), ("The link no longer works".to_owned(), StepState::Failed));
    panel.wait(60 * MINUTE);
    assert_eq!(after(&panel), ("The link has expired".to_owned(), StepState::Failed));
    assert!(link.until.is_some());
}

#[test]
fn a_link_that_was_asked_for_is_shown_as_such() {
    let panel = panel();
    panel.run(|ports| recovery::request_reset(ports, "marta.vidal")).unwrap();
    panel.run_jobs();
    assert_eq!(steps(&panel).1[0].0, "Link requested on the sign-in page");
}

#[test]
fn a_refused_mail_with_a_password_says_who_is_shut_out() {
    let panel = panel();
    let shut_out = |panel: &Panel| {
        slot(panel, "customer.sections").iter().find_map(|node| match node {
            Node::Notice(notice) => Some(format!("{}. {}", notice.title, read(&notice.body))),
            _ => None,
        })
    };
    reset(&panel, Mode::Link);
    panel.attempt(MailState::Refused);
    assert_eq!(shut_out(&panel), None, "the present password works");
    reset(&panel, Mode::Temporary);
    assert_eq!(shut_out(&panel), None);
    panel.attempt(MailState::Refused);
    let said = "The email was not accepted. (AccountField::Name of customer:1) can't sign in until a password arrives. \
                Correct the address and retry, or set a password by hand.";
    assert_eq!(shut_out(&panel).as_deref(), Some(said));
    set(&panel, MARTA, SECOND, false);
    assert_eq!(shut_out(&panel), None);
}

fn actions(panel: &Panel) -> Vec<Action> {
    match &slot(panel, "customer.actions")[..] {
        [Node::Actions(actions)] => actions.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_overview_leads_to_the_confirm_page() {
    let panel = panel();
    let [reset] = &actions(&panel)[..] else { panic!("not one action") };
    assert_eq!((reset.label.as_str(), &reset.unavailable), ("Reset & mail password", &None));
    let Run::Go(Target::Page(page)) = &reset.run else { panic!("leads nowhere") };
    assert_eq!((page.page.as_str(), page.subject.as_deref()), ("reset", Some(MARTA)));
}

#[test]
fn where_no_mail_can_go_the_reason_stands_in_place_of_the_button_and_what_mends_it_beside() {
    let panel = panel();
    let reason = |panel: &Panel| match &actions(panel)[..] {
        [reset, mend] => (read(reset.unavailable.as_ref().unwrap()), mend.run.clone()),
        other => panic!("{other:?}"),
    };
    panel.alter(MARTA, |person| person.email.clear());
    let details = Run::Go(Target::AccountDetails(MARTA.to_owned()));
    assert_eq!(reason(&panel), ("The account has no email address to send a password to.".to_owned(), details));
    panel.mail_off.set(true);
    let settings = Run::Go(Target::EmailSettings);
    assert_eq!(reason(&panel), ("Email is not set up, so nothing can be sent.".to_owned(), settings));
}

#[test]
fn the_sign_in_page_leads_to_a_new_password_or_says_whom_to_ask() {
    let panel = panel();
    let below = |panel: &Panel| {
        let regions = panel.run(|ports| views::slot(ports, "sign-in.below", &[None])).unwrap();
        match &regions[..] {
            [region] => region.clone(),
            other => panic!("{other:?}"),
        }
    };
    let [Node::Text(sentence)] = &below(&panel)[..] else { panic!("not a sentence") };
    let [Shown::Link(link)] = &sentence[..] else { panic!("not a link") };
    assert_eq!(link.text, "Forgotten password");
    panel.mail_off.set(true);
    let [Node::Text(sentence)] = &below(&panel)[..] else { panic!("not a sentence") };
    assert_eq!(read(sentence), "Passwords can't be reset by email here. Ask (contact).");
}

#[test]
fn no_slot_has_effects() {
    let panel = panel();
    reset(&panel, Mode::Temporary);
    let before = (panel.data(), panel.outbox(), panel.events());
    let slots = [
        "sign-in.below",
        "customers.row",
        "customer.actions",
        "customer.sections",
        "customer.details",
        "account.sections",
    ];
    for name in slots {
        slot(&panel, name);
    }
    assert_eq!((panel.data(), panel.outbox(), panel.events()), before);
}

#[test]
fn where_no_session_was_open_none_is_spoken_of() {
    let panel = panel();
    *panel.caller.borrow_mut() = Actor::Account("staff:9".to_owned());
    panel.alter(MARTA, |person| person.sessions = Some(0));
    for (must_change, said) in
        [(true, "Password saved. The customer must change it at the next sign-in. "), (false, "Password saved. ")]
    {
        let inputs = [("new", password(SECOND)), ("must-change", Input::Tick(must_change))];
        let (_, text) = outcome(submit(&panel, "set-password", None, &inputs).unwrap());
        assert_eq!(
            text.strip_prefix(said),
            Some(
                "The customer is told by email that the password was changed. The email doesn't contain it; pass it on \
                 yourself."
            ),
            "{text}"
        );
    }
}

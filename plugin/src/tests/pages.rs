use super::views::{form, outcome, password, read, submit, token};
use super::*;
use crate::bindings::nodes::{Field, FieldKind, Form, Intent, Node, Run, Target, View};
use crate::bindings::views::{Answer, Input};
use crate::{recovery, views};

fn page(panel: &Panel, name: &str, subject: Option<&str>, token: Option<&str>) -> View {
    panel.run(|ports| views::page(ports, name, subject, token, &Vec::new())).unwrap()
}

fn choose(panel: &Panel, token: &str) -> View {
    page(panel, "choose", None, Some(token))
}

/// A link that was asked for and mailed.
fn asked(panel: &Panel) -> String {
    panel.run(|ports| recovery::request_reset(ports, "marta.vidal")).unwrap();
    assert_eq!(panel.run_jobs(), []);
    let token = mailed_link(panel);
    panel.deliver();
    token
}

/// Title, texts and labels of the actions, the primary one first.
fn says(view: &View) -> (String, String, Vec<String>) {
    let mut texts = Vec::new();
    let mut labels = Vec::new();
    for node in &view.nodes {
        match node {
            Node::Text(sentence) => texts.push(read(sentence)),
            Node::Actions(actions) => {
                assert_eq!(actions.iter().filter(|action| action.intent == Intent::Primary).count(), 1);
                assert_eq!(actions[0].intent, Intent::Primary);
                labels.extend(actions.iter().map(|action| action.label.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    (read(&view.title), texts.join(" "), labels)
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
fn who_must_change_is_told_why_and_of_no_link() {
    let panel = panel();
    let lead = |panel: &Panel, token: &str| read(&choose(panel, token).lead.unwrap());
    let handed = token(&panel);
    assert_eq!(lead(&panel, &handed), "For (AccountField::Login of customer:1). The link works until (time).");
    for temporary in [false, true] {
        set(&panel, MARTA, FIRST, true);
        if temporary {
            make_temporary(&panel, MARTA, panel.now.get() + 5 * MINUTE);
        }
        let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("no link") };
        *panel.locale.borrow_mut() = "en".to_owned();
        assert_eq!(
            lead(&panel, &link.token),
            "For (AccountField::Login of customer:1). Support set this password. Choose your own to continue."
        );
        *panel.locale.borrow_mut() = "es".to_owned();
        assert!(lead(&panel, &link.token).ends_with("Soporte puso esta contraseña. Elige la tuya para continuar."));
    }
}

#[test]
fn an_expired_link_offers_a_new_one_before_anything_is_typed() {
    let panel = panel();
    let link = asked(&panel);
    panel.wait(60 * MINUTE);
    let (title, text, actions) = says(&choose(&panel, &link));
    assert_eq!(title, "This link has expired");
    assert_eq!(
        text,
        "This link worked until (time). Your password has not changed. \
         We can email a new link to the same address. It works for 60 minutes."
    );
    assert_eq!(actions, ["Send a new link", "Back to sign in"]);
    assert!(!text.contains('@'), "the address is not shown");
}

#[test]
fn every_link_that_works_no_more_says_which_it_was_and_what_to_do() {
    let panel = panel();
    let replaced = asked(&panel);
    let used = asked(&panel);
    let (title, text, actions) = says(&choose(&panel, &replaced));
    assert_eq!(title, "There is a newer link");
    assert!(text.starts_with("A newer link was emailed ((time)). Use that one."), "{text}");
    assert_eq!(actions, ["Sign in", "Send a new link"]);

    submit(&panel, "complete-reset", Some(&used), &[("new", password(SECOND))]).unwrap();
    let (title, text, actions) = says(&choose(&panel, &used));
    assert_eq!(title, "This link was already used");
    assert!(text.starts_with("It was used to choose a password ((time))."), "{text}");
    assert!(text.contains("If this wasn't you, tell (contact)."), "{text}");
    assert_eq!(actions, ["Sign in", "Send a new link"]);

    let void = asked(&panel);
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    let (title, text, actions) = says(&choose(&panel, &void));
    assert_eq!(title, "This link no longer works");
    assert!(text.starts_with("It was emailed to an address that this account no longer has."), "{text}");
    assert_eq!(actions, ["Ask for a new link", "Back to sign in"]);

    set(&panel, MARTA, FIRST, false);
    assert_eq!(says(&choose(&panel, &void)).2, ["Sign in", "Ask for a new link"], "not to another's address");
    panel.alter(MARTA, |person| person.email = "marta@estudiovidal.example".to_owned());
    let (_, text, actions) = says(&choose(&panel, &void));
    assert!(text.starts_with("The password was changed ((time)) after this link was created."), "{text}");
    assert_eq!(actions, ["Sign in", "Send a new link"]);

    let (title, _, actions) = says(&choose(&panel, "7RkTq7RkTq7RkTq7RkTq"));
    assert_eq!(title, "This link isn't valid");
    assert_eq!(actions, ["Ask for a new link", "Back to sign in"]);
    *panel.locale.borrow_mut() = "es".to_owned();
    assert!(says(&choose(&panel, &used)).1.starts_with("Se usó para elegir una contraseña ((time))."));
}

#[test]
fn a_link_that_was_handed_on_is_asked_for_anew_and_not_sent() {
    let panel = panel();
    let (older, newer) = (token(&panel), token(&panel));
    assert!(says(&choose(&panel, &older)).1.starts_with("A newer link was created ((time))."));
    panel.wait(60 * MINUTE);
    assert_eq!(says(&choose(&panel, &newer)).2, ["Ask for a new link", "Back to sign in"]);
}

#[test]
fn who_must_change_and_waited_too_long_signs_in_again() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("no link") };
    panel.wait(15 * MINUTE);
    let (_, text, actions) = says(&choose(&panel, &link.token));
    assert!(text.ends_with("To come back here, sign in with it again."), "{text}");
    assert_eq!(actions, ["Sign in"]);
}

#[test]
fn where_no_mail_can_go_a_link_that_ended_says_whom_to_ask() {
    let panel = panel();
    let link = asked(&panel);
    panel.wait(60 * MINUTE);
    panel.mail_off.set(true);
    for token in [link.as_str(), "7RkTq7RkTq7RkTq7RkTq"] {
        let (_, text, actions) = says(&choose(&panel, token));
        assert!(text.ends_with("Ask (contact) for a new link."), "{text}");
        assert_eq!(actions, ["Sign in"]);
    }
}

#[test]
fn a_late_save_comes_back_to_the_page_that_offers_a_new_link() {
    let panel = panel();
    let link = asked(&panel);
    panel.wait(60 * MINUTE);
    let late = submit(&panel, "complete-reset", Some(&link), &[("new", password(SECOND))]);
    assert_eq!(refusal_code(late), "link-expired");
    let (target, said) = outcome(submit(&panel, "resend-link", Some(&link), &[]).unwrap());
    let Target::Page(target) = target else { panic!("not a page") };
    assert_eq!((target.page.as_str(), target.subject, said.as_str()), ("forgot", None, "We got your request. "));
    let view = panel.run(|ports| views::page(ports, &target.page, None, None, &target.arguments)).unwrap();
    let [Node::Text(text), ..] = &view.nodes[..] else { panic!("says nothing") };
    assert!(read(text).starts_with("If that account can get email, a new link is on its way to the same address."));
}

fn request(panel: &Panel, name: &str) -> Result<Answer, Failure> {
    submit(panel, "request-reset", None, &[("login-or-email", Input::Text(name.to_owned()))])
}

#[test]
fn forgotten_password_asks_for_one_name() {
    let view = page(&panel(), "forgot", None, None);
    assert_eq!(read(&view.title), "Forgotten password");
    let form = form(&view.nodes);
    assert_eq!(
        (form.submit.action.as_str(), form.fields.len(), &form.cancel),
        ("request-reset", 1, &Some(Target::SignIn))
    );
    assert!(form.fields[0].own && form.fields[0].required);
}

#[test]
fn the_answer_is_the_same_page_for_every_input_and_looks_like_another_one() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-name", Value::Number(1));
    let mut targets = Vec::new();
    for name in ["marta@estudiovidal.example", "marta@estudiovidal.example", "nobody@estudiovidal.example", " omar "] {
        let (target, said) = outcome(request(&panel, name).unwrap());
        assert_eq!(said, format!("We got your request. You typed {}.", name.trim()));
        targets.push(target);
    }
    assert!(targets.iter().all(|target| *target == targets[0]));
    let Target::Page(target) = &targets[0] else { panic!("not a page") };
    let view = panel.run(|ports| views::page(ports, &target.page, None, None, &target.arguments)).unwrap();
    assert!(view.nodes.iter().all(|node| !matches!(node, Node::Form(_))), "nobody presses again");
    // All of it is the page's own, and stays when it is loaded again; the notice above it does not.
    assert_eq!(read(&view.title), "Check your email");
    let [Node::Text(first), Node::Heading(nothing), ..] = &view.nodes[..] else { panic!("says nothing") };
    assert_eq!(
        read(first),
        "If we find your account, we'll email a link to choose a new password. It works for 60 minutes."
    );
    assert_eq!(nothing, "Nothing after five minutes?");
    let [.., Node::Actions(actions)] = &view.nodes[..] else { panic!("no way on") };
    assert_eq!(actions[0].run, Run::Go(Target::SignIn));
}

#[test]
fn an_empty_name_is_told() {
    let missing = codes(request(&panel(), "  ").unwrap_err());
    assert_eq!(missing, [("login-or-email".to_owned(), "required".to_owned())]);
}

#[test]
fn where_no_mail_can_go_forgotten_password_says_whom_to_ask() {
    let panel = panel();
    panel.mail_off.set(true);
    let (_, text, actions) = says(&page(&panel, "forgot", None, None));
    assert_eq!(text, "Passwords can't be reset by email here. Ask (contact).");
    assert_eq!(actions, ["Back to sign in"]);
    assert_eq!(refusal_code(request(&panel, "marta.vidal")), "mail-not-configured");
    *panel.locale.borrow_mut() = "es".to_owned();
    let (_, text, _) = says(&page(&panel, "forgot", None, None));
    assert_eq!(text, "Aquí no se puede restablecer la contraseña por correo. Escribe a (contact).");
}

fn confirm(panel: &Panel) -> Form {
    form(&page(panel, "reset", Some(MARTA), None).nodes).clone()
}

fn points(form: &Form) -> Vec<String> {
    form.points.iter().map(|point| read(point)).collect()
}

/// Of the choices, in their order.
fn hints(form: &Form) -> Vec<String> {
    let choices = form.fields.iter().find_map(|field| match &field.kind {
        FieldKind::Choice(choice) => Some(choice.options.iter().map(|option| option.hint.clone().unwrap()).collect()),
        _ => None,
    });
    choices.unwrap_or_default()
}

#[test]
fn the_confirm_page_says_whom_where_and_what_ends() {
    let panel = panel();
    panel.alter(MARTA, |person| person.sessions = Some(2));
    assert_eq!(
        read(&page(&panel, "reset", Some(MARTA), None).title),
        "Reset & mail the password of (AccountField::Name of customer:1)?"
    );
    let form = confirm(&panel);
    // What ends stands under the choice that ends it, and above all of them only what holds for each.
    assert_eq!(points(&form), ["The email goes to (AccountField::Email of customer:1)."]);
    let [temporary, link] = &hints(&form)[..] else { panic!("two choices") };
    assert!(temporary.ends_with("The current password stops working at once, and 2 open sessions end."), "{temporary}");
    assert_eq!(link, "The current password works until the link is used. The link works once, for 60 minutes.");
    assert_eq!((form.submit_intent, form.submit_label.as_str()), (Intent::Primary, "Send email"));
    assert_eq!(form.cancel, Some(Target::Overview(MARTA.to_owned())));
    panel.alter(MARTA, |person| person.sessions = Some(0));
    assert!(hints(&confirm(&panel))[0].ends_with("The current password stops working at once."));
    panel.settings.borrow_mut().insert("reset-modes", Value::Texts(vec!["temporary".to_owned()]));
    let form = confirm(&panel);
    assert!(points(&form)[1].ends_with("The current password stops working at once."), "{:?}", points(&form));
    assert_eq!((form.submit_intent, form.submit_label.as_str()), (Intent::Danger, "Reset & mail password"));
    panel.alter(MARTA, |person| person.state = "suspended".to_owned());
    assert!(points(&confirm(&panel))[1].starts_with("The account is suspended"));
}

#[test]
fn the_confirm_page_offers_what_the_operator_allows_with_his_preset() {
    let panel = panel();
    let offered = |panel: &Panel| {
        confirm(panel).fields.into_iter().find(|field| field.name == "mode").map(|field| match field.kind {
            FieldKind::Choice(choice) => {
                (choice.options.into_iter().map(|option| option.value).collect::<Vec<_>>(), choice.value)
            }
            FieldKind::Hidden(value) => (Vec::new(), Some(value)),
            other => panic!("{other:?}"),
        })
    };
    let both = ["temporary", "link"].map(str::to_owned).to_vec();
    assert_eq!(offered(&panel), Some((both.clone(), Some("temporary".to_owned()))));
    panel.settings.borrow_mut().insert("reset-preset", Value::Text("link".to_owned()));
    assert_eq!(offered(&panel), Some((both.clone(), Some("link".to_owned()))));
    panel.settings.borrow_mut().insert("reset-preset", Value::Text("permanent".to_owned()));
    assert_eq!(offered(&panel), Some((both, None)), "not offered, so nothing is chosen for the reader");

    panel.settings.borrow_mut().insert("reset-modes", Value::Texts(vec!["link".to_owned()]));
    assert_eq!(offered(&panel), Some((Vec::new(), Some("link".to_owned()))), "nothing to choose");
    assert!(points(&confirm(&panel)).pop().unwrap().starts_with("The current password works until the link is used."));
}

#[test]
fn the_confirm_page_says_why_nothing_can_be_mailed() {
    let panel = panel();
    let why = |panel: &Panel| match &page(panel, "reset", Some(MARTA), None).nodes[..] {
        [Node::Notice(notice)] => {
            (read(&notice.body), notice.actions.iter().map(|action| action.run.clone()).collect())
        }
        other => panic!("{other:?}"),
    };
    let overview = Run::Go(Target::Overview(MARTA.to_owned()));
    panel.mail_off.set(true);
    let actions: Vec<Run> = vec![Run::Go(Target::EmailSettings), overview.clone()];
    assert_eq!(why(&panel), ("Email is not set up, so nothing can be sent.".to_owned(), actions));
    panel.mail_off.set(false);
    panel.settings.borrow_mut().insert("reset-modes", Value::Texts(Vec::new()));
    assert_eq!(why(&panel).1, [overview]);
}

#[test]
fn who_has_confirmed_is_told_what_is_done_and_the_host_adds_the_rest() {
    let panel = panel();
    panel.alter(MARTA, |person| person.sessions = Some(2));
    let confirmed = |mode: &str| {
        let seen = confirm(&panel).fields.into_iter().find_map(|field| match field.kind {
            FieldKind::Hidden(value) if field.name == "address-seen" => Some(value),
            _ => None,
        });
        let inputs = [("mode", mode.to_owned()), ("address-seen", seen.unwrap())];
        submit(&panel, "reset-and-mail", None, &inputs.map(|(name, text)| (name, Input::Text(text)))).unwrap()
    };
    let answer = confirmed("temporary");
    assert!(matches!(&answer, Answer::Done((_, outcome)) if outcome.mail.is_some()));
    let (target, said) = outcome(answer);
    assert_eq!((target, said.as_str()), (Target::Overview(MARTA.to_owned()), "Password reset. 2 sessions were ended."));
    assert_eq!(outcome(confirmed("link")).1, "Link created. The current password works until the link is used.");
}

#[test]
fn no_page_has_effects() {
    let panel = panel();
    let link = asked(&panel);
    let before = (panel.data(), panel.outbox(), panel.events());
    choose(&panel, &link);
    page(&panel, "forgot", None, None);
    page(&panel, "reset", Some(MARTA), None);
    assert_eq!(
        (panel.data(), panel.outbox(), panel.events(), panel.waiting_jobs().len()),
        (before.0, before.1, before.2, 0)
    );
}

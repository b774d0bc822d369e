//! The life of a mail, in each of its states: only what is known is said.

use super::super::{draw_outcome, draw_region};
use super::*;
use crate::nodes;
use keyturn_core::mail::{MailState, Obstacle};

/// The mail of these tests.
pub(super) const ID: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn of(before: Vec<Step>, after: Vec<Step>) -> nodes::Delivery {
    nodes::Delivery { mail: ID.to_owned(), before, after }
}

/// Refused by its server.
pub(super) fn refused() -> Delivery {
    Delivery {
        state: MailState::Refused,
        account: Some(id("customer:42")),
        to: Some("marta@estudiovidal.example".to_owned()),
        asked_at: NOW - 2_000,
        changed_at: NOW,
        due: None,
        attempts: 1,
        server: Some("mx1.estudiovidal.example:25".to_owned()),
        said: Some("550 5.1.1 mailbox unavailable".to_owned()),
        obstacle: None,
        whole: true,
        moved: false,
        may_mend: true,
        folder: None,
        stopped: None,
    }
}

fn accepted() -> Delivery {
    Delivery { state: MailState::Accepted, whole: false, said: Some("250 2.0.0 queued".to_owned()), ..refused() }
}

fn step(title: &str, state: StepState, at: Option<i64>) -> Step {
    Step { title: vec![text(title)], detail: Some(vec![text("More of it.")]), state, at }
}

/// Its section, under a heading.
fn drawn(mail: fn(&str) -> Option<Delivery>, locale: &str) -> String {
    let mut stage = Stage::new();
    stage.mail = mail;
    stage.caller.locale = locale.to_owned();
    let before = vec![step("Password replaced", StepState::Done, Some(NOW - 2_000))];
    let after = vec![step("Customer signs in", StepState::Ahead, None)];
    let nodes = [Node::Heading("Password reset".to_owned()), Node::Delivery(of(before, after))];
    let html = draw_region(&nodes, &stage.frame(Stage::slot()), 2).expect("drawn").html.as_str().to_owned();
    if let Some(folder) = std::env::var_os("KEYTURN_PAGES").map(std::path::PathBuf::from) {
        let name = format!("delivery-{:?}-{locale}.html", mail(ID).map(|mail| mail.state));
        // The pages' test writes the style sheet beside it.
        let css = &crate::look::CSS.name;
        let head = format!("<!doctype html><meta charset=utf-8><link rel=stylesheet href={css}><main>");
        std::fs::write(folder.join(name), format!("{head}{html}")).expect("written");
    }
    html
}

/// Titles of the steps, each with its state in words.
fn steps(html: &str) -> Vec<String> {
    let plain = |html: &str| {
        let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        parts.collect::<String>()
    };
    html.split("kt-step-title\">")
        .skip(1)
        .filter_map(|rest| rest.split_once("</p>").map(|(title, _)| plain(title)))
        .collect()
}

#[test]
fn a_refused_mail_says_by_whom_and_why_and_offers_the_repair_first() {
    let html = drawn(|_| Some(refused()), "en");
    assert_eq!(
        steps(&html),
        [
            "Done: Password replaced",
            "Done: Email queued for marta@estudiovidal.example",
            "Failed: Refused by mx1.estudiovidal.example:25",
            "Not yet: Customer signs in",
        ]
    );
    assert!(html.contains("<code dir=\"ltr\">550 5.1.1 mailbox unavailable</code>"));
    assert!(html.contains("kt-primary\" href=\"/customers/customer:42/details\">Correct the address</a>"));
    assert!(html.contains(&format!("href=\"/mails/{ID}\">Retry</a>")));
    let corrected = drawn(|_| Some(Delivery { moved: true, ..refused() }), "en");
    assert!(corrected.contains("The account has another address now. A retry goes there."), "{corrected}");
    assert!(corrected.contains(&format!("kt-primary\" href=\"/mails/{ID}\">Retry</a>")), "{corrected}");
    // The first attempt did not go there.
    assert!(!corrected.contains("marta@estudiovidal.example"), "{corrected}");
    // Nothing is left to retry, and no account to correct.
    let wiped = drawn(|_| Some(Delivery { whole: false, ..refused() }), "en");
    assert!(!wiped.contains("Retry") && wiped.contains("View email"));
}

#[test]
fn an_accepted_mail_is_never_called_delivered() {
    for locale in ["en", "es"] {
        let html = drawn(|_| Some(accepted()), locale);
        assert!(!html.to_lowercase().contains("deliver") && !html.contains("entregado"), "{html}");
        assert!(html.contains("250 2.0.0 queued"));
    }
    let html = drawn(|_| Some(accepted()), "en");
    assert!(html.contains("It may still be in a spam folder.") && html.contains("View email"));
}

#[test]
fn each_state_has_its_words_in_both_languages() {
    let all: [fn(&str) -> Option<Delivery>; 6] = [
        |_| Some(Delivery { state: MailState::Queued, ..refused() }),
        |_| Some(Delivery { state: MailState::Sending, ..refused() }),
        |_| Some(Delivery { state: MailState::Delayed, due: Some(NOW + 480_000), attempts: 3, ..refused() }),
        |_| Some(Delivery { state: MailState::GaveUp, ..refused() }),
        |_| Some(Delivery { state: MailState::Ended, whole: false, ..refused() }),
        |_| Some(Delivery { state: MailState::Withdrawn, whole: false, ..refused() }),
    ];
    let english: Vec<String> = all.iter().map(|mail| steps(&drawn(*mail, "en"))[2].clone()).collect();
    let expected = [
        "Waiting: Waiting to be sent",
        "Waiting: Being sent to mx1.estudiovidal.example:25",
        "Waiting: Not accepted yet",
        "Failed: Gave up",
        "Failed: Not sent in time",
        "Done: Withdrawn",
    ];
    assert_eq!(english, expected);
    for (mail, english) in all.iter().zip(&english) {
        let spanish = steps(&drawn(*mail, "es"))[2].clone();
        assert!(!spanish.contains("mail-") && spanish != *english, "{spanish}");
    }
    assert!(drawn(all[2], "en").contains("Next attempt: today 13:10. Attempts so far: 3 of 8."));
    for obstacle in Obstacle::ALL {
        let key = format!("obstacle-{}", obstacle.name());
        assert_ne!(keyturn_core::words::Words::of("es").get(&key), key);
    }
}

#[test]
fn who_may_not_know_is_told_nothing_and_who_may_not_mend_is_offered_nothing() {
    let hidden = drawn(|_| None, "en");
    assert!(!hidden.contains("Retry") && !hidden.contains("estudiovidal") && steps(&hidden).len() == 3);
    let own = drawn(|_| Some(Delivery { may_mend: false, ..refused() }), "en");
    assert!(!own.contains("Retry") && !own.contains("Correct") && !own.contains("View email"));
}

#[test]
fn a_notice_tells_what_became_of_its_mail_and_is_no_success_where_that_failed_or_was_put_off() {
    let outcome = Outcome {
        tone: Tone::Success,
        title: "Password reset".to_owned(),
        body: vec![text("The old password no longer works.")],
        mail: Some(ID.to_owned()),
    };
    let told = |mail: fn(&str) -> Option<Delivery>| {
        let mut stage = Stage::new();
        stage.mail = mail;
        draw_outcome(&outcome, &stage.frame(Stage::slot())).expect("drawn").as_str().to_owned()
    };
    let good = told(|_| Some(accepted()));
    assert!(good.contains("kt-success") && good.contains("role=\"status\"") && good.contains("spam folder"));
    let bad = told(|_| Some(refused()));
    assert!(bad.contains("kt-danger") && bad.contains("role=\"alert\"") && bad.contains("Refused by mx1"), "{bad}");
    let title = |html: &str| {
        let title =
            html.split_once("kt-notice-title").and_then(|(_, rest)| rest.split_once("</p>")).expect("a title").0;
        title.rsplit_once("</span> ").expect("the tone in words").1.to_owned()
    };
    assert!(title(&bad) == "The email was not accepted" && bad.contains(">Password reset.</p>"), "{bad}");
    let ended = told(|_| Some(Delivery { state: MailState::Ended, whole: false, ..refused() }));
    assert!(title(&ended) == "The email was not sent" && ended.contains("Not sent in time"), "{ended}");
    let obstacle = told(|_| Some(Delivery { obstacle: Some(Obstacle::NoAccount), ..refused() }));
    assert_eq!(title(&obstacle), "The email was not sent");
    assert_eq!(title(&good), "Password reset");
    assert!(told(|_| None).contains("kt-success"));
    // The notice stays as it is while the mail fares on.
    let waits: [fn(&str) -> Option<Delivery>; 2] =
        [|_| Some(waiting()), |_| Some(Delivery { state: MailState::Delayed, ..waiting() })];
    for (state, tone) in waits.into_iter().zip(["kt-success", "kt-info"]) {
        let html = told(state);
        assert!(html.contains(tone) && html.contains("Email queued for marta@estudiovidal.example."), "{html}");
        assert!(title(&html) == "Password reset" && !html.contains("Waiting") && !html.contains("yet"), "{html}");
    }
}

fn waiting() -> Delivery {
    Delivery { state: MailState::Queued, server: None, said: None, attempts: 0, ..refused() }
}

#[test]
fn a_mail_that_may_still_fare_on_offers_to_check_again_and_says_how_it_stands_in_one_sentence() {
    let sending = |_: &str| Some(Delivery { state: MailState::Sending, ..waiting() });
    let delayed = |_: &str| Some(Delivery { state: MailState::Delayed, due: Some(NOW + 480_000), ..refused() });
    type Mail = fn(&str) -> Option<Delivery>;
    let cases: [(Mail, bool, &str); 5] = [
        (|_| Some(waiting()), true, "Waiting to be sent."),
        (sending, true, "Being sent to the mail server."),
        (delayed, true, "Not accepted yet. Next attempt: today 13:10. Attempts so far: 1 of 8."),
        (|_| Some(refused()), false, "Refused by mx1.estudiovidal.example:25, today 13:02."),
        (
            |_| Some(accepted()),
            false,
            "Accepted by mx1.estudiovidal.example:25, today 13:02. The mail server accepted the email. It may still be in a spam folder.",
        ),
    ];
    for (mail, waits, said) in cases {
        let html = drawn(mail, "en");
        assert_eq!(html.contains("kt-again\" href=\"/customers/42/details\">Check again</a>"), waits, "{html}");
        assert_eq!((attributes(&html, "data-kt-live"), attributes(&html, "data-kt-said")), (vec![ID], vec![said]));
    }
    // Also to who may do nothing else about it; not to who may know nothing of it.
    assert!(drawn(|_| Some(Delivery { may_mend: false, ..waiting() }), "en").contains("Check again"));
    let hidden = drawn(|_| None, "en");
    assert!(!hidden.contains("Check again") && !hidden.contains("data-kt-live"), "{hidden}");
}

#[test]
fn a_success_is_marked_with_its_mail_and_the_part_says_when_it_is_none_any_more() {
    let bad = |mail| attributes(&drawn(mail, "en"), "data-kt-bad").into_iter().map(str::to_owned).collect::<Vec<_>>();
    for mail in [(|_: &str| Some(waiting())) as fn(&str) -> _, |_| Some(accepted())] {
        assert!(bad(mail).is_empty());
    }
    let delayed = |_: &str| Some(Delivery { state: MailState::Delayed, ..waiting() });
    for mail in [(|_: &str| Some(refused())) as fn(&str) -> _, delayed] {
        assert_eq!(bad(mail), [ID]);
    }
    let mut stage = Stage::new();
    stage.mail = |_| Some(waiting());
    let said = nodes::Outcome {
        tone: Tone::Success,
        title: "Password reset".to_owned(),
        body: Vec::new(),
        mail: Some(ID.to_owned()),
    };
    let html = draw_outcome(&said, &stage.frame(Stage::slot())).expect("drawn").as_str().to_owned();
    assert!(html.contains(&format!("kt-success\" role=\"status\" data-kt-mail=\"{ID}\">")), "{html}");
}

#[test]
fn a_section_in_which_something_is_typed_is_not_drawn_anew_under_its_reader() {
    let mut stage = Stage::new();
    stage.mail = |_| Some(waiting());
    let typed = form(vec![field("name", "Name", line(LineKind::Plain, ""))]);
    let nodes = [Node::Heading("Reset".to_owned()), Node::Delivery(of(vec![], vec![])), Node::Form(typed)];
    let html = draw_region(&nodes, &stage.frame(Stage::slot()), 2).expect("drawn").html.as_str().to_owned();
    assert!(html.contains("Check again") && !html.contains("data-kt-live"), "{html}");
}

#[test]
fn a_mail_in_a_folder_is_not_said_to_have_gone_anywhere() {
    for locale in ["en", "es"] {
        let kept = |_: &str| Some(Delivery { folder: Some("mail".to_owned()), ..accepted() });
        let html = drawn(kept, locale);
        assert!(!html.contains("Accepted by") && !html.contains("Aceptado por") && !html.contains("spam"), "{html}");
    }
    let html = drawn(|_| Some(Delivery { folder: Some("mail".to_owned()), ..accepted() }), "en");
    assert!(
        steps(&html).contains(&"Done: Written into the folder “mail”".to_owned()) && html.contains("sent anywhere")
    );
}

#[test]
fn a_mail_that_nobody_sends_is_not_said_to_be_on_its_way() {
    let never = drawn(|_| Some(Delivery { stopped: Some(None), ..waiting() }), "en");
    assert!(steps(&never).contains(&"Failed: No email is being sent".to_owned()), "{never}");
    let since = drawn(|_| Some(Delivery { stopped: Some(Some(NOW - 60_000)), ..waiting() }), "en");
    assert!(since.contains("It last ran: today 13:01") && since.contains("Check again"), "{since}");
    assert!(!since.contains("Waiting to be sent"), "{since}");
}

#[test]
fn a_mail_that_cannot_be_one_is_refused_before_it_stands_in_an_address() {
    let stage = Stage::new();
    for node in [
        Node::Delivery(nodes::Delivery { mail: "../settings".to_owned(), before: vec![], after: vec![] }),
        Node::Text(vec![Value::Link(TextLink { text: "x".to_owned(), target: Target::Mail("..".to_owned()) })]),
        Node::Delivery(of(vec![step("x", StepState::Done, None); 11], vec![])),
    ] {
        let error = draw_region(&[node], &stage.frame(Stage::slot()), 2).expect_err("refused").to_string();
        assert!(error.contains("is not an email's id") || error.contains("11 steps"), "{error}");
    }
}

//! The form's contents as settings; and their problems, field by field.

use zeroize::Zeroizing;

use super::{TO, said_wrong};
use crate::mail_settings::Plan;
use keyturn_core::words::Words;
use keyturn_mail::address;
use keyturn_mail::config::{Way, Wrong};
use keyturn_mail::setup::{Chosen, ChosenServer};
use keyturn_mail::transport::smtp::Encryption;
use keyturn_ui::form::{FieldError, Submission};

/// The wanted settings. Groups that the file has are not in the form.
pub(super) fn wanted(submission: &Submission) -> (Chosen, Option<Zeroizing<String>>) {
    let text = |name: &str| submission.text(name).map(str::to_owned);
    let forget = submission.ticked("forget");
    let (host, port, username) = (text("host"), text("port"), text("username").filter(|_| !forget));
    let password = submission.password("password").filter(|_| !forget).cloned();
    // A server without a host is still a server, with a problem.
    let server = host.is_some() || port.is_some() || username.is_some() || password.is_some();
    let server = server.then(|| ChosenServer {
        host: host.unwrap_or_default().to_ascii_lowercase(),
        port: port.and_then(|port| port.parse().ok()),
        encryption: submission.text("encryption").and_then(Encryption::named).unwrap_or_default(),
        username,
        password_at: None,
    });
    let chosen = Chosen {
        transport: submission.text("transport").and_then(Way::named),
        server,
        from: text("from"),
        reply_to: text("reply-to"),
        link_origin: text("link-origin").map(|typed| typed.trim_end_matches('/').to_ascii_lowercase()),
    };
    (chosen, password)
}

/// The problems: one sentence a field, and one without a field. Missing required fields come first.
pub(super) fn problems(
    submission: &Submission,
    plan: &Plan,
    test: bool,
    words: Words,
) -> (Vec<FieldError>, Option<String>) {
    let mut message = None;
    let mut errors = submission.problems.clone();
    errors.retain(|problem| test || problem.field != TO);
    for wrong in &plan.problems {
        match at_field(wrong, plan, words) {
            Some(error) => errors.push(error),
            None => message = message.or_else(|| Some(said_wrong(wrong, words))),
        }
    }
    if test {
        match submission.text(TO).map(address::check) {
            None => errors.push(missing(TO, words)),
            Some(Err(_)) => errors.push(wrong(TO, words.get("problem-address"))),
            Some(Ok(())) => {}
        }
        if plan.setup.way() == Way::Off {
            errors.push(wrong("transport", words.get("settings-test-off")));
        }
    }
    let mut said = std::collections::BTreeSet::new();
    errors.retain(|error| said.insert(error.field.clone()));
    (errors, message)
}

/// The problem of a setting at its field; none: it has no field.
fn at_field((setting, _): &Wrong, plan: &Plan, words: Words) -> Option<FieldError> {
    let name = setting.rsplit('.').next()?;
    let value = plan.setup.value(setting).unwrap_or_default();
    let key = match (*setting, value.as_str()) {
        ("mail.smtp.password", _) => {
            let stored = plan.seen.chosen.server.as_ref().is_some_and(|server| server.password_at.is_some());
            if stored { "settings-password-other" } else { "settings-password-none" }
        }
        ("mail.smtp.host" | "mail.smtp.username" | "mail.from" | "brand.link-origin", "") => {
            return Some(missing(name, words));
        }
        ("mail.smtp.host", _) => "problem-host",
        ("mail.smtp.encryption", "none") => "settings-clear",
        ("mail.from" | "mail.reply-to", _) => "problem-address",
        ("brand.link-origin", _) => "settings-bad-origin",
        _ => return None,
    };
    Some(wrong(name, words.get(key)))
}

fn missing(field: &str, words: Words) -> FieldError {
    let label = format!("settings-{field}");
    wrong(field, &words.fill("problem-required", &[("label", words.get(&label))]))
}

fn wrong(field: &str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), message: message.to_owned() }
}

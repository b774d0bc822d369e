//! What stands in the form, as settings; or what is wrong with it, field by field.

use super::TO;
use crate::email::NewPassword;
use crate::mail::address;
use crate::mail::config::{Way, is_host};
use crate::mail::setup::{Chosen, ChosenServer, Setup};
use crate::mail::transport::smtp::Encryption;
use crate::origin::may_bear_secrets;
use crate::origin::names_this_machine;
use crate::view::form::{FieldError, Submission};
use crate::view::words::Words;

/// What somebody wants.
pub(super) struct Wanted {
    pub(super) chosen: Chosen,
    pub(super) password: NewPassword,
    /// Where a test mail goes; empty where none is asked for.
    pub(super) to: String,
}

struct Reading<'a> {
    submission: &'a Submission,
    words: Words,
    problems: Vec<FieldError>,
}

impl Reading<'_> {
    /// One sentence a field: what its shape lacks is said already.
    fn wrong(&mut self, field: &str, message: String) {
        if self.problems.iter().all(|problem| problem.field != field) {
            self.problems.push(FieldError { field: field.to_owned(), message });
        }
    }

    fn says(&mut self, field: &str, key: &str) {
        self.wrong(field, self.words.get(key).to_owned());
    }

    /// An address that mail can be sent to, or none.
    fn address(&mut self, field: &str) -> Option<String> {
        let typed = self.submission.text(field)?.to_owned();
        if address::check(&typed).is_err() {
            self.says(field, "problem-address");
        }
        Some(typed)
    }

    fn missing(&mut self, field: &str, label: &str) {
        let message = self.words.fill("problem-required", &[("label", self.words.get(label))]);
        self.wrong(field, message);
    }

    fn server(&mut self, smtp: bool) -> Option<ChosenServer> {
        let submission = self.submission;
        let forget = submission.ticked("forget");
        let username = submission.text("username").filter(|_| !forget).map(str::to_owned);
        let port = submission.text("port");
        let password = submission.password("password").is_some() && !forget;
        let Some(host) = submission.text("host") else {
            if smtp || username.is_some() || port.is_some() || password {
                self.missing("host", "settings-host");
            }
            return None;
        };
        let encryption = match submission.text("encryption") {
            Some("tls") => Encryption::Tls,
            Some("none") => Encryption::None,
            _ => Encryption::Starttls,
        };
        if !is_host(host) {
            self.says("host", "problem-host");
        } else if encryption == Encryption::None && !names_this_machine(host) {
            self.says("encryption", "settings-clear");
        }
        if password && username.is_none() {
            self.missing("username", "settings-username");
        }
        Some(ChosenServer {
            host: host.to_ascii_lowercase(),
            port: port.and_then(|port| port.parse().ok()),
            encryption,
            username,
            password_at: None,
        })
    }
}

/// Reads the form. Fields of settings that the file has are not looked at.
pub(super) fn wanted(
    submission: &Submission,
    setup: &Setup,
    test: bool,
    words: Words,
) -> Result<Wanted, Vec<FieldError>> {
    let fixes = |setting| setup.fixed().fixes(setting);
    let mut problems = submission.problems.clone();
    problems.retain(|problem| test || problem.field != TO);
    let mut reading = Reading { submission, words, problems };
    let transport = match submission.text("transport") {
        _ if fixes("mail.transport") => Some(setup.way()),
        Some("smtp") => Some(Way::Smtp),
        Some("sendmail") => Some(Way::Sendmail),
        Some("folder") => Some(Way::Folder),
        _ => Some(Way::Off),
    };
    let on = transport != Some(Way::Off);
    let server = match fixes("mail.smtp.host") {
        true => None,
        false => reading.server(transport == Some(Way::Smtp)),
    };
    let from = if fixes("mail.from") { None } else { reading.address("from") };
    if on && from.is_none() && !fixes("mail.from") {
        reading.missing("from", "settings-from");
    }
    let reply_to = if fixes("mail.reply-to") { None } else { reading.address("reply-to") };
    let link_origin = match fixes("brand.link-origin") {
        true => None,
        false => submission.text("link-origin").map(|typed| typed.trim_end_matches('/').to_ascii_lowercase()),
    };
    match &link_origin {
        Some(origin) if !may_bear_secrets(origin) => reading.says("link-origin", "settings-bad-origin"),
        None if on && !fixes("brand.link-origin") => reading.missing("link-origin", "settings-origin"),
        _ => {}
    }
    let to = if test { reading.address(TO) } else { None };
    if test && to.is_none() {
        reading.missing(TO, "settings-test-to");
    }
    if test && !on {
        reading.says("transport", "settings-test-off");
    }
    let password = match submission.password("password") {
        Some(password) => NewPassword::Set(password.clone()),
        None => NewPassword::Keep,
    };
    if !reading.problems.is_empty() {
        return Err(reading.problems);
    }
    let chosen = Chosen { transport, server, from, reply_to, link_origin };
    Ok(Wanted { chosen, password, to: to.unwrap_or_default() })
}

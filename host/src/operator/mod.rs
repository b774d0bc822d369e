//! The operator's own pages, which any panel mounts: the outbox, one mail of it, the inbox of a trial, email settings,
//! webhooks, and service keys.
//!
//! They are the host's and no plugin's: their forms are sealed under a name that no plugin can have, and
//! [`Host::operator_submit`] runs them. Who may see these pages at all is the embedder's affair; what somebody sees on them
//! is only what concerns accounts that he reaches. How mail is set up, what goes to webhooks, and what machines may concerns all of them,
//! so those pages ask for themselves: [`Host::may_set_mail`], [`Host::may_tend_webhooks`], [`Host::may_tend_keys`]. To look at a page changes nothing.

mod eml;
mod inbox;
mod jobs;
mod keys;
mod one_delivery;
mod one_mail;
mod outbox;
mod settings;
#[cfg(test)]
mod tests;
mod webhooks;

use crate::CallError;
use crate::caller::Caller;
use crate::email::TRIAL;
use crate::embed::{SubmitError, Submitted, Surface};
use crate::host::Host;
use crate::origin::with_query;
use crate::outbox::{AT_ONCE, Retried};
use crate::storage::deliveries::{DeliveryFilter, DeliveryId};
use crate::storage::outbox::{MailFilter, MailId, MailState};
use crate::view::form::{self, FormError, Posted, Submission};
use crate::view::html::nodes::{Painter, banner_close, banner_open};
use crate::view::html::{Html, Markup, values};
use crate::view::nodes::{self, Action, Badge, Intent, Outcome, Run, Target, Tone};
use crate::view::shell::Link;
use crate::view::shell::parts::button_link;
use crate::view::words::Words;
use crate::view::{Delivery, Page, Place, look};
use crate::webhooks::send::Verdict;
use crate::work::Workers;
use keyturn_core::time::now;

pub use inbox::Document;
pub use keys::AskedKeys;
pub use outbox::{Listed, Shown};
pub use webhooks::ListedDeliveries;

pub use keyturn_core::caller::OWN;

/// One of the operator's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorPage {
    /// Mails, newest first.
    Outbox(Listed),
    /// One mail, where [`Target::Mail`] leads.
    Mail(MailId),
    /// Mails of the folder transport, newest first; only where [`Host::has_inbox`].
    Inbox,
    /// One of them, by its file's name: the last part of its address. It frames [`Host::inbox_document`], so it bears
    /// [`OperatorPage::csp`].
    InboxMail(String),
    /// How mail is set up, where [`Target::EmailSettings`] leads; for whom [`Host::may_set_mail`] allows.
    EmailSettings,
    /// Where events go, and what became of them, newest first; for whom [`Host::may_tend_webhooks`] allows.
    Webhooks(ListedDeliveries),
    /// One delivery, by its id: the last part of its address, under that of the webhooks.
    Delivery(DeliveryId),
    /// Service keys: what each may, to make one, to give one another token, to end one; for whom [`Host::may_tend_keys`] allows.
    Keys(AskedKeys),
}

impl OperatorPage {
    /// The Content-Security-Policy of the page where it is not [`look::csp`]: to be set before [`crate::http::harden`].
    #[must_use]
    pub fn csp(&self) -> Option<String> {
        matches!(self, OperatorPage::InboxMail(_)).then(|| format!("{}; frame-src 'self'", look::csp()))
    }
}

/// Where in the panel an operator's page stands.
pub struct OperatorSurface<'a> {
    /// As for a plugin's page. `submit_url` is the page's own address, its query included: a form that is done leads back
    /// there.
    pub surface: Surface<'a>,
    /// The address of the outbox, without a query. Its pages add `show`, `q` and `before`: see [`Listed::asked`].
    pub outbox: &'a str,
    /// The address of the inbox. Its mails stand under it by their names, and each one's HTML under that as `html`.
    pub inbox: &'a str,
    /// The address of the webhooks, without a query. Their page adds `show`, `to` and `before`: see
    /// [`ListedDeliveries::asked`].
    pub webhooks: &'a str,
    /// The address of the service keys, without a query. Their page adds `new`, `rotate` and `revoke`: see
    /// [`AskedKeys::asked`].
    pub keys: &'a str,
    /// The command that starts what sends mail and webhooks, to be said where it has stopped; empty: none is said.
    pub start: &'a str,
}

/// What a form of these pages does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    /// Tries a mail again; to another address than the latest attempt's only if it is this one.
    Retry(MailId, Option<String>),
    Withdraw(MailId),
    RetryAll,
    /// Runs a job or an event again.
    RunAgain(String),
    RunAllAgain,
    /// Sends a delivery again.
    SendAgain(DeliveryId),
    /// All that were given up; of this destination, if it is one's.
    SendAllAgain(Option<String>),
    /// Lets a destination have its deliveries again.
    Enable(String),
    /// Posts an event to a destination now, to see what it answers.
    Test(String),
}

const RETRY: &str = "retry";
const WITHDRAW: &str = "withdraw";
const RETRY_ALL: &str = "retry-all";
const RUN_AGAIN: &str = "run-again";
const RUN_ALL_AGAIN: &str = "run-all-again";
const MAIL: &str = "mail";
const JOB: &str = "job";
const SEND_AGAIN: &str = "send-again";
const SEND_ALL_AGAIN: &str = "send-all-again";
const ENABLE: &str = "enable-webhook";
const TEST: &str = "test-webhook";
const DELIVERY: &str = "delivery";
const TO: &str = "to";

impl Deed {
    fn of(submission: &Submission) -> Option<Self> {
        let mail = || submission.text(MAIL)?.parse().ok();
        match submission.action.as_str() {
            RETRY => Some(Deed::Retry(mail()?, submission.text(TO).map(str::to_owned))),
            WITHDRAW => Some(Deed::Withdraw(mail()?)),
            RETRY_ALL => Some(Deed::RetryAll),
            RUN_AGAIN => Some(Deed::RunAgain(submission.text(JOB)?.to_owned())),
            RUN_ALL_AGAIN => Some(Deed::RunAllAgain),
            SEND_AGAIN => Some(Deed::SendAgain(submission.text(DELIVERY)?.parse().ok()?)),
            SEND_ALL_AGAIN => Some(Deed::SendAllAgain(submission.text(TO).map(str::to_owned))),
            ENABLE => Some(Deed::Enable(submission.text(TO)?.to_owned())),
            TEST => Some(Deed::Test(submission.text(TO)?.to_owned())),
            _ => None,
        }
    }

    fn submission(&self) -> nodes::Submission {
        let mail = |id: &MailId| (MAIL.to_owned(), id.to_string());
        let (action, arguments) = match self {
            Deed::Retry(id, to) => {
                let to = to.iter().map(|to| (TO.to_owned(), to.clone()));
                (RETRY, [mail(id)].into_iter().chain(to).collect())
            }
            Deed::Withdraw(id) => (WITHDRAW, vec![mail(id)]),
            Deed::RetryAll => (RETRY_ALL, Vec::new()),
            Deed::RunAgain(id) => (RUN_AGAIN, vec![(JOB.to_owned(), id.clone())]),
            Deed::RunAllAgain => (RUN_ALL_AGAIN, Vec::new()),
            Deed::SendAgain(id) => (SEND_AGAIN, vec![(DELIVERY.to_owned(), id.to_string())]),
            Deed::SendAllAgain(to) => (SEND_ALL_AGAIN, to.iter().map(|to| (TO.to_owned(), to.clone())).collect()),
            Deed::Enable(to) => (ENABLE, vec![(TO.to_owned(), to.clone())]),
            Deed::Test(to) => (TEST, vec![(TO.to_owned(), to.clone())]),
        };
        nodes::Submission { action: action.to_owned(), subject: None, arguments }
    }
}

impl Host {
    /// Draws one of the operator's pages, for a caller whom the embedder lets see it.
    ///
    /// # Errors
    /// [`CallError`]; [`crate::Failure::NotFound`] for a mail that there is not, or not for him, and for an
    /// inbox where there is none.
    pub fn operator_page(
        &self,
        caller: &Caller,
        page: &OperatorPage,
        surface: &OperatorSurface<'_>,
    ) -> Result<Page, CallError> {
        match page {
            OperatorPage::Outbox(listed) => outbox::page(self, caller, listed, surface),
            OperatorPage::Mail(id) => one_mail::page(self, caller, id, surface),
            OperatorPage::Inbox => inbox::list(self, caller, surface),
            OperatorPage::InboxMail(name) => inbox::one(self, caller, name, surface),
            OperatorPage::EmailSettings => settings::page(self, caller, &surface.surface),
            OperatorPage::Webhooks(listed) => webhooks::page(self, caller, listed, surface),
            OperatorPage::Delivery(id) => one_delivery::page(self, caller, id, surface),
            OperatorPage::Keys(asked) => keys::page(self, caller, asked, surface),
        }
    }

    /// That nobody sends mail, since when, and `start`: the command that makes somebody do so. For the top of any page of who runs
    /// the panel; empty where somebody sends, where no mail goes out at all, and where nobody can know.
    #[must_use]
    pub fn stopped_banner(&self, caller: &Caller, start: &str) -> Markup {
        match self.0.post().transport {
            Some(_) => self.nobody_works("outbox-stopped", caller, start),
            None => Markup::default(),
        }
    }

    /// The same of webhooks.
    fn stopped_webhooks(&self, caller: &Caller, start: &str) -> Markup {
        self.nobody_works("webhooks-stopped", caller, start)
    }

    /// In the words of these keys.
    fn nobody_works(&self, key: &str, caller: &Caller, start: &str) -> Markup {
        let Ok(Workers::Stopped { since }) = self.workers() else {
            return Markup::default();
        };
        let words = Words::of(&caller.locale);
        let text = words.stopped(key, since, now(), &self.0.brand.zone);
        let mut html = Html::new();
        banner_open(&mut html, Tone::Danger, words.get(key), None, words);
        html.element("p", &[("class", Some("kt-text"))], &text);
        if !start.is_empty() {
            html.class("p", "kt-text").text(words.get("outbox-stopped-start")).text(" ");
            html.element("code", &[("dir", Some("ltr"))], start).close("p");
        }
        banner_close(&mut html);
        html.done()
    }

    /// Whether a posted body is a form of the operator's pages: for [`Host::operator_submit`], not for [`Host::submit`].
    #[must_use]
    pub fn is_operator_form(&self, caller: &Caller, body: &[u8]) -> bool {
        match form::read(body, &self.0.keys, caller, now()) {
            Ok(Posted::Submission(submission)) => submission.plugin == OWN,
            Err(FormError::Stale(stale)) => stale.corrections.plugin() == OWN,
            Ok(_) | Err(_) => false,
        }
    }

    /// Runs a form of the operator's pages, for a caller whom the embedder lets use them.
    ///
    /// # Errors
    /// [`SubmitError`]; [`FormError::Foreign`] for what is not a form of these pages, or not for this session.
    pub fn operator_submit(
        &self,
        caller: &Caller,
        body: &[u8],
        surface: &Surface<'_>,
    ) -> Result<Submitted, SubmitError> {
        let submission = match form::read(body, &self.0.keys, caller, now()) {
            Ok(Posted::Submission(submission)) if submission.plugin == OWN => submission,
            Err(FormError::Stale(stale)) if stale.corrections.plugin() == OWN => return Ok(Submitted::Stale(stale)),
            Ok(_) | Err(FormError::Stale(_)) => return Err(FormError::Foreign.into()),
            Err(error) => return Err(error.into()),
        };
        match submission.action.as_str() {
            settings::ACTION => return settings::submitted(self, caller, &submission, body, surface),
            keys::MAKE | keys::ROTATE | keys::REVOKE => {
                return keys::submitted(self, caller, &submission, body, surface);
            }
            _ => {}
        }
        let deed = Deed::of(&submission).ok_or(FormError::Malformed("no such action"))?;
        let words = Words::of(&caller.locale);
        let here = || surface.submit_url.to_owned();
        let (url, outcome) = match deed {
            Deed::Retry(id, to) => match self.retry_to(caller, &id, to.as_deref())? {
                Retried::Queued { .. } => (here(), said(Tone::Success, "outbox-retried", Some(&id), words)),
                Retried::Moved => {
                    let url = surface.links.url(OWN, &Target::Mail(id.to_string()));
                    (url, said(Tone::Warning, "outbox-retried-moved", None, words))
                }
                Retried::Not => (here(), said(Tone::Warning, "outbox-nothing", None, words)),
            },
            Deed::Withdraw(id) => {
                let done = self.withdraw(caller, std::slice::from_ref(&id)).map_err(CallError::of_storage)?;
                let page = surface.links.url(OWN, &Target::Mail(id.to_string()));
                let (tone, key) = match done.is_empty() {
                    false => (Tone::Success, "outbox-withdrawn"),
                    true => (Tone::Warning, "outbox-nothing"),
                };
                (page, said(tone, key, None, words))
            }
            Deed::RetryAll => (here(), self.retry_all(caller, words)?),
            Deed::RunAgain(id) => (here(), self.run_jobs_again(caller, Some(id), words)?),
            Deed::RunAllAgain => (here(), self.run_jobs_again(caller, None, words)?),
            Deed::SendAgain(_) | Deed::SendAllAgain(_) | Deed::Enable(_) | Deed::Test(_) => {
                (here(), self.tend_webhooks(caller, &deed, words)?)
            }
        };
        Ok(Submitted::Done { url, notice: self.seal_notice(OWN, outcome, caller), own_epoch: None })
    }

    fn tend_webhooks(&self, caller: &Caller, deed: &Deed, words: Words) -> Result<Outcome, CallError> {
        if !self.may_tend_webhooks(caller) {
            return Err(not_found());
        }
        let again = |ids: &[DeliveryId]| self.send_again(caller, ids).map(|done| done.len() as u64);
        let sent = match deed {
            Deed::SendAgain(id) => again(std::slice::from_ref(id)),
            Deed::SendAllAgain(to) => {
                let states = Shown::Failed.delivery_states().to_vec();
                let filter =
                    DeliveryFilter { states, destination: to.clone(), limit: AT_ONCE, ..DeliveryFilter::default() };
                self.deliveries(&filter)
                    .and_then(|failed| again(&failed.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()))
            }
            Deed::Enable(to) => {
                return Ok(match self.enable_destination(caller, to).map_err(CallError::of_storage)? {
                    true => said(Tone::Success, "webhooks-enabled", None, words),
                    false => said(Tone::Warning, "webhooks-nothing", None, words),
                });
            }
            Deed::Test(to) => return self.try_webhook(caller, to, words),
            Deed::Retry(..) | Deed::Withdraw(_) | Deed::RetryAll | Deed::RunAgain(_) | Deed::RunAllAgain => Ok(0),
        };
        Ok(match sent.map_err(CallError::of_storage)? {
            0 => said(Tone::Warning, "webhooks-nothing", None, words),
            sent => Outcome {
                tone: Tone::Success,
                title: words.count("webhooks-sent-again", sent),
                body: Vec::new(),
                mail: None,
            },
        })
    }

    /// Few at once: each holds a request for as long as the destination may take.
    fn try_webhook(&self, caller: &Caller, name: &str, words: Words) -> Result<Outcome, CallError> {
        let to = self.destination(name).ok_or_else(not_found)?;
        let _place = self.0.trials.enter().ok_or(CallError::Busy(keyturn_runtime::capabilities::RETRY_SECONDS))?;
        let (verdict, tried) = self.test_webhook(caller, &to, TRIAL).map_err(CallError::of_storage)?;
        let (tone, key) = match verdict {
            Verdict::Accepted => (Tone::Success, "webhooks-test-accepted"),
            Verdict::Unknown => (Tone::Warning, "webhooks-test-unknown"),
            Verdict::Failed { .. } | Verdict::Gone => (Tone::Danger, "webhooks-test-failed"),
        };
        let took = format!("{} ms", words.number(i64::try_from(tried.took_ms).unwrap_or(i64::MAX)));
        Ok(Outcome {
            tone,
            title: words.fill(key, &[("name", name)]),
            body: vec![nodes::Value::Code(tried.said), nodes::Value::Text(format!(" · {took}"))],
            mail: None,
        })
    }

    /// To another address than the latest attempt's only if it is the one that the reader was asked about.
    fn retry_to(&self, caller: &Caller, id: &MailId, to: Option<&str>) -> Result<Retried, CallError> {
        let mail = self.0.storage.mail(id).map_err(CallError::of_storage)?;
        let on_file = mail.and_then(|mail| self.delivery_of(&mail, caller)).and_then(|delivery| delivery.to);
        let although_moved = to.is_some() && to == on_file.as_deref();
        let retried = self.retry(caller, std::slice::from_ref(id), although_moved).map_err(CallError::of_storage)?;
        Ok(retried.first().map_or(Retried::Not, |(_, retried)| *retried))
    }

    /// One of those that the caller may see, or all of them.
    fn run_jobs_again(&self, caller: &Caller, one: Option<String>, words: Words) -> Result<Outcome, CallError> {
        let failed = self.failed_jobs(caller)?.into_iter().map(|task| task.id);
        let ids: Vec<String> = failed.filter(|id| one.as_ref().is_none_or(|one| one == id)).collect();
        let done = self.run_again(caller, &ids).map_err(CallError::of_storage)?;
        if done.is_empty() {
            return Ok(said(Tone::Warning, "jobs-nothing", None, words));
        }
        let title = words.count("jobs-again-title", done.len() as u64);
        Ok(Outcome { tone: Tone::Success, title, body: Vec::new(), mail: None })
    }

    fn retry_all(&self, caller: &Caller, words: Words) -> Result<Outcome, CallError> {
        let states = vec![MailState::Refused, MailState::GaveUp];
        let filter = MailFilter { states, limit: AT_ONCE, ..MailFilter::default() };
        let failed = self.seen_mails(caller, &filter).map_err(CallError::of_storage)?.mails;
        let ids: Vec<MailId> = failed.into_iter().filter(|(_, d)| may_retry(d)).map(|(mail, _)| mail.id).collect();
        let retried = self.retry(caller, &ids, false).map_err(CallError::of_storage)?;
        let count = |wanted: fn(&Retried) -> bool| retried.iter().filter(|(_, retried)| wanted(retried)).count() as u64;
        let queued = count(|retried| matches!(retried, Retried::Queued { .. }));
        let moved = count(|retried| *retried == Retried::Moved);
        let body = if moved > 0 { words.count("outbox-several-moved", moved) } else { String::new() };
        Ok(match (queued, moved) {
            (0, 0) => said(Tone::Warning, "outbox-nothing", None, words),
            (0, _) => Outcome { body: sentence(body), ..said(Tone::Warning, "outbox-nothing", None, words) },
            _ => Outcome {
                tone: if moved == 0 { Tone::Success } else { Tone::Warning },
                title: words.count("outbox-several-title", queued),
                body: sentence(body),
                mail: None,
            },
        })
    }
}

fn not_found() -> CallError {
    CallError::Failed(crate::Failure::NotFound)
}

fn sentence(text: String) -> Vec<nodes::Value> {
    if text.is_empty() { Vec::new() } else { vec![nodes::Value::Text(text)] }
}

/// What was done, by the keys of its title and text.
fn said(tone: Tone, key: &str, mail: Option<&MailId>, words: Words) -> Outcome {
    Outcome {
        tone,
        title: words.get(&format!("{key}-title")).to_owned(),
        body: sentence(words.get(key).to_owned()),
        mail: mail.map(ToString::to_string),
    }
}

/// Whether a retry makes sense: what waits for its first attempt is tried anyway.
fn may_retry(delivery: &Delivery) -> bool {
    let state = matches!(delivery.state, MailState::Delayed | MailState::Refused | MailState::GaveUp);
    state && delivery.may_mend && delivery.whole
}

fn may_withdraw(delivery: &Delivery) -> bool {
    (may_retry(delivery) || delivery.state == MailState::Queued) && delivery.may_mend && delivery.whole
}

/// The query of a mail's own address at which it is asked whether to withdraw it. To withdraw cannot be undone, and of a mail
/// with a password nobody has another copy.
const ASK_WITHDRAW: &str = "ask=withdraw";

/// The way to that question.
fn ask_withdraw(id: &MailId, painter: &mut Painter<'_>) {
    let url = with_query(&painter.frame.links.url(OWN, &Target::Mail(id.to_string())), ASK_WITHDRAW);
    let label = painter.words.get("outbox-withdraw");
    painter.html.markup(&button_link(Link { label, url: &url }, Intent::Neutral));
}

/// A button that posts.
fn button(label: &str, deed: &Deed, intent: Intent) -> Action {
    Action { label: label.to_owned(), intent, run: Run::Submit(deed.submission()), unavailable: None }
}

/// A state's word, the same everywhere.
fn state_badge(state: MailState, words: Words) -> Badge {
    let tone = match state {
        MailState::Queued | MailState::Ended | MailState::Withdrawn => Tone::Off,
        MailState::Sending => Tone::Info,
        MailState::Accepted => Tone::Success,
        MailState::Delayed => Tone::Warning,
        MailState::Refused | MailState::GaveUp => Tone::Danger,
    };
    Badge { tone, text: words.get(&format!("state-{}", state.name())).to_owned() }
}

fn place(page: &str) -> Place {
    Place::Page { name: page.to_owned(), subject: None, arguments: Vec::new() }
}

/// What stands in `painter`, under the page's summary and heading.
fn page(painter: &mut Painter<'_>, title: &str, badge: Option<&Badge>, actions: &Markup) -> Page {
    let body = painter.html.done();
    let summary = painter.summary().draw(painter.words);
    let prefix = if summary.is_empty() { "" } else { painter.words.get("error-prefix") };
    let html = &mut painter.html;
    html.markup(&summary).class("div", "kt-heading").class("div", "kt-title");
    html.open("h1", &[]).element("bdi", &[], title).close("h1");
    if let Some(badge) = badge {
        html.text(" ");
        values::badge(html, badge);
    }
    html.close("div");
    if !actions.is_empty() {
        html.class("div", "kt-actions").markup(actions).close("div");
    }
    html.close("div").markup(&body);
    let plain: String = title.chars().filter(|c| !crate::view::html::dropped(*c)).collect();
    Page { title: format!("{prefix}{plain}"), html: html.done() }
}

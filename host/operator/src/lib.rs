//! The operator's pages, which any panel mounts: the outbox, one email of it, the trial inbox, email settings, webhooks, and
//! service keys.
//!
//! They belong to the host, not to a plugin: their forms are sealed under a name that no plugin can have, and
//! [`Operator::operator_submit`] runs them. `PAGES` lists them. Each is a file that describes the page in nodes, and the
//! actions of its forms as a type. The embedding panel decides who may see these pages at all. People see only what concerns
//! accounts that they reach; pages about everybody are for callers with access to every realm. Looking at a page changes
//! nothing.

#![deny(missing_docs)]

mod host;
mod inbox;
mod jobs;
mod keys;
mod list;
pub mod mail_settings;
mod one_delivery;
mod one_mail;
mod outbox;
mod page;
pub mod service_key;
mod settings;
mod sheet;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;
mod webhooks;

pub use host::Operator;
use keyturn_core::caller::Caller;
use keyturn_core::time::now;
use keyturn_core::words::Words;
use keyturn_pages::{PostedForm, SubmitError, Submitted, Surface};
use keyturn_runtime::CallError;
use keyturn_ui::form::{FormError, Posted};
use keyturn_ui::html::Markup;
use keyturn_ui::html::nodes::Painter;
use keyturn_ui::look;
use page::{Asked, Pressed, Stands, place};

pub use inbox::{DOCUMENT, document_headers};
pub use keyturn_core::caller::OWN;
pub use list::Shown;
pub use page::Page as OperatorPage;

/// All pages, in the order of the navigation.
static PAGES: [&OperatorPage; 8] = [
    &outbox::PAGE,
    &one_mail::PAGE,
    &inbox::PAGE,
    &inbox::MAIL,
    &settings::PAGE,
    &webhooks::PAGE,
    &one_delivery::PAGE,
    &keys::PAGE,
];

impl OperatorPage {
    /// By its name in an address.
    pub fn named(name: &str) -> Option<&'static Self> {
        PAGES.into_iter().find(|page| page.name == name)
    }

    /// The page of the navigation that it is, or belongs to.
    pub fn under(&self) -> &'static str {
        match self.stands {
            Stands::In(_) => self.name,
            Stands::Under(page) => page,
        }
    }

    /// Its group in the navigation and its label, in the language of `locale`; none if it belongs to another page.
    pub fn navigation(&self, locale: &str) -> Option<(String, String)> {
        let word = |key: &str| Words::of(locale).get(key).to_owned();
        match self.stands {
            Stands::In(group) => Some((word(group), word(&format!("nav-{}", self.name)))),
            Stands::Under(_) => None,
        }
    }

    /// The Content-Security-Policy of the page if it is not [`look::CSP`]: set it before `harden`.
    pub fn csp(&self) -> Option<String> {
        (self.name == inbox::MAIL.name).then(|| format!("{}; frame-src 'self'", look::CSP))
    }
}

/// The label of an operation of these pages, by its name in the audit log, in the language of `locale`.
pub fn operation(name: &str, locale: &str) -> Option<String> {
    let key = format!("did-{name}");
    let said = Words::of(locale).get(&key);
    (said != key).then(|| said.to_owned())
}

impl Operator {
    /// The pages of the navigation that are for this caller.
    pub fn operator_pages(&self, caller: &Caller) -> Vec<&'static OperatorPage> {
        let shown =
            |page: &&'static OperatorPage| matches!(page.stands, Stands::In(_)) && (page.who)(self, caller).is_ok();
        PAGES.into_iter().filter(shown).collect()
    }

    /// Draws one of the operator's pages, for a caller whom the embedding panel lets see it. `arguments` are those of its
    /// address. `surface.submit_url` is that address itself: a finished form leads back there. `start` is the command that
    /// starts sending emails and webhooks, shown if nothing sends them; empty: none is shown.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Denied`] if the page is for callers with access to every realm, [`keyturn_runtime::Failure::NotFound`]
    /// for an email that doesn't exist or isn't for the caller, and for a missing inbox.
    pub fn operator_page(
        &self,
        page: &OperatorPage,
        arguments: &[(String, String)],
        surface: &Surface<'_>,
        start: &str,
    ) -> Result<keyturn_ui::Page, CallError> {
        (page.who)(self, surface.caller)?;
        (page.draw)(&Asked { arguments, start, ..self.asked(surface) })
    }

    fn asked<'a>(&'a self, surface: &'a Surface<'a>) -> Asked<'a> {
        let caller = surface.caller;
        let words = Words::of(&caller.locale);
        Asked { host: self, caller, arguments: &[], surface, start: "", words, now: now() }
    }

    /// A warning that nothing sends email, since when, and `start`: the command that changes this. For the top of any page of
    /// people who run the panel; empty if something sends it, if email is off, and if it is unknown.
    pub fn stopped_banner(&self, start: &str, surface: &Surface<'_>) -> Markup {
        let Some(notice) = outbox::stopped(&Asked { start, ..self.asked(surface) }) else {
            return Markup::default();
        };
        self.framed_own(OWN, place("stopped"), surface, |frame| {
            let mut painter = Painter::new(frame, 2);
            painter.notice(&notice);
            painter.html.done()
        })
    }

    /// Runs a form of the operator's pages, for a caller whom the embedding panel lets use them.
    ///
    /// # Errors
    /// [`SubmitError`]; [`FormError::Foreign`] for a form of other pages.
    pub fn operator_submit(&self, form: PostedForm<'_>, surface: &Surface<'_>) -> Result<Submitted, SubmitError> {
        let submission = match form.read {
            Ok(Posted::Submission(submission)) if submission.plugin == OWN => submission,
            Err(stale) if stale.corrections.plugin == OWN => return Ok(Submitted::Stale(stale)),
            Ok(_) | Err(_) => return Err(FormError::Foreign.into()),
        };
        let page = OperatorPage::named(&submission.action).ok_or(FormError::Malformed("no such action"))?;
        (page.who)(self, surface.caller)?;
        let asked = self.asked(surface);
        (page.act)(&Pressed { asked, submission: &submission, body: form.body })
    }
}

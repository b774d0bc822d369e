//! The operator's own pages, which any panel mounts: the outbox, one mail of it, the inbox of a trial, email settings,
//! webhooks, and service keys.
//!
//! They are the host's and no plugin's: their forms are sealed under a name that no plugin can have, and
//! [`Host::operator_submit`] runs them. [`PAGES`] lists them; each is a file that says in nodes what it shows, and as a type
//! of its own what its forms ask for. Who may see these pages at all is the embedder's affair; what somebody sees on them is
//! only what concerns accounts that he reaches, and pages that concern everybody are for who reaches everybody. To look at a
//! page changes nothing.

mod inbox;
mod jobs;
mod keys;
mod list;
mod one_delivery;
mod one_mail;
mod outbox;
mod page;
mod settings;
mod sheet;
#[cfg(test)]
mod tests;
mod webhooks;

use crate::CallError;
use crate::caller::Caller;
use crate::embed::{PostedForm, SubmitError, Submitted, Surface};
use crate::host::Host;
use crate::view::form::{FormError, Posted};
use crate::view::html::Markup;
use crate::view::html::nodes::Painter;
use crate::view::nodes::Target;
use crate::view::words::Words;
use crate::view::{self, look};
use keyturn_core::time::now;
use page::{Asked, Page, Pressed, Stands, place};

pub use crate::caller::OWN;
pub use inbox::{DOCUMENT, Document};
pub use list::Shown;

/// All of them, in the order of a navigation.
static PAGES: [&Page; 8] = [
    &outbox::PAGE,
    &one_mail::PAGE,
    &inbox::PAGE,
    &inbox::MAIL,
    &settings::PAGE,
    &webhooks::PAGE,
    &one_delivery::PAGE,
    &keys::PAGE,
];

/// One of the operator's pages.
#[derive(Clone, Copy)]
pub struct OperatorPage(&'static Page);

impl OperatorPage {
    /// By its name in an address.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PAGES.into_iter().find(|page| page.name == name).map(Self)
    }

    /// Its name in an address.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Where it stands; further arguments of its address are its own affair.
    #[must_use]
    pub fn target(self) -> Target {
        page::target(self.0.name, &[])
    }

    /// The page of the navigation that it is, or stands under.
    #[must_use]
    pub fn under(self) -> &'static str {
        match self.0.stands {
            Stands::In(_) => self.0.name,
            Stands::Under(page) => page,
        }
    }

    /// Its group in the navigation and what it is called there, in the language of `locale`; none if it stands under another.
    #[must_use]
    pub fn navigation(self, locale: &str) -> Option<(String, String)> {
        let word = |key: &str| Words::of(locale).get(key).to_owned();
        match self.0.stands {
            Stands::In(group) => Some((word(group), word(&format!("nav-{}", self.0.name)))),
            Stands::Under(_) => None,
        }
    }

    /// Whether a panel in another program may show it, for which a key speaks.
    #[must_use]
    pub fn is_remote(self) -> bool {
        self.0.remote
    }

    /// The Content-Security-Policy of the page where it is not [`look::csp`]: to be set before [`crate::http::harden`].
    #[must_use]
    pub fn csp(self) -> Option<String> {
        (self.0.name == inbox::MAIL.name).then(|| format!("{}; frame-src 'self'", look::csp()))
    }
}

/// What was done on these pages, by the name of its operation in the audit, in the language of `locale`.
#[must_use]
pub fn operation(name: &str, locale: &str) -> Option<String> {
    let key = format!("did-{name}");
    let said = Words::of(locale).get(&key);
    (said != key).then(|| said.to_owned())
}

impl Host {
    /// The pages of the navigation that are for this caller.
    #[must_use]
    pub fn operator_pages(&self, caller: &Caller) -> Vec<OperatorPage> {
        let shown = |page: &&Page| matches!(page.stands, Stands::In(_)) && (page.who)(self, caller).is_ok();
        PAGES.into_iter().filter(shown).map(OperatorPage).collect()
    }

    /// Draws one of the operator's pages, for a caller whom the embedder lets see it. `arguments` are those of its address.
    /// `surface.submit_url` is that address itself: a form that is done leads back there. `start` is the command that starts
    /// what sends mail and webhooks, to be said where it has stopped; empty: none is said.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Denied`] where the page is for who reaches everybody, [`crate::Failure::NotFound`] for a mail
    /// that there is not, or not for him, and for an inbox where there is none.
    pub fn operator_page(
        &self,
        caller: &Caller,
        page: OperatorPage,
        arguments: &[(String, String)],
        surface: &Surface<'_>,
        start: &str,
    ) -> Result<view::Page, CallError> {
        (page.0.who)(self, caller)?;
        (page.0.draw)(&Asked { arguments, start, ..self.asked(caller, surface) })
    }

    fn asked<'a>(&'a self, caller: &'a Caller, surface: &'a Surface<'a>) -> Asked<'a> {
        let words = Words::of(&caller.locale);
        Asked { host: self, caller, arguments: &[], surface, start: "", words, now: now() }
    }

    /// That nobody sends mail, since when, and `start`: the command that makes somebody do so. For the top of any page of who runs
    /// the panel; empty where somebody sends, where no mail goes out at all, and where nobody can know.
    #[must_use]
    pub fn stopped_banner(&self, caller: &Caller, start: &str, surface: &Surface<'_>) -> Markup {
        let Some(notice) = outbox::stopped(&Asked { start, ..self.asked(caller, surface) }) else {
            return Markup::default();
        };
        self.framed_own(caller, place("stopped"), surface, |frame| {
            let mut painter = Painter::new(frame, 2);
            painter.notice(&notice);
            painter.html.done()
        })
    }

    /// Runs a form of the operator's pages, for a caller whom the embedder lets use them.
    ///
    /// # Errors
    /// [`SubmitError`]; [`FormError::Foreign`] for what is not a form of these pages.
    pub fn operator_submit(
        &self,
        caller: &Caller,
        form: PostedForm<'_>,
        surface: &Surface<'_>,
    ) -> Result<Submitted, SubmitError> {
        let submission = match form.read {
            Ok(Posted::Submission(submission)) if submission.plugin == OWN => submission,
            Err(stale) if stale.corrections.plugin() == OWN => return Ok(Submitted::Stale(stale)),
            Ok(_) | Err(_) => return Err(FormError::Foreign.into()),
        };
        let OperatorPage(page) =
            OperatorPage::named(&submission.action).ok_or(FormError::Malformed("no such action"))?;
        (page.who)(self, caller)?;
        let asked = self.asked(caller, surface);
        (page.act)(&Pressed { asked, submission: &submission, body: form.body })
    }
}

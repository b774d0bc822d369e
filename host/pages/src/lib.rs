//! Plugins in a panel's pages: the functions with which a panel shows a page or a slot, and passes on a posted form. Forms post
//! to their own page, so that the panel draws it again when something was wrong.

#![deny(missing_docs)]

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use keyturn_contract::exports::keyturn::ui::views::{Answer, Input as WitInput};
use keyturn_core::accounts::{AccountId, Field};
use keyturn_core::caller::{Actor, Caller, OWN, STEP_UP_MS};
use keyturn_core::time::now;
use keyturn_core::words::Words;
use keyturn_runtime::admit::Plugin;
use keyturn_runtime::call::Answered;
use keyturn_runtime::call::views::FormAnswer;
use keyturn_runtime::roster::Maker;
use keyturn_runtime::{CallError, Failure};
use keyturn_ui::form::joined::{self, Joined, Unready};
use keyturn_ui::form::{self, FormError, Input, Posted, Stale, Wished};
use keyturn_ui::html::Markup;
use keyturn_ui::nodes::{AccountField, Node, Outcome, View};
use keyturn_ui::{Corrections, FieldError, Frame, Page, Place, Region, Row, ViewError};
use keyturn_work::Work;

/// The cookie that carries a notice over a redirect; sealed, and shown once.
pub const NOTICE_COOKIE: &str = "kt-notice";

pub use keyturn_ui::Surface;
pub use keyturn_ui::look::QUIET_HEADER;

/// The result of a form.
pub enum Submitted {
    /// Done: redirect there by 303, with the notice in the cookie [`NOTICE_COOKIE`].
    Done {
        /// Where to.
        url: String,
        /// For [`Pages::notice`].
        notice: String,
        /// The caller's own new epoch, if this replaced their password: give them a new session with it, or they are signed out
        /// like their other sessions.
        own_epoch: Option<String>,
    },
    /// To be drawn this once, with `Cache-Control: no-store`; never again.
    Reveal(Page),
    /// For the script: the strength of a password, or a generated one; JSON, with `Cache-Control: no-store`.
    Script(Zeroizing<String>),
    /// The caller must confirm their identity again. Nothing was run. Ask for their password or second factor, on a form of the
    /// panel's own that carries this text. Afterwards pass it to [`Pages::held`] and submit the result: it is sealed, for this
    /// session only, and valid for a quarter of an hour.
    StepUp(String),
    /// Something was wrong: draw the page again with these, with status 422.
    Again(Corrections),
    /// The session has ended, or the form is too old: nothing was run, and only secrets are lost.
    Stale(Box<Stale>),
}

/// Why a form came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Not a form of ours, or not for this session.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A posted form, unsealed: [`Pages::read_form`] does it once, and the function that runs it takes this.
pub struct PostedForm<'b> {
    /// What it asks for, or that it came too late.
    pub read: Result<Posted, Box<Stale>>,
    /// As it came.
    pub body: &'b [u8],
}

impl PostedForm<'_> {
    /// The form's author: a plugin, the panel with its own name, or the host, [`OWN`], for the operator's pages.
    pub fn plugin(&self) -> &str {
        match &self.read {
            Ok(Posted::Submission(submission)) => &submission.plugin,
            Ok(Posted::Wish(wish)) => &wish.submission.plugin,
            Err(stale) => &stale.corrections.plugin,
        }
    }
}

/// A notice on its way over a redirect.
#[derive(Serialize, Deserialize)]
struct Notice {
    plugin: String,
    outcome: Outcome,
    until: i64,
    /// Of the form that was sent.
    user_name: Option<String>,
}

/// How often a page is drawn until its plugin's text and its emails are of the same moment.
const IN_STEP: u32 = 5;
/// Milliseconds from when a mail's change is dated until it is written, on a machine that has much to do. An email that changed
/// longer ago is as the plugin saw it.
const WRITTEN_WITHIN: i64 = 10_000;

/// Milliseconds in which the redirect must arrive.
const NOTICE_LIFETIME: i64 = 60_000;

/// A field of an account, where the reader may see it.
type AccountFields<'a> = &'a dyn Fn(&str, AccountField) -> Option<String>;
/// What became of a mail, where the reader may know it.
type Deliveries<'a> = &'a dyn Fn(&str) -> Option<keyturn_ui::Delivery>;

/// Plugins' pages in a panel's. Cheap to clone; every method may block on the disk or on a hash, so call it from a thread
/// that may.
#[derive(Clone)]
pub struct Pages(Work);

impl From<Work> for Pages {
    fn from(work: Work) -> Self {
        Self(work)
    }
}

/// Plugins, hooks, accounts, and what waits to be done.
impl Deref for Pages {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.0
    }
}

impl Pages {
    fn plugin(&self, name: &str) -> Result<Arc<Plugin>, CallError> {
        let roster = self.roster();
        roster.admitted.get(name).cloned().ok_or_else(|| match roster.left_out.contains_key(name) {
            true => CallError::LeftOut { plugin: name.to_owned() },
            false => CallError::NoSuch(format!("plugin {name}")),
        })
    }

    /// Draws with everything that a frame needs. Readers see only the account fields of accounts that they reach. Anonymous
    /// readers see only what the plugin itself may read, or a hostile page would show a stranger anybody's address.
    fn framed<T>(&self, plugin: &Plugin, place: Place, surface: &Surface<'_>, draw: impl FnOnce(&Frame<'_>) -> T) -> T {
        let caller = surface.caller;
        let account = |name: &str, field: AccountField| {
            let id: AccountId = name.parse().ok()?;
            let rights = plugin.authority.accounts.as_ref()?;
            let field = match field {
                AccountField::Name => Field::Name,
                AccountField::Login => Field::Login,
                AccountField::Email => Field::Email,
            };
            let shown = rights.realms.contains(id.realm())
                && (caller.actor != Actor::Anonymous || rights.read.contains(&field));
            let known = self.storage.account(&id).ok().flatten().filter(|_| shown)?;
            if caller.reaches(&known.account) { known.account.value(field).map(str::to_owned) } else { None }
        };
        let mail = |mail: &str| self.delivery(plugin, caller, mail);
        draw(&Frame {
            speaks_for_panel: plugin.authority.speaks_for_panel,
            may_input: plugin.authority.input,
            may_passwords: plugin.authority.passwords,
            ..self.frame(&plugin.name, place, surface, &account, &mail)
        })
    }

    /// Draws what the host itself says, under the name [`OWN`], or the panel, under a name that no plugin can have: it tells
    /// whose the forms are.
    pub fn framed_own<T>(
        &self,
        name: &str,
        place: Place,
        surface: &Surface<'_>,
        draw: impl FnOnce(&Frame<'_>) -> T,
    ) -> T {
        let mail = |id: &str| {
            let mail = self.storage.mail(&id.parse().ok()?).ok().flatten()?;
            self.delivery_of(&mail, surface.caller)
        };
        draw(&self.frame(name, place, surface, &|_, _| None, &mail))
    }

    /// A frame for the host's or the panel's own.
    fn frame<'a>(
        &'a self,
        name: &'a str,
        place: Place,
        surface: &Surface<'a>,
        account: AccountFields<'a>,
        mail: Deliveries<'a>,
    ) -> Frame<'a> {
        let brand = self.brand();
        Frame {
            plugin: name,
            speaks_for_panel: true,
            may_input: true,
            may_passwords: true,
            place,
            surface: *surface,
            brand,
            zone: brand.zone.clone(),
            now: now(),
            account,
            mail,
            keys: &self.keys,
        }
    }

    /// A plugin's page.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn page(
        &self,
        plugin: &str,
        page: &str,
        subject: Option<&AccountId>,
        arguments: &[(String, String)],
        surface: &Surface<'_>,
    ) -> Result<Page, CallError> {
        self.page_as(plugin, page, subject, arguments, surface, keyturn_ui::draw_view)
    }

    /// A plugin's page, drawn as `draw` does it.
    pub fn page_as<T>(
        &self,
        plugin: &str,
        page: &str,
        subject: Option<&AccountId>,
        arguments: &[(String, String)],
        surface: &Surface<'_>,
        draw: impl Fn(&View, &Frame<'_>) -> Result<T, ViewError>,
    ) -> Result<T, CallError> {
        let plugin = self.plugin(plugin)?;
        let place = Place::Page { name: page.to_owned(), subject: subject.cloned(), arguments: arguments.to_vec() };
        let ask = || self.ask_page(&plugin, page, subject, None, arguments, surface.caller);
        let draw = |view: &View| self.drawn(&plugin, place.clone(), surface, |frame| draw(view, frame));
        self.in_step(&plugin, surface.caller, ask, |view| &view.nodes, draw)
    }

    /// Asks a plugin and draws its view; again, until no email in it changed between the two: its text would contradict the
    /// email's state. At most [`IN_STEP`] times: then the last one is shown.
    fn in_step<V, T>(
        &self,
        plugin: &Plugin,
        caller: &Caller,
        ask: impl Fn() -> Result<V, CallError>,
        nodes: impl Fn(&V) -> &[Node],
        draw: impl Fn(&V) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let (mut times, mut before) = (1, None);
        loop {
            let began = now();
            let said = ask()?;
            let drawn = draw(&said)?;
            let state = |node: &Node| match node {
                Node::Delivery(delivery) => self.delivery(plugin, caller, &delivery.mail),
                _ => None,
            };
            let mails = nodes(&said).iter().filter_map(state);
            let after: Vec<_> = mails.map(|mail| (mail.state, mail.attempts, mail.changed_at)).collect();
            let long_ago = after.iter().all(|(_, _, changed_at)| *changed_at < began - WRITTEN_WITHIN);
            if times == IN_STEP || long_ago || before.as_ref() == Some(&after) {
                return Ok(drawn);
            }
            (times, before) = (times + 1, Some(after));
        }
    }

    /// A link page; always drawn for an anonymous reader. `whose`: what the link says of the plugin that made it.
    pub fn link_page(
        &self,
        page: &str,
        whose: Option<&str>,
        token: &str,
        surface: &Surface<'_>,
    ) -> Result<Page, CallError> {
        let plugin = match self.roster().maker(page, whose) {
            Maker::Admitted(plugin) => plugin,
            Maker::LeftOut(plugin) => return Err(CallError::LeftOut { plugin }),
            Maker::Unknown => return Err(CallError::NoSuch(format!("link page {page}"))),
        };
        let view = self.ask_page(&plugin, page, None, Some(token), &[], surface.caller)?;
        let place = Place::Link { page: page.to_owned(), token: token.to_owned().into() };
        self.drawn(&plugin, place, surface, |frame| keyturn_ui::draw_view(&view, frame))
    }

    /// Draws what a plugin says; what it may not say is its own error.
    fn drawn<T>(
        &self,
        plugin: &Plugin,
        place: Place,
        surface: &Surface<'_>,
        draw: impl FnOnce(&Frame<'_>) -> Result<T, ViewError>,
    ) -> Result<T, CallError> {
        self.framed(plugin, place, surface, draw).map_err(|cause| CallError::view(plugin, cause))
    }

    /// What all plugins show in a slot for one subject, under headings of `level` 2 or 3. One that fails leaves a quiet
    /// line with the request's id; the page stands.
    pub fn slot(&self, slot: &str, subject: Option<&AccountId>, level: u8, surface: &Surface<'_>) -> Region {
        let mut html = keyturn_ui::html::Html::new();
        let mut summary = keyturn_ui::Summary::default();
        let drawn = self.slot_as(slot, subject, surface, |nodes, frame| keyturn_ui::draw_region(nodes, frame, level));
        let quiet = |Broken| Region { html: broken(surface.caller), summary: Default::default() };
        for region in drawn.into_iter().map(|drawn| drawn.unwrap_or_else(quiet)) {
            html.markup(&region.html);
            summary = summary.and(region.summary);
        }
        Region { html: html.done(), summary }
    }

    /// What each plugin shows in a slot, drawn as `draw` does it.
    pub fn slot_as<T>(
        &self,
        slot: &str,
        subject: Option<&AccountId>,
        surface: &Surface<'_>,
        draw: impl Fn(&[Node], &Frame<'_>) -> Result<T, ViewError>,
    ) -> Vec<Result<T, Broken>> {
        let of_plugin = |plugin: Arc<Plugin>| {
            let place = Place::Slot { name: slot.to_owned(), subject: subject.cloned() };
            let ask = || {
                let regions = self.ask_slots(&plugin, slot, &[subject.cloned()], surface.caller);
                regions.map(|mut regions| regions.pop().unwrap_or_default())
            };
            let draw = |nodes: &Vec<Node>| self.drawn(&plugin, place.clone(), surface, |frame| draw(nodes, frame));
            let drawn = self.in_step(&plugin, surface.caller, ask, |nodes| nodes, draw);
            drawn.map_err(|error| Broken::logged(&plugin, slot, surface.caller, &error))
        };
        self.plugins_with(slot).into_iter().map(of_plugin).collect()
    }

    /// What all plugins show in the rows of a list of accounts, at most a hundred: one call a plugin for all of them.
    pub fn rows(&self, slot: &str, subjects: &[AccountId], surface: &Surface<'_>) -> Vec<Vec<Row>> {
        let quiet = |Broken| Row { sentence: broken(surface.caller), actions: Markup::text("") };
        let rows = self.rows_as(slot, subjects, surface, keyturn_ui::draw_row);
        rows.into_iter().map(|row| row.into_iter().map(|drawn| drawn.unwrap_or_else(quiet)).collect()).collect()
    }

    /// What each plugin shows in the rows of a list, drawn as `draw` does it; one that fails says so in the first row.
    pub fn rows_as<T>(
        &self,
        slot: &str,
        subjects: &[AccountId],
        surface: &Surface<'_>,
        draw: impl Fn(&[Node], &Frame<'_>) -> Result<T, ViewError>,
    ) -> Vec<Vec<Result<T, Broken>>> {
        let mut rows: Vec<Vec<Result<T, Broken>>> = subjects.iter().map(|_| Vec::new()).collect();
        let named: Vec<Option<AccountId>> = subjects.iter().cloned().map(Some).collect();
        for plugin in self.plugins_with(slot) {
            let drawn = self.ask_slots(&plugin, slot, &named, surface.caller).and_then(|regions| {
                let drawn = regions.iter().zip(subjects).map(|(nodes, subject)| {
                    let place = Place::Slot { name: slot.to_owned(), subject: Some(subject.clone()) };
                    self.drawn(&plugin, place, surface, |frame| draw(nodes, frame))
                });
                drawn.collect::<Result<Vec<T>, CallError>>()
            });
            match drawn {
                Ok(drawn) => rows.iter_mut().zip(drawn).for_each(|(rows, row)| rows.push(Ok(row))),
                Err(error) => {
                    let broken = Broken::logged(&plugin, slot, surface.caller, &error);
                    rows.iter_mut().take(1).for_each(|first| first.push(Err(broken)));
                }
            }
        }
        rows
    }

    fn plugins_with(&self, slot: &str) -> Vec<Arc<Plugin>> {
        let mut plugins = self.plugins();
        plugins.retain(|plugin| plugin.manifest.slots.iter().any(|row| row.name == slot));
        plugins
    }

    /// Reads a posted form against what was sealed. If a page has forms of several authors, [`PostedForm::plugin`] names the
    /// author; pass it to [`Pages::submit_form`], to `operator_submit`, or to the panel's own code.
    ///
    /// # Errors
    /// [`FormError`]; a form that came too late is no error: [`PostedForm::read`] has it.
    pub fn read_form<'b>(&self, caller: &Caller, body: &'b [u8]) -> Result<PostedForm<'b>, FormError> {
        let read = match form::read(body, &self.keys, caller, now()) {
            Err(FormError::Stale(stale)) => Err(stale),
            read => Ok(read?),
        };
        Ok(PostedForm { read, body })
    }

    /// Reads a plugin's form and runs it.
    ///
    /// # Errors
    /// As of [`Pages::submit_form`]; [`FormError`] for what is no form of this session.
    pub fn submit(&self, body: &[u8], surface: &Surface<'_>) -> Result<Submitted, SubmitError> {
        self.submit_form(self.read_form(surface.caller, body)?, surface)
    }

    /// Runs a plugin's form: asks the plugin, commits, and says what to show.
    ///
    /// # Errors
    /// [`SubmitError`]; what is wrong with fields, or refused by a rule, is no error but [`Submitted::Again`].
    pub fn submit_form(&self, form: PostedForm<'_>, surface: &Surface<'_>) -> Result<Submitted, SubmitError> {
        let submission = match form.read {
            Ok(Posted::Submission(submission)) => submission,
            Ok(Posted::Wish(wish)) => return Ok(self.grant(surface.caller, &wish)?),
            Err(stale) => return Ok(Submitted::Stale(stale)),
        };
        if !submission.problems.is_empty() {
            return Ok(Submitted::Again(submission.corrections(submission.problems.clone(), None)));
        }
        self.run(&submission, form.body, surface)
    }

    fn run(&self, submission: &form::Submission, body: &[u8], surface: &Surface<'_>) -> Result<Submitted, SubmitError> {
        let plugin = self.plugin(&submission.plugin)?;
        let key = (submission.key.clone(), self.keys.mac("form body", &[body]));
        let (caller, words) = (surface.caller, Words::of(&surface.caller.locale));
        let again = |errors, message| Ok(Submitted::Again(submission.corrections(errors, message)));
        match self.ask(&plugin, &submission.action, submission, Some(key), caller) {
            Ok((Some(Answer::Done((target, outcome))), own_epoch)) => Ok(Submitted::Done {
                url: surface.links.url(&plugin.name, &target),
                notice: self.seal_notice(&plugin.name, outcome, caller, submission.user_name.clone()),
                own_epoch,
            }),
            Ok((Some(Answer::Reveal(view)), _)) => {
                let draw = |frame: &Frame<'_>| keyturn_ui::draw_view(&view, frame);
                Ok(Submitted::Reveal(self.drawn(&plugin, submission.place.clone(), surface, draw)?))
            }
            Ok((None, _)) => again(Vec::new(), Some(words.get("already-shown").to_owned())),
            Ok((Some(Answer::Rate(strength)), _)) => {
                Ok(Submitted::Script(form::rate_answer(&strength, &caller.locale)))
            }
            Ok((Some(Answer::Generated(password)), _)) => {
                Ok(Submitted::Script(form::generated_answer(&Zeroizing::new(password))))
            }
            Err(CallError::StepUp { .. }) => Ok(Submitted::StepUp(self.hold(caller, body))),
            Err(CallError::Failed(Failure::Invalid(errors))) => {
                let errors = errors.into_iter().map(|error| FieldError { field: error.field, message: error.message });
                again(errors.collect(), None)
            }
            Err(CallError::Failed(Failure::Refused(refusal))) => again(Vec::new(), Some(refusal.message)),
            // The link has expired: its page says so, before anything else.
            Err(CallError::Failed(Failure::Expired)) if submission.place.token().is_some() => again(Vec::new(), None),
            Err(CallError::Failed(Failure::Throttled(seconds))) => {
                let time = words.duration(u64::from(seconds));
                again(Vec::new(), Some(words.fill("wait", &[("time", &time)])))
            }
            // Somebody went back to a form that was sent, and changed it: drawn again, it has a key of its own.
            Err(CallError::KeyReused) => again(Vec::new(), Some(words.get("form-used").to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks a plugin for an operation with what was posted.
    fn ask(
        &self,
        plugin: &Arc<Plugin>,
        operation: &str,
        posted: &form::Submission,
        key: Option<(String, [u8; 32])>,
        caller: &Caller,
    ) -> Answered<FormAnswer> {
        let inputs = wit_inputs(&posted.inputs);
        self.ask_submit(plugin, operation, posted.subject.as_ref(), posted.place.token(), &inputs.0, key, caller)
    }

    /// Reads what was posted together from a page that has one form for several, see [`form::joined`].
    ///
    /// # Errors
    /// [`FormError`].
    pub fn joined(&self, caller: &Caller, body: &[u8]) -> Result<Result<Joined, Box<Submitted>>, SubmitError> {
        Ok(match joined::read(body, &self.keys, caller, now())? {
            Ok(joined) => Ok(joined),
            Err(Unready::Again(corrections)) => Err(Submitted::Again(*corrections)),
            Err(Unready::Stale(stale)) => Err(Submitted::Stale(stale)),
            Err(Unready::Generate(wish, beside)) => match self.grant(caller, &wish)? {
                Submitted::Again(corrections) => Err(Submitted::Again(corrections.and(beside))),
                answer => Err(answer),
            },
        }
        .map_err(Box::new))
    }

    /// Runs the plugins' parts that were changed, in their order, up to the first that is not done; `own` is the name of the
    /// panel's own part, which the panel runs when all of these are [`Submitted::Done`]. If none was changed, the result is
    /// empty. `body` is kept whole if the caller must confirm their identity.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit_joined(
        &self,
        joined: &Joined,
        own: &str,
        body: &[u8],
        surface: &Surface<'_>,
    ) -> Result<Vec<Submitted>, SubmitError> {
        let words = Words::of(&surface.caller.locale);
        let mut answers = Vec::new();
        let parts = &joined.parts;
        for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.submission.plugin != own) {
            let answer = match self.run(&part.submission, &part.body, surface)? {
                Submitted::StepUp(_) => Submitted::StepUp(self.hold(surface.caller, body)),
                Submitted::Again(corrections) => {
                    // The plugins' before it are done, and drawn as they are now.
                    let others = parts.iter().enumerate();
                    let waiting = others.filter(|(n, other)| *n > at || other.submission.plugin == own);
                    let kept = waiting.map(|(_, other)| other.submission.kept(words));
                    Submitted::Again(corrections.and(kept))
                }
                answer => answer,
            };
            let done = matches!(answer, Submitted::Done { .. });
            answers.push(answer);
            if !done {
                break;
            }
        }
        Ok(answers)
    }

    fn held_place(caller: &Caller) -> [String; 3] {
        ["held form".to_owned(), caller.actor.name(), caller.session.clone()]
    }

    /// Seals a posted form until its caller has confirmed their identity; [`Submitted::StepUp`] carries it.
    pub fn hold(&self, caller: &Caller, body: &[u8]) -> String {
        let held = Zeroizing::new([&now().to_be_bytes()[..], body].concat());
        self.keys.seal_text(&Self::held_place(caller), &held)
    }

    /// The body of a form that waited for its caller's confirmation: submit it as if it were posted again.
    ///
    /// # Errors
    /// [`FormError::Foreign`] for what was not held for this session, or too long ago.
    pub fn held(&self, caller: &Caller, held: &str) -> Result<Zeroizing<Vec<u8>>, FormError> {
        let held = self.keys.open_text(&Self::held_place(caller), held).map_err(|_| FormError::Foreign)?;
        let (at, body) = held.split_first_chunk::<8>().ok_or(FormError::Foreign)?;
        if now().saturating_sub(i64::from_be_bytes(*at)) > STEP_UP_MS {
            return Err(FormError::Foreign);
        }
        Ok(Zeroizing::new(body.to_vec()))
    }

    /// A password's strength, or a generated password: for the script unchanged, else shown beside its field in the form as it
    /// was typed.
    fn grant(&self, caller: &Caller, wish: &form::Wish) -> Result<Submitted, CallError> {
        let submission = &wish.submission;
        let plugin = self.plugin(&submission.plugin)?;
        let (answer, _) = self.ask(&plugin, &wish.operation, submission, None, caller)?;
        match (wish.of, answer) {
            (Wished::Rating, Some(Answer::Rate(strength))) => {
                Ok(Submitted::Script(form::rate_answer(&strength, &caller.locale)))
            }
            (Wished::Rating, _) => Err(CallError::view(&plugin, "no rate for a rate")),
            (Wished::Password { script: true }, Some(Answer::Generated(password))) => {
                Ok(Submitted::Script(form::generated_answer(&Zeroizing::new(password))))
            }
            (Wished::Password { .. }, Some(Answer::Generated(password))) => {
                let password = Zeroizing::new(password);
                let mut corrections = submission.corrections(Vec::new(), None);
                corrections.generated = Some(Box::new(form::Generated { field: wish.field.clone(), password }));
                Ok(Submitted::Again(corrections))
            }
            _ => Err(CallError::view(&plugin, "no password where one was to be generated")),
        }
    }

    /// Seals an outcome for the cookie [`NOTICE_COOKIE`], valid for one minute and for this caller; [`Pages::notice`] draws it.
    /// `user_name`: as the form has shown it.
    pub fn seal_notice(&self, plugin: &str, outcome: Outcome, caller: &Caller, user_name: Option<String>) -> String {
        let notice = Notice { plugin: plugin.to_owned(), outcome, until: now() + NOTICE_LIFETIME, user_name };
        let json = serde_json::to_vec(&notice).unwrap_or_default();
        self.keys.seal_text(&["notice", &caller.actor.name()], &json)
    }

    fn open_notice(&self, caller: &Caller, sealed: &str) -> Option<Notice> {
        let json = self.keys.open_text(&["notice", &caller.actor.name()], sealed).ok()?;
        serde_json::from_slice(&json).ok().filter(|notice: &Notice| notice.until > now())
    }

    /// The user name, if the form of this notice has shown it: to be filled in on the sign-in page, where people arrive who
    /// have just chosen a password.
    pub fn noticed_user_name(&self, caller: &Caller, sealed: &str) -> Option<String> {
        self.open_notice(caller, sealed)?.user_name
    }

    /// Draws the notice of the cookie [`NOTICE_COOKIE`], to stand before the page's h1; none if it is not for this
    /// caller, or too late. Take the cookie away with the same answer.
    pub fn notice(&self, sealed: &str, surface: &Surface<'_>) -> Option<Markup> {
        let notice = self.open_notice(surface.caller, sealed)?;
        let place = Place::Slot { name: "notice".to_owned(), subject: None };
        let draw = |frame: &Frame<'_>| keyturn_ui::draw_outcome(&notice.outcome, frame).ok();
        if notice.plugin == OWN {
            return self.framed_own(OWN, place, surface, draw);
        }
        let plugin = self.plugin(&notice.plugin).ok()?;
        self.framed(&plugin, place, surface, draw)
    }
}

/// A plugin failed to show something; the log has the reason.
#[derive(Debug, Clone, Copy)]
pub struct Broken;

impl Broken {
    fn logged(plugin: &Plugin, slot: &str, caller: &Caller, error: &CallError) -> Self {
        tracing::error!(plugin = plugin.name, slot, request = caller.request, "{error}");
        Self
    }
}

fn broken(caller: &Caller) -> Markup {
    keyturn_ui::shell::parts::quiet(Words::of(&caller.locale).get("slot-broken"), &caller.request)
}

/// Inputs as a plugin is given them; passwords are wiped.
struct Given(Vec<(String, WitInput)>);

impl Drop for Given {
    fn drop(&mut self) {
        for (_, input) in &mut self.0 {
            if let WitInput::Password(password) = input {
                password.zeroize();
            }
        }
    }
}

fn wit_inputs(inputs: &[(String, Input)]) -> Given {
    let wit = |input: &Input| match input {
        Input::Text(text) => WitInput::Text(text.clone()),
        Input::Tick(tick) => WitInput::Tick(*tick),
        Input::Password(password) => WitInput::Password(password.to_string()),
    };
    Given(inputs.iter().map(|(name, input)| (name.clone(), wit(input))).collect())
}

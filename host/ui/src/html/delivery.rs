//! The life of an email: the plugin's own steps, and between them the outbox's, in the host's words.

use super::Attribute;
use super::nodes::Painter;
use crate::Delivery;
use keyturn_contract::keyturn::ui::nodes::{self, Action, Intent, Run, Step, StepState, Target, Value};
use keyturn_core::mail::{ATTEMPTS, MailState};

/// A step of the outbox.
struct Told {
    title: String,
    detail: Option<String>,
    said: Option<String>,
    state: StepState,
    at: Option<i64>,
}

impl Painter<'_> {
    /// The steps, first to last.
    pub fn delivery(&mut self, delivery: &nodes::Delivery) {
        let mail = (self.frame.mail)(&delivery.mail);
        self.html.class("ol", "kt-steps");
        delivery.before.iter().for_each(|step| self.step(step));
        match &mail {
            Some(mail) => self.told(mail).into_iter().for_each(|told| self.outbox_step(&told)),
            None => {
                let title = self.words.get("mail-not-shown").to_owned();
                self.outbox_step(&Told { title, detail: None, said: None, state: StepState::Ahead, at: None });
            }
        }
        delivery.after.iter().for_each(|step| self.step(step));
        self.html.close("ol");
    }

    /// Attributes of a part that is drawn with an email: its id, its state, and its id again if a success that was reported
    /// above is no longer one.
    pub fn live<'a>(id: &'a str, stands: &'a str, mail: &Delivery) -> [Attribute<'a>; 3] {
        [("data-kt-live", Some(id)), ("data-kt-said", Some(stands)), ("data-kt-bad", mail.troubled().then_some(id))]
    }

    /// An email's state in one sentence. The script asks for a part with `data-kt-live` again as long as [`Painter::again`] is
    /// in it, and redraws it when this sentence has changed.
    pub fn stands(&self, mail: &Delivery) -> String {
        let latest = self.latest(mail);
        let at = latest.at.map(|at| self.words.time(at, self.frame.now, &self.frame.zone));
        let title = at.map_or(latest.title.clone(), |at| format!("{}, {at}", latest.title));
        latest.detail.map_or_else(|| format!("{title}."), |detail| format!("{title}. {detail}"))
    }

    /// The actions for the email, beside the section's heading.
    pub fn delivery_actions(&mut self, delivery: &nodes::Delivery, mail: &Delivery) {
        let action = |word: &str, intent, target| Action {
            label: self.words.get(word).to_owned(),
            intent,
            run: Run::Go(target),
            unavailable: None,
        };
        let page = || Target::Mail(delivery.mail.clone());
        let mut actions = Vec::new();
        match (mail.state, &mail.account) {
            _ if !mail.may_mend => {}
            (MailState::Refused | MailState::GaveUp, Some(account)) if mail.whole => {
                // Once it is corrected, retrying is the next step.
                let (correct, retry) = match mail.moved {
                    true => (Intent::Neutral, Intent::Primary),
                    false => (Intent::Primary, Intent::Neutral),
                };
                actions.push(action("mail-correct", correct, Target::AccountDetails(account.to_string())));
                actions.push(action("mail-retry", retry, page()));
            }
            (MailState::Refused | MailState::GaveUp | MailState::Delayed, _) if mail.whole => {
                actions.push(action("mail-retry", Intent::Neutral, page()));
            }
            _ => actions.push(action("mail-view", Intent::Neutral, page())),
        }
        self.html.class("div", "kt-actions");
        self.again(mail);
        self.row_actions(&actions);
        self.html.close("div");
    }

    /// The way to see its progress, while it may change. No page reloads itself.
    pub fn again(&mut self, mail: &Delivery) {
        if mail.waits() {
            let attributes = [("class", Some("kt-button kt-again")), ("href", Some(self.frame.surface.submit_url))];
            self.html.element("a", &attributes, self.words.get("mail-again"));
        }
    }

    /// One sentence about an email's state, for a notice. A notice doesn't change, so while the state may change, it says only
    /// what stays true.
    pub fn became(&mut self, mail: &Delivery) {
        let [queued, latest] = self.told(mail);
        let said = if mail.waits() { queued } else { latest };
        self.html.class("p", "kt-text").text(&said.title).text(".");
        if let Some(detail) = said.detail {
            self.html.text(" ").text(&detail);
        }
        self.html.close("p");
    }

    /// The word for the heading above what was done, if its email has failed.
    pub fn failure(mail: &Delivery) -> &'static str {
        match (mail.state, mail.obstacle) {
            (MailState::Refused | MailState::GaveUp, None) => "mail-not-accepted",
            _ => "mail-not-sent",
        }
    }

    fn step(&mut self, step: &Step) {
        self.open_step(step.state);
        self.sentence(&step.title);
        self.close_title(step.at);
        if let Some(detail) = &step.detail {
            self.paragraph("kt-hint", detail);
        }
        self.html.close("li");
    }

    fn outbox_step(&mut self, told: &Told) {
        self.open_step(told.state);
        self.html.element("bdi", &[], &told.title);
        self.close_title(told.at);
        if let Some(detail) = &told.detail {
            self.html.element("p", &[("class", Some("kt-hint"))], detail);
        }
        if let Some(said) = &told.said {
            self.html.class("p", "kt-hint").element("code", &[("dir", Some("ltr"))], said).close("p");
        }
        self.html.close("li");
    }

    /// The state in words before the title, for people who can't see the mark.
    fn open_step(&mut self, state: StepState) {
        let (class, word) = match state {
            StepState::Done => ("kt-step kt-done", "step-done"),
            StepState::Waiting => ("kt-step kt-waiting", "step-waiting"),
            StepState::Failed => ("kt-step kt-failed", "step-failed"),
            StepState::Ahead => ("kt-step kt-ahead", "step-ahead"),
        };
        let word = self.words.get(word);
        self.html.class("li", class).class("p", "kt-step-title");
        self.html.element("span", &[("class", Some("kt-hidden"))], word).text(" ");
    }

    fn close_title(&mut self, at: Option<i64>) {
        self.html.close("p");
        if let Some(at) = at {
            self.html.class("p", "kt-step-at");
            // As a time, never as "5 minutes ago": people compare the steps.
            self.sentence(&[Value::Time(at)]);
            self.html.close("p");
        }
    }

    fn told(&self, mail: &Delivery) -> [Told; 2] {
        let words = self.words;
        // The address of an attempt is not stored, and the one on file may be another. Waiting emails go to that one.
        let known = !mail.moved || mail.waits();
        let to = mail.to.as_deref().filter(|_| known).unwrap_or_else(|| words.get("mail-to-somebody"));
        let title = words.fill("mail-queued", &[("address", to)]);
        let queued = Told { title, detail: None, said: None, state: StepState::Done, at: Some(mail.asked_at) };
        [queued, self.latest(mail)]
    }

    fn latest(&self, mail: &Delivery) -> Told {
        let words = self.words;
        let server = mail.server.as_deref().unwrap_or_else(|| words.get("mail-server"));
        let by = |key: &str| words.fill(key, &[("server", server)]);
        let said = || mail.said.clone();
        let at = Some(mail.changed_at);
        let moved = || mail.moved.then(|| words.get("mail-moved").to_owned());
        let obstacle = mail.obstacle.map(|obstacle| words.get(&format!("obstacle-{}", obstacle.name())).to_owned());
        let word = |key: &str| words.get(key).to_owned();
        let waiting = |title: String, detail| Told { title, detail, said: None, state: StepState::Waiting, at: None };
        let failed = |title: String, detail| Told { title, detail, said: said(), state: StepState::Failed, at };
        let done = |title, detail, said| Told { title, detail: Some(word(detail)), said, state: StepState::Done, at };
        match mail.state {
            MailState::Queued | MailState::Delayed if let Some(since) = mail.stopped => {
                let detail = words.stopped("outbox-stopped", since, self.frame.now, &self.frame.zone);
                Told { said: None, at: None, ..failed(word("outbox-stopped"), Some(detail)) }
            }
            MailState::Queued => waiting(word("mail-waiting"), None),
            MailState::Sending => waiting(by("mail-sending"), None),
            MailState::Accepted => match &mail.folder {
                Some(folder) => done(words.fill("mail-kept", &[("folder", folder)]), "mail-kept-detail", said()),
                None => done(by("mail-accepted"), "mail-accepted-detail", said()),
            },
            MailState::Delayed => {
                let next = mail.due.map(|due| words.time(due, self.frame.now, &self.frame.zone)).unwrap_or_default();
                let (n, most) = (mail.attempts.to_string(), ATTEMPTS.to_string());
                let next = words.fill("mail-next", &[("time", &next), ("n", &n), ("most", &most)]);
                let detail = obstacle.map_or(next.clone(), |obstacle| format!("{obstacle} {next}"));
                Told { said: said(), ..waiting(word("mail-delayed"), Some(detail)) }
            }
            MailState::Refused => match obstacle {
                Some(obstacle) => failed(word("mail-not-sent"), Some(obstacle)),
                None => failed(by("mail-refused"), moved()),
            },
            MailState::GaveUp => failed(word("mail-gave-up"), obstacle.or_else(moved)),
            MailState::Ended => failed(word("mail-ended"), Some(word("mail-ended-detail"))),
            MailState::Withdrawn => done(word("mail-withdrawn"), "mail-withdrawn-detail", None),
        }
    }
}

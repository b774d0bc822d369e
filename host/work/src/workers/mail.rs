//! Sends email. Each attempt draws it again, for the address then on file, with the same Message-ID. If a worker dies after a
//! server accepted an email, another one sends it again; a mailbox that knows the id shows it once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{LEASE_MS, Worker, pause};
use crate::work::Work;
use keyturn_core::accounts::Field;

use keyturn_mail::transport::{Attempt, Session, Transport, Verdict};
use keyturn_mail::{Mailbox, Message, address};
use keyturn_mail_settings::Outgoing;
use keyturn_store::outbox::{Filling, LeasedMail, MailState, Obstacle, Recipient, Settled};

/// A session with a server, and the settings that it uses.
struct Line {
    post: Arc<Outgoing>,
    transport: Arc<dyn Transport>,
    session: Box<dyn Session>,
}

impl Line {
    fn new(post: Arc<Outgoing>) -> Option<Self> {
        let transport = Arc::clone(post.transport.as_ref()?);
        let session = transport.session();
        Some(Self { post, transport, session })
    }
}

impl Worker<'_> {
    /// Sends emails, one after another.
    pub(super) fn send_mail(&self) {
        let operators = self.inner.mail.operators();
        let mut line = None::<Line>;
        self.work(
            &self.inner.bells.mail,
            || true,
            || {
                let post = self.inner.mail.outgoing();
                if line.as_ref().is_none_or(|line| !Arc::ptr_eq(&line.post, &post)) {
                    line = Line::new(post);
                }
                let Some(line) = &mut line else { return Ok(false) };
                // One at a time: a slow server delays only the email that it has.
                let mut next = self.inner.storage.lease_mail(1, LEASE_MS, operators)?.pop();
                let any = next.is_some();
                while let Some(leased) = next {
                    next = self.holding(&leased.lease, || self.deliver(line, &leased, operators));
                }
                Ok(any)
            },
        );
    }

    /// Makes one attempt. Returns the next email, if there is one that the same session can send.
    fn deliver(&self, line: &mut Line, leased: &LeasedMail, operators: Option<&str>) -> Option<LeasedMail> {
        if !self.may_go() {
            return None;
        }
        let attempt = || self.inner.attempt(line, leased, &|| self.shutdown.stopped());
        let settled = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
            tracing::error!(mail = leased.mail.id.as_str(), "sending an email crashed");
            // The session's state is unknown, so it isn't used again.
            line.session = line.transport.session();
            delayed(leased, None, Some(Obstacle::Broken))
        });
        let (storage, lease) = (&self.inner.storage, &leased.lease);
        let goes_on = !self.shutdown.stopped() && Arc::ptr_eq(&line.post, &self.inner.mail.outgoing());
        if goes_on {
            let write = || storage.settle_and_lease_mail(lease, &settled, LEASE_MS, operators);
            return self.settle("a mail", write).flatten();
        }
        self.settle("a mail", || Ok((storage.settle_mail(lease, &settled)?, ())));
        None
    }
}

/// A retry after a pause, or none.
fn delayed(leased: &LeasedMail, told: Option<(String, Attempt)>, obstacle: Option<Obstacle>) -> Settled {
    let again_in = pause(leased.mail.attempts);
    let state = if again_in.is_some() { MailState::Delayed } else { MailState::GaveUp };
    Settled { state, again_in, told, obstacle }
}

fn refused(obstacle: Obstacle) -> Settled {
    Settled { state: MailState::Refused, again_in: None, told: None, obstacle: Some(obstacle) }
}

impl Work {
    /// Makes one attempt, and returns the email's new state.
    fn attempt(&self, line: &mut Line, leased: &LeasedMail, stopped: &(dyn Fn() -> bool + Sync)) -> Settled {
        let mail = leased.mail.id.as_str();
        let filling = match &leased.filling {
            Ok(filling) => filling,
            Err(cause) => {
                tracing::error!(mail, "can't send an email: {cause}");
                return refused(Obstacle::Forged);
            }
        };
        let to = match self.mailbox(leased, filling) {
            Ok(to) => to,
            Err(obstacle) => return refused(obstacle),
        };
        let asked_at = leased.mail.asked_at;
        let drawn = match self.drawn(filling, leased.account.as_ref(), asked_at, false) {
            Ok(drawn) => drawn,
            Err(cause) => {
                tracing::error!(mail, template = leased.mail.template, "can't draw an email: {cause}");
                return delayed(leased, None, Some(Obstacle::Template));
            }
        };
        let (from, reply_to) = (line.post.from.clone(), line.post.reply_to.clone());
        let message = Message { message_id: filling.message_id.clone(), from, reply_to, to, date: asked_at, drawn };
        let attempt = line.session.send_unless(&message, stopped);
        let verdict = attempt.verdict;
        let told = Some((line.transport.name(), attempt));
        match verdict {
            Verdict::Accepted => Settled { state: MailState::Accepted, again_in: None, told, obstacle: None },
            Verdict::Refused => Settled { state: MailState::Refused, again_in: None, told, obstacle: None },
            Verdict::Delayed => delayed(leased, told, None),
        }
    }

    /// The address on file, as noted by the lease; or the earlier address, which the email itself has.
    fn mailbox(&self, leased: &LeasedMail, filling: &Filling) -> Result<Mailbox, Obstacle> {
        let (name, address) = match &leased.mail.to {
            Recipient::Account(_) => {
                let account = leased.account.as_ref().ok_or(Obstacle::NoAccount)?;
                // An unusable address is refused where the email is written, with the reason.
                let address = account.value(Field::Email).filter(|address| !address::is_blank(address));
                (account.value(Field::Name).unwrap_or_default(), address)
            }
            // Without the name on file: whoever has the account now may have written it.
            Recipient::Previous(_) => ("", filling.address.as_deref()),
            Recipient::Operators => ("", self.mail.operators()),
        };
        let address = address.ok_or(Obstacle::NoAddress)?;
        Ok(Mailbox { name: name.to_owned(), address: address.to_owned() })
    }
}

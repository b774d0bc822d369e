//! Mail goes out. It is drawn anew at each attempt, to the address then on file, under one Message-ID: a worker that died
//! after a server took it sends it again, and a mailbox that knows the id shows it once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{LEASE_MS, Worker, pause};
use crate::accounts::Field;
use crate::host::Inner;
use crate::mail::template::TemplateError;
use crate::mail::transport::{Session, Transport, Verdict};
use crate::mail::{Mailbox, Message, address};
use crate::storage::outbox::{Filling, LeasedMail, MailState, Obstacle, Recipient, Settled};

/// How mail goes out.
pub(crate) struct Post {
    /// What carries it away.
    pub(crate) transport: Arc<dyn Transport>,
    /// In whose name it goes.
    pub(crate) from: Mailbox,
    /// Where answers go; none: to the sender.
    pub(crate) reply_to: Option<Mailbox>,
    /// Mails that go at once.
    pub(crate) connections: usize,
}

impl Worker<'_> {
    /// Sends mails one after another.
    pub(super) fn send_mail(&self) {
        let Some(post) = &self.inner.post else { return };
        let operators = self.inner.operators.as_ref().map(|operators| operators.address.as_str());
        let mut session = post.transport.session();
        // One at a time: a slow server holds up no mail but the one that it has.
        let lease = || self.inner.storage.lease_mail(1, LEASE_MS, operators);
        self.work(lease, |leased| self.holding(&leased.lease.clone(), || self.deliver(post, &mut session, &leased)));
    }

    fn deliver(&self, post: &Post, session: &mut Box<dyn Session>, leased: &LeasedMail) {
        let attempt = || self.inner.attempt(post, session, leased);
        let settled = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
            tracing::error!(mail = leased.mail.id.as_str(), "sending a mail broke down");
            // Whatever state it was in, it is not to be trusted.
            *session = post.transport.session();
            delayed(leased, None, Some(Obstacle::Broken))
        });
        self.settle("a mail", || self.inner.storage.settle_mail(&leased.lease, &settled));
    }
}

/// Again after a pause, or never again.
fn delayed(
    leased: &LeasedMail,
    told: Option<(String, crate::mail::transport::Attempt)>,
    obstacle: Option<Obstacle>,
) -> Settled {
    let again_in = pause(leased.mail.attempts);
    let state = if again_in.is_some() { MailState::Delayed } else { MailState::GaveUp };
    Settled { state, again_in, told, obstacle }
}

fn refused(obstacle: Obstacle) -> Settled {
    Settled { state: MailState::Refused, again_in: None, told: None, obstacle: Some(obstacle) }
}

impl Inner {
    /// One attempt, and how the mail stands after it.
    fn attempt(&self, post: &Post, session: &mut Box<dyn Session>, leased: &LeasedMail) -> Settled {
        let mail = leased.mail.id.as_str();
        let filling = match &leased.filling {
            Ok(filling) => filling,
            Err(cause) => {
                tracing::error!(mail, "a mail is not sent: {cause}");
                return refused(Obstacle::Forged);
            }
        };
        let to = match self.mailbox(leased) {
            Ok(to) => to,
            Err(obstacle) => return refused(obstacle),
        };
        let message = match self.message(post, leased, filling, to) {
            Ok(message) => message,
            Err(cause) => {
                tracing::error!(mail, template = leased.mail.template, "a mail cannot be drawn: {cause}");
                return delayed(leased, None, Some(Obstacle::Template));
            }
        };
        let attempt = session.send(&message);
        let verdict = attempt.verdict;
        let told = Some((post.transport.name(), attempt));
        match verdict {
            Verdict::Accepted => Settled { state: MailState::Accepted, again_in: None, told, obstacle: None },
            Verdict::Refused => Settled { state: MailState::Refused, again_in: None, told, obstacle: None },
            Verdict::Delayed => delayed(leased, told, None),
        }
    }

    /// The address on file, as the lease has noted it.
    fn mailbox(&self, leased: &LeasedMail) -> Result<Mailbox, Obstacle> {
        let Recipient::Account(_) = leased.mail.to else {
            return self.operators.clone().ok_or(Obstacle::NoAddress);
        };
        let account = leased.account.as_ref().ok_or(Obstacle::NoAccount)?;
        let address = account.value(Field::Email).filter(|address| address::check(address).is_ok());
        let address = address.ok_or(Obstacle::NoAddress)?;
        let name = account.value(Field::Name).unwrap_or_default().to_owned();
        Ok(Mailbox { name, address: address.to_owned() })
    }

    fn message(
        &self,
        post: &Post,
        leased: &LeasedMail,
        filling: &Filling,
        to: Mailbox,
    ) -> Result<Message, TemplateError> {
        let drawn = self.drawn(filling, leased.account.as_ref(), leased.mail.asked_at, false)?;
        Ok(Message {
            message_id: filling.message_id.clone(),
            from: post.from.clone(),
            reply_to: post.reply_to.clone(),
            to,
            date: leased.mail.asked_at,
            locale: drawn.locale,
            subject: drawn.subject,
            text: drawn.text,
            html: drawn.html,
        })
    }
}

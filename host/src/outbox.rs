//! What pages and the command line see of the outbox, and what an operator does about it. Who may is the embedder's affair.

use crate::accounts::Field;
use crate::caller::{Actor, Caller};
use crate::host::Host;
use crate::plugin::admit::Plugin;
use crate::storage::outbox::{Mail, MailId, Recipient};
use crate::view::Delivery;

impl Host {
    /// What became of a plugin's mail, for whoever reaches its account. Nobody in particular learns nothing: that there was a
    /// mail would tell that there is an account.
    pub(crate) fn delivery(&self, plugin: &Plugin, caller: &Caller, id: &str) -> Option<Delivery> {
        let id: MailId = id.parse().ok()?;
        let mail = self.0.storage.mail(&id).ok().flatten().filter(|mail| mail.plugin == plugin.name)?;
        self.delivery_of(&mail, caller)
    }

    fn delivery_of(&self, mail: &Mail, caller: &Caller) -> Option<Delivery> {
        if caller.actor == Actor::Anonymous {
            return None;
        }
        let known = match &mail.to {
            Recipient::Account(id) => self.0.storage.account(id).ok()?.filter(|known| caller.reaches(&known.account)),
            Recipient::Operators => None,
        };
        // Who reaches everybody may see also what went to somebody who is gone.
        let everybody = matches!(caller.actor, Actor::Console | Actor::System);
        if known.is_none() && !everybody {
            return None;
        }
        let address = known.as_ref().and_then(|known| known.account.value(Field::Email));
        let own = mail.to.account().is_some_and(|id| caller.actor == Actor::Account(id.clone()));
        let last = mail.last.as_ref();
        Some(Delivery {
            state: mail.state,
            account: known.as_ref().map(|known| known.account.id.clone()),
            to: address.map(str::to_owned),
            asked_at: mail.asked_at,
            changed_at: mail.changed_at,
            due: mail.due,
            attempts: mail.attempts,
            server: last.map(|told| told.server.clone()),
            said: last.and_then(|told| told.attempt.steps.last()).map(|step| step.said.clone()),
            obstacle: mail.obstacle,
            whole: mail.whole,
            moved: mail.to.account().is_some() && self.moved(mail, address),
            may_mend: !own,
        })
    }

    /// Whether another address is on file than the latest attempt went to.
    fn moved(&self, mail: &Mail, address: Option<&str>) -> bool {
        match (&mail.address, address) {
            (Some(attempted), Some(address)) => mail.to.address_mac(&self.0.keys, address).as_slice() != attempted,
            (attempted, address) => attempted.is_some() != address.is_some() && attempted.is_some(),
        }
    }
}

//! Words that somebody who knows the account, or the place, would try.

use super::shape::canon;
use crate::bindings::accounts::Error;
use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::settings;
use crate::unicode::fold;

/// Shorter words stand in too many others.
const MIN_WORD: usize = 4;

/// Reduced words.
#[derive(Default)]
pub(crate) struct Context {
    /// Of the account: login, name, address.
    own: Vec<String>,
    /// Whether who reads the reasons manages the account: its name is not his.
    managed: bool,
    /// Of the place, as the operator wrote them and reduced.
    place: Vec<(String, String)>,
}

impl Context {
    pub(crate) fn of(ports: &dyn Ports, account: Option<&str>) -> Result<Self, Failure> {
        let mut context = Context::default();
        if let Some(account) = account {
            context.add_account(ports, account)?;
            context.managed = match ports.caller() {
                // Who holds a link, and so is its owner.
                Actor::Anonymous => false,
                Actor::Account(own) => own != account,
                Actor::ServiceKey(_) | Actor::Console | Actor::System => true,
            };
        }
        for word in settings::context_words(ports) {
            let key = reduced(&word);
            if is_long_enough(&key) {
                context.place.push((word, key));
            }
        }
        Ok(context)
    }

    /// One field after another when the operator does not grant all of them: each that can be read still counts.
    fn add_account(&mut self, ports: &dyn Ports, account: &str) -> Result<(), Failure> {
        const FIELDS: [&str; 3] = ["login", "name", "email"];
        let values = match ports.fields(account, &FIELDS) {
            Err(Error::Denied(_)) => FIELDS
                .iter()
                .map(|field| match ports.fields(account, &[field]) {
                    Ok(mut values) => Ok(values.pop().flatten()),
                    Err(Error::Denied(_)) => Ok(None),
                    Err(error) => Err(error),
                })
                .collect::<Result<Vec<_>, _>>()?,
            other => other?,
        };
        let mut values = values.into_iter();
        let mut next = || values.next().flatten().unwrap_or_default();
        let (login, name, email) = (next(), next(), next());
        self.add_words(&login);
        self.add_words(&name);
        let (local, domain) = email.rsplit_once('@').unwrap_or((&email, ""));
        self.add_words(local);
        // The last label says a country or that there is commerce, not whose it is.
        let labels = domain.rsplit_once('.').map_or("", |(labels, _)| labels);
        labels.split('.').for_each(|label| self.add_words(label));
        Ok(())
    }

    /// The whole, and each of its words.
    fn add_words(&mut self, text: &str) {
        let parts = text.split(|c: char| !c.is_alphanumeric());
        for word in std::iter::once(text).chain(parts) {
            let key = reduced(word);
            if is_long_enough(&key) && !self.own.contains(&key) {
                self.own.push(key);
            }
        }
    }

    pub(crate) fn is_managed(&self) -> bool {
        self.managed
    }

    pub(crate) fn names_owner(&self, password: &str) -> bool {
        self.own.iter().any(|word| password.contains(word.as_str()))
    }

    pub(crate) fn names_place(&self, password: &str) -> Option<&str> {
        self.place.iter().find(|(_, key)| password.contains(key.as_str())).map(|(word, _)| word.as_str())
    }
}

/// The form in which words and password are compared.
pub(crate) fn reduced(text: &str) -> String {
    canon(&fold(text))
}

fn is_long_enough(key: &str) -> bool {
    key.chars().count() >= MIN_WORD
}

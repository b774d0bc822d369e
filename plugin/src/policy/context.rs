//! Words that somebody who knows the account or the place would try.

use super::common::parts;
use super::shape::{WEAK_TRIM, canon, head, weight};
use crate::bindings::accounts::Error;
use crate::bindings::call::Actor;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::settings;
use crate::unicode::fold;
use zeroize::Zeroizing;

/// Shorter words occur in too many others, so they are not searched inside a password. A password that consists of them is
/// refused.
const MIN_WORD: usize = 4;

/// A single letter is not a word.
const MIN_PIECE: usize = 2;

/// The words, reduced.
#[derive(Default)]
pub(crate) struct Context {
    /// The account's login, name and address.
    own: Vec<String>,
    /// Whether a manager reads the reasons: then the name is not their own.
    managed: bool,
    /// The place's words.
    place: Vec<Place>,
}

/// The brand, or a word from the operator's list.
struct Place {
    /// As it is written.
    word: String,
    /// The whole, and each of its words.
    keys: Vec<String>,
    /// Whether no password may contain it. The brand may be part of a longer password.
    nowhere: bool,
}

impl Context {
    pub(crate) fn of(ports: &dyn Ports, account: Option<&str>) -> Result<Self, Failure> {
        let mut context = Context::default();
        if let Some(account) = account {
            context.add_account(ports, account)?;
            context.managed = match ports.caller() {
                // The holder of a link is the owner.
                Actor::Anonymous => false,
                Actor::Account(own) => own != account,
                Actor::ServiceKey(_) | Actor::Console | Actor::System => true,
            };
        }
        let listed = settings::context_words(ports).into_iter().map(|word| (word, true));
        for (word, nowhere) in listed.chain([(settings::brand(ports), false)]) {
            context.place.push(Place { keys: keys(&word), word, nowhere });
        }
        Ok(context)
    }

    /// Reads fields one by one, because the operator may grant only some: each readable one counts.
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
        // The last label names a country or a kind of business, not the owner.
        let labels = domain.rsplit_once('.').map_or("", |(labels, _)| labels);
        labels.split('.').for_each(|label| self.add_words(label));
        Ok(())
    }

    fn add_words(&mut self, text: &str) {
        for key in keys(text) {
            if !self.own.contains(&key) {
                self.own.push(key);
            }
        }
    }

    pub(crate) fn is_managed(&self) -> bool {
        self.managed
    }

    /// `folded`: without case and accents.
    pub(crate) fn names_owner(&self, folded: &str) -> bool {
        let reduced = Zeroizing::new(canon(folded));
        self.own.iter().any(|key| stands_in(key, &reduced)) || is_made_of(folded, &self.own)
    }

    /// `folded`: without case and accents.
    pub(crate) fn names_place(&self, folded: &str) -> Option<&str> {
        let reduced = Zeroizing::new(canon(folded));
        let stands =
            |place: &Place| place.nowhere && place.keys.first().is_some_and(|whole| stands_in(whole, &reduced));
        let named = self.place.iter().find(|place| stands(place) || is_made_of(folded, &place.keys));
        named.map(|place| place.word.as_str())
    }
}

/// The whole text and each of its words, in the form for comparison.
fn keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for word in std::iter::once(text).chain(text.split(|c: char| !c.is_alphanumeric())) {
        let key = canon(&fold(word));
        if key.chars().count() >= MIN_PIECE && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn stands_in(key: &str, reduced: &str) -> bool {
    key.chars().count() >= MIN_WORD && reduced.contains(key)
}

/// Whether it is little more than these words, once or repeated, with something around or between.
fn is_made_of(folded: &str, keys: &[String]) -> bool {
    parts(head(folded)).any(|part| {
        let whole = Zeroizing::new(canon(part));
        let mut rest = Zeroizing::new(whole.to_string());
        for key in keys {
            rest = Zeroizing::new(rest.replace(key.as_str(), ""));
        }
        rest.len() < whole.len() && weight(&rest) <= WEAK_TRIM
    })
}

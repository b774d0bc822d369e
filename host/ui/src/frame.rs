//! What surrounds a drawing.

use jiff::tz::TimeZone;
use keyturn_contract::keyturn::ui::nodes::{AccountField, Target};
use keyturn_core::caller::Caller;
use keyturn_core::seal::Keys;
use keyturn_core::words::Words;

use crate::delivery::Delivery;
use crate::form::posted::Corrections;
use crate::place::Place;

/// Where a plugin's targets lead. Page targets come with their subject resolved.
pub trait Links {
    /// The address of `target` of this plugin.
    fn url(&self, plugin: &str, target: &Target) -> String;
}

/// Whom to ask for help.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'a> {
    /// As it is written out: a name or an address.
    pub text: &'a str,
    /// A mail address to link.
    pub mail: Option<&'a str>,
}

impl<'a> Contact<'a> {
    /// Of a name, or of a mail address alone.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text, mail: (text.contains('@') && !text.contains(' ')).then_some(text) }
    }

    /// Where help is, if it is asked for by mail.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        self.mail.map(|address| format!("mailto:{address}"))
    }
}

/// What surrounds one drawing: who says it, what he may, who reads it, where it stands.
#[derive(Clone)]
pub struct Frame<'a> {
    /// The plugin's name, or a name of the panel's own for the forms that it draws itself.
    pub plugin: &'a str,
    /// Without the line "From the plugin NAME".
    pub speaks_for_panel: bool,
    /// The grant `input`: forms.
    pub may_input: bool,
    /// The grant `passwords`: password fields.
    pub may_passwords: bool,
    /// The reader; forms are bound to his session.
    pub caller: &'a Caller,
    /// The page or region.
    pub place: Place,
    /// Where forms post: the address of the page that this stands in.
    pub submit_url: &'a str,
    /// The id of the page's own form element that these forms are parts of, see [`crate::form::joined`].
    pub join: Option<&'a str>,
    /// Where targets lead.
    pub links: &'a dyn Links,
    /// The brand's name.
    pub brand: &'a str,
    /// Whom to ask.
    pub contact: Option<Contact<'a>>,
    /// The reader's zone.
    pub zone: TimeZone,
    /// Unix milliseconds.
    pub now: i64,
    /// A field of an account, where this reader may see it.
    pub account: &'a dyn Fn(&str, AccountField) -> Option<String>,
    /// A mail by its name, where this reader may see what became of it.
    pub mail: &'a dyn Fn(&str) -> Option<Delivery>,
    /// What was wrong with the form posted last, if it stands here.
    pub corrections: Option<&'a Corrections>,
    /// Seal the forms.
    pub keys: &'a Keys,
}

impl Frame<'_> {
    pub(crate) fn words(&self) -> Words {
        Words::of(&self.caller.locale)
    }
}

//! What surrounds a drawing.

use jiff::tz::TimeZone;
use keyturn_contract::keyturn::ui::nodes::{AccountField, Target};
use keyturn_core::caller::Caller;
use keyturn_core::seal::Keys;

use crate::brand::Brand;
use crate::delivery::Delivery;
use crate::form::posted::Corrections;
use crate::place::Place;

/// Where a plugin's targets lead. Page targets have their subject resolved.
pub trait Links {
    /// The address of this plugin's `target`.
    fn url(&self, plugin: &str, target: &Target) -> String;

    /// Where the brand's name leads.
    fn home(&self) -> &str {
        "/"
    }
}

/// Where in the panel something is shown, and to whom.
#[derive(Clone, Copy)]
pub struct Surface<'a> {
    /// The reader, or the sender of a form; forms are bound to their session.
    pub caller: &'a Caller,
    /// The address of its page: its forms post there.
    pub submit_url: &'a str,
    /// The id of a form element of the panel: the fields here are then a part of that form and saved with it, see
    /// [`crate::form::joined`]. None: each form is separate.
    pub join: Option<&'a str>,
    /// Where targets lead.
    pub links: &'a dyn Links,
    /// The errors of the form posted last.
    pub corrections: Option<&'a Corrections>,
}

/// The surroundings of a drawing: which plugin, its grants, the reader, the place.
#[derive(Clone)]
pub struct Frame<'a> {
    /// The plugin's name, or the panel's own name for its own forms.
    pub plugin: &'a str,
    /// Without the line "From the plugin NAME".
    pub speaks_for_panel: bool,
    /// The grant `input`: forms.
    pub may_input: bool,
    /// The grant `passwords`: password fields.
    pub may_passwords: bool,
    /// The page or region.
    pub place: Place,
    /// The reader, and the page around it.
    pub surface: Surface<'a>,
    /// What the panel is called, and whom to ask.
    pub brand: &'a Brand,
    /// The reader's zone.
    pub zone: TimeZone,
    /// Unix milliseconds.
    pub now: i64,
    /// A field of an account, if this reader may see it.
    pub account: &'a dyn Fn(&str, AccountField) -> Option<String>,
    /// An email by its id, if this reader may see its state.
    pub mail: &'a dyn Fn(&str) -> Option<Delivery>,
    /// The keys that seal forms.
    pub keys: &'a Keys,
}

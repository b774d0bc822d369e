//! The panel's name and addresses.

use std::sync::Arc;

use super::look::Asset;

keyturn_core::with_defaults! {
    /// What pages and emails call the panel, and where they lead.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Brand {
        /// Its name.
        pub name: String = "Keyturn".to_owned(),
        /// Whom to ask for help: an email address or a sentence.
        pub contact: String = "your administrator".to_owned(),
        /// Where people sign in, as emails name it: a whole address, or a path from the origin of links.
        pub sign_in: String = "/".to_owned(),
        /// The time zone of times that people read, an IANA name.
        pub zone: jiff::tz::TimeZone = jiff::tz::TimeZone::UTC,
        /// The operator's own colours, see [`crate::theme::theme_css`]; none: those of the style sheet.
        pub look: Option<Arc<Asset>> = None,
    }
}

impl Brand {
    /// The address of the contact, if that is an email address.
    pub fn help(&self) -> Option<String> {
        let contact = &self.contact;
        (contact.contains('@') && !contact.contains(' ')).then(|| format!("mailto:{contact}"))
    }
}

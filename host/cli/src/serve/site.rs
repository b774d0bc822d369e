//! What link pages need to know of the panel beside which this serves.

use keyturn_host::Brand;
use keyturn_host::config;
use keyturn_host::http::Site;
use keyturn_host::view::nodes::Target;
use keyturn_host::view::{Contact, Links};

/// A panel that is elsewhere.
pub(super) struct Beside {
    panel: String,
    sign_in: String,
    help: Option<String>,
}

impl Beside {
    pub(super) fn new(brand: &Brand, server: &config::Server) -> Self {
        let help = Contact::of(&brand.contact).help();
        Self { panel: server.panel().to_owned(), sign_in: server.sign_in().to_owned(), help }
    }
}

impl Links for Beside {
    /// Pages of plugins, overviews and mails are the panel's to show; link pages lead to where people sign in.
    fn url(&self, _: &str, target: &Target) -> String {
        match target {
            Target::SignIn => self.sign_in.clone(),
            _ => self.panel.clone(),
        }
    }
}

impl Site for Beside {
    fn links(&self) -> &dyn Links {
        self
    }

    fn home(&self) -> &str {
        &self.panel
    }

    fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

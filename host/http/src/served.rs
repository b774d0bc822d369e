//! What handlers share.

use std::sync::Arc;

use keyturn_operator::Operator;
use keyturn_ui::{Links, shell};

use crate::api::traffic::Traffic;

/// What the host's pages need to know about the panel around them.
pub trait Site: Send + Sync {
    /// Where targets lead.
    fn links(&self) -> &dyn Links;

    /// Where the brand's name leads.
    fn home(&self) -> &str {
        "/"
    }

    /// Where help is, such as `mailto:…`.
    fn help(&self) -> Option<&str> {
        None
    }

    /// Where the choice of colours is posted; none if none is offered.
    fn themes(&self) -> Option<shell::Post<'_>> {
        None
    }
}

#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) host: Operator,
    pub(crate) site: Arc<dyn Site>,
    /// Recent requests of machines.
    pub(crate) traffic: Arc<Traffic>,
}

//! What the operator's pages work on.

use std::ops::Deref;

use keyturn_pages::Pages;
use keyturn_work::Work;

/// The uppermost layer, which embedders know as the host: the operator's pages, service keys and email settings, over plugins'
/// pages ([`Pages`]), what waits to be done ([`Work`]), and the calls below them ([`Runtime`](keyturn_runtime::Runtime)); each
/// layer's methods are the host's. Cheap to clone; every method may block on the disk or on a hash, so call it from a thread that
/// may.
#[derive(Clone)]
pub struct Operator(Pages);

impl From<Work> for Operator {
    fn from(work: Work) -> Self {
        Self(work.into())
    }
}

/// Plugins' pages, and the layers below them.
impl Deref for Operator {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.0
    }
}

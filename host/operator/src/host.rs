//! What the operator's pages work on.

use std::ops::Deref;

use keyturn_pages::Pages;
use keyturn_work::Work;

/// The operator's pages, service keys and email settings, over everything below. Cheap to clone; every method may block on the
/// disk or on a hash, so call it from a thread that may.
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

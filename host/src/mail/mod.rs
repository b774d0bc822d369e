//! Mail, and how it goes at present.

pub(crate) mod room;

pub use keyturn_mail::*;

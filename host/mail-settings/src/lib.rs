//! How email is sent now: the file's settings and the page's, read again when somebody changes them.

mod current;
mod stored;

pub use current::{MailSettings, Outgoing};
pub use stored::Stored;

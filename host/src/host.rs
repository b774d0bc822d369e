//! The host: what an embedder holds. It admits plugins and calls them; everything else is theirs or the panel's.

use std::ops::Deref;

use keyturn_operator::Operator;
use keyturn_work::Work;

pub use keyturn_runtime::Settings;
pub use keyturn_work::HostError;

/// How a host is made.
pub type HostBuilder = keyturn_work::HostBuilder<Host>;

/// A host: plugins' pages ([`Pages`](crate::embed::Pages)), the operator's ([`Operator`]), what waits to be done
/// ([`Work`]), and the calls below them ([`Runtime`](crate::Runtime)); each layer's methods are the host's.
/// Cheap to clone; every method may block on the disk or on a hash, so call it from a thread that may.
#[derive(Clone)]
pub struct Host(Operator);

impl From<Work> for Host {
    fn from(work: Work) -> Self {
        Self(work.into())
    }
}

impl From<Host> for Operator {
    fn from(host: Host) -> Self {
        host.0
    }
}

impl Deref for Host {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn a_process_with_a_host_leaves_no_core_dump() {
        let _host = keyturn_work::testing::Ground::new("", "").host::<super::Host>().build().expect("a host");
        assert_eq!(dumpable_behavior().expect("asked"), DumpableBehavior::NotDumpable);
    }
}

//! The host: what an embedder holds. It admits plugins and calls them; everything else is theirs or the panel's.

pub use keyturn_operator::Operator as Host;
pub use keyturn_runtime::Settings;
pub use keyturn_work::HostError;

/// How a host is made.
pub type HostBuilder = keyturn_work::HostBuilder<Host>;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn a_process_with_a_host_leaves_no_core_dump() {
        let _host = keyturn_work::testing::Ground::new("", "").host::<super::Host>().build().expect("a host");
        assert_eq!(dumpable_behavior().expect("asked"), DumpableBehavior::NotDumpable);
    }
}

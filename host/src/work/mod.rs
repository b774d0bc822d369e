//! What happens without anybody waiting for it: mail goes out, jobs and events are run.

pub(crate) mod bell;

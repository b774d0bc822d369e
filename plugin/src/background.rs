//! Work in the background, done by the panel itself.

use crate::bindings::background::Task;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::{failure, recovery};

/// Runs one task together with its effects.
///
/// # Errors
/// `not-found` for a job or an event that isn't in the manifest; and the task's own failures.
pub fn run(ports: &dyn Ports, task: &Task) -> Result<(), Failure> {
    match task {
        Task::Job(job) if job.name == recovery::JOB => recovery::find_and_mail(ports, &job.payload),
        Task::Job(job) if job.name == recovery::REST => recovery::mail_the_rest(ports, &job.payload),
        Task::Job(job) => {
            failure::log(format_args!("unknown job {}", job.name));
            Err(Failure::NotFound)
        }
        Task::Event(received) => {
            failure::log(format_args!("the plugin doesn't subscribe to the event {}", received.event.name));
            Err(Failure::NotFound)
        }
    }
}

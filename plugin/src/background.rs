//! What is done later, by the panel itself.

use crate::bindings::background::Task;
use crate::bindings::types::Failure;
use crate::ports::Ports;
use crate::{failure, recovery};

/// One task, together with its effects.
///
/// # Errors
/// `not-found` for a job or an event that the manifest does not name; what the task fails with.
pub fn run(ports: &dyn Ports, task: &Task) -> Result<(), Failure> {
    match task {
        Task::Job(job) if job.name == recovery::JOB => recovery::find_and_mail(ports, &job.payload),
        Task::Job(job) if job.name == recovery::REST => recovery::mail_the_rest(ports, &job.payload),
        Task::Job(job) => {
            failure::log(format_args!("there is no job {}", job.name));
            Err(Failure::NotFound)
        }
        Task::Event(received) => {
            failure::log(format_args!("the event {} is not subscribed to", received.event.name));
            Err(Failure::NotFound)
        }
    }
}

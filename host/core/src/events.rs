//! Names of events.

/// Whether `listened`, as a subscriber writes it, names this source's event.
pub fn names(listened: &str, source: &str, event: &str) -> bool {
    match listened.split_once('/') {
        Some((from, name)) => from == source && name == event,
        None => listened == event,
    }
}

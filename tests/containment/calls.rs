//! Time, memory, stack, and what passes between guest and host.

use keyturn_host::CallError;
use keyturn_host::plugin::limits::Limits;
use serde_json::json;

use super::Ring;

fn quick() -> Limits {
    Limits { guest_ms: 200, total_ms: 3_000, ..Limits::default() }
}

#[test]
fn a_guest_that_spins_is_stopped_by_its_own_time() {
    Ring::with(quick()).hits("guest-ms", "spin", json!({}));
}

#[test]
fn a_guest_that_spins_beside_others_does_not_hold_them_up() {
    let ring = Ring::with(Limits { guest_ms: 1_000, ..quick() });
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| ring.call("spin", json!({})));
        while !spinning.is_finished() {
            assert_eq!(ring.call("well", json!({"text": "beside"})).expect("served"), json!("beside"));
        }
        assert!(matches!(spinning.join().expect("ends"), Err(CallError::Limit { limit: "guest-ms", .. })));
    });
}

#[test]
fn time_in_the_host_is_not_the_guests() {
    // Some four hashes of 64 MiB take longer than the guest's own time, all of it in the host.
    let ring = Ring::with(Limits { guest_ms: 20, ..Limits::default() });
    assert_eq!(ring.attack("hash", json!({"memory_kib": 65_536, "passes": 8})).expect("hashes"), json!("Ok(32)"));
}

#[test]
fn a_guest_that_grows_is_stopped_by_its_memory() {
    Ring::new().hits("memory-bytes", "grow", json!({}));
}

#[test]
fn a_guest_that_recurses_breaks_by_its_stack() {
    let end = Ring::new().attack("recurse", json!({"depth": 0}));
    // Rust keeps large frames in linear memory, so either stack may run out first.
    match end {
        Err(CallError::Trap { trap, .. }) => {
            assert!(trap.contains("stack overflow") || trap.contains("out of bounds"), "{trap}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guest_that_panics_breaks_and_says_nothing_to_the_caller() {
    match Ring::new().attack("panic", json!({})) {
        Err(CallError::Trap { trap, .. }) => {
            assert!(trap.contains("unreachable") && !trap.contains("on purpose"), "{trap}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn huge_strings_are_stopped_on_their_way_out() {
    let ring = Ring::new();
    ring.hits("hostcall-bytes", "huge-out", json!({"bytes": 4 << 20}));
    let fits = ring.attack("huge-out", json!({"bytes": 1000})).expect("fits");
    assert_eq!(fits.as_str().map(str::len), Some(1000));
}

#[test]
fn huge_strings_on_their_way_in_end_in_the_guests_own_memory() {
    let ring = Ring::new();
    assert_eq!(ring.attack("huge-in", json!({"text": "x".repeat(1 << 20)})).expect("fits"), json!(1 << 20));
    ring.hits("memory-bytes", "huge-in", json!({"text": "x".repeat(17 << 20)}));
}

#[test]
fn a_million_handles_are_too_many() {
    Ring::new().hits("handles", "handles", json!({"count": 1_000_000}));
}

#[test]
fn standard_error_is_capped() {
    let ring = Ring::new();
    ring.attack("scream", json!({"bytes": 1000})).expect("a little is fine");
    ring.hits("log-bytes", "scream", json!({"bytes": 1 << 20}));
}

#[test]
fn there_is_nothing_to_see_outside() {
    assert_eq!(Ring::new().attack("look-around", json!({})).expect("looks"), json!([]));
}

#[test]
fn slow_hashes_above_the_limits_are_refused_by_the_limits_name() {
    let ring = Ring::new();
    for (memory, passes, limit) in [(1 << 20, 1, "kdf-memory-kib"), (1024, 100, "kdf-passes")] {
        let end = ring.attack("hash", json!({"memory_kib": memory, "passes": passes})).expect("answers");
        assert_eq!(end, json!(format!("Err(Error::Limit(\"{limit}\"))")));
    }
}

#[test]
fn calls_beyond_the_queue_are_turned_away_at_once() {
    use keyturn_host::plugin::limits::HostLimits;
    let limits = HostLimits { calls_at_once: 1, calls_queue: 0, ..HostLimits::default() };
    let bench = keyturn_tests::Bench::with(super::PEOPLE, |host| host.settings.limits = limits);
    let component = keyturn_tests::HOSTILE.packed();
    let grants = keyturn_host::plugin::grants::Grants {
        limits: quick(),
        ..keyturn_host::plugin::grants::Grants::of(&component, keyturn_tests::all_grants())
    };
    let plugin = bench.host.admit("hostile", &component, &grants).expect("admitted");
    let ring = Ring { bench, plugin };
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| while matches!(ring.call("spin", json!({})), Err(CallError::Busy(_))) {});
        let mut turned_away = false;
        while !spinning.is_finished() {
            turned_away |= matches!(ring.call("well", json!({"text": "x"})), Err(CallError::Busy(_)));
        }
        assert!(turned_away, "nobody was turned away while the only place was taken");
    });
    assert_eq!(ring.call("well", json!({"text": "later"})).expect("served"), json!("later"));
}

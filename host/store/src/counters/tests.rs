use super::*;

fn nothing() -> Result<Vec<Added>, StorageError> {
    Ok(Vec::new())
}

fn bound(key: &str, window: u32, limit: u64) -> Bound {
    Bound { key: key.to_owned(), window, limit }
}

/// Of a plugin's counter whose limit is far away.
fn count(counters: &Counters, plugin: &str, key: &str, window: u32, now: i64) {
    let counted = counters.count(plugin, &[bound(key, window, u64::MAX)], now, nothing);
    assert_eq!(counted, Ok(Counted::Within));
}

fn total(counters: &Counters, plugin: &str, key: &str, window: u32) -> u64 {
    counters.lock()[plugin].counters.get(&(key.to_owned(), window)).map_or(0, Counter::total)
}

#[test]
fn within_no_window_more_pass_than_the_limit_and_the_wait_that_is_told_is_enough() {
    let mut random = 7_u64;
    for (window, limit) in [(1, 1), (2, 3), (7, 5), (60, 10), (3600, 4)] {
        let counters = Counters::new(10);
        let length = i64::from(window) * 1000;
        let (mut now, mut passed) = (1_700_000_000_123_i64, Vec::new());
        for _ in 0..2000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += i64::try_from(random >> 33).expect("small") % (length * 15 / 100);
            let within = |span: i64| passed.iter().filter(|at| **at > now - span).count() as u64;
            match counters.count("p", &[bound("k", window, limit)], now, nothing).expect("counted") {
                Counted::Within => {
                    assert!(within(length) < limit, "window {window}");
                    passed.push(now);
                }
                Counted::Full(wait) => {
                    assert!(within(length + length / 16 + 18) >= limit, "window {window}");
                    assert!(i64::from(wait) * 1000 <= length + length / 16 + 1018, "window {window}: {wait}");
                    now += i64::from(wait) * 1000;
                    let counted = counters.count("p", &[bound("k", window, limit)], now, nothing);
                    assert_eq!(counted, Ok(Counted::Within), "window {window}");
                    passed.push(now);
                }
            }
        }
    }
}

#[test]
fn what_finds_one_full_is_added_to_none_and_prolongs_nothing() {
    let counters = Counters::new(10);
    let (narrow, wide) = (bound("narrow", 60, 2), bound("wide", 60, 5));
    let both = [wide.clone(), narrow];
    for _ in 0..2 {
        assert_eq!(counters.count("p", &both, 0, nothing), Ok(Counted::Within));
    }
    for second in 0..60 {
        let new = bound(&format!("new {second}"), 60, 1);
        let bounds = [both.as_slice(), &[new]].concat();
        let refused = counters.count("p", &bounds, second * 1000, nothing);
        assert!(matches!(refused, Ok(Counted::Full(_))), "{second}: {refused:?}");
    }
    assert_eq!((total(&counters, "p", "wide", 60), counters.lock()["p"].counters.len()), (2, 2));
    assert_eq!(counters.count("p", &both, 64_000, nothing), Ok(Counted::Within), "though it was tried all the time");
}

#[test]
fn parallel_attempts_do_not_pass_a_limit_together() {
    let counters = Counters::new(10);
    let attempt = || {
        let bounds = [bound("wide", 60, 1_000), bound("narrow", 60, 10)];
        (0..50).filter(|_| counters.count("p", &bounds, 0, nothing) == Ok(Counted::Within)).count()
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).sum()
    });
    assert_eq!((passed, total(&counters, "p", "wide", 60)), (10, 10));
}

#[test]
fn one_that_is_named_twice_counts_once() {
    let counters = Counters::new(10);
    assert_eq!(counters.count("p", &[bound("a", 60, 9), bound("a", 60, 1)], 0, nothing), Ok(Counted::Within));
    assert_eq!(total(&counters, "p", "a", 60), 1);
}

#[test]
fn a_flood_of_new_names_pushes_out_neither_each_other_for_ever_nor_one_that_is_about_to_refuse() {
    let counters = Counters::new(64);
    for _ in 0..9 {
        count(&counters, "p", "victim", 60, 0);
    }
    for name in 0..1_000 {
        let name = format!("name {name}");
        count(&counters, "p", &name, 60, 0);
        assert_eq!(total(&counters, "p", &name, 60), 1);
    }
    count(&counters, "p", "victim", 60, 0);
    assert_eq!(total(&counters, "p", "victim", 60), 10);
    assert!(counters.lock()["p"].counters.len() <= 64);
    count(&counters, "q", "victim", 60, 0);
    assert_eq!(total(&counters, "q", "victim", 60), 1, "another plugin has its own");
}

#[test]
fn what_has_ended_makes_room_before_anything_else() {
    let counters = Counters::new(2);
    count(&counters, "p", "a", 10, 0);
    count(&counters, "p", "b", 60, 0);
    count(&counters, "p", "c", 10, 11_000);
    count(&counters, "p", "b", 60, 11_000);
    assert_eq!(total(&counters, "p", "b", 60), 2, "it has not ended");
}

#[test]
fn what_was_taken_and_given_back_is_taken_again_once() {
    let counters = Counters::new(2);
    count(&counters, "p", "a", 10, 0);
    let taken = counters.take_unwritten();
    assert_eq!(taken.added.len(), 1);
    assert!(counters.take_unwritten().is_empty());
    count(&counters, "p", "a", 10, 0);
    counters.give_back(taken);
    assert_eq!(counters.take_unwritten().added.iter().map(|one| one.count).sum::<u64>(), 2);
}

#[test]
fn what_makes_room_is_taken_out_of_the_table_too_if_it_stands_there() {
    let counters = Counters::new(2);
    for key in ["a", "b"] {
        count(&counters, "p", key, 60, 0);
    }
    assert_eq!(counters.take_unwritten().gone, [], "both are there");
    count(&counters, "p", "c", 60, 0);
    let taken = counters.take_unwritten();
    assert!(taken.gone.len() == 1 && ["a", "b"].contains(&taken.gone[0].key.as_str()), "{taken:?}");
    counters.give_back(taken);
    assert_eq!(counters.take_unwritten().gone.len(), 1, "until it is out of it");
    let unwritten = Counters::new(2);
    for key in ["a", "b", "c"] {
        count(&unwritten, "p", key, 60, 0);
    }
    assert_eq!(unwritten.take_unwritten().gone, [], "what was never written needs no removing");
}

/// What another host has written into the table of one step, with our own part of it.
fn written(key: &str, step: i64, count: u64) -> Added {
    Added { plugin: "p".to_owned(), key: key.to_owned(), window: 60, step, count }
}

#[test]
fn what_others_have_counted_counts_and_what_they_forgot_does_not() {
    let counters = Counters::new(10);
    let bounds = [bound("a", 60, 5)];
    let step = step_number(60, 0);
    count(&counters, "p", "a", 60, 0);
    let refresh = |rows: &[Added]| {
        let stale = counters.stale("p", &bounds, 0).expect("never read");
        counters.refresh("p", &stale, rows, 0);
        for counter in counters.lock().get_mut("p").expect("there").counters.values_mut() {
            counter.read = None;
        }
    };
    refresh(&[written("a", step, 3)]);
    assert_eq!(total(&counters, "p", "a", 60), 4, "ours is not written yet");
    // While ours is being written, it may be in what is read, or not: nothing is counted twice, and nothing is lost.
    let taken = counters.take_unwritten();
    for (read, counted) in [(3, 4), (4, 4), (5, 5)] {
        refresh(&[written("a", step, read)]);
        assert_eq!(total(&counters, "p", "a", 60), counted);
    }
    counters.has_moved(&taken);
    assert!(matches!(counters.count("p", &bounds, 0, nothing), Ok(Counted::Full(_))));
    refresh(&[]);
    assert_eq!(total(&counters, "p", "a", 60), 0, "somebody has signed in elsewhere");
    // What was read before something was written says too little of it.
    count(&counters, "p", "a", 60, 0);
    let stale = counters.stale("p", &bounds, 0).expect("stale");
    let taken = counters.take_unwritten();
    counters.has_moved(&taken);
    counters.refresh("p", &stale, &[], 0);
    assert_eq!(total(&counters, "p", "a", 60), 1);
}

#[test]
fn what_was_just_read_is_not_read_again_and_refuses_without_reading_others() {
    let counters = Counters::new(10);
    count(&counters, "p", "a", 60, 0);
    let (known, new) = (bound("a", 60, 1), bound("new", 60, 1));
    let both = [known.clone(), new];
    let stale = counters.stale("p", &both, 0).expect("never read");
    assert_eq!(stale.bounds.len(), 2);
    counters.refresh("p", &stale, &[], 0);
    assert!(counters.stale("p", &both, 0).is_none(), "the one is full");
    let wide = [Bound { limit: 2, ..known }, both[1].clone()];
    let stale = counters.stale("p", &wide, 0).expect("stale");
    assert_eq!(stale.bounds.iter().map(|bound| bound.key.as_str()).collect::<Vec<_>>(), ["new"]);
}

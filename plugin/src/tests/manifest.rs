use crate::settings::NUMBERS;
use toml::{Table, Value};

fn manifest() -> Table {
    include_str!("../../manifest.toml").parse().unwrap()
}

fn names(table: &Value) -> Vec<&str> {
    table.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn settings_have_the_bounds_that_the_code_applies() {
    let manifest = manifest();
    for number in NUMBERS {
        let declared = &manifest["settings"][number.name];
        let of = |key: &str| declared[key].as_integer().unwrap();
        assert_eq!(
            (of("default"), of("min"), of("max")),
            (number.default.into(), number.min.into(), number.max.into()),
            "{}",
            number.name
        );
    }
    let others = ["output", "context-words"];
    assert_eq!(manifest["settings"].as_table().unwrap().len(), NUMBERS.len() + others.len());
}

#[test]
fn every_exported_function_is_an_operation() {
    let wit = include_str!("../../../wit/password/password.wit");
    let manifest = manifest();
    let functions: Vec<&str> =
        wit.lines().filter_map(|line| line.trim().split_once(": func(")).map(|(name, _)| name).collect();
    assert!(functions.len() >= 8);
    for function in functions {
        assert!(names(&manifest["operations"]).contains(&function), "{function}");
    }
}

#[test]
fn whatever_hashes_runs_in_the_compute_lane() {
    for operation in manifest()["operations"].as_array().unwrap() {
        let name = operation["name"].as_str().unwrap();
        let hashes = ["verify", "complete-reset", "change-own", "set-password"].contains(&name);
        assert_eq!(operation.get("lane").is_some(), hashes, "{name}");
    }
}

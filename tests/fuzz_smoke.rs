//! The targets of cargo-fuzz, run on stable Rust over their seeds and over mutations of them. Long runs are cargo-fuzz's.

#[path = "fuzz/parsers.rs"]
mod parsers;

use parsers::{Reading, TARGETS};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Bytes that mean something to one of the parsers.
const MEANINGFUL: [u8; 12] = *b"\0\r\n \t:;/%\"0\xff";

/// Each seed cut anywhere, with each byte replaced, doubled and left out.
fn mutations(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..=seed.len()).flat_map(move |at| {
        let (before, after) = seed.split_at(at);
        let rest = after.get(1..).unwrap_or_default();
        let mut mutated = vec![
            before.to_vec(),
            [before, rest].concat(),
            [before, &after[..after.len().min(1)], after].concat(),
        ];
        mutated.extend(MEANINGFUL.map(|byte| [before, &[byte], rest].concat()));
        mutated
    })
}

#[test]
fn what_holds_for_all_bytes_holds_for_seeds_and_their_mutations() {
    for target in TARGETS {
        for seed in target.seeds {
            let run = |bytes: &[u8]| {
                let ran = std::panic::catch_unwind(|| (target.run)(bytes));
                ran.unwrap_or_else(|_| panic!("{}: {}", target.name, bytes.escape_ascii()))
            };
            run(seed);
            mutations(seed).for_each(|mutated| {
                run(&mutated);
            });
        }
    }
}

#[test]
fn what_holds_for_all_bytes_holds_for_any() {
    for target in TARGETS {
        let mut runner = TestRunner::new(Config {
            cases: 300,
            failure_persistence: None,
            ..Config::default()
        });
        let joined = prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                prop::sample::select(target.seeds.to_vec()).prop_map(<[u8]>::to_vec),
            ],
            0..4,
        );
        let outcome = runner.run(&joined, |pieces| {
            (target.run)(&pieces.concat());
            Ok(())
        });
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            Ok(()),
            "{}",
            target.name
        );
    }
}

#[test]
fn each_target_has_a_seed_that_is_accepted() {
    for target in TARGETS {
        let readings = target.seeds.iter().map(|seed| (target.run)(seed));
        assert!(
            readings
                .into_iter()
                .any(|reading| reading == Reading::Accepted),
            "{}",
            target.name
        );
    }
}

#[test]
fn each_target_is_one_of_cargo_fuzz() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let file = format!("fuzz_targets/{}.rs", target.name);
        assert!(
            folder.join(&file).exists() && manifest.contains(&file),
            "{file}"
        );
    }
    let files = std::fs::read_dir(folder.join("fuzz_targets")).unwrap();
    assert_eq!(files.count(), TARGETS.len(), "no other targets");
}

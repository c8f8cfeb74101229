//! A config file with anything in it: it is read, recognised and reported on without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::config::{Occasion, load, render};
use portcullis::file_format::FileFormat;

fuzz_target!(|data: &[u8]| {
    let file = std::env::temp_dir().join(format!("portcullis-fuzz-{}.toml", std::process::id()));
    if std::fs::write(&file, data).is_err() {
        return;
    }
    let loaded = load(&file, Occasion::First);
    let _ = render(&loaded.problems.into_sorted(), &loaded.sources);
    let _ = FileFormat::of(data);
});

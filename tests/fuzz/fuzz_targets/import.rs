//! Files of Icinga 2, nginx and HAProxy with anything in them: importing never stumbles. The first octet says which it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::import::{ImportFile, haproxy, icinga2, nginx};
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Some((which, octets)) = data.split_first() else { return };
    // Files that it names are looked for in a folder that is not there; passwords would be hashed, which is slow.
    let Ok(file) = ImportFile::new(Path::new("/nowhere/file"), octets) else { return };
    let _ = match which % 3 {
        0 if octets.windows(8).any(|word| word == b"password") => return,
        0 => icinga2(&file, &["node".to_owned()]),
        1 => nginx(&file, &["GET /*".to_owned()]),
        _ => haproxy(&file, &["GET /*".to_owned()]),
    };
});

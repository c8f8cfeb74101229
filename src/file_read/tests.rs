//! Regular files and others, limits, and work that hangs.

use super::*;
use nix::sys::stat::Mode;
use std::os::unix::fs::symlink;
use std::sync::mpsc;
use std::time::Duration;

fn error(path: &Path) -> String {
    read(path, FileKind::PrivateKey).unwrap_err().to_string()
}

#[test]
fn regular_files_are_read_also_behind_links_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "content").unwrap();
    symlink(at("file"), at("link")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
    symlink(at("fifo"), at("link-to-fifo")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["file", "link"] {
        assert_eq!(read(&at(name), FileKind::Secret).unwrap(), b"content");
        assert_eq!(read_text(&at(name), FileKind::Secret).unwrap(), "content");
        let mut pieces = Vec::new();
        read_pieces(&at(name), FileKind::Secret, |piece| {
            pieces.extend_from_slice(piece)
        })
        .unwrap();
        assert_eq!(pieces, b"content");
    }
    for name in ["fifo", "link-to-fifo"] {
        assert!(
            error(&at(name)).contains("named pipe"),
            "{}",
            error(&at(name))
        );
        assert!(read_pieces(&at(name), FileKind::Secret, |_| ()).is_err());
    }
    assert!(error(&at("socket")).contains("a socket"));
    assert!(error(Path::new("/dev/zero")).contains("a device"));
    assert_eq!(
        read(folder.path(), FileKind::Config).unwrap_err().kind(),
        io::ErrorKind::IsADirectory
    );
    assert_eq!(
        read(&at("none"), FileKind::Config).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long");
    let file = File::create(&path).unwrap();
    file.set_len(FileKind::PrivateKey.limit()).unwrap();
    assert_eq!(read(&path, FileKind::PrivateKey).unwrap().len(), 1 << 20);
    file.set_len(FileKind::PrivateKey.limit() + 1).unwrap();
    assert!(error(&path).contains("longer than 1 MiB"));
    let mut pieces = 0;
    assert!(read_pieces(&path, FileKind::PrivateKey, |_| pieces += 1).is_err());
    assert_eq!(pieces, 0, "it is known beforehand");
    // It may also grow while it is read.
    let mut content = Vec::new();
    assert!(read_all(io::repeat(0), &mut content, FileKind::PrivateKey).is_err());
    assert!(content.len() < 4 << 20);
}

#[test]
fn a_pipe_is_read_where_it_may_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    let writer = path.clone();
    let writing = std::thread::spawn(move || std::fs::write(writer, "content").unwrap());
    assert_eq!(
        read_text_or_pipe(&path, FileKind::Config).unwrap(),
        "content"
    );
    writing.join().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    assert_eq!(
        read_text_or_pipe(&folder.path().join("file"), FileKind::Config).unwrap(),
        "content"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn an_operation_that_makes_no_progress_is_given_up_and_named() {
    let (release, hanging) = mpsc::channel::<()>();
    let work = move || {
        // What is done is not what hangs.
        during(Path::new("/good"), || ());
        during(Path::new("/hangs"), || hanging.recv().is_ok())
    };
    let (runtime, mut thread) = (runtime(), FileThread::default());
    // Long enough for a thread that is interrupted within the first operation.
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(30));
    let result = runtime.block_on(thread.run(short, work));
    let Err(FileWorkError::Stalled { path, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(path, Path::new("/hangs"));
    // No second thread beside a stalled one, for any work.
    let result = runtime.block_on(thread.run(short, || 7));
    assert!(
        thread.is_busy() && matches!(result, Err(FileWorkError::Stalled { .. })),
        "{result:?}"
    );
    release.send(()).unwrap();
    assert_eq!(runtime.block_on(thread.run(long, || 7)).unwrap(), 7);
    assert!(!thread.is_busy());
}

#[test]
fn running_work_is_awaited_and_a_panic_is_reported() {
    let (runtime, mut thread, long) = (runtime(), FileThread::default(), Duration::from_secs(30));
    let slow = || {
        for _ in 0..3 {
            during(Path::new("/slow"), progressed);
        }
        7
    };
    assert_eq!(runtime.block_on(thread.run(long, slow)).unwrap(), 7);
    let panicking = || -> () { panic!("on purpose") };
    assert!(matches!(
        runtime.block_on(thread.run(long, panicking)),
        Err(FileWorkError::Panicked)
    ));
    assert_eq!(runtime.block_on(thread.run(long, || 8)).unwrap(), 8);
}

//! Rereads revocation sources, each on its own thread, so that a source that fails or hangs delays no other.

use crate::error_text::with_causes;
use crate::file_read::{self, FileThread};
use crate::snapshot::{RevocationSource, Snapshot, SourceReading, Stamps};
use crate::tls::{RevocationUpdate, TrustDomainId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The revocation sources of one generation, with their last readings.
#[derive(Default)]
pub(super) struct RevocationReader {
    sources: Vec<SourceState>,
    reads: JoinSet<SourceRead>,
}

struct SourceState {
    source: RevocationSource,
    /// Stamps of its files at the last read.
    stamps: Stamps,
    /// Result of the last read. `None` if only the load has read the source.
    reading: Option<SourceReading>,
    /// Thread for reads; `None` while a read runs.
    thread: Option<FileThread>,
    /// Errors that were logged last.
    errors: Vec<String>,
}

/// Result of reading one source.
struct SourceRead {
    /// Index in `RevocationReader::sources`.
    index: usize,
    thread: FileThread,
    /// `Ok(None)` if no file has changed.
    result: Result<Option<SourceReading>, String>,
}

/// A source that could not be read completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceFault {
    pub(super) domain: TrustDomainId,
    pub(super) errors: Vec<String>,
}

impl RevocationReader {
    /// The sources of a snapshot, with the stamps of their files at its load.
    pub(super) fn new(snapshot: &Snapshot, stamps: &Stamps) -> Self {
        let mut reader = Self::default();
        reader.add(&snapshot.revocation_sources, stamps);
        reader
    }

    /// Adds sources that only a rejected config names.
    pub(super) fn also_read(&mut self, sources: &[RevocationSource]) {
        let is_new =
            |source: &&RevocationSource| !self.sources.iter().any(|known| known.source == **source);
        let new: Vec<_> = sources.iter().filter(is_new).cloned().collect();
        self.add(&new, &Stamps::default());
    }

    fn add(&mut self, sources: &[RevocationSource], stamps: &Stamps) {
        self.sources
            .extend(sources.iter().map(|source| SourceState {
                source: source.clone(),
                stamps: stamps.clone(),
                reading: None,
                thread: Some(FileThread::default()),
                errors: Vec::new(),
            }));
    }

    /// Starts to read changed sources, and waits up to 500 ms. [`Self::arrived`] reports slower ones.
    pub(super) async fn read(&mut self, snapshot: &Snapshot) {
        const WAIT: Duration = Duration::from_millis(500);
        let mut started: HashSet<usize> = (0..self.sources.len())
            .filter(|index| self.begin(*index, snapshot))
            .collect();
        let deadline = Instant::now() + WAIT;
        // Reads that hang since an earlier call are not awaited.
        while !started.is_empty()
            && let Ok(Some(read)) = timeout_at(deadline, self.reads.join_next()).await
        {
            if let Ok(read) = &read {
                started.remove(&read.index);
            }
            self.record(read);
        }
    }

    /// Waits for a slow read to finish. Pending forever if none runs.
    pub(super) async fn arrived(&mut self) {
        match self.reads.join_next().await {
            Some(read) => self.record(read),
            None => std::future::pending().await,
        }
    }

    /// All sources.
    pub(super) fn sources(&self) -> Vec<RevocationSource> {
        self.sources
            .iter()
            .map(|state| state.source.clone())
            .collect()
    }

    /// The last readings, by trust domain.
    pub(super) fn updates(&self) -> HashMap<TrustDomainId, RevocationUpdate> {
        let mut updates: HashMap<_, RevocationUpdate> = HashMap::new();
        for state in &self.sources {
            if let Some(reading) = &state.reading {
                state
                    .source
                    .add_to(updates.entry(state.source.domain).or_default(), reading);
            }
        }
        updates
    }

    /// Sources with errors, in their order.
    pub(super) fn faults(&self) -> Vec<SourceFault> {
        let faulty = self.sources.iter().filter(|state| !state.errors.is_empty());
        faulty
            .map(|state| SourceFault {
                domain: state.source.domain,
                errors: state.errors.clone(),
            })
            .collect()
    }

    /// Starts to read a source. `false` if a read of it still runs, or the snapshot does not have its domain.
    fn begin(&mut self, index: usize, snapshot: &Snapshot) -> bool {
        let Some(state) = self.sources.get_mut(index) else {
            return false;
        };
        let Some(domain) = snapshot.trust_domain(state.source.domain) else {
            return false;
        };
        // The thread is absent while a read runs or hangs.
        let Some(mut thread) = state.thread.take() else {
            return false;
        };
        let source = state.source.clone();
        let stamps = state.stamps.clone();
        let domain = domain.clone();
        self.reads.spawn(async move {
            let read =
                move || source.read(&stamps, domain.authorities(), domain.revocation().files());
            let result = thread
                .run(file_read::PATIENCE, read)
                .await
                .map_err(|error| with_causes(&error));
            SourceRead {
                index,
                thread,
                result,
            }
        });
        true
    }

    fn record(&mut self, read: Result<SourceRead, tokio::task::JoinError>) {
        let Ok(SourceRead {
            index,
            thread,
            result,
        }) = read
        else {
            return;
        };
        let Some(state) = self.sources.get_mut(index) else {
            return;
        };
        state.thread = Some(thread);
        let errors = match result {
            Ok(None) => return,
            Ok(Some(mut reading)) => {
                state.stamps = std::mem::take(&mut reading.stamps);
                let errors = std::mem::take(&mut reading.errors);
                state.reading = Some(reading);
                errors
            }
            Err(error) => vec![error],
        };
        for error in errors.iter().filter(|error| !state.errors.contains(error)) {
            tracing::error!(
                error,
                "a file that revokes cannot be read; its previous content stays active"
            );
        }
        state.errors = errors;
    }
}

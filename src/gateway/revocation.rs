//! Reads the files that revoke again, each source on a thread of its own, so that one that is wrong or hangs holds up no
//! other. Puts nothing into force.

use crate::error_text::with_causes;
use crate::file_read::{self, FileThread};
use crate::snapshot::{RevocationSource, Snapshot, SourceReading, Stamps};
use crate::tls::{RevocationUpdate, TrustDomainId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The sources of one generation, and what they said last.
#[derive(Default)]
pub(super) struct RevocationReader {
    sources: Vec<SourceState>,
    reads: JoinSet<SourceRead>,
}

struct SourceState {
    source: RevocationSource,
    /// How its files looked when they were read.
    stamps: Stamps,
    /// What they said then; `None` if the load has read them.
    reading: Option<SourceReading>,
    /// Where it is read; `None` while it is.
    thread: Option<FileThread>,
    /// What was told of it last.
    errors: Vec<String>,
}

/// A source that was read.
struct SourceRead {
    at: usize,
    thread: FileThread,
    /// `Ok(None)` if nothing about it has changed.
    result: Result<Option<SourceReading>, String>,
}

/// A source that cannot be read, or only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceFault {
    pub(super) domain: TrustDomainId,
    pub(super) errors: Vec<String>,
}

impl RevocationReader {
    /// The sources of a snapshot, whose files looked like this when it was loaded.
    pub(super) fn new(snapshot: &Snapshot, stamps: &Stamps) -> Self {
        let mut reader = Self::default();
        reader.add(&snapshot.revocation_sources, stamps);
        reader
    }

    /// Sources that only a rejected config names.
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

    /// Reads what has changed, and waits a moment for it. What takes longer is noticed by [`Self::arrived`].
    pub(super) async fn read(&mut self, snapshot: &Snapshot) {
        const MOMENT: Duration = Duration::from_millis(500);
        let mut begun: HashSet<usize> = (0..self.sources.len())
            .filter(|at| self.begin(*at, snapshot))
            .collect();
        let deadline = Instant::now() + MOMENT;
        // One that hangs since an earlier time is not waited for.
        while !begun.is_empty()
            && let Ok(Some(read)) = timeout_at(deadline, self.reads.join_next()).await
        {
            if let Ok(read) = &read {
                begun.remove(&read.at);
            }
            self.note(read);
        }
    }

    /// Ends when a source was read that took longer; never while none is.
    pub(super) async fn arrived(&mut self) {
        match self.reads.join_next().await {
            Some(read) => self.note(read),
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

    /// What was read, by trust domain.
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

    /// What cannot be read, in the order of the sources.
    pub(super) fn faults(&self) -> Vec<SourceFault> {
        let faulty = self.sources.iter().filter(|state| !state.errors.is_empty());
        faulty
            .map(|state| SourceFault {
                domain: state.source.domain,
                errors: state.errors.clone(),
            })
            .collect()
    }

    /// Whether it has begun to read a source.
    fn begin(&mut self, at: usize, snapshot: &Snapshot) -> bool {
        let Some(state) = self.sources.get_mut(at) else {
            return false;
        };
        let Some(domain) = snapshot.trust_domain(state.source.domain) else {
            return false;
        };
        // While it is read, or hangs, it is not read again.
        let Some(mut thread) = state.thread.take() else {
            return false;
        };
        let (source, stamps, domain) = (state.source.clone(), state.stamps.clone(), domain.clone());
        self.reads.spawn(async move {
            let read =
                move || source.read(&stamps, domain.authorities(), domain.revocation().files());
            let result = thread
                .run(file_read::PATIENCE, read)
                .await
                .map_err(|error| with_causes(&error));
            SourceRead { at, thread, result }
        });
        true
    }

    fn note(&mut self, read: Result<SourceRead, tokio::task::JoinError>) {
        let Ok(SourceRead { at, thread, result }) = read else {
            return;
        };
        let Some(state) = self.sources.get_mut(at) else {
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
                "a file that revokes cannot be read; what it said before stays in force"
            );
        }
        state.errors = errors;
    }
}

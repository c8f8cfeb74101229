//! Prometheus' standard process metrics, read from /proc on each scrape. Linux only.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge};

pub(super) struct ProcessCollector {
    cpu: Counter,
    resident: Gauge,
    descriptors: Gauge,
    descriptor_limit: Gauge,
    start: Gauge,
    threads: Gauge,
}

impl ProcessCollector {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "User and system CPU time in seconds",
            )?,
            resident: Gauge::new("process_resident_memory_bytes", "Resident memory in bytes")?,
            descriptors: Gauge::new("process_open_fds", "Open file descriptors")?,
            descriptor_limit: Gauge::new(
                "process_max_fds",
                "Most file descriptors that may be open",
            )?,
            start: Gauge::new(
                "process_start_time_seconds",
                "Start of the process, seconds since 1970",
            )?,
            threads: Gauge::new("process_threads", "Threads of the process")?,
        })
    }

    fn gauges(&self) -> [&Gauge; 5] {
        [
            &self.resident,
            &self.descriptors,
            &self.descriptor_limit,
            &self.start,
            &self.threads,
        ]
    }

    fn read(&self) -> Option<()> {
        /// `USER_HZ` of every Linux that Rust supports.
        const TICKS_PER_SECOND: f64 = 100.0;
        /// The smallest page; `statm` would need the real one, `status` says kibibytes.
        const KIBIBYTE: f64 = 1024.0;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The second field may hold spaces, so count from its closing parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse::<f64>().ok();
        let cpu = (field(11)? + field(12)?) / TICKS_PER_SECOND;
        self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
        self.threads.set(field(17)?);
        let system = std::fs::read_to_string("/proc/stat").ok()?;
        let boot = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?
            .trim()
            .parse::<f64>()
            .ok()?;
        self.start.set(boot + field(19)? / TICKS_PER_SECOND);
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        self.resident
            .set(resident.split_whitespace().next()?.parse::<f64>().ok()? * KIBIBYTE);
        self.descriptors
            .set(std::fs::read_dir("/proc/self/fd").ok()?.count() as f64);
        let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
        let open_files = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        self.descriptor_limit
            .set(open_files.split_whitespace().next()?.parse().ok()?);
        Some(())
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges()
            .into_iter()
            .flat_map(Collector::desc)
            .chain(self.cpu.desc())
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if self.read().is_none() {
            return Vec::new();
        }
        self.gauges()
            .into_iter()
            .flat_map(Collector::collect)
            .chain(self.cpu.collect())
            .collect()
    }
}

//! What processes use: CPU time of a process with all its threads and children, resident memory, and how busy a core
//! was in all.

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::fs::read_to_string;
use std::time::Duration;

/// The kernel counts in these ticks where it does not count in nanoseconds (USER_HZ, 100 in every Linux ABI).
const TICK: Duration = Duration::from_millis(10);

/// CPU time used so far.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    /// In all, exactly.
    pub total: Duration,
    /// Of that in the kernel, in steps of 10 ms.
    pub system: Duration,
}

/// CPU time of a process and of its children that run.
pub fn cpu(pid: u32) -> Cpu {
    family(pid)
        .iter()
        .map(|pid| cpu_of_one(*pid))
        .fold(Cpu::default(), |sum, one| Cpu {
            total: sum.total + one.total,
            system: sum.system + one.system,
        })
}

/// Resident memory of a process and its children, in bytes.
pub fn memory(pid: u32) -> u64 {
    let resident = |pid: &u32| -> Option<u64> {
        let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    family(pid).iter().filter_map(resident).sum::<u64>() * 1024
}

/// How long a core has been busy since it started, with whatever.
pub fn busy(core: usize) -> Duration {
    let text = read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{core} ");
    let fields = text
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .unwrap_or_default();
    let ticks: Vec<u32> = fields
        .split(' ')
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; the rest is part of the first two.
    let busy = |index: &usize| ticks.get(*index).copied().unwrap_or(0);
    TICK * [0, 1, 2, 5, 6, 7].iter().map(busy).sum::<u32>()
}

/// A process and all below it.
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(pid) = family.get(next) {
        let children =
            read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        family.extend(
            children
                .split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
        next += 1;
    }
    family
}

fn cpu_of_one(pid: u32) -> Cpu {
    let exact = clock_getcpuclockid(Pid::from_raw(pid as i32)).and_then(clock_gettime);
    let total = exact.map_or(Duration::ZERO, Duration::from);
    Cpu {
        total,
        system: system_ticks(pid).map_or(Duration::ZERO, |ticks| TICK * ticks),
    }
}

fn system_ticks(pid: u32) -> Option<u32> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; behind it, `stime` is the 13th field (proc(5): the 15th of all).
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{busy, cpu, family, memory};
    use std::time::Duration;

    #[test]
    fn our_own_usage_is_seen() {
        let own = std::process::id();
        assert_eq!(family(own)[0], own);
        assert!(memory(own) > 100_000);
        assert!(cpu(own).total > Duration::ZERO);
        assert!(busy(0) > Duration::ZERO);
    }
}

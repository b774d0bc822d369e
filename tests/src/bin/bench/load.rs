//! Many clients at once, and what they and the server's processor saw of it.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// What a number of requests came to.
pub struct Load {
    /// Requests a second.
    pub rate: f64,
    /// From sending to the whole answer.
    times: Vec<Duration>,
}

impl Load {
    /// Each client does all of its requests, one after another, all clients at once; a request answers how long it took.
    pub fn of<C: Send>(clients: Vec<C>, run: impl Fn(&mut C) -> Vec<Duration> + Sync) -> Self {
        let start = Barrier::new(clients.len() + 1);
        let (began, results) = std::thread::scope(|scope| {
            let (start, run) = (&start, &run);
            let running: Vec<_> = clients
                .into_iter()
                .map(|mut client| {
                    scope.spawn(move || {
                        start.wait();
                        run(&mut client)
                    })
                })
                .collect();
            start.wait();
            let began = Instant::now();
            (began, running.into_iter().map(|client| client.join().expect("it ran")).collect::<Vec<_>>())
        });
        let took = began.elapsed();
        let mut times: Vec<Duration> = results.into_iter().flatten().collect();
        times.sort_unstable();
        Self { rate: times.len() as f64 / took.as_secs_f64(), times }
    }

    /// Each client asks for so long, with numbers of its own; a request answers how long it took.
    pub fn during<C: Send>(long: Duration, clients: Vec<C>, ask: impl Fn(&mut C, usize) -> Duration + Sync) -> Self {
        let count = clients.len();
        let numbered = clients.into_iter().enumerate().collect();
        Self::of(numbered, |(first, client)| {
            let (until, mut times, mut at) = (Instant::now() + long, Vec::new(), *first);
            while Instant::now() < until {
                times.push(ask(client, at));
                at += count;
            }
            times
        })
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// The time that this part of the requests did not exceed.
    pub fn part(&self, part: f64) -> Duration {
        part_of(&self.times, part)
    }

    /// Rate, median and p99, in words.
    pub fn words(&self) -> String {
        format!("{:>7.0}/s   p50 {:>9}   p99 {:>9}", self.rate, super::ms(self.part(0.5)), super::ms(self.part(0.99)))
    }
}

/// Of sorted times.
pub fn part_of(times: &[Duration], part: f64) -> Duration {
    let at = (times.len() as f64 * part) as usize;
    times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Processor time that a process has used so far, its threads and the kernel's work for it included.
pub fn cpu(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold anything but ends with the last parenthesis: fields 3 on of proc(5).
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    // A hundred a second on Linux, whatever the kernel's own.
    Duration::from_millis(ticks * 10)
}

/// The same of a server and of the processes that it started; of those that have ended, too.
pub fn cpu_of_all(server: u32) -> Duration {
    let fields = |process: &str| -> Option<Vec<u64>> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields = text.rsplit(')').next()?.split_whitespace();
        Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
    };
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(fields) = name.parse::<u32>().ok().and_then(|_| fields(&name)) else { continue };
        let own: u64 = fields[11..=12].iter().sum();
        match (name == server.to_string(), fields[1] == u64::from(server)) {
            (true, _) => ticks += own + fields[13..=14].iter().sum::<u64>(),
            (_, true) => ticks += own,
            _ => {}
        }
    }
    Duration::from_millis(ticks * 10)
}

/// Memory of a process that lies in RAM now (VmRSS of proc(5)), in words.
pub fn memory(process: u32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    format!("{} MiB", kib / 1024)
}

//! What is measured: groups of modes, each with its network and its contenders.

use super::proxies::{Contender, Kind, Logs};

/// Bytes of the smaller bodies in bulk modes.
const SMALLER: u64 = 1 << 20;

/// What a figure counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Unit {
    /// CPU microseconds for each request, or each connection where every request brings one.
    Request,
    /// CPU seconds for each GiB of bodies.
    Gibibyte,
    /// Microseconds that requests take at a fixed rate.
    Latency,
    /// KiB of resident memory for each idle connection.
    Memory,
}

/// Whether the users' files change meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Config {
    /// They stay.
    Steady,
    /// One changes each second.
    Reloaded,
}

/// One kind of load.
#[derive(Clone, Debug)]
pub struct Mode {
    /// For `--only`.
    pub name: String,
    /// As it stands in tables.
    pub title: String,
    /// What its figures count.
    pub unit: Unit,
    /// The load generator's arguments.
    pub arguments: Vec<String>,
    /// Whether the config changes meanwhile.
    pub config: Config,
    /// How long is measured; `None` is as usual.
    pub seconds: Option<f64>,
}

/// Modes that share contenders and a network.
pub struct Group {
    /// The congestion control of a network of its own; `None` is the machine's own network as it is.
    pub congestion_control: Option<String>,
    /// Who takes part.
    pub contenders: Vec<Contender>,
    /// What they do.
    pub modes: Vec<Mode>,
}

/// How much of everything.
pub struct Scale {
    /// Requests per second where the rate is fixed.
    pub rate: u32,
    /// Connections where nothing else is said.
    pub usual: usize,
    /// Connections of the largest closed loop.
    pub many: usize,
    /// Idle connections.
    pub idle: usize,
    /// Bytes of a large body.
    pub large: u64,
    /// ApiUsers of the comparison, and then of each Portcullis that is compared with itself.
    pub users: [usize; 4],
    /// Seconds of the reload under load.
    pub reload_seconds: f64,
}

impl Scale {
    /// What results are made of.
    pub const FULL: Self = Self {
        rate: 12_000,
        usual: 64,
        many: 512,
        idle: 4_000,
        large: 64 << 20,
        users: [1_000, 10, 10_000, 100_000],
        reload_seconds: 10.0,
    };
    /// Only to see that all of it works.
    pub const SMOKE: Self = Self {
        rate: 200,
        usual: 4,
        many: 8,
        idle: 32,
        large: SMALLER,
        users: [20, 10, 20, 40],
        reload_seconds: 1.2,
    };

    /// Everything, for these contenders.
    pub fn groups(&self, contenders: &[Contender], congestion_controls: &[String]) -> Vec<Group> {
        let all = |_: &Contender| true;
        let reads_http = |contender: &Contender| contender.kind != Kind::Floor;
        let group = |takes_part: &dyn Fn(&Contender) -> bool, modes| Group {
            congestion_control: None,
            contenders: contenders
                .iter()
                .filter(|contender| takes_part(contender))
                .cloned()
                .collect(),
            modes,
        };
        let mut groups = vec![group(&all, self.small()), group(&reads_http, http2())];
        groups.push(group(&all, self.bulk()));
        for name in congestion_controls {
            groups.push(Group {
                congestion_control: Some(name.clone()),
                ..group(&all, self.bulk())
            });
        }
        groups.push(group(&all, vec![self.idle()]));
        if let Some(ours) = contenders
            .iter()
            .find(|contender| matches!(contender.kind, Kind::Portcullis(_)))
        {
            groups.extend(self.of_ours_alone(ours.kind));
        }
        groups
    }

    fn small(&self) -> Vec<Mode> {
        let Self { usual, many, .. } = self;
        let connections = |count: usize| format!("--connections={count}");
        let closed = |count: usize| ["closed".to_owned(), connections(count)];
        let few = connections(16.min(*usual));
        vec![
            request(
                "get-64",
                &format!("GET, {usual} connections"),
                &closed(*usual),
            ),
            request("get-1", "GET, 1 connection", &closed(1)),
            request(
                "get-many",
                &format!("GET, {many} connections"),
                &closed(*many),
            ),
            request(
                "post-1k",
                &format!("POST 1 KiB, {usual} connections"),
                &["closed", "--body=1024", &connections(*usual)],
            ),
            request("full", "full handshake and GET", &["handshakes", &few]),
            request(
                "resumed",
                "resumed handshake and GET",
                &["handshakes", "--resume", &few],
            ),
            Mode {
                unit: Unit::Latency,
                ..request(
                    "latency",
                    &self.per_second(self.rate),
                    &self.open(self.rate),
                )
            },
        ]
    }

    fn bulk(&self) -> Vec<Mode> {
        let mut modes = Vec::new();
        let sizes = if self.large > SMALLER {
            vec![SMALLER, self.large]
        } else {
            vec![SMALLER]
        };
        for bytes in sizes {
            let size = format!("{} MiB", bytes >> 20);
            let download = format!("--path=/bytes/{bytes}");
            let upload = format!("--body={bytes}");
            for (name, argument) in [("download", download), ("upload", upload)] {
                let title = format!("{name} {size}, 4 connections");
                let arguments = ["closed", "--connections=4", &argument];
                let name = format!("{name}-{}", if bytes > SMALLER { "large" } else { "1m" });
                modes.push(Mode {
                    unit: Unit::Gibibyte,
                    ..request(&name, &title, &arguments)
                });
            }
        }
        modes
    }

    fn idle(&self) -> Mode {
        let arguments = ["idle".to_owned(), format!("--connections={}", self.idle)];
        Mode {
            unit: Unit::Memory,
            ..request(
                "idle",
                &format!("{} idle connections", self.idle),
                &arguments,
            )
        }
    }

    fn per_second(&self, rate: u32) -> String {
        format!("{rate} GET/s, {} connections", self.usual)
    }

    fn open(&self, rate: u32) -> [String; 3] {
        [
            "open".to_owned(),
            format!("--rate={rate}"),
            format!("--connections={}", self.usual),
        ]
    }

    /// Portcullis compared with itself: few and many users and routes, with and without logs and
    /// reloads.
    fn of_ours_alone(&self, kind: Kind) -> [Group; 3] {
        let [_, few, more, most] = self.users;
        let with = |users, routes| sized(kind, users, routes);
        let writing = |name: &str, logs| Contender {
            logs,
            ..Contender::new(name, kind, few)
        };
        let closed = |name| {
            let title = format!("GET, {} connections", self.usual);
            request(
                name,
                &title,
                &["closed".to_owned(), format!("--connections={}", self.usual)],
            )
        };
        let rate = self.rate / 3;
        let steady = Mode {
            unit: Unit::Latency,
            seconds: Some(self.reload_seconds),
            ..request(
                "steady",
                &format!("{}, no reload", self.per_second(rate)),
                &self.open(rate),
            )
        };
        let reloaded = Mode {
            name: "reload".to_owned(),
            title: format!("{}, a reload each second", self.per_second(rate)),
            config: Config::Reloaded,
            ..steady.clone()
        };
        [
            Group {
                congestion_control: None,
                contenders: vec![with(few, 1), with(more, 1), with(most, 1), with(few, 200)],
                modes: vec![closed("scale")],
            },
            Group {
                congestion_control: None,
                contenders: vec![
                    writing("no log", Logs::Off),
                    writing("access log", Logs::Access),
                    writing("audit log", Logs::Audit),
                    writing("recent decisions", Logs::Recent),
                ],
                modes: vec![closed("logs")],
            },
            Group {
                congestion_control: None,
                contenders: vec![with(more, 1)],
                modes: vec![steady, reloaded],
            },
        ]
    }
}

fn sized(kind: Kind, users: usize, routes: usize) -> Contender {
    let name = format!(
        "{users} users, {routes} route{}",
        if routes == 1 { "" } else { "s" }
    );
    Contender {
        routes,
        ..Contender::new(&name, kind, users)
    }
}

fn http2() -> Vec<Mode> {
    let mode = |name: &str, connections: u32, streams: u32| {
        let title = format!("HTTP/2 GET, {connections} connections of {streams} streams");
        let arguments = [
            "http2".to_owned(),
            format!("--connections={connections}"),
            format!("--streams={streams}"),
        ];
        request(name, &title, &arguments)
    };
    vec![mode("http2", 8, 16), mode("http2-2", 2, 64)]
}

fn request<T: AsRef<str>>(name: &str, title: &str, arguments: &[T]) -> Mode {
    Mode {
        name: name.to_owned(),
        title: title.to_owned(),
        unit: Unit::Request,
        arguments: arguments
            .iter()
            .map(|argument| argument.as_ref().to_owned())
            .collect(),
        config: Config::Steady,
        seconds: None,
    }
}

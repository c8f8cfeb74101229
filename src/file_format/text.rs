//! Recognises configs of other programs and languages by their lines.

use super::FileFormat;

/// The beginnings of tables in a config of Portcullis.
const OWN_TABLES: [&str; 14] = [
    "[listener.",
    "[trust_domain.",
    "[api_user.",
    "[role.",
    "[upstream.",
    "[client_certificate.",
    "[[route]]",
    "[[expect]]",
    "[gateway]",
    "[admin]",
    "[limits]",
    "[log]",
    "[access_log]",
    "[token_issuer.",
];
const NGINX_BLOCKS: [&str; 7] = [
    "http", "server", "location", "events", "upstream", "stream", "map",
];
const NGINX_DIRECTIVES: [&str; 6] = [
    "listen",
    "server_name",
    "proxy_pass",
    "ssl_certificate",
    "root",
    "worker_processes",
];
const HAPROXY_SECTIONS: [&str; 5] = ["global", "defaults", "frontend", "backend", "listen"];
const CADDY_DIRECTIVES: [&str; 7] = [
    "reverse_proxy",
    "file_server",
    "respond",
    "tls",
    "handle",
    "encode",
    "basic_auth",
];

pub(super) fn format(text: &str) -> Option<FileFormat> {
    let is_comment =
        |line: &&str| line.is_empty() || line.starts_with('#') || line.starts_with("//");
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_comment(&line.trim_start()))
        .collect();
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
    if trimmed
        .iter()
        .any(|line| OWN_TABLES.iter().any(|table| line.starts_with(table)))
    {
        return Some(FileFormat::OwnConfig);
    }
    let first = trimmed.first()?;
    if is_json(&trimmed) {
        return Some(FileFormat::Json);
    }
    if first.starts_with('<') {
        return Some(FileFormat::Markup);
    }
    if trimmed
        .iter()
        .any(|line| line.starts_with("object ") && line.ends_with('{'))
    {
        return Some(FileFormat::Icinga2);
    }
    if is_nginx(&trimmed) {
        return Some(FileFormat::Nginx);
    }
    if is_haproxy(&lines) {
        return Some(FileFormat::HaProxy);
    }
    if is_caddyfile(&trimmed) {
        return Some(FileFormat::Caddyfile);
    }
    is_yaml(&trimmed).then_some(FileFormat::Yaml)
}

fn word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn is_json(lines: &[&str]) -> bool {
    let mut letters = lines
        .iter()
        .flat_map(|line| line.chars())
        .filter(|letter| !letter.is_whitespace());
    match (letters.next(), letters.next()) {
        (Some('{'), Some('"' | '}')) => true,
        (Some('['), Some('{' | '"' | ']')) => !lines.iter().any(|line| line.contains(" = ")),
        _ => false,
    }
}

fn is_nginx(lines: &[&str]) -> bool {
    let is_block = |line: &&str| line.ends_with('{') && NGINX_BLOCKS.contains(&word(line));
    let is_directive = |line: &&str| line.ends_with(';') && NGINX_DIRECTIVES.contains(&word(line));
    lines.iter().any(is_block) && lines.iter().any(|line| line.ends_with(';'))
        || lines.iter().filter(|line| is_directive(line)).count() >= 2
}

/// Sections start at the beginning of a line; their content is indented.
fn is_haproxy(lines: &[&str]) -> bool {
    let sections = lines
        .iter()
        .filter(|line| HAPROXY_SECTIONS.contains(&word(line)) && !line.starts_with([' ', '\t']));
    let braces = lines
        .iter()
        .any(|line| line.contains(['{', '=']) && !line.starts_with([' ', '\t']));
    let inside = lines.iter().any(|line| line.starts_with([' ', '\t']));
    sections.count() >= 1 && inside && !braces
}

fn is_caddyfile(lines: &[&str]) -> bool {
    let is_directive =
        |line: &&&str| CADDY_DIRECTIVES.contains(&word(line)) && !line.contains(" = ");
    lines.iter().any(|line| line.ends_with('{')) && lines.iter().any(|line| is_directive(&line))
}

fn is_yaml(lines: &[&str]) -> bool {
    let is_entry = |line: &&&str| {
        let entry = line.strip_prefix("- ").unwrap_or(line);
        line.starts_with("- ")
            || line.starts_with("---")
            || entry.ends_with(':')
            || entry.contains(": ")
    };
    let has_assignment = lines.iter().any(|line| line.contains(" = "));
    let entries = lines.iter().filter(|line| is_entry(line)).count();
    !has_assignment && entries >= 2 && entries * 2 > lines.len()
}

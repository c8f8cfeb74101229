//! Help texts: their examples can be copied, and are commands that exist.

use super::{Cli, suggestion::with_suggestion};
use clap::{Command, CommandFactory, Parser};

/// All commands that have a help text, at every depth.
fn commands() -> Vec<Command> {
    fn add(command: &Command, all: &mut Vec<Command>) {
        all.push(command.clone());
        command.get_subcommands().for_each(|below| add(below, all));
    }
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    add(&command, &mut all);
    all
}

fn after_help(command: &Command) -> String {
    command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn examples_of_help_have_lines_of_their_own_at_80_columns() {
    for command in commands() {
        let text = after_help(&command);
        let help = command
            .clone()
            .term_width(80)
            .render_long_help()
            .to_string();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
        for line in lines {
            assert!(
                line.chars().count() <= 80,
                "{}: over 80 columns: {line}",
                command.get_name()
            );
            assert!(
                help.lines().any(|shown| shown == line),
                "{}: {line}\n{help}",
                command.get_name()
            );
        }
    }
}

#[test]
fn examples_of_help_are_commands_that_exist() {
    let mut count = 0;
    for command in commands() {
        let text = after_help(&command)
            .replace("\\\n", " ")
            .replace("|\n", "| ");
        let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
        for example in
            lines.filter_map(|line| line.find("portcullis ").and_then(|at| line.get(at..)))
        {
            let parsed = Cli::try_parse_from(words(example));
            assert!(
                parsed.is_ok(),
                "{example}: {}",
                parsed
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default()
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count} examples");
}

/// The words of a command up to a redirection.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in command.split(['\'', '"']).enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words.into_iter().take_while(|word| word != ">").collect()
}

#[test]
fn the_nearest_command_is_suggested_also_for_words_of_other_programs() {
    for (word, expected) in [
        ("chekc", "check"),
        ("start", "run"),
        ("strat", "run"),
        ("validate", "check"),
        ("hash", "hash-password"),
    ] {
        let error = Cli::try_parse_from(["portcullis", word])
            .err()
            .map(|error| with_suggestion(error, Some(word)));
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            text.contains(&format!("exists: '{expected}'")),
            "{word}: {text}"
        );
    }
    for arguments in [
        ["portcullis", "xyz"].as_slice(),
        &["portcullis", "pki", "start"],
    ] {
        let error = Cli::try_parse_from(arguments)
            .err()
            .map(|error| with_suggestion(error, arguments.get(1).copied()));
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            text.contains("unrecognized subcommand") && !text.contains("exists: 'run'"),
            "{text}"
        );
    }
}

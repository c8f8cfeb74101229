//! Functions: which there are, what they take, and the literals that are read once, networks and regular expressions.

use super::super::calendar::Part;
use super::super::error::ConditionError;
use super::super::tree::{Each, Find, Node};
use super::super::value::Kind;
use super::{Checker, Typed, literal_text, nearest, with_article};
use crate::identity::Network;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use std::net::Ipv6Addr;

pub(super) const FUNCTIONS: [&str; 8] = [
    "has",
    "inNetwork",
    "size",
    "int",
    "string",
    "timestamp",
    "duration",
    "matches",
];
pub(super) const METHODS: [&str; 12] = [
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "lowerAscii",
    "size",
    "exists",
    "all",
    "exists_one",
    "existsOne",
    "filter",
    "map",
];
/// Octets of a compiled regular expression.
const REGEX_SIZE: usize = 64 << 10;
const REGEX_DEPTH: u32 = 32;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        expression: &IdedExpr,
        call: &CallExpr,
    ) -> Result<Typed, ConditionError> {
        let name = call.func_name.as_str();
        match &call.target {
            Some(target) => self.method(expression, name, target, &call.args),
            None => match self.operator(expression, name, &call.args) {
                Some(outcome) => outcome,
                None => self.function(expression, name, &call.args),
            },
        }
    }

    fn function(
        &mut self,
        expression: &IdedExpr,
        name: &str,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        match (name, arguments) {
            ("has", [argument]) => self.has(expression, argument),
            ("size", [argument]) => self.size(argument),
            ("int", [argument]) => self.number(argument),
            ("string", [argument]) => self.written(argument),
            ("timestamp", [argument]) => self.timestamp(argument),
            ("duration", [argument]) => self.duration(argument),
            ("inNetwork", [address, networks]) => self.in_network(address, networks),
            ("matches", [text, pattern]) => self.matches(text, pattern),
            _ => Err(self.no_function(expression, name, FUNCTIONS.into_iter())),
        }
    }

    fn method(
        &mut self,
        expression: &IdedExpr,
        name: &str,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let each = match name {
            "exists" => Some(Each::Exists),
            "all" => Some(Each::All),
            "exists_one" | "existsOne" => Some(Each::ExistsOne),
            "filter" => Some(Each::Filter),
            "map" => Some(Each::Map),
            _ => None,
        };
        if let Some(each) = each {
            return self.each(expression, each, target, arguments);
        }
        if let Some((name, part)) = Part::FUNCTIONS.iter().find(|(known, _)| *known == name) {
            return self.calendar(name, *part, target, arguments);
        }
        match (name, arguments) {
            ("startsWith", [part]) => self.find(Find::StartsWith, name, target, part),
            ("endsWith", [part]) => self.find(Find::EndsWith, name, target, part),
            ("contains", [part]) => self.find(Find::Contains, name, target, part),
            ("matches", [pattern]) => self.matches(target, pattern),
            ("size", []) => self.size(target),
            ("lowerAscii", []) => {
                let text = self.wanted(target, Kind::TEXT, "`lowerAscii`")?;
                Ok(Typed {
                    kind: Kind::TEXT,
                    node: Node::Lower(Box::new(text)),
                })
            }
            _ => {
                let parts = Part::FUNCTIONS.iter().map(|(name, _)| *name);
                Err(self.no_function(expression, name, METHODS.into_iter().chain(parts)))
            }
        }
    }

    fn no_function<'n>(
        &self,
        expression: &IdedExpr,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> ConditionError {
        let place = self.places.name_before(self.places.of(expression.id), name);
        if known.clone().any(|known| known == name) {
            let (message, hint) = (
                format!("`{name}` does not take so many arguments"),
                "see the table of functions",
            );
            return self.error(place, message, hint);
        }
        let hint = match (FUNCTIONS.contains(&name), METHODS.contains(&name)) {
            (true, _) => format!("it is no function of a value: write {name}(...)"),
            (_, true) => format!("it is a function of a value: write value.{name}(...)"),
            _ => nearest(name, known),
        };
        self.error(place, format!("there is no function `{name}`"), hint)
    }

    fn find(
        &mut self,
        find: Find,
        name: &str,
        text: &IdedExpr,
        part: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let by = format!("`{name}`");
        let operands = [
            self.wanted(text, Kind::TEXT, &by)?,
            self.wanted(part, Kind::TEXT, &by)?,
        ];
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::Find(find, Box::new(operands)),
        })
    }

    fn size(&mut self, of: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(of)?;
        if !matches!(typed.kind, Kind::TEXT | Kind::List(_)) {
            let message = format!(
                "`size` needs a string or a list, and this is {}",
                with_article(typed.kind)
            );
            return Err(self.error(
                self.start_of(of),
                message,
                "texts are counted in characters, lists in elements",
            ));
        }
        Ok(Typed {
            kind: Kind::INT,
            node: Node::Size(Box::new(typed.node)),
        })
    }

    fn number(&mut self, of: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(of)?;
        if !matches!(typed.kind, Kind::INT | Kind::TEXT | Kind::TIME) {
            let message = format!("`int` makes no number of {}", with_article(typed.kind));
            return Err(self.error(
                self.start_of(of),
                message,
                "it takes a string, or a timestamp for its seconds",
            ));
        }
        Ok(Typed {
            kind: Kind::INT,
            node: Node::ToInt(Box::new(typed.node)),
        })
    }

    fn written(&mut self, of: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(of)?;
        if !matches!(
            typed.kind,
            Kind::INT | Kind::TEXT | Kind::BOOL | Kind::ADDRESS
        ) {
            let message = format!("`string` makes no text of {}", with_article(typed.kind));
            return Err(self.error(self.start_of(of), message, "it takes an int or a bool"));
        }
        Ok(Typed {
            kind: Kind::TEXT,
            node: Node::ToText(Box::new(typed.node)),
        })
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr) -> Result<Typed, ConditionError> {
        let text = self.wanted(text, Kind::TEXT, "`matches`")?;
        let place = self.start_of(pattern);
        let Some(pattern) = literal_text(pattern) else {
            let message = "the regular expression must be written out".to_owned();
            return Err(self.error(
                place,
                message,
                "no request may choose it; for plain text use contains",
            ));
        };
        let config = Regex::config().nfa_size_limit(Some(REGEX_SIZE));
        let syntax = syntax::Config::new().nest_limit(REGEX_DEPTH);
        let regex = Regex::builder()
            .configure(config)
            .syntax(syntax)
            .build(pattern)
            .map_err(|error| {
                let reason = error
                    .syntax_error()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                let reason = reason
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let hint = "it is one of the crate regex; in r\"...\" a backslash is a backslash";
                self.error(
                    place,
                    format!("the regular expression cannot be used: {reason}"),
                    hint,
                )
            })?;
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::Matches(Box::new(text), regex),
        })
    }

    fn in_network(
        &mut self,
        address: &IdedExpr,
        networks: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        // `source.ip` is the same address.
        let address = match &address.expr {
            Expr::Select(select) if select.field == "ip" => &select.operand,
            _ => address,
        };
        let address = self.wanted(address, Kind::ADDRESS, "`inNetwork`")?;
        let written = match &networks.expr {
            Expr::List(list) => list.elements.as_slice(),
            _ => std::slice::from_ref(networks),
        };
        let mut read = Vec::with_capacity(written.len());
        for network in written {
            let hint = "write one as in \"10.0.0.0/8\", or several: [\"10.0.0.0/8\", \"fd00::/8\"]";
            let place = self.start_of(network);
            let text = literal_text(network).ok_or_else(|| {
                self.error(place, "the networks must be written out".to_owned(), hint)
            })?;
            if is_mapped(text) {
                let message = format!("`{text}` is a network of IPv4 in the clothes of IPv6");
                return Err(self.error(
                    place,
                    message,
                    "write it as a network of IPv4: addresses are compared as such",
                ));
            }
            read.push(text.parse::<Network>().map_err(|error| {
                let message = format!("`{text}` is no network: {error}");
                self.error(place, message, hint)
            })?);
        }
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::InNetwork(Box::new(address), read),
        })
    }
}

/// Whether it is one of the IPv6 addresses that stand for IPv4 addresses: no client has one here.
fn is_mapped(network: &str) -> bool {
    let address = network.split('/').next().unwrap_or_default();
    address
        .parse::<Ipv6Addr>()
        .is_ok_and(|address| address.to_ipv4_mapped().is_some())
}

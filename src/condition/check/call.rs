//! Checks function calls: names, argument kinds, and literals that are parsed once (networks and regular expressions).

use super::super::calendar::DatePart;
use super::super::error::ConditionError;
use super::super::tree::{CelNode, ListMacro, TextTest};
use super::super::value::CelKind;
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
/// Maximum size of a compiled regular expression, in bytes.
const REGEX_SIZE: usize = 64 << 10;
/// Maximum nesting of a regular expression.
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
                Some(result) => result,
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
            ("int", [argument]) => self.int_call(argument),
            ("string", [argument]) => self.string_call(argument),
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
        let list_macro = match name {
            "exists" => Some(ListMacro::Exists),
            "all" => Some(ListMacro::All),
            "exists_one" | "existsOne" => Some(ListMacro::ExistsOne),
            "filter" => Some(ListMacro::Filter),
            "map" => Some(ListMacro::Map),
            _ => None,
        };
        if let Some(list_macro) = list_macro {
            return self.list_macro(expression, list_macro, target, arguments);
        }
        if let Some((name, part)) = DatePart::FUNCTIONS.iter().find(|(known, _)| *known == name) {
            return self.calendar(name, *part, target, arguments);
        }
        match (name, arguments) {
            ("startsWith", [part]) => self.text_test(TextTest::StartsWith, name, target, part),
            ("endsWith", [part]) => self.text_test(TextTest::EndsWith, name, target, part),
            ("contains", [part]) => self.text_test(TextTest::Contains, name, target, part),
            ("matches", [pattern]) => self.matches(target, pattern),
            ("size", []) => self.size(target),
            ("lowerAscii", []) => {
                let text = self.expect(target, CelKind::TEXT, "`lowerAscii`")?;
                Ok(Typed {
                    kind: CelKind::TEXT,
                    node: CelNode::Lower(Box::new(text)),
                })
            }
            _ => {
                let parts = DatePart::FUNCTIONS.iter().map(|(name, _)| *name);
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
        let place = self
            .offsets
            .name_before(self.offsets.of(expression.id), name);
        if known.clone().any(|known| known == name) {
            let message = format!("`{name}` does not take this number of arguments");
            return self.error(place, message, "see the table of functions");
        }
        let hint = match (FUNCTIONS.contains(&name), METHODS.contains(&name)) {
            (true, _) => format!("it is not a method: write {name}(...)"),
            (_, true) => format!("it is a method: write value.{name}(...)"),
            _ => nearest(name, known),
        };
        self.error(place, format!("there is no function `{name}`"), hint)
    }

    fn text_test(
        &mut self,
        test: TextTest,
        name: &str,
        text: &IdedExpr,
        part: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let operator = format!("`{name}`");
        let operands = [
            self.expect(text, CelKind::TEXT, &operator)?,
            self.expect(part, CelKind::TEXT, &operator)?,
        ];
        Ok(Typed {
            kind: CelKind::BOOL,
            node: CelNode::Find(test, Box::new(operands)),
        })
    }

    fn size(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(operand)?;
        if !matches!(typed.kind, CelKind::TEXT | CelKind::List(_)) {
            let message = format!(
                "`size` needs a string or a list, and this is {}",
                with_article(typed.kind)
            );
            return Err(self.error(
                self.start_of(operand),
                message,
                "texts are counted in characters, lists in elements",
            ));
        }
        Ok(Typed {
            kind: CelKind::INT,
            node: CelNode::Size(Box::new(typed.node)),
        })
    }

    fn int_call(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(operand)?;
        if !matches!(typed.kind, CelKind::INT | CelKind::TEXT | CelKind::TIME) {
            let message = format!("`int` cannot convert {}", with_article(typed.kind));
            return Err(self.error(
                self.start_of(operand),
                message,
                "it takes a string, or a timestamp for its seconds",
            ));
        }
        Ok(Typed {
            kind: CelKind::INT,
            node: CelNode::ToInt(Box::new(typed.node)),
        })
    }

    fn string_call(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(operand)?;
        if !matches!(
            typed.kind,
            CelKind::INT | CelKind::TEXT | CelKind::BOOL | CelKind::ADDRESS
        ) {
            let message = format!("`string` cannot convert {}", with_article(typed.kind));
            return Err(self.error(self.start_of(operand), message, "it takes an int or a bool"));
        }
        Ok(Typed {
            kind: CelKind::TEXT,
            node: CelNode::ToText(Box::new(typed.node)),
        })
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr) -> Result<Typed, ConditionError> {
        let text = self.expect(text, CelKind::TEXT, "`matches`")?;
        let place = self.start_of(pattern);
        let Some(pattern) = literal_text(pattern) else {
            let message = "the regular expression must be written out".to_owned();
            return Err(self.error(
                place,
                message,
                "a request must not choose it; for plain text use contains",
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
            kind: CelKind::BOOL,
            node: CelNode::Matches(Box::new(text), regex),
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
        let address = self.expect(address, CelKind::ADDRESS, "`inNetwork`")?;
        let literals = match &networks.expr {
            Expr::List(list) => list.elements.as_slice(),
            _ => std::slice::from_ref(networks),
        };
        let mut networks = Vec::with_capacity(literals.len());
        for network in literals {
            let hint = "write one as in \"10.0.0.0/8\", or several: [\"10.0.0.0/8\", \"fd00::/8\"]";
            let place = self.start_of(network);
            let text = literal_text(network).ok_or_else(|| {
                self.error(place, "the networks must be written out".to_owned(), hint)
            })?;
            if is_mapped(text) {
                let message = format!("`{text}` is an IPv4 network in IPv6-mapped form");
                return Err(self.error(
                    place,
                    message,
                    "write it as an IPv4 network: mapped addresses are compared as IPv4",
                ));
            }
            networks.push(text.parse::<Network>().map_err(|error| {
                let message = format!("`{text}` is not a network: {error}");
                self.error(place, message, hint)
            })?);
        }
        Ok(Typed {
            kind: CelKind::BOOL,
            node: CelNode::InNetwork(Box::new(address), networks),
        })
    }
}

/// Whether a network has an IPv4-mapped IPv6 address. Client addresses are never in that form here.
fn is_mapped(network: &str) -> bool {
    let address = network.split('/').next().unwrap_or_default();
    address
        .parse::<Ipv6Addr>()
        .is_ok_and(|address| address.to_ipv4_mapped().is_some())
}

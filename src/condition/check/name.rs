//! Resolves names: variables, their fields, and names in brackets. An unknown name is an error.

use super::super::error::ConditionError;
use super::super::tree::{Attribute, AttributeName, CelNode, CertificateField};
use super::super::value::CelKind;
use super::{Checker, Typed, literal_text, nearest, with_article};
use cel::IdedExpr;
use cel::common::ast::{Expr, SelectExpr};

const ROOTS: [&str; 6] = [
    "request",
    "captures",
    "certificate",
    "user",
    "source",
    "now",
];
const REQUEST: [&str; 5] = ["method", "path", "host", "query", "headers"];

/// A variable that has fields but is not a value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Request,
    Query,
    Headers,
    Captures,
    Certificate,
}

impl Space {
    /// The variable in expression syntax.
    fn expression(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Query => "request.query",
            Self::Headers => "request.headers",
            Self::Captures => "captures",
            Self::Certificate => "certificate",
        }
    }
}

pub(super) fn is_root(name: &str) -> bool {
    ROOTS.contains(&name)
}

fn certificate_fields() -> impl Iterator<Item = &'static str> + Clone {
    CertificateField::NAMES.iter().map(|(name, _, _)| *name)
}

impl Checker<'_> {
    pub(super) fn space(&self, expression: &IdedExpr) -> Option<Space> {
        match &expression.expr {
            Expr::Ident(name) => match name.as_str() {
                "request" => Some(Space::Request),
                "captures" => Some(Space::Captures),
                "certificate" => Some(Space::Certificate),
                _ => None,
            },
            Expr::Select(select) => match (self.space(&select.operand)?, select.field.as_str()) {
                (Space::Request, "query") => Some(Space::Query),
                (Space::Request, "headers") => Some(Space::Headers),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn variable(
        &mut self,
        expression: &IdedExpr,
        name: &str,
    ) -> Result<Typed, ConditionError> {
        match name {
            "user" => return Ok(self.read(Attribute::User)),
            "source" => return Ok(self.read(Attribute::Source)),
            "now" => return Ok(self.read(Attribute::Now)),
            _ => {}
        }
        if let Some((variable, scalar)) = &self.variable
            && variable == name
        {
            return Ok(Typed {
                kind: CelKind::One(*scalar),
                node: CelNode::Element,
            });
        }
        let place = self.offsets.of(expression.id);
        if let Some(space) = self.space(expression) {
            return Err(self.not_a_value(place, space));
        }
        let hint = match name {
            _ if REQUEST.contains(&name) => format!("did you mean `request.{name}`?"),
            _ if certificate_fields().any(|field| field == name) => {
                format!("did you mean `certificate.{name}`?")
            }
            _ => nearest(name, ROOTS.into_iter()),
        };
        Err(self.error(place, format!("there is no variable `{name}`"), hint))
    }

    fn not_a_value(&self, place: Option<usize>, space: Space) -> ConditionError {
        let hint = match space {
            Space::Request => format!("name a field of it: {}", REQUEST.join(", ")),
            Space::Certificate => {
                format!(
                    "name a field of it: {}",
                    certificate_fields().collect::<Vec<_>>().join(", ")
                )
            }
            _ => format!(
                "name an element of it, as in: {}[\"name\"]",
                space.expression()
            ),
        };
        self.error(
            place,
            format!("`{}` is not a value by itself", space.expression()),
            hint,
        )
    }

    pub(super) fn field(
        &mut self,
        expression: &IdedExpr,
        select: &SelectExpr,
    ) -> Result<Typed, ConditionError> {
        let place = self.offsets.next_word(self.offsets.of(expression.id));
        if let Some(space) = self.space(expression) {
            return Err(self.not_a_value(self.start_of(expression), space));
        }
        if let Some(space) = self.space(&select.operand) {
            let read = self.field_of(space, &select.field, place)?;
            return Ok(self.read(read));
        }
        let typed = self.expression(&select.operand)?;
        if typed.kind == CelKind::ADDRESS && select.field == "ip" {
            return Ok(Typed {
                kind: CelKind::TEXT,
                node: CelNode::ToText(Box::new(typed.node)),
            });
        }
        let hint = if typed.kind == CelKind::ADDRESS {
            "its only field is `ip`"
        } else {
            "functions are called with brackets"
        };
        Err(self.error(
            place,
            format!(
                "{} has no field `{}`",
                with_article(typed.kind),
                select.field
            ),
            hint,
        ))
    }

    fn field_of(
        &self,
        space: Space,
        field: &str,
        place: Option<usize>,
    ) -> Result<Attribute, ConditionError> {
        let unknown = |known: String| {
            self.error(
                place,
                format!("`{}` has no field `{field}`", space.expression()),
                known,
            )
        };
        match (space, field) {
            (Space::Request, "method") => Ok(Attribute::Method),
            (Space::Request, "path") => Ok(Attribute::Path),
            (Space::Request, "host") => Ok(Attribute::Host),
            (Space::Request, _) => Err(unknown(nearest(field, REQUEST.into_iter()))),
            (Space::Certificate, _) => match CertificateField::NAMES
                .iter()
                .find(|(name, _, _)| *name == field)
            {
                Some((_, _, field)) => Ok(Attribute::Certificate(*field)),
                None => Err(unknown(nearest(field, certificate_fields()))),
            },
            (Space::Query | Space::Headers | Space::Captures, _) => self.named(space, field, place),
        }
    }

    /// A query parameter, header field or capture, by its name.
    fn named(
        &self,
        space: Space,
        name: &str,
        place: Option<usize>,
    ) -> Result<Attribute, ConditionError> {
        let expression = |name: &str| format!("{}[\"{name}\"]", space.expression()).into();
        match space {
            Space::Query => Ok(Attribute::Query(AttributeName {
                name: name.into(),
                expression: expression(name),
            })),
            Space::Captures => Ok(Attribute::Capture(AttributeName {
                name: name.into(),
                expression: expression(name),
            })),
            Space::Headers => {
                let name = name.to_ascii_lowercase();
                if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    let hint = "header field names consist of letters, digits and hyphens";
                    return Err(self.error(
                        place,
                        format!("`{name}` is not a header field name"),
                        hint,
                    ));
                }
                Ok(Attribute::Header(AttributeName {
                    expression: expression(&name),
                    name: name.into(),
                }))
            }
            Space::Request | Space::Certificate => self.field_of(space, name, place),
        }
    }

    /// `space["name"]`. The name must be a literal, so that no request chooses what is read.
    pub(super) fn named_in_brackets(
        &mut self,
        space: Space,
        name: &IdedExpr,
    ) -> Result<Attribute, ConditionError> {
        let place = self.offsets.of(name.id);
        if matches!(space, Space::Request | Space::Certificate) {
            let hint = format!("write it with a dot, as in: {}.name", space.expression());
            return Err(self.error(
                place,
                format!(
                    "the fields of `{}` are not written in brackets",
                    space.expression()
                ),
                hint,
            ));
        }
        let Some(text) = literal_text(name) else {
            let hint = format!(
                "write the name itself, as in: {}[\"name\"]",
                space.expression()
            );
            return Err(self.error(
                place,
                "the name in the brackets must be written out".to_owned(),
                hint,
            ));
        };
        self.named(space, text, place)
    }

    /// `has(...)`.
    pub(super) fn has(
        &mut self,
        call: &IdedExpr,
        argument: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let place = self.start_of(argument).or(self.offsets.of(call.id));
        let hint = "write has(certificate.cn), has(captures.name), or for any name: \"name\" in request.query";
        let Expr::Select(select) = &argument.expr else {
            return Err(self.error(place, "has() needs a field".to_owned(), hint));
        };
        match self.space(&select.operand) {
            Some(Space::Request) => Err(self.error(
                place,
                format!("`request.{}` is always present", select.field),
                hint,
            )),
            Some(space) => {
                let read = self.field_of(
                    space,
                    &select.field,
                    self.offsets.next_word(self.offsets.of(argument.id)),
                )?;
                Ok(self.presence(read))
            }
            None => Err(self.error(
                place,
                "has() needs a field of captures, certificate or request".to_owned(),
                hint,
            )),
        }
    }

    pub(super) fn presence(&mut self, read: Attribute) -> Typed {
        self.note(&read);
        Typed {
            kind: CelKind::BOOL,
            node: CelNode::Has(read),
        }
    }
}

//! Names: variables and their fields, and those that stand in brackets. A name that is not known is an error.

use super::super::error::ConditionError;
use super::super::tree::{CertificateField, Named, Node, Read};
use super::super::value::Kind;
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

/// What only has fields, and is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Request,
    Query,
    Headers,
    Captures,
    Certificate,
}

impl Space {
    fn written(self) -> &'static str {
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
            "user" => return Ok(self.read(Read::User)),
            "source" => return Ok(self.read(Read::Source)),
            "now" => return Ok(self.read(Read::Now)),
            _ => {}
        }
        if let Some((variable, scalar)) = &self.variable
            && variable == name
        {
            return Ok(Typed {
                kind: Kind::One(*scalar),
                node: Node::Element,
            });
        }
        let place = self.places.of(expression.id);
        if let Some(space) = self.space(expression) {
            return Err(self.no_value(place, space));
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

    fn no_value(&self, place: Option<usize>, space: Space) -> ConditionError {
        let hint = match space {
            Space::Request => format!("name a field of it: {}", REQUEST.join(", ")),
            Space::Certificate => {
                format!(
                    "name a field of it: {}",
                    certificate_fields().collect::<Vec<_>>().join(", ")
                )
            }
            _ => format!("name one of it, as in: {}[\"name\"]", space.written()),
        };
        self.error(
            place,
            format!("`{}` is no value by itself", space.written()),
            hint,
        )
    }

    pub(super) fn field(
        &mut self,
        expression: &IdedExpr,
        select: &SelectExpr,
    ) -> Result<Typed, ConditionError> {
        let place = self.places.behind(self.places.of(expression.id));
        if let Some(space) = self.space(expression) {
            return Err(self.no_value(self.start_of(expression), space));
        }
        if let Some(space) = self.space(&select.operand) {
            let read = self.field_of(space, &select.field, place)?;
            return Ok(self.read(read));
        }
        let typed = self.expression(&select.operand)?;
        if typed.kind == Kind::ADDRESS && select.field == "ip" {
            return Ok(Typed {
                kind: Kind::TEXT,
                node: Node::ToText(Box::new(typed.node)),
            });
        }
        let hint = if typed.kind == Kind::ADDRESS {
            "it has the field `ip` alone"
        } else {
            "functions have brackets"
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
    ) -> Result<Read, ConditionError> {
        let unknown = |known: String| {
            self.error(
                place,
                format!("`{}` has no field `{field}`", space.written()),
                known,
            )
        };
        match (space, field) {
            (Space::Request, "method") => Ok(Read::Method),
            (Space::Request, "path") => Ok(Read::Path),
            (Space::Request, "host") => Ok(Read::Host),
            (Space::Request, _) => Err(unknown(nearest(field, REQUEST.into_iter()))),
            (Space::Certificate, _) => match CertificateField::NAMES
                .iter()
                .find(|(name, _, _)| *name == field)
            {
                Some((_, _, field)) => Ok(Read::Certificate(*field)),
                None => Err(unknown(nearest(field, certificate_fields()))),
            },
            (Space::Query | Space::Headers | Space::Captures, _) => self.named(space, field, place),
        }
    }

    /// One of many, by its name.
    fn named(
        &self,
        space: Space,
        name: &str,
        place: Option<usize>,
    ) -> Result<Read, ConditionError> {
        let written = |name: &str| format!("{}[\"{name}\"]", space.written()).into();
        match space {
            Space::Query => Ok(Read::Query(Named {
                name: name.into(),
                written: written(name),
            })),
            Space::Captures => Ok(Read::Capture(Named {
                name: name.into(),
                written: written(name),
            })),
            Space::Headers => {
                let name = name.to_ascii_lowercase();
                if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    let hint = "names of header fields are made of letters, digits and hyphens";
                    return Err(self.error(
                        place,
                        format!("`{name}` is no name of a header field"),
                        hint,
                    ));
                }
                Ok(Read::Header(Named {
                    written: written(&name),
                    name: name.into(),
                }))
            }
            Space::Request | Space::Certificate => self.field_of(space, name, place),
        }
    }

    /// `space["name"]`; the name stands in the text, so that no request chooses what is read.
    pub(super) fn named_in_brackets(
        &mut self,
        space: Space,
        name: &IdedExpr,
    ) -> Result<Read, ConditionError> {
        let place = self.places.of(name.id);
        if matches!(space, Space::Request | Space::Certificate) {
            let hint = format!("write it with a dot, as in: {}.name", space.written());
            return Err(self.error(
                place,
                format!(
                    "the fields of `{}` do not stand in brackets",
                    space.written()
                ),
                hint,
            ));
        }
        let Some(text) = literal_text(name) else {
            let hint = format!(
                "write the name itself, as in: {}[\"name\"]",
                space.written()
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
        let place = self.start_of(argument).or(self.places.of(call.id));
        let hint = "ask has(certificate.cn), has(captures.name), or for any name: \"name\" in request.query";
        let Expr::Select(select) = &argument.expr else {
            return Err(self.error(place, "has() asks for a field".to_owned(), hint));
        };
        match self.space(&select.operand) {
            Some(Space::Request) => Err(self.error(
                place,
                format!("`request.{}` is always there", select.field),
                hint,
            )),
            Some(space) => {
                let read = self.field_of(
                    space,
                    &select.field,
                    self.places.behind(self.places.of(argument.id)),
                )?;
                Ok(self.presence(read))
            }
            None => Err(self.error(
                place,
                "has() asks for a field of captures, certificate or request".to_owned(),
                hint,
            )),
        }
    }

    pub(super) fn presence(&mut self, read: Read) -> Typed {
        self.note(&read);
        Typed {
            kind: Kind::BOOL,
            node: Node::Has(read),
        }
    }
}

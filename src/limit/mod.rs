//! Limits on what one request may use. Knows no users yet: sizes and silence of bodies.

mod body;

pub use body::{BodyEnd, BodyFailure, Meter, MeteredBody};

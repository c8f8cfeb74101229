//! Fetched lists without a network: what gets into the folder, and where certificates may make us ask.

use super::super::tests::lists::*;
use super::*;

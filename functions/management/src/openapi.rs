//! This function's part of the published document (CBM-6). What is forgotten here fails the test that compares the document with
//! the template's routes and the table of operations.

use utoipa::{OpenApi, openapi::OpenApi as Document};

use crate::docs;

#[derive(OpenApi)]
#[openapi(paths(docs::document::read, docs::page::read, docs::asset::read))]
struct Described;

/// The operations of the management function.
#[must_use]
pub fn openapi() -> Document {
    Described::openapi()
}

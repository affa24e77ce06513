//! This function's part of the published document (CBM-6). What is forgotten here fails the test
//! that compares the document with the template's routes and the table of operations.

use utoipa::{OpenApi, openapi::OpenApi as Document};

use crate::{auth_token, customer_tokens, introspect, jwks, metadata, oauth_token, revoke_token};

#[derive(OpenApi)]
#[openapi(paths(
    customer_tokens::create,
    auth_token::create,
    introspect::introspect,
    jwks::read,
    metadata::read,
    oauth_token::create,
    revoke_token::revoke,
))]
struct Described;

/// The operations of the token function.
#[must_use]
pub fn openapi() -> Document {
    Described::openapi()
}

//! This function's part of the published document (CBM-6). What is forgotten here fails the test
//! that compares the document with the template's routes and the table of operations.

use utoipa::{OpenApi, openapi::OpenApi as Document};

use crate::{banks, docs, incidents, keys, organizations, owner_keys, users};

#[derive(OpenApi)]
#[openapi(
    paths(
        docs::document::read,
        docs::page::read,
        docs::asset::read,
        organizations::list::list,
        organizations::create::create,
        organizations::read::read,
        organizations::update::update,
        organizations::kyb::kyb,
        organizations::plan::plan,
        banks::list::list,
        banks::create::create,
        banks::read::read,
        banks::update::update,
        users::list::list,
        users::create::create,
        users::read::read,
        users::update::update,
        users::disable::disable,
        incidents::revoke::revoke,
        keys::list::list,
        keys::create::create,
        keys::read::read,
        keys::update::update,
        keys::delete::delete,
        keys::rotate::rotate,
        keys::finish_rotation::finish_rotation,
        keys::revoke::revoke,
        keys::deactivate::deactivate,
        keys::restore::restore,
    ),
    nest(
        (path = "/api/bank_applications", api = OwnerKeys),
        (path = "/api/organization_applications", api = OwnerKeys)
    )
)]
struct Described;

/// One family of keys (CYB-3).
#[derive(OpenApi)]
#[openapi(paths(
    owner_keys::list::list,
    owner_keys::create::create,
    owner_keys::read::read,
    owner_keys::update::update,
    owner_keys::delete::delete,
))]
struct OwnerKeys;

/// The operations of the management function.
#[must_use]
pub fn openapi() -> Document {
    Described::openapi()
}

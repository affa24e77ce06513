//! Answers with a file of the interactive documentation.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use domain::error::Error;
use web::{dialect::Management, extract::Id};

use super::page::SAFETY;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The files, by what the page calls them.
const FILES: [(&str, &str, &str); 3] = [
    ("start.js", JAVASCRIPT, include_str!("start.js")),
    (
        "swagger-ui-bundle.js",
        JAVASCRIPT,
        include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    (
        "swagger-ui.css",
        "text/css; charset=utf-8",
        include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    ),
];

/// Gets a script or style sheet of this documentation.
#[utoipa::path(
    get,
    path = "/api/docs/{file}",
    operation_id = "read_docs_file",
    tag = "documentation",
    security(()),
    params(("file" = String, Path, description = "Its name, such as `start.js`")),
    responses(
        (status = 200, content((String = "text/javascript"), (String = "text/css"))),
        web::openapi::NotFound,
        web::openapi::Unavailable
    )
)]
pub(crate) async fn read(Id(name): Id) -> Result<Response, Management> {
    let file = FILES.iter().find(|(file, ..)| *file == name);
    let (_, media_type, text) = *file.ok_or_else(Error::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    Ok((headers, SAFETY, text).into_response())
}

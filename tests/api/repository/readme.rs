//! What the README promises to programs.

use std::collections::BTreeMap;

use domain::error::Kind;
use web::dialect::management;

/// docs/requirements.md, Errors: `message_code` is a closed, documented list. What the functions,
/// the authorizer and the gateway can say is what the README lists, with its status.
#[test]
fn every_message_code_is_documented_and_every_documented_one_exists() {
    let row = regex::Regex::new(r"(?m)^\| `([a-z_]+)` \| (\d{3}) \| ").unwrap();
    let readme = include_str!("../../../README.md");
    let documented: BTreeMap<_, _> = row
        .captures_iter(readme)
        .map(|row| (row[1].to_owned(), row[2].parse::<u16>().unwrap()))
        .collect();
    let mut said: BTreeMap<String, u16> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let (status, _, code) = management(kind);
            (code.to_owned(), status.as_u16())
        })
        .collect();
    said.extend(guard::DenyReason::ALL.map(|cause| (cause.message_code().to_owned(), 403)));
    let gateway =
        regex::Regex::new(r#"\{"status":(\d{3}),"error":"[a-z_]+","message_code":"([a-z_]+)""#)
            .unwrap();
    said.extend(
        gateway
            .captures_iter(local::services::TEMPLATE)
            .map(|said| (said[2].to_owned(), said[1].parse().unwrap())),
    );
    assert_eq!(documented, said);
}

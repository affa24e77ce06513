//! GET /api/users: order, filters, pages, and which staff may read it.

use serde_json::json;
use tests::Platform;

use super::PATH;
use crate::organization_snapshot::{column, text};

#[tokio::test]
async fn cyb_11_users_are_listed_in_order_filtered_and_paged() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let seeded = column(&owner.get(PATH).await, "email");
    assert_eq!(
        seeded,
        [
            "owner@demo.example",
            "developer@demo.example",
            "viewer@demo.example"
        ]
    );
    let mut guids = Vec::new();
    for (name, role) in [
        ("a", "viewer"),
        ("b", "admin"),
        ("c", "viewer"),
        ("d", "developer"),
    ] {
        let made = owner
            .post(
                PATH,
                &json!({"email": format!("{name}@example.com"), "role": role}),
            )
            .await;
        guids.push(text(&made.body, "guid"));
    }
    assert_eq!(
        owner.delete(&format!("{PATH}/{}", guids[2])).await.status,
        204
    );
    let whole = owner.get(PATH).await;
    assert_eq!(
        (
            &whole.body["total"],
            &whole.body["page"],
            &whole.body["per_page"]
        ),
        (&json!(7), &json!(0), &json!(10))
    );
    assert_eq!(column(&whole, "guid")[3..], guids);
    let page = owner.get(&format!("{PATH}?page=1&per_page=4")).await;
    assert_eq!(
        (&page.body["total"], column(&page, "guid")),
        (&json!(7), guids[1..].to_vec())
    );
    for (query, expected) in [
        ("role=admin".to_owned(), vec![&guids[1]]),
        ("state=disabled".to_owned(), vec![&guids[2]]),
        (format!("guid={}", guids[3]), vec![&guids[3]]),
        (
            format!("guid={},{}", guids[3], guids[0]),
            vec![&guids[0], &guids[3]],
        ),
        (
            format!("guid={},{}&state=active", guids[2], guids[0]),
            vec![&guids[0]],
        ),
        (format!("guid={}", "1".repeat(32)), vec![]),
    ] {
        let list = owner.get(&format!("{PATH}?{query}")).await;
        assert_eq!(
            column(&list, "guid").iter().collect::<Vec<_>>(),
            expected,
            "{query}"
        );
        assert_eq!(list.body["total"], expected.len(), "{query}");
    }
    let many = vec!["1".repeat(32); 101].join(",");
    for (query, field, words) in [
        ("guid=nonsense", "guid", "must be identifiers"),
        ("guid=", "guid", "must be identifiers"),
        (&*format!("guid={many}"), "guid", "at most 100"),
        ("role=root", "role", "is not a role"),
        ("state=gone", "state", "must be active or disabled"),
        ("email=a@example.com", "email", "is not a parameter"),
        (
            &*format!("organization_guid={}", platform.seed.organization.guid),
            "organization_guid",
            "platform staff",
        ),
    ] {
        owner
            .get(&format!("{PATH}?{query}"))
            .await
            .assert_field(field, words);
    }
}

#[tokio::test]
async fn leak_3_support_and_security_read_users_of_any_customer_and_operations_none() {
    let platform = Platform::start().await;
    let organization = &platform.seed.organization.guid;
    let user = &platform.seed.users.viewer.guid;
    for staff in [platform.support(), platform.security()] {
        let list = staff
            .get(&format!("{PATH}?organization_guid={organization}"))
            .await;
        assert_eq!(column(&list, "email").len(), 3);
        assert_eq!(staff.get(&format!("{PATH}/{user}")).await.status, 200);
        staff
            .get(PATH)
            .await
            .assert_field("organization_guid", "is required of platform staff");
        staff
            .get(&format!("{PATH}?organization_guid=x"))
            .await
            .assert_field("organization_guid", "must be");
        staff
            .get(&format!("{PATH}?organization_guid={}", "1".repeat(32)))
            .await
            .assert_error(404, "not_found");
        staff
            .post(PATH, &json!({"email": "ada@example.com"}))
            .await
            .assert_error(403, "forbidden");
        staff
            .patch(&format!("{PATH}/{user}"), &json!({"role": "owner"}))
            .await
            .assert_error(403, "forbidden");
        staff
            .delete(&format!("{PATH}/{user}"))
            .await
            .assert_error(403, "forbidden");
    }
    let (operations, platform_guid) = (platform.operations(), "0".repeat(32));
    operations
        .get(&format!("{PATH}?organization_guid={organization}"))
        .await
        .assert_error(403, "forbidden");
    operations
        .get(&format!("{PATH}/{user}"))
        .await
        .assert_error(403, "forbidden");
    let own = format!("{PATH}?organization_guid={platform_guid}");
    platform
        .support()
        .get(&own)
        .await
        .assert_error(404, "not_found");
    assert_eq!(
        column(&platform.security().get(&own).await, "role"),
        ["support", "security", "operations"]
    );
}

//! Authorizers, methods and gateway responses as API Gateway tells them.

use serde_json::json;

use super::{Case, Patient, Seen, change};

const SERVICES: Seen = Seen::Services;
const AUTHORIZERS: &str = "GET /restapis/localapi00/authorizers";
const RESPONSES: &str = "GET /restapis/localapi00/gatewayresponses";
const RESOURCES: &str = "GET /restapis/localapi00/resources";

const API: &[Case] = &[
    Case {
        check: "api.authorizers",
        words: "SampleAuthorizer has its results kept for 300 s",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(AUTHORIZERS) {
                change(answered, "item", ("name", "SampleAuthorizer"), |one| {
                    one["authorizerResultTtlInSeconds"] = 300.into();
                });
            }
        },
    },
    Case {
        check: "api.authorizers",
        words: "ManagementAuthorizer is no REQUEST authorizer",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(AUTHORIZERS) {
                change(answered, "item", ("name", "ManagementAuthorizer"), |one| {
                    one["type"] = "TOKEN".into();
                });
            }
        },
    },
    Case {
        check: "api.authorizers",
        words: "ManagementAuthorizer is not asked about calls without \
                method.request.header.Authorization",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(AUTHORIZERS) {
                change(answered, "item", ("name", "ManagementAuthorizer"), |one| {
                    one["identitySource"] = "method.request.header.Authorization".into();
                });
            }
        },
    },
    Case {
        check: "api.authorizers",
        words: "there is no SampleAuthorizer",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(AUTHORIZERS) {
                change(answered, "item", ("name", "SampleAuthorizer"), |one| {
                    one["name"] = "Another".into();
                });
            }
        },
    },
    Case {
        check: "api.methods",
        words: "POST /api/keys has no authorizer",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESOURCES) {
                change(answered, "item", ("path", "/api/keys"), |one| {
                    one["resourceMethods"]["POST"] =
                        json!({"httpMethod": "POST", "authorizationType": "NONE"});
                });
            }
        },
    },
    Case {
        check: "api.methods",
        words: "GET /v1/whoami is not there",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESOURCES) {
                change(answered, "item", ("path", "/v1/whoami"), |one| {
                    one["path"] = "/v2/whoami".into();
                });
            }
        },
    },
    Case {
        check: "api.gateway_responses",
        words: "ACCESS_DENIED has another body",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESPONSES) {
                change(answered, "item", ("responseType", "ACCESS_DENIED"), |one| {
                    one["responseTemplates"]["application/json"] = "{}".into();
                });
            }
        },
    },
    Case {
        check: "api.gateway_responses",
        words: "AUTHORIZER_FAILURE has status 500 and not 503",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESPONSES) {
                change(
                    answered,
                    "item",
                    ("responseType", "AUTHORIZER_FAILURE"),
                    |one| one["statusCode"] = "500".into(),
                );
            }
        },
    },
    Case {
        check: "api.gateway_responses",
        words: "UNAUTHORIZED has another WWW-Authenticate, or none",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESPONSES) {
                change(answered, "item", ("responseType", "UNAUTHORIZED"), |one| {
                    one["responseParameters"] =
                        json!({"gatewayresponse.header.Cache-Control": "'no-store'"});
                });
            }
        },
    },
    Case {
        check: "api.gateway_responses",
        words: "THROTTLED is not customised",
        also: &[],
        at: SERVICES,
        change: |asked, answered| {
            if asked.is(RESPONSES) {
                change(answered, "item", ("responseType", "THROTTLED"), |one| {
                    one["defaultResponse"] = true.into();
                });
            }
        },
    },
];

#[tokio::test]
async fn authorizers_methods_and_gateway_responses_that_are_not_the_template_s_are_named() {
    Patient::admit().await.suffers(API).await;
}

//! What a gateway says of a request beside HTTP: where it came from, when, and under which id.

use std::net::IpAddr;

use domain::time::Timestamp;
use http::Extensions;
use lambda_http::request::RequestContext;

use crate::proxy::SourceIpTrust;

/// The gateway's facts about one request. The source address is `requestContext`'s alone; behind a
/// trusted proxy the function's door has put the resolved one there ([`crate::proxy`]). No header
/// is ever believed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The caller's address.
    pub source_ip: Option<IpAddr>,
    /// How it came about.
    pub source_ip_trust: SourceIpTrust,
    /// The gateway's id of the request, shared by its logs and ours.
    pub request_id: Option<String>,
    /// When the gateway took the request in.
    pub request_time: Option<Timestamp>,
}

impl Facts {
    /// The facts of the request that has these extensions; all unknown when it came through no
    /// gateway.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        let (source_ip, request_id, epoch) = match extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV1(context)) => (
                &context.identity.source_ip,
                &context.request_id,
                context.request_time_epoch,
            ),
            Some(RequestContext::ApiGatewayV2(context)) => (
                &context.http.source_ip,
                &context.request_id,
                context.time_epoch,
            ),
            _ => return Self::default(),
        };
        Self {
            source_ip: source_ip
                .as_deref()
                .and_then(|text| text.parse().ok())
                .map(|ip: IpAddr| ip.to_canonical()),
            source_ip_trust: extensions.get().copied().unwrap_or_default(),
            request_id: request_id.clone(),
            request_time: (epoch > 0).then(|| Timestamp::from_millis(epoch)),
        }
    }
}

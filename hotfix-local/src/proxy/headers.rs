//! What changes in a message's head on its way through: hop-by-hop fields go, the forwarding fields come.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Version};

/// Fields that speak of one connection only (RFC 9110, 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Says which requests the proxy does not forward at all, with the answer they get.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    if request.method() == Method::CONNECT {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "this proxy makes no tunnels\n"));
    }
    let upgrade = request.headers().get(header::UPGRADE)?;
    // An offer of HTTP/2 may be ignored (RFC 9110, 7.8); any other protocol would fail later and less clearly.
    let is_http = upgrade.to_str().is_ok_and(|protocol| protocol.to_ascii_lowercase().starts_with("h2c"));
    (!is_http).then_some((StatusCode::NOT_IMPLEMENTED, "this proxy does not switch protocols\n"))
}

/// Makes the head of a request fit for the instance.
pub(crate) fn towards_instance<B>(request: &mut Request<B>, client: IpAddr) {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if authority.is_some() {
        to_origin_form(request);
    }
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    // Answered here: the proxy sends `100 Continue` itself as soon as it reads the body.
    headers.remove(header::EXPECT);
    // The authority of an absolute address counts more than the field (RFC 9112, 3.2.2).
    if let Some(host) = authority.and_then(|authority| HeaderValue::try_from(authority).ok()) {
        headers.insert(header::HOST, host);
    }
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    } else {
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    append_client(headers, client);
}

/// Makes the head of an answer fit for the client.
pub(crate) fn towards_client(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
}

fn to_origin_form<B>(request: &mut Request<B>) {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // A path that was part of a valid address is a valid address by itself.
    if let Ok(origin) = path.parse() {
        *request.uri_mut() = origin;
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    // A client must not be able to take away what frames or routes the message.
    names.filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST).collect()
}

fn append_client(headers: &mut HeaderMap, client: IpAddr) {
    let client = client.to_canonical().to_string();
    let mut path: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    path.push(&client);
    if let Ok(value) = HeaderValue::try_from(path.join(", ")) {
        headers.insert(FORWARDED_FOR, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let builder =
            headers.iter().fold(Request::get(uri), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).expect("a request")
    }

    fn forwarded(uri: &str, headers: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        let mut request = request(uri, headers);
        towards_instance(&mut request, CLIENT);
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.to_str().expect("printable").to_owned())
        };
        let mut pairs: Vec<_> = request.headers().iter().map(pair).collect();
        pairs.sort();
        (request.uri().to_string(), pairs)
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_speaks_of_the_connection_stays_behind() {
        let (_, headers) = forwarded(
            "/",
            &[
                ("host", "shop.test"),
                ("connection", "close, X-Private, content-length"),
                ("content-length", "3"),
                ("expect", "100-continue"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "trailers"),
                ("x-private", "1"),
                ("x-public", "2"),
            ],
        );
        let expected = pairs(&[
            ("content-length", "3"),
            ("host", "shop.test"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "shop.test"),
            ("x-forwarded-proto", "http"),
            ("x-public", "2"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn the_way_a_request_came_is_appended_to() {
        let earlier = [
            ("host", "inner.test"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-host", "outer.test"),
            ("x-forwarded-proto", "https"),
        ];
        let (_, headers) = forwarded("/", &earlier);
        let expected = pairs(&[
            ("host", "inner.test"),
            ("x-forwarded-for", "203.0.113.9, 198.51.100.1, 192.0.2.7"),
            ("x-forwarded-host", "outer.test"),
            ("x-forwarded-proto", "https"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn an_absolute_address_becomes_a_path_and_a_host() {
        let (uri, headers) = forwarded("http://shop.test:8080/a?b=c", &[("host", "other.test")]);
        assert_eq!(uri, "/a?b=c");
        assert!(headers.contains(&("host".to_owned(), "shop.test:8080".to_owned())));
    }

    #[test]
    fn tunnels_and_protocol_switches_are_refused_by_name() {
        let status = |request: &Request<()>| refusal(request).map(|(status, _)| status.as_u16());
        assert_eq!(status(&request("/", &[("upgrade", "websocket")])), Some(501));
        assert_eq!(status(&request("/", &[("upgrade", "h2c")])), None);
        assert_eq!(status(&request("/", &[])), None);
        let connect = Request::connect("shop.test:443").body(()).expect("a request");
        assert_eq!(status(&connect), Some(405));
    }
}

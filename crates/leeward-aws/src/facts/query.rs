//! Signed requests to services whose SDK crates are not used: EC2's alone takes longer to build than all else together,
//! and three calls of it and of Route 53 are wanted. The signing, the connection and its time-outs are the SDK's; the
//! answers are XML.

use std::time::{Duration, SystemTime};

use aws_sdk_rds::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use roxmltree::{Document, Node};

use super::Caller;
use super::call::{Call, Failed, is_throttling, misunderstood, refused, unanswered};
use crate::error::ServiceReply;

/// Attempts of one request: throttling and faults of the service pass.
const ATTEMPTS_MAX: u32 = 4;

/// The pause before the second attempt; it doubles from there, 2.8 s in all.
const BACKOFF: Duration = Duration::from_millis(400);

/// A request before it is signed.
pub(super) struct Request {
    /// The service's name in a signature.
    pub service: &'static str,
    /// The Region in a signature.
    pub region: String,
    /// The service's own host, where no endpoint is configured.
    pub host: String,
    /// `GET` with a path and query, or `POST` of a form.
    pub what: What,
}

/// What is asked.
pub(super) enum What {
    /// Path and query, percent-encoded.
    Get(String),
    /// Parameters of a query API.
    Post(Vec<(String, String)>),
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    body: String,
}

/// Never made: a reply of any status is an answer here.
#[derive(Debug)]
struct NoError;

impl std::fmt::Display for NoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no error")
    }
}

impl std::error::Error for NoError {}

/// Sends a request until it is answered, and hands the XML to `read`.
pub(super) async fn send<T>(
    caller: &Caller,
    call: &Call,
    request: &Request,
    read: impl Fn(Node<'_, '_>) -> Option<T>,
) -> Result<T, Failed> {
    let mut pause = BACKOFF;
    for attempt in 1..=ATTEMPTS_MAX {
        let reply = send_once(caller, call, request).await?;
        let document = Document::parse(&reply.body)
            .map_err(|error| misunderstood(call, format!("HTTP {} without XML: {error}", reply.status)))?;
        if (200..300).contains(&reply.status) {
            return read(document.root_element())
                .ok_or_else(|| misunderstood(call, "the answer lacks what it must hold"));
        }
        let code = text(&document, "Code");
        let passes = reply.status >= 500 || code.is_some_and(is_throttling);
        if attempt == ATTEMPTS_MAX || !passes {
            return Err(refused(
                call,
                &ServiceReply {
                    code,
                    message: text(&document, "Message"),
                    request_id: text(&document, "RequestId").or(text(&document, "RequestID")),
                    status: reply.status,
                },
            ));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(misunderstood(call, "no attempt was made"))
}

fn text<'a>(document: &'a Document<'_>, name: &str) -> Option<&'a str> {
    document.descendants().find(|node| node.has_tag_name(name) || node.tag_name().name() == name)?.text()
}

async fn send_once(caller: &Caller, call: &Call, request: &Request) -> Result<Reply, Failed> {
    let signed = signed(caller, request).await.map_err(|error| misunderstood(call, error))?;
    let mut operation = Operation::builder()
        .service_name(request.service)
        .operation_name(call.action)
        .behavior_version(BehaviorVersion::latest())
        .no_auth()
        .no_retry()
        .endpoint_url(&base(caller, request))
        .serializer(|request: Signed| Ok(request.0))
        .deserializer(|response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            Ok::<_, aws_smithy_runtime_api::client::orchestrator::OrchestratorError<NoError>>(Reply {
                status: response.status().as_u16(),
                body: String::from_utf8_lossy(body).into_owned(),
            })
        });
    if let Some(timeouts) = caller.config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    if let Some(sleep) = caller.config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    operation.build().invoke(Signed(signed)).await.map_err(|error| unanswered(call, &error))
}

/// A request with its signature, which is not shown.
struct Signed(HttpRequest);

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signed")
    }
}

fn base(caller: &Caller, request: &Request) -> String {
    match caller.config.endpoint_url() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", request.host),
    }
}

async fn signed(caller: &Caller, request: &Request) -> Result<HttpRequest, String> {
    let provider = caller.config.credentials_provider().ok_or("there are no credentials")?;
    let keys = provider.provide_credentials().await.map_err(|error| error.to_string())?;
    let identity = Identity::from(keys);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name(request.service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let (method, path, body) = match &request.what {
        What::Get(path) => ("GET", path.as_str(), String::new()),
        What::Post(form) => ("POST", "/", encoded(form)),
    };
    let url = format!("{}{path}", base(caller, request));
    let kind = "application/x-www-form-urlencoded";
    let headers = (method == "POST").then_some(("content-type", kind));
    let signable = SignableRequest::new(method, &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
        .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &params).map_err(|error| error.to_string())?.into_parts();
    let mut http = HttpRequest::new(body.into_bytes().into());
    http.set_method(method).map_err(|error| error.to_string())?;
    // The orchestrator puts the endpoint before it.
    http.set_uri(path).map_err(|error| error.to_string())?;
    if method == "POST" {
        http.headers_mut().insert("content-type", kind);
    }
    for (name, value) in instructions.headers() {
        http.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Ok(http)
}

/// Encodes a form.
fn encoded(form: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        form.iter().map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Returns the child elements of a name.
pub(super) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// Returns the text of a child element.
pub(super) fn child<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).next().and_then(|child| child.text())
}

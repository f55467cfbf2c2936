//! The address at which a running `sync` answers: `/live`, `/ready`, `/status.json`, `/metrics`. It only tells; nothing can
//! be changed by asking. It knows no password and no TLS, which is why it listens on this machine alone unless told
//! otherwise.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use leeward_mysql::endpoint::Endpoint;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use super::prometheus;
use super::vitals::{Seen, Vitals};
use crate::commands::status;
use crate::config::Mistakes;
use crate::report::fault::FailureReport;
use crate::{Failure, wire};

/// Connections answered at once; others wait. A health check and a scraper need two.
const CONNECTIONS_MAX: usize = 16;

/// How long one connection may take in all, question and answer. Longer than a status may take.
const CONNECTION_MAX: Duration = Duration::from_secs(15);

/// How long reading the status from the target may take: the target may be gone, and whoever asks should hear of it.
const STATUS_MAX: Duration = Duration::from_secs(10);

/// How long a status that was read is good for: however many ask, the target is asked once in this time.
const STATUS_KEPT: Duration = Duration::from_secs(1);

/// How long a listener that cannot take connections (too many open files) waits until it tries again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What is told.
pub struct Told {
    vitals: Arc<Vitals>,
    target: Endpoint,
    /// The last status as JSON, and when it was read. Its lock is held while one is read, so that one is read at a time.
    status: Mutex<Option<(Instant, Answer)>>,
}

impl Told {
    /// Tells of these vital signs, and of the lane's status as it is written down on the target.
    pub fn new(vitals: Arc<Vitals>, target: &Endpoint) -> Told {
        Told { vitals, target: wire::sight::impatient(target.clone()), status: Mutex::new(None) }
    }
}

/// Takes the address, before anything else is done: an address in use must not be found out in the middle of work.
///
/// # Errors
/// A mistake that names the address and says why it cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Mistakes> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another process listens there already, perhaps another `leeward sync`; stop it, or give another port"
                    .to_owned()
            }
            _ => format!("{error}; give another address"),
        };
        let mut mistakes = Mistakes::default();
        mistakes.missing(format!("cannot listen on {address} (--listen, LEEWARD_LISTEN, [sync] listen): {why}"));
        mistakes
    })
}

/// Answers until it is stopped. One request a connection: nobody who asks every few seconds needs more.
pub async fn serve(listener: TcpListener, told: Arc<Told>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => return,
            taken = take(&listener, &slots) => taken,
        };
        let Some((stream, slot)) = taken else { continue };
        let told = told.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(request, &told));
            let connection = http1::Builder::new()
                .keep_alive(false)
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer);
            // Whoever hangs up early, or never says what it wants, is no concern of ours.
            let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
            drop(slot);
        });
    }
}

async fn take(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!(%error, "a connection to the listening address could not be taken");
            tokio::time::sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

/// What is answered.
#[derive(Debug, Clone)]
struct Answer {
    code: StatusCode,
    kind: &'static str,
    body: Bytes,
}

impl Answer {
    fn json(code: StatusCode, value: &impl serde::Serialize) -> Answer {
        let body = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        Answer { code, kind: "application/json", body: (body + "\n").into() }
    }

    fn text(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer { code, kind, body: body.into() }
    }
}

async fn answer(request: Request<Incoming>, told: &Told) -> Result<Response<Full<Bytes>>, Infallible> {
    let Answer { code, kind, body } = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, path) => of_path(path, told).await,
        _ => Answer::text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET: nothing can be changed here\n"),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if code == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

async fn of_path(path: &str, told: &Told) -> Answer {
    match path {
        "/live" => {
            let seen = told.vitals.seen();
            signs(&seen, seen.is_going_on())
        }
        "/ready" => {
            let seen = told.vitals.seen();
            signs(&seen, seen.is_ready())
        }
        "/metrics" => Answer::text(StatusCode::OK, prometheus::CONTENT_TYPE, prometheus::text(&told.vitals.seen())),
        "/status.json" => status(told).await,
        _ => Answer::text(StatusCode::NOT_FOUND, "text/plain", "/live /ready /status.json /metrics\n"),
    }
}

fn signs(seen: &Seen, is_fine: bool) -> Answer {
    let code = if is_fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let value = json!({
        "schema": 1,
        "lane": seen.lane,
        "going_on": seen.is_going_on(),
        "ready": seen.is_ready(),
        "phase": seen.phase,
        "stepped_ms_ago": u64::try_from(seen.since_step().as_millis()).unwrap_or(u64::MAX),
        "step_max_ms": u64::try_from(seen.step_max.as_millis()).unwrap_or(u64::MAX),
        "cut_at": seen.cut_at,
        "fault": seen.fault,
    });
    Answer::json(code, &value)
}

/// Returns the same report as `leeward status --output json`.
async fn status(told: &Told) -> Answer {
    let mut kept = told.status.lock().await;
    if let Some((read, answer)) = kept.as_ref()
        && read.elapsed() < STATUS_KEPT
    {
        return answer.clone();
    }
    let lane = told.vitals.seen().lane;
    let answer = match tokio::time::timeout(STATUS_MAX, status::report(&told.target, &lane)).await {
        Ok(Ok(report)) => Answer::json(StatusCode::OK, &report),
        Ok(Err(failure)) => {
            let report = match &failure {
                Failure::Fault(fault) => FailureReport::of(fault),
                Failure::Machine(error) => FailureReport::of_error(error.as_ref()),
                Failure::Mistakes(mistakes) => FailureReport::of_error(mistakes),
            };
            Answer::json(StatusCode::SERVICE_UNAVAILABLE, &report)
        }
        Err(_) => {
            let late = json!({ "schema": 1, "error": "read the status on the target: no answer in time" });
            Answer::json(StatusCode::SERVICE_UNAVAILABLE, &late)
        }
    };
    *kept = Some((Instant::now(), answer.clone()));
    answer
}

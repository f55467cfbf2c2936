//! `leeward healthcheck`: asks the `sync` of this machine whether its loop goes on. No server is asked: a failover is no
//! reason to replace a process that will get over it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::Desk;
use crate::config::Mistakes;
use crate::{Answer, Failure, report};

/// How long an answer may take: a process that turns answers within milliseconds, and ECS gives a check 5 s.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// Longer than any honest answer; whatever else listens there is not read into memory.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Prints how the process is. Whether it is stuck or does not answer is one and the same to who would replace it, and Docker
/// reserves exit code 2: so there is no answer *no*, and both are failures.
///
/// # Errors
/// When no address is configured, nothing answers there, or the loop has stopped.
pub async fn run(desk: &Desk) -> Result<Answer, Failure> {
    let Some(listen) = desk.settings.listen else {
        let mut mistakes = Mistakes::default();
        mistakes.missing("no address is given: set LEEWARD_LISTEN, or use --listen, as for `leeward sync`");
        return Err(mistakes.into());
    };
    let address = from_here(listen);
    let asked = tokio::time::timeout(ANSWER_MAX, ask(address)).await;
    let late = |_| anyhow!("no answer within {} s: the process hangs", ANSWER_MAX.as_secs());
    let (code, signs) =
        asked.map_err(late).and_then(|asked| asked).with_context(|| format!("ask the sync at {address}"))?;
    let ms = |name: &str| signs[name].as_u64().unwrap_or_default();
    let (ago_s, max_s) = (ms("stepped_ms_ago") as f64 / 1e3, ms("step_max_ms") / 1_000);
    if code != StatusCode::OK {
        let stuck = format!("the loop is stuck: its last step was {ago_s:.1} s ago, and {max_s} s are allowed");
        return Err(match signs["fault"].as_str() {
            Some(fault) => anyhow!("{stuck}; the turn before it ended in a fault: {fault}"),
            None => anyhow!(stuck),
        }
        .into());
    }
    report::write(desk.talk, &signs, || format!("the loop goes on: its last step was {ago_s:.1} s ago\n"))?;
    Ok(Answer::Yes)
}

/// Returns where this machine reaches what listens at an address: one that stands for all addresses is none to connect to.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> anyhow::Result<(StatusCode, Value)> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("begin to speak HTTP")?;
    let asked = async {
        let request = Request::get("/live").header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await.context("ask for /live")?;
        let code = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow!("read the answer: {error}"))?.to_bytes();
        let signs: Value =
            serde_json::from_slice(&body).context("read the answer, which is not from a `leeward sync`")?;
        anyhow::ensure!(signs["going_on"].is_boolean(), "what answers is not a `leeward sync`");
        Ok((code, signs))
    };
    // The connection moves on only while it is waited for; that it ends after the answer is no fault.
    let (asked, _) = tokio::join!(asked, connection);
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_by_the_loopback() {
        for (listen, from) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:9464", "[::1]:9464"),
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("10.0.0.7:9464", "10.0.0.7:9464"),
        ] {
            assert_eq!(from_here(listen.parse().unwrap()).to_string(), from);
        }
    }
}

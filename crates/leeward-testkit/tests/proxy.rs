//! The proxy against an echo server: what it delays, stops, resets and counts. Times are only ever
//! held to be *at least* something; a busy machine may take longer.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::proxy::{Direction, Link, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Far longer than anything here takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// Answers every byte with itself.
async fn echo_server() -> Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    Ok(address)
}

async fn proxied(link: Link) -> Result<(Proxy, TcpStream)> {
    let proxy = Proxy::start(echo_server().await?, link).await?;
    let stream = TcpStream::connect(proxy.address()).await?;
    // Otherwise the kernel holds a second small write back until the first is acknowledged.
    stream.set_nodelay(true)?;
    Ok((proxy, stream))
}

async fn ask(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    tokio::time::timeout(HANG, stream.read_exact(&mut answer)).await.expect("an answer in time")?;
    Ok(answer)
}

/// Reads to the end, which must be an error and not an orderly close.
async fn assert_reset(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(HANG, stream.read_to_end(&mut rest)).await.expect("an end in time");
    assert_eq!(end.expect_err("a reset").kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn bytes_arrive_unchanged_and_an_orderly_close_stays_one() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::with_round_trip(Duration::from_millis(2))).await?;
    // More than the window, so that back-pressure is met; sent and read at the same time.
    let sent: Vec<u8> = (0..10_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut from, mut to) = stream.split();
    let mut received = Vec::new();
    let writing = async {
        to.write_all(&sent).await?;
        to.shutdown().await
    };
    tokio::try_join!(writing, from.read_to_end(&mut received))?;
    assert!(received == sent, "{} bytes came back", received.len());
    assert_eq!(proxy.counters().bytes_to_server, sent.len() as u64);
    assert_eq!(proxy.counters().bytes_to_client, sent.len() as u64);
    assert_eq!(proxy.counters().connections, 1);
    Ok(())
}

#[tokio::test]
async fn an_answer_takes_at_least_a_round_trip_and_opening_takes_one_more() -> Result<()> {
    let delay = Duration::from_millis(30);
    let started = Instant::now();
    let (proxy, mut stream) = proxied(Link { delay, bytes_per_s_max: None }).await?;
    ask(&mut stream, b"first").await?;
    assert!(started.elapsed() >= delay * 4, "took {:?}", started.elapsed());

    let started = Instant::now();
    ask(&mut stream, b"second").await?;
    assert!(started.elapsed() >= delay * 2, "took {:?}", started.elapsed());

    let longer = Duration::from_millis(80);
    proxy.set_delay(longer);
    let started = Instant::now();
    ask(&mut stream, b"third").await?;
    assert!(started.elapsed() >= longer * 2, "took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_limit_of_bandwidth_holds() -> Result<()> {
    let link = Link { delay: Duration::ZERO, bytes_per_s_max: Some(1_000_000) };
    let (_proxy, mut stream) = proxied(link).await?;
    let started = Instant::now();
    ask(&mut stream, &vec![7; 200_000]).await?;
    // The way back overlaps the way there, so only one direction counts.
    assert!(started.elapsed() >= Duration::from_millis(200), "took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn requests_sent_in_one_burst_are_one_round_trip() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::with_round_trip(Duration::from_millis(20))).await?;
    for _ in 0..3 {
        ask(&mut stream, b"question").await?;
    }
    assert_eq!(proxy.counters().round_trips, 3);
    // Two writes that do not wait for each other's answer.
    stream.write_all(b"one").await?;
    ask(&mut stream, b"two").await?;
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await?;
    assert_eq!(proxy.counters().round_trips, 4);
    Ok(())
}

#[tokio::test]
async fn a_stalled_link_is_silent_and_loses_nothing() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    ask(&mut stream, b"before").await?;
    proxy.stall();
    stream.write_all(b"during").await?;
    let mut answer = [0; 6];
    let silence = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
    assert!(silence.is_err(), "a byte passed a stalled link");
    proxy.resume();
    tokio::time::timeout(HANG, stream.read_exact(&mut answer)).await??;
    assert_eq!(&answer, b"during");
    Ok(())
}

#[tokio::test]
async fn one_direction_can_be_stalled_alone() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    ask(&mut stream, b"before").await?;
    proxy.stall_one_way(Direction::ToClient);
    stream.write_all(b"during").await?;
    let deadline = Instant::now() + HANG;
    while proxy.counters().bytes_to_server < 12 {
        assert!(Instant::now() < deadline, "the request did not reach the server");
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.counters().bytes_to_client, 6);
    Ok(())
}

#[tokio::test]
async fn a_reset_reaches_open_connections_and_spares_new_ones() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    ask(&mut stream, b"before").await?;
    proxy.reset_all();
    assert_reset(&mut stream).await;
    let mut again = TcpStream::connect(proxy.address()).await?;
    assert_eq!(ask(&mut again, b"after").await?, b"after");
    Ok(())
}

#[tokio::test]
async fn a_closed_port_refuses_until_it_is_opened_again() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    ask(&mut stream, b"before").await?;
    proxy.refuse().await?;
    let refused = TcpStream::connect(proxy.address()).await.expect_err("the port is closed");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut stream, b"open connections stay").await?, b"open connections stay");
    proxy.accept().await?;
    let mut again = TcpStream::connect(proxy.address()).await?;
    assert_eq!(ask(&mut again, b"after").await?, b"after");
    Ok(())
}

#[tokio::test]
async fn a_cut_after_bytes_lets_exactly_these_pass_and_happens_once() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    proxy.cut_after_bytes(Direction::ToServer, 1_000);
    stream.write_all(&[1; 1_000]).await?;
    let mut answer = [0; 1_000];
    tokio::time::timeout(HANG, stream.read_exact(&mut answer)).await??;
    stream.write_all(&[1; 10]).await?;
    assert_reset(&mut stream).await;
    tokio::time::timeout(HANG, proxy.wait_for_cuts(1)).await?;
    assert_eq!(proxy.counters().bytes_to_server, 1_000);
    let mut again = TcpStream::connect(proxy.address()).await?;
    assert_eq!(ask(&mut again, &[2; 5_000]).await?, vec![2; 5_000]);
    Ok(())
}

#[tokio::test]
async fn a_request_can_be_lost_before_the_server_sees_it() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    proxy.cut_before_request("COMMIT");
    ask(&mut stream, b"some COM").await?;
    // The text lies across two writes.
    let _ = stream.write_all(b"MIT and more").await;
    assert_reset(&mut stream).await;
    assert_eq!(proxy.counters().bytes_to_server, 8);
    Ok(())
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_server_has_worked() -> Result<()> {
    let (proxy, mut stream) = proxied(Link::default()).await?;
    ask(&mut stream, b"before").await?;
    proxy.cut_before_answer("COMMIT");
    stream.write_all(b"now COMMIT").await?;
    assert_reset(&mut stream).await;
    tokio::time::timeout(HANG, proxy.wait_for_cuts(1)).await?;
    assert_eq!(proxy.counters().bytes_to_server, 16);
    assert_eq!(proxy.counters().bytes_to_client, 6);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_resets_the_client() -> Result<()> {
    let gone = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let proxy = Proxy::start(gone, Link::default()).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_reset(&mut stream).await;
    Ok(())
}

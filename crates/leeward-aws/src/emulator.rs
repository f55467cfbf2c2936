//! Tests only: a loopback HTTP server that answers AWS requests from a script and keeps what it was asked, so that
//! the tests see what really goes over the wire.
//!
//! It checks no signature and knows no AWS semantics; each test scripts the replies that it is about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_rds::config::{Credentials as AwsKeys, SharedCredentialsProvider};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request as it came over the wire.
pub struct Request {
    pub line: String,
    /// By lower-case name.
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// Makes a reply of the requests so far.
type Answer = Box<dyn FnOnce(&[Request]) -> ObjectReply + Send>;

/// One scripted reply.
pub enum Reply {
    Send {
        status: u16,
        body: String,
    },
    /// Takes the request and never answers.
    Stall,
    /// Takes the request and breaks the connection.
    Break,
    /// A reply of S3.
    Object(ObjectReply),
    /// A reply that follows from the requests so far, this one included.
    After(Answer),
}

/// A reply whose headers matter, and whose body may be less than was announced.
#[derive(Default)]
pub struct ObjectReply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    pub cut_at: Option<usize>,
}

impl Reply {
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Send { status: 200, body: body.into() }
    }

    /// An object of S3 with this content.
    pub fn object(content: &str) -> ObjectReply {
        let headers = vec![("ETag", "\"tag\"".to_owned())];
        ObjectReply { status: 200, headers, body: content.as_bytes().to_vec(), cut_at: None }
    }

    /// An error in the form of S3.
    pub fn refusal(status: u16, code: &str, message: &str) -> ObjectReply {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        ObjectReply { status, body: body.into_bytes(), ..ObjectReply::default() }
    }

    /// A reply of Secrets Manager that holds this secret text.
    pub fn secret(text: &str) -> Self {
        let body = serde_json::json!({
            "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf",
            "Name": "shop",
            "SecretString": text,
            "VersionStages": ["AWSCURRENT"],
        });
        Self::ok(body.to_string())
    }

    /// An error in the form of the JSON 1.1 protocol.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message });
        Self::Send { status, body: body.to_string() }
    }
}

/// The running emulator; stops when dropped.
pub struct Emulator {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl Emulator {
    /// Starts to listen; replies are sent in the script's order, one per connection, then no more are accepted.
    pub async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = tokio::spawn(async move {
            let mut stalled = Vec::new();
            for reply in script {
                let (stream, _) = listener.accept().await.unwrap();
                stalled.extend(answer(stream, reply, &seen).await);
            }
            drop(listener);
            // Connections that were left without an answer stay open until the test ends.
            std::future::pending::<()>().await;
        });
        Self { url, requests, server }
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads one request and answers it; returns the connection if it is to stay open.
async fn answer(stream: TcpStream, reply: Reply, seen: &Mutex<Vec<Request>>) -> Option<BufStream<TcpStream>> {
    let mut stream = BufStream::new(stream);
    let request = read_request(&mut stream).await;
    let reply = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        match reply {
            Reply::After(answer) => Reply::Object(answer(&seen)),
            given => given,
        }
    };
    let (status, body) = match reply {
        Reply::Send { status, body } => (status, body),
        Reply::Object(reply) => {
            send_object(&mut stream, reply).await;
            return None;
        }
        Reply::Break => return None,
        Reply::Stall | Reply::After(_) => return Some(stream),
    };
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: application/x-amz-json-1.1\r\n\
         x-amzn-RequestId: 11111111-2222-3333-4444-555555555555\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    None
}

async fn send_object(stream: &mut BufStream<TcpStream>, reply: ObjectReply) {
    let ObjectReply { status, headers, body, cut_at } = reply;
    let mut head = format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..cut_at.unwrap_or(body.len())]).await.unwrap();
    stream.flush().await.unwrap();
}

async fn read_request(stream: &mut BufStream<TcpStream>) -> Request {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.unwrap();
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Request { line: line.trim_end().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// A configuration that owes nothing to the environment: us-east-1, fixed keys, this endpoint. The pauses between the
/// attempts are short, for the tests' sake; the numbers of the real configuration have a test of their own.
pub fn config_for(url: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(keys("AKIDBASE")))
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1)))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5)).build())
        .build()
}

/// Fixed keys without an end.
pub fn keys(id: &str) -> AwsKeys {
    AwsKeys::new(id, "not-a-real-key", None, None, "test")
}

//! The one place where a driver's error becomes a [`Fault`]. What is done about a fault is not decided here but by
//! [`Fault::decision`].
//!
//! The cause that is attached is a text of its own, never the driver's error: that one quotes row values, and
//! a log is read by more people than a table; its `Debug` prints whole packets.

pub mod codes;
mod grants;
mod redaction;
pub(crate) mod tls;

use std::io;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use mysql_async::{DriverError, Error, IoError, ServerError};

/// What lies below a fault, as a text without secrets and row values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(crate) String);

/// Turns an error of the driver into a fault.
pub fn from_driver(error: Error, side: Side, doing: &str) -> Fault {
    let (kind, cause) = match &error {
        Error::Server(error) => return from_server(error, side, doing),
        Error::Io(IoError::Io(error)) => from_io(error),
        Error::Io(IoError::Tls(error)) => (FaultKind::Tls, tls::setup_text(error)),
        Error::Driver(error) => from_driver_itself(error),
        // `Other` is what a handler of ours returned and `Url` is never used; their texts are not known.
        Error::Other(_) | Error::Url(_) => (FaultKind::Unexpected, "an error that the driver does not name".to_owned()),
    };
    Fault::new(kind, doing).on(side).because(Cause(cause))
}

/// Puts the account of the connection, as `CURRENT_USER()` prints it, into the GRANT of a fault.
pub(crate) fn name_account(fault: &mut Fault, current_user: &str) {
    if let FaultKind::MissingGrant(grant) = &mut fault.kind
        && let Some((user, host)) = current_user.rsplit_once('@')
    {
        let quoted = |part: &str| format!("'{}'", part.replace('\'', "''"));
        *grant = grant.replace(grants::UNNAMED_ACCOUNT, &format!("{}@{}", quoted(user), quoted(host)));
    }
}

fn from_server(error: &ServerError, side: Side, doing: &str) -> Fault {
    let text = redaction::redact(error.code, &error.state, &error.message);
    let cause = Cause(format!("server error {} ({}): {text}", error.code, error.state));
    Fault::new(server_kind(error, side, doing), doing).on(side).because(cause)
}

/// The table of server codes.
fn server_kind(error: &ServerError, side: Side, doing: &str) -> FaultKind {
    let message = error.message.as_str();
    match error.code {
        codes::TOO_MANY_CONNECTIONS | codes::TOO_MANY_USER_CONNECTIONS | codes::USER_LIMIT_REACHED => {
            FaultKind::TooManyConnections
        }
        codes::NO_DATABASE_ACCESS
        | codes::TABLE_ACCESS_DENIED
        | codes::COLUMN_ACCESS_DENIED
        | codes::ROUTINE_ACCESS_DENIED
        | codes::PRIVILEGE_MISSING => {
            let grant = grants::missing_grant(error.code, message, side, doing);
            FaultKind::MissingGrant(grant.unwrap_or_else(|| format!("the GRANT for what is meant by: {doing}")))
        }
        codes::ACCESS_DENIED
        | codes::ACCESS_DENIED_NO_PASSWORD
        | codes::HOST_NOT_PRIVILEGED
        | codes::HOST_BLOCKED
        | codes::PASSWORD_EXPIRED
        | codes::PASSWORD_EXPIRED_AT_LOGIN
        | codes::ACCOUNT_LOCKED
        | codes::ACCOUNT_LOCKED_MARIADB => FaultKind::AccessDenied,
        codes::UNKNOWN_DATABASE => FaultKind::UnknownDatabase(first_quoted(message).to_owned()),
        codes::NO_SUCH_TABLE | codes::UNKNOWN_TABLE => FaultKind::TableMissing,
        codes::UNKNOWN_COLUMN | codes::TABLE_DEFINITION_CHANGED => FaultKind::TableChanged,
        codes::LOCK_WAIT_TIMEOUT | codes::DEADLOCK | codes::XA_DEADLOCK | codes::CHECK_READ => FaultKind::Conflict,
        codes::DUPLICATE_ENTRY | codes::DUPLICATE_ENTRY_OF_KEY | codes::DUPLICATE_KEY => FaultKind::UniqueConflict,
        // The source's sessions are read-only by our own setting: a write there is a defect of ours.
        codes::READ_ONLY_TRANSACTION if side == Side::Source => FaultKind::Unexpected,
        codes::READ_ONLY_TRANSACTION | codes::READ_ONLY_MODE => FaultKind::ReadOnly,
        codes::OPTION_PREVENTS if names_read_only(message) => FaultKind::ReadOnly,
        codes::DISK_FULL | codes::RECORD_FILE_FULL | codes::FILE_DISK_FULL | codes::TEMPORARY_FILE => {
            FaultKind::DiskFull
        }
        codes::FILE_WRITE | codes::WRITE | codes::STORAGE_ENGINE | codes::CREATE_TABLE | codes::RENAME
            if names_full_disk(message) =>
        {
            FaultKind::DiskFull
        }
        codes::PACKET_TOO_LARGE | codes::STRING_TOO_LONG | codes::RESULT_TOO_LARGE | codes::CLIENT_PACKET_TOO_LARGE => {
            FaultKind::PacketTooLarge
        }
        codes::UNKNOWN if message.contains("max_allowed_packet") || message.contains("max_long_data_size") => {
            FaultKind::PacketTooLarge
        }
        // The connection is gone or about to go. What a transaction had done is rolled back by the server.
        codes::SHUTDOWN_IN_PROGRESS
        | codes::NORMAL_SHUTDOWN
        | codes::GOT_SIGNAL
        | codes::SHUTDOWN_COMPLETE
        | codes::CONNECTION_ABORTED
        | codes::NET_READ
        | codes::NET_WRITE
        | codes::CONNECTION_KILLED
        | codes::IDLE_DISCONNECT => FaultKind::Unreachable,
        // A limit of time, ours, the server's or a person's patience (KILL QUERY): the statement did not happen.
        codes::NET_READ_TIMEOUT
        | codes::NET_WRITE_TIMEOUT
        | codes::QUERY_INTERRUPTED
        | codes::STATEMENT_TIMEOUT
        | codes::EXECUTION_TIMEOUT => FaultKind::TimedOut,
        codes::SECURE_TRANSPORT_REQUIRED => FaultKind::Tls,
        code => FaultKind::Server(code),
    }
}

/// Returns whether a cause is a server's refusal because the account is locked.
pub(crate) fn names_locked_account(cause: &str) -> bool {
    let of = |code: u16| cause.starts_with(&format!("server error {code} "));
    of(codes::ACCOUNT_LOCKED) || of(codes::ACCOUNT_LOCKED_MARIADB)
}

/// Returns whether a connection is of no use after this fault, although the server answered properly: after a
/// failover the old writer answers "read only" for as long as one asks it (T33).
pub(crate) fn ends_session(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::ReadOnly | FaultKind::Unreachable | FaultKind::PacketTooLarge)
}

/// 1290 names the option: `--read-only`, `--super-read-only`, `--innodb-read-only`, or something else altogether.
fn names_read_only(message: &str) -> bool {
    message.contains("read-only") || message.contains("read_only")
}

/// 28 is ENOSPC and 122 is EDQUOT; servers print them as `errno: 28`, `(errno: 28 - No space left on device)` or
/// `Got error 28 "No space left on device" from storage engine`.
fn names_full_disk(message: &str) -> bool {
    ["No space left", "errno: 28", "Errcode: 28", "error 28 ", "quota exceeded", "errno: 122", "errno: 28,"]
        .iter()
        .any(|words| message.contains(words))
}

fn first_quoted(message: &str) -> &str {
    message.split('\'').nth(1).unwrap_or("of that name")
}

fn from_io(error: &io::Error) -> (FaultKind, String) {
    if let Some(error) = tls::inside(error) {
        return (FaultKind::Tls, tls::text(error));
    }
    let kind = match error.kind() {
        io::ErrorKind::TimedOut => FaultKind::TimedOut,
        // The driver wraps its codec's errors: a packet above its own limit is one of them.
        io::ErrorKind::Other if error.to_string().contains("acket too large") => FaultKind::PacketTooLarge,
        _ => FaultKind::Unreachable,
    };
    (kind, format!("network error: {error}"))
}

fn from_driver_itself(error: &DriverError) -> (FaultKind, String) {
    match error {
        DriverError::NoClientSslFlagFromServer => (
            FaultKind::Tls,
            "the server offers no TLS, and the connection is not to be made without it; switch TLS on in the server \
             or ask for tls mode `disabled`"
                .to_owned(),
        ),
        DriverError::ConnectionClosed => (FaultKind::Unreachable, "the connection is closed".to_owned()),
        DriverError::PacketTooLarge => (FaultKind::PacketTooLarge, "a packet is too large for the driver".to_owned()),
        DriverError::UnknownAuthPlugin { name } => (
            FaultKind::AccessDenied,
            format!("the account logs in with `{name}`, which Leeward does not speak; give it another plugin"),
        ),
        DriverError::MysqlOldPasswordDisabled => {
            (FaultKind::AccessDenied, "the account has a password of before MySQL 4.1; set it again".to_owned())
        }
        DriverError::CleartextPluginDisabled => (
            FaultKind::AccessDenied,
            "the server asks for the password in clear text (an IAM or PAM account), which is not allowed for this \
             password; take it from an IAM token, over TLS"
                .to_owned(),
        ),
        // Their `Display` prints no values; those with payloads (`UnexpectedPacket`, `FromRow`) leave them out.
        other => (FaultKind::Unexpected, format!("the driver reports: {other}")),
    }
}

#[cfg(test)]
mod tests;

//! Error codes of MySQL and MariaDB by name (MySQL: "Server Error Message Reference"; MariaDB: "MariaDB Error Codes").
//! A code means the same on both unless its comment says otherwise. What follows from a code is not said here.

/// An operating system error while writing a file (global error 3, `EE_WRITE`); its text holds the errno.
pub const FILE_WRITE: u16 = 3;
/// The disk filled up and the server waits for space (global error 20, `EE_DISK_FULL`).
pub const FILE_DISK_FULL: u16 = 20;
/// Renaming or creating a file failed; the text holds the errno.
pub const CREATE_TABLE: u16 = 1005;
/// The row changed since the snapshot was taken (MariaDB with `innodb_snapshot_isolation`).
pub const CHECK_READ: u16 = 1020;
/// The disk is full and the server waits until somebody frees space.
pub const DISK_FULL: u16 = 1021;
/// A duplicate key, in a form without the value.
pub const DUPLICATE_KEY: u16 = 1022;
/// Renaming a file failed; the text holds the errno.
pub const RENAME: u16 = 1025;
/// Writing a file failed; the text holds the errno.
pub const WRITE: u16 = 1026;
/// The storage engine returned an errno, which is in the text.
pub const STORAGE_ENGINE: u16 = 1030;
/// All connections of the server are taken.
pub const TOO_MANY_CONNECTIONS: u16 = 1040;
/// The user may not use the database at all.
pub const NO_DATABASE_ACCESS: u16 = 1044;
/// User or password are wrong, or the account demands something of the connection, such as TLS.
pub const ACCESS_DENIED: u16 = 1045;
/// The database does not exist.
pub const UNKNOWN_DATABASE: u16 = 1049;
/// DROP names a table that does not exist.
pub const UNKNOWN_TABLE: u16 = 1051;
/// The server is being shut down.
pub const SHUTDOWN_IN_PROGRESS: u16 = 1053;
/// A column does not exist.
pub const UNKNOWN_COLUMN: u16 = 1054;
/// A unique index refused a row; the text quotes the value.
pub const DUPLICATE_ENTRY: u16 = 1062;
/// The server has shut down in good order.
pub const NORMAL_SHUTDOWN: u16 = 1077;
/// The server ended on a signal.
pub const GOT_SIGNAL: u16 = 1078;
/// The shutdown is complete.
pub const SHUTDOWN_COMPLETE: u16 = 1079;
/// `KILL` names a connection that has ended.
pub const NO_SUCH_THREAD: u16 = 1094;
/// Anything without a code of its own; a parameter beyond `max_allowed_packet` is told by its text only.
pub const UNKNOWN: u16 = 1105;
/// The table, or the tablespace or temporary table below it, cannot grow.
pub const RECORD_FILE_FULL: u16 = 1114;
/// The server does not know this client's host, or does not let the user in from it.
pub const HOST_NOT_PRIVILEGED: u16 = 1130;
/// The host had too many failed connections.
pub const HOST_BLOCKED: u16 = 1129;
/// There is no such account to show or revoke grants of.
pub const NO_SUCH_GRANT: u16 = 1141;
/// A privilege on a table is missing.
pub const TABLE_ACCESS_DENIED: u16 = 1142;
/// A privilege on a column is missing.
pub const COLUMN_ACCESS_DENIED: u16 = 1143;
/// The table does not exist.
pub const NO_SUCH_TABLE: u16 = 1146;
/// LOAD DATA LOCAL is switched off (MariaDB; MySQL has [`LOCAL_INFILE_OFF`]).
pub const COMMAND_NOT_ALLOWED: u16 = 1148;
/// The server broke the connection off.
pub const CONNECTION_ABORTED: u16 = 1152;
/// A packet is larger than `max_allowed_packet`; the server closes the connection.
pub const PACKET_TOO_LARGE: u16 = 1153;
/// The server could not read from the connection.
pub const NET_READ: u16 = 1158;
/// The server waited longer than `net_read_timeout` for this client.
pub const NET_READ_TIMEOUT: u16 = 1159;
/// The server could not write to the connection.
pub const NET_WRITE: u16 = 1160;
/// The server waited longer than `net_write_timeout` for this client.
pub const NET_WRITE_TIMEOUT: u16 = 1161;
/// A result string is longer than `max_allowed_packet`.
pub const STRING_TOO_LONG: u16 = 1162;
/// The account uses its `max_user_connections`.
pub const TOO_MANY_USER_CONNECTIONS: u16 = 1203;
/// A lock was not to be had within `lock_wait_timeout` or `innodb_lock_wait_timeout`.
pub const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// A deadlock; the whole transaction was rolled back.
pub const DEADLOCK: u16 = 1213;
/// The account has used up one of its resources, such as connections.
pub const USER_LIMIT_REACHED: u16 = 1226;
/// A global privilege is missing.
pub const PRIVILEGE_MISSING: u16 = 1227;
/// The server runs with an option that forbids the statement; `--read-only` is one of several.
pub const OPTION_PREVENTS: u16 = 1290;
/// A function's result would be larger than `max_allowed_packet`.
pub const RESULT_TOO_LARGE: u16 = 1301;
/// The statement was interrupted by `KILL QUERY`.
pub const QUERY_INTERRUPTED: u16 = 1317;
/// A privilege on a routine is missing.
pub const ROUTINE_ACCESS_DENIED: u16 = 1370;
/// The table was altered after the snapshot was taken (T12).
pub const TABLE_DEFINITION_CHANGED: u16 = 1412;
/// A duplicate key, with the key's name.
pub const DUPLICATE_ENTRY_OF_KEY: u16 = 1586;
/// A deadlock inside of an XA transaction.
pub const XA_DEADLOCK: u16 = 1614;
/// A statement of a trigger or routine raised it (`SIGNAL`); the text is the application's own.
pub const SIGNALLED: u16 = 1644;
/// The account has no password here and must log in another way (`unix_socket`, `auth_socket`).
pub const ACCESS_DENIED_NO_PASSWORD: u16 = 1698;
/// A write inside of a read-only transaction.
pub const READ_ONLY_TRANSACTION: u16 = 1792;
/// The account's password has expired.
pub const PASSWORD_EXPIRED: u16 = 1820;
/// The account's password has expired, said at log-in.
pub const PASSWORD_EXPIRED_AT_LOGIN: u16 = 1862;
/// The server is in read-only mode.
pub const READ_ONLY_MODE: u16 = 1836;
/// A temporary file could not be written.
pub const TEMPORARY_FILE: u16 = 1878;
/// The connection was killed (MariaDB).
pub const CONNECTION_KILLED: u16 = 1927;
/// The statement ran longer than `max_statement_time` (MariaDB).
pub const STATEMENT_TIMEOUT: u16 = 1969;
/// A packet is larger than `max_allowed_packet`, seen by a client.
pub const CLIENT_PACKET_TOO_LARGE: u16 = 2020;
/// The statement ran longer than `max_execution_time` (MySQL).
pub const EXECUTION_TIMEOUT: u16 = 3024;
/// The account is locked (MySQL).
pub const ACCOUNT_LOCKED: u16 = 3118;
/// The server takes no connections without TLS.
pub const SECURE_TRANSPORT_REQUIRED: u16 = 3159;
/// A text has no form in the character set in which it was to be shown (MySQL).
pub const CANNOT_CONVERT_STRING: u16 = 3854;
/// LOAD DATA LOCAL is switched off (MySQL).
pub const LOCAL_INFILE_OFF: u16 = 3948;
/// The server closed a connection that was idle for `wait_timeout` (MySQL).
pub const IDLE_DISCONNECT: u16 = 4031;
/// The account is locked (MariaDB).
pub const ACCOUNT_LOCKED_MARIADB: u16 = 4151;
/// LOAD DATA LOCAL is switched off (MariaDB 10.6 and later).
pub const LOCAL_INFILE_OFF_MARIADB: u16 = 4166;

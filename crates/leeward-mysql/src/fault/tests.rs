//! The table of codes, and what is left of a server's text.

use super::*;

fn server(code: u16, message: &str) -> Fault {
    let error = ServerError { code, message: message.to_owned(), state: "HY000".to_owned() };
    from_driver(Error::Server(error), Side::Target, "write rows of shop.orders")
}

fn cause(fault: &Fault) -> String {
    fault.cause.as_ref().map(|cause| cause.to_string()).unwrap_or_default()
}

#[test]
fn no_row_value_survives_in_any_form_of_a_fault() {
    let messages = [
        (1062, "Duplicate entry 'TOPSECRET' for key 'orders.mail'"),
        (1366, "Incorrect string value: 'TOPSECRET' for column `shop`.`orders`.`mail` at row 1"),
        (1292, "Incorrect datetime value: 'TOPSECRET' for column 'd' at row 1"),
        (1064, "You have an error in your SQL syntax near 'TOPSECRET' at line 1"),
        (1644, "TOPSECRET"),
        (1411, "Incorrect datetime value: 'TOPSECRET' for function str_to_date"),
        (1690, "BIGINT UNSIGNED value is out of range in '(TOPSECRET - 1)'"),
    ];
    for (code, message) in messages {
        let fault = server(code, message);
        let printed = format!("{fault} {fault:?} {}", cause(&fault));
        assert!(!printed.contains("TOPSECRET"), "{code}: {printed}");
        assert!(cause(&fault).contains(&code.to_string()), "{}", cause(&fault));
    }
    let packet = Error::Driver(DriverError::UnexpectedPacket { payload: b"TOPSECRET".to_vec() });
    let fault = from_driver(packet, Side::Source, "read rows");
    assert!(!format!("{fault:?}").contains("84, 79, 80"), "{fault:?}");
}

#[test]
fn codes_become_kinds_t12_t24_t33() {
    let cases = [
        (1040, "Too many connections", FaultKind::TooManyConnections),
        (1203, "User lee already has more than 'max_user_connections'", FaultKind::TooManyConnections),
        (1045, "Access denied for user 'lee'@'%' (using password: YES)", FaultKind::AccessDenied),
        (1049, "Unknown database 'shop'", FaultKind::UnknownDatabase("shop".to_owned())),
        (1146, "Table 'shop.orders' doesn't exist", FaultKind::TableMissing),
        (1054, "Unknown column 'x' in 'field list'", FaultKind::TableChanged),
        (1412, "Table definition has changed, please retry transaction", FaultKind::TableChanged),
        (1205, "Lock wait timeout exceeded", FaultKind::Conflict),
        (1213, "Deadlock found", FaultKind::Conflict),
        (1290, "running with the --read-only option so it cannot execute", FaultKind::ReadOnly),
        (1290, "running with the --secure-file-priv option", FaultKind::Server(1290)),
        (1792, "Cannot execute statement in a READ ONLY transaction.", FaultKind::ReadOnly),
        (1836, "Running in read-only mode", FaultKind::ReadOnly),
        (1114, "The table 'orders' is full", FaultKind::DiskFull),
        (3, "Error writing file './x' (OS errno 28 - No space left on device)", FaultKind::DiskFull),
        (1030, "Got error 28 \"No space left on device\" from storage engine InnoDB", FaultKind::DiskFull),
        (1030, "Got error 168 from storage engine", FaultKind::Server(1030)),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes", FaultKind::PacketTooLarge),
        (1105, "Parameter of prepared statement … longer than 'max_allowed_packet' bytes", FaultKind::PacketTooLarge),
        (1053, "Server shutdown in progress", FaultKind::Unreachable),
        (1927, "Connection was killed", FaultKind::Unreachable),
        (1317, "Query execution was interrupted", FaultKind::TimedOut),
        (1062, "Duplicate entry 'x' for key 'k'", FaultKind::UniqueConflict),
        (3159, "Connections using insecure transport are prohibited", FaultKind::Tls),
        (1049, "strange", FaultKind::UnknownDatabase("of that name".to_owned())),
        (1193, "Unknown system variable 'x'", FaultKind::Server(1193)),
    ];
    for (code, message, expected) in cases {
        assert_eq!(server(code, message).kind, expected, "{code} {message}");
    }
}

#[test]
fn a_write_on_the_source_is_a_defect_and_not_a_failover() {
    let error = ServerError { code: 1792, message: String::new(), state: String::new() };
    let fault = from_driver(Error::Server(error), Side::Source, "read rows");
    assert_eq!(fault.kind, FaultKind::Unexpected);
}

#[test]
fn a_grant_is_for_the_account_and_not_for_where_the_user_came_from() {
    let mut fault = server(1142, "SELECT command denied to user 'lee'@'10.0.0.7' for table 'orders'");
    name_account(&mut fault, "o'lee@%");
    assert_eq!(fault.kind, FaultKind::MissingGrant("GRANT SELECT ON `shop`.`orders` TO 'o''lee'@'%';".to_owned()));
}

#[test]
fn a_server_without_tls_is_said_to_be_one() {
    let fault = from_driver(Error::Driver(DriverError::NoClientSslFlagFromServer), Side::Source, "connect");
    assert_eq!(fault.kind, FaultKind::Tls);
    assert!(cause(&fault).contains("offers no TLS"), "{}", cause(&fault));
}

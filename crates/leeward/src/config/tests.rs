//! Configuration from all its places: which wins, what is refused, and that no secret is ever shown.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use leeward_core::name::Side;
use leeward_mysql::endpoint::{Compression, TlsMode};

use super::key::Key;
use super::raw::{self, Environment, Surroundings};
use super::resolve::{MetricsForm, Need, Needs, Settings, resolve};
use super::{Compressed, Mistakes, PasswordFrom};

const BOTH: Needs = Needs { source: Need::Must, target: Need::Must };
const NEITHER: Needs = Needs { source: Need::IfGiven, target: Need::IfGiven };

/// One configuration to be read.
struct Case {
    folder: tempfile::TempDir,
    flags: Vec<(Key, String)>,
    environment: Environment,
}

impl Case {
    fn new() -> Case {
        Case { folder: tempfile::tempdir().unwrap(), flags: vec![], environment: Environment::new() }
    }

    fn flag(mut self, flag: &str, value: &str) -> Case {
        let key = Key::all().into_iter().find(|key| key.flag() == flag).unwrap();
        self.flags.push((key, value.to_owned()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Case {
        self.environment.insert(name.to_owned(), OsString::from(value));
        self
    }

    fn file(self, name: &str, text: &str) -> Case {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, needs: Needs) -> Result<Settings, Mistakes> {
        let surroundings = Surroundings { environment: &self.environment, directory: self.folder.path() };
        resolve(raw::gather(&self.flags, surroundings)?, needs, &self.environment)
    }

    /// Returns the mistakes, one a line, with the folder's name taken out.
    fn mistakes(&self, needs: Needs) -> Vec<String> {
        let mistakes = self.read(needs).expect_err("there are mistakes");
        let folder = format!("{}/", self.folder.path().display());
        mistakes.to_string().replace(&folder, "").lines().map(str::to_owned).collect()
    }
}

fn two_servers() -> Case {
    Case::new()
        .variable("LEEWARD_SOURCE_URL", "mysql://lee:hunter2@east.example.com/shop")
        .variable("LEEWARD_TARGET_URL", "mysql://lee:hunter3@west.example.com:3307/")
}

#[test]
fn two_urls_are_enough() {
    let settings = two_servers().read(BOTH).unwrap();
    let source = settings.side(Side::Source).unwrap();
    assert_eq!(source.address(), "east.example.com:3306");
    assert_eq!(source.tls.mode, TlsMode::VerifyIdentity);
    assert_eq!(source.compression, Compressed::AsMeasured);
    assert_eq!(settings.side(Side::Target).unwrap().compression, Compressed::Fixed(Compression::Off));
    assert!(matches!(&source.password, PasswordFrom::Given(password) if password.expose() == "hunter2"));
    assert_eq!(settings.side(Side::Target).unwrap().address(), "west.example.com:3307");
    assert_eq!(settings.databases, ["shop"]);
    assert_eq!(settings.cycle_interval, Duration::from_millis(500));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let printed = format!("{settings:?}");
    assert!(!printed.contains("hunter"), "{printed}");
}

#[test]
fn a_port_alone_is_one_of_this_machine_and_a_wider_address_is_warned_about() {
    let listen = |text: &str| {
        let file = format!("metrics = \"emf\"\n[sync]\nlisten = \"{text}\"\n");
        let settings = Case::new().file("leeward.toml", &file).read(NEITHER).unwrap();
        assert_eq!(settings.metrics, MetricsForm::Emf);
        (settings.listen.unwrap().to_string(), settings.warnings.len())
    };
    assert_eq!(listen("9464"), ("127.0.0.1:9464".to_owned(), 0));
    assert_eq!(listen("[::1]:9464"), ("[::1]:9464".to_owned(), 0));
    assert_eq!(listen("0.0.0.0:9464"), ("0.0.0.0:9464".to_owned(), 1));
    let settings = Case::new().read(NEITHER).unwrap();
    assert_eq!(
        (settings.listen, settings.metrics),
        (None, MetricsForm::None),
        "nothing listens unless it is asked for"
    );
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let case = Case::new()
        .file(
            "leeward.toml",
            "databases = [\"a,b\", \"c\"]\n\
             [source]\nhost = \"file.example.com\"\nport = 1\nuser = \"file\"\npassword_file = \"secret\"\n\
             compression = true\nread_timeout = \"2m\"\n[sync]\ncycle_interval = \"3s\"\n",
        )
        .file("secret", "hunter2\n")
        .variable("LEEWARD_SOURCE_USER", "variable")
        .variable("LEEWARD_SOURCE_PORT", "2")
        .variable("LEEWARD_CYCLE_INTERVAL", "")
        .flag("source-port", "3");
    let settings = case.read(NEITHER).unwrap();
    let source = settings.side(Side::Source).unwrap();
    assert_eq!((source.host.as_str(), source.port), ("file.example.com", 3));
    assert_eq!(source.user.as_deref(), Some("variable"));
    assert_eq!(source.password, PasswordFrom::File(case.path("secret")), "paths are relative to the file");
    assert_eq!(source.compression, Compressed::Fixed(Compression::Zlib));
    assert_eq!(source.timeouts.read, Duration::from_secs(120));
    assert_eq!(settings.databases, ["a,b", "c"]);
    assert_eq!(settings.cycle_interval, Duration::from_secs(3), "an empty variable is not given");
    let off = case.flag("source-compression", "false").read(NEITHER).unwrap();
    assert_eq!(off.side(Side::Source).unwrap().compression, Compressed::Fixed(Compression::Off));
}

#[test]
fn what_is_no_compression_or_no_size_is_a_mistake() {
    let case = two_servers().flag("target-compression", "auto").flag("source-compression", "zstd").flag("memory", "9");
    let mistakes = case.read(BOTH).unwrap_err().to_string();
    for part in ["--target-compression", "write zlib or off", "write auto, zlib or off", "--memory", "16 MiB"] {
        assert!(mistakes.contains(part), "{part} is missing: {mistakes}");
    }
}

#[test]
fn prices_are_read_with_all_their_mistakes() {
    let wrong = "version = 2\ndate = 2026-06-01\n[[storage]]\nregion = \"x\"\nusd_per_gb_month = -1.0\nsource = \"\"\n";
    let case = two_servers().file("prices.toml", wrong);
    let path = case.path("prices.toml").display().to_string();
    let mistakes = case.flag("prices", &path).read(BOTH).unwrap_err().to_string();
    for part in ["version 2", "storage in x: a price", "say in `source`"] {
        assert!(mistakes.contains(part), "{part} is missing: {mistakes}");
    }
}

#[test]
fn a_url_counts_in_the_place_where_it_stands() {
    let case = Case::new()
        .file("ca.pem", "")
        .file(
            "leeward.toml",
            "[source]\nhost = \"old.example.com\"\nport = 3399\nuser = \"old\"\nca_file = \"ca.pem\"\n",
        )
        .variable("LEEWARD_SOURCE_URL", "mysql://new:hunter2@new.example.com/");
    let settings = case.read(NEITHER).unwrap();
    let source = settings.side(Side::Source).unwrap();
    assert_eq!(source.address(), "new.example.com:3306", "the port belongs to the other host");
    assert_eq!(source.tls.ca_file, Some(case.path("ca.pem")));
    let twice = case.variable("LEEWARD_SOURCE_USER", "other").mistakes(NEITHER);
    assert_eq!(
        twice,
        ["LEEWARD_SOURCE_USER: given twice in one place: also as the user of the URL; leave one of them out"]
    );
}

#[test]
fn all_mistakes_come_at_once_with_their_places() {
    let case = Case::new()
        .file(
            "leeward.toml",
            "surprise = 1\n\
             databases = \"shop\"\n\
             [source]\n\
             pasword_file = \"x\"\n\
             password = \"hunter2\"\n\
             port = \"3306\"\n\
             iam = \"yes\"\n\
             [target]\n\
             url = 7\n\
             [sync]\n\
             interval = \"1s\"\n\
             [log]\n\
             level = \"info\"\n",
        )
        .flag("config", "leeward.toml");
    let mistakes = case.mistakes(BOTH);
    let places: Vec<&str> = mistakes.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "leeward.toml:1 surprise",
        "leeward.toml:2 databases",
        "leeward.toml:4 source.pasword_file",
        "leeward.toml:5 source.password",
        "leeward.toml:6 source.port",
        "leeward.toml:7 source.iam",
        "leeward.toml:9 target.url",
        "leeward.toml:11 sync.interval",
        "leeward.toml:12 log",
    ];
    assert_eq!(sorted(&places), sorted(&expected), "{mistakes:#?}");
    let all = mistakes.join("\n");
    assert!(all.contains("use password_file, password_env or secret, or set LEEWARD_SOURCE_PASSWORD"), "{all}");
    assert!(!all.contains("hunter"), "{all}");
}

fn sorted<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines
}

#[test]
fn wrong_values_come_at_once_too() {
    let mistakes = Case::new()
        .flag("source-host", "mysql://u:hunter2@h/")
        .flag("source-port", "70000")
        .flag("source-tls", "on")
        .flag("source-ca-file", "/nowhere/ca.pem")
        .flag("source-password-env", "NOT_SET")
        .flag("target-read-timeout", "5")
        .flag("cycle-interval", "10ms")
        .flag("lease-ttl", "soon")
        .flag("databases", "shop,,mysql,Leeward")
        .flag("policy", "/nowhere/policy.toml")
        .mistakes(BOTH);
    let expected = [
        "--source-host: this is not a host name or address; a URL belongs into --source-url, a port into --source-port",
        "--source-port: \"70000\" is not a port; write 1 to 65535",
        "--source-password-env: the environment variable named here is not set",
        "the source's user is missing: use --source-user or write it into the URL",
        "--source-ca-file: /nowhere/ca.pem cannot be read: No such file or directory (os error 2)",
        "--source-tls: \"on\" is not a TLS mode; write disabled, required, verify-ca or verify-identity",
        "the target's host is missing: use --target-host or --target-url",
        "the target's user is missing: use --target-user or write it into the URL",
        "--target-read-timeout: \"5\" is not a duration; write a whole number and its unit: 500ms, 5s, 2m or 1h",
        "--databases: a name is empty; write the names with one comma between them",
        "--databases: mysql belongs to the server or to Leeward and is never copied; leave it out",
        "--databases: Leeward belongs to the server or to Leeward and is never copied; leave it out",
        "--policy: /nowhere/policy.toml cannot be read: No such file or directory (os error 2)",
        "--cycle-interval: \"10ms\" is out of bounds; write 100ms to 1h",
        "--lease-ttl: \"soon\" is not a duration; write a whole number and its unit: 500ms, 5s, 2m or 1h",
        "no target is given: set LEEWARD_TARGET_URL, or use --target-host or [target] in leeward.toml",
    ];
    assert_eq!(mistakes, expected);
}

#[test]
fn a_url_that_cannot_be_read_is_one_mistake_and_not_quoted() {
    let mistakes = Case::new().variable("LEEWARD_SOURCE_URL", "mysql://u:hunter2#3@h/").mistakes(NEITHER);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("LEEWARD_SOURCE_URL: an @ stands behind the host"), "{mistakes:?}");
    assert!(!mistakes[0].contains("hunter"));
    let option = Case::new()
        .variable("LEEWARD_SOURCE_URL", "mysql://u:hunter2@h/?tls=maybe&connect_timeout=1h")
        .mistakes(NEITHER);
    assert_eq!(
        option,
        [
            "an option in LEEWARD_SOURCE_URL: \"maybe\" is not a TLS mode; write disabled, required, verify-ca or \
             verify-identity",
            "an option in LEEWARD_SOURCE_URL: \"1h\" is out of bounds; write 1s to 5m",
        ]
    );
}

#[test]
fn toml_that_cannot_be_read_is_named_by_line_and_not_quoted() {
    let mistakes = Case::new().file("leeward.toml", "[source]\nuser = \"a\"\npassword = hunter2\n").mistakes(NEITHER);
    let all = mistakes.join("\n");
    assert!(mistakes[0].starts_with("leeward.toml:3: this is not TOML: "), "{all}");
    assert!(!all.contains("hunter"), "{all}");
    let missing = Case::new().flag("config", "nowhere.toml").mistakes(NEITHER);
    assert!(missing[0].starts_with("--config: the configuration file nowhere.toml cannot be read"), "{missing:?}");
}

#[test]
fn tls_is_verified_unless_the_host_is_this_machine() {
    let mode = |host: &str| {
        let case = Case::new().flag("source-host", host).flag("source-user", "u");
        let settings = case.read(NEITHER).unwrap();
        (settings.side(Side::Source).unwrap().tls.mode, settings.warnings.len())
    };
    for host in ["localhost", "127.0.0.1", "127.8.9.1", "::1", "LOCALHOST."] {
        assert_eq!(mode(host), (TlsMode::Disabled, 0), "{host}");
    }
    for host in ["db.example.com", "10.0.0.1", "localhost.example.com", "fe80::1"] {
        assert_eq!(mode(host), (TlsMode::VerifyIdentity, 0), "{host}");
    }
    assert_eq!(mode("x.abc.us-east-1.rds.amazonaws.com"), (TlsMode::VerifyIdentity, 1), "RDS needs its bundle");
    assert_eq!(mode("x.proxy-abc.us-east-1.rds.amazonaws.com"), (TlsMode::VerifyIdentity, 0));
}

#[test]
fn weaker_tls_is_taken_when_asked_for_and_warned_about() {
    for (mode, says) in [("disabled", "not encrypted"), ("required", "not verified"), ("verify-ca", "any host's")] {
        let case = two_servers().flag("target-tls", mode);
        let warnings = case.read(BOTH).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(says) && warnings[0].contains("target"), "{warnings:?}");
    }
    let local = Case::new().flag("source-url", "mysql://u@localhost/?tls=required");
    assert_eq!(local.read(NEITHER).unwrap().warnings.len(), 0);
}

#[test]
fn tls_settings_without_effect_are_mistakes() {
    let case = two_servers().file("ca.pem", "").variable("LEEWARD_SOURCE_TLS", "required");
    let ca_file = case.path("ca.pem").display().to_string();
    let mistakes = case.flag("source-ca-file", &ca_file).flag("source-server-name", "db").mistakes(BOTH);
    assert_eq!(
        mistakes,
        [
            "--source-ca-file: it has no effect with this TLS mode; use tls = verify-ca or verify-identity, or leave it \
             out",
            "--source-server-name: it has no effect with this TLS mode; use tls = verify-identity, or leave it out",
        ]
    );
    let local = Case::new().file("ca.pem", "");
    let ca_file = local.path("ca.pem").display().to_string();
    let settings = local.flag("source-url", &format!("mysql://u@127.0.0.1/?ca={ca_file}")).read(NEITHER).unwrap();
    assert_eq!(settings.side(Side::Source).unwrap().tls.mode, TlsMode::VerifyIdentity);
}

#[test]
fn a_password_has_one_source_in_one_place() {
    let case = two_servers().file("secret", "x").variable("LEEWARD_SOURCE_PASSWORD", "hunter4");
    let mistakes = case.mistakes(BOTH);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("LEEWARD_SOURCE_PASSWORD") && mistakes[0].contains("the password of the URL"));

    let case = two_servers().file("secret", "x");
    let file = case.path("secret").display().to_string();
    let settings = case.flag("source-password-file", &file).read(BOTH).unwrap();
    assert_eq!(settings.side(Side::Source).unwrap().password, PasswordFrom::File(file.into()), "a flag wins");

    let named = two_servers().flag("source-password-env", "PG").variable("PG", "hunter5").read(BOTH).unwrap();
    assert!(matches!(&named.side(Side::Source).unwrap().password,
        PasswordFrom::Given(password) if password.expose() == "hunter5"));
    assert!(!format!("{named:?}").contains("hunter"));

    let two = two_servers().file("secret", "x");
    let file = two.path("secret").display().to_string();
    let two = two.flag("source-password-file", &file).flag("source-secret", "shop").mistakes(BOTH);
    assert!(two[0].starts_with("--source-secret: the password is also given by --source-password-file"), "{two:?}");
}

#[cfg(feature = "aws")]
#[test]
fn aws_gives_a_password_without_one_being_typed() {
    let case = Case::new().flag("source-host", "db.example.com").flag("source-secret", "arn:x");
    let settings = case.read(NEITHER).unwrap();
    let source = settings.side(Side::Source).unwrap();
    assert_eq!((source.password.clone(), source.user.clone()), (PasswordFrom::AwsSecret("arn:x".to_owned()), None));

    let iam = || Case::new().flag("source-host", "db.example.com").flag("source-iam", "true");
    assert!(iam().mistakes(NEITHER)[0].starts_with("the source's user is missing"), "a token is for a named user");
    let unverified = iam().flag("source-user", "u").flag("source-tls", "required").mistakes(NEITHER);
    assert!(unverified[0].starts_with("iam sends its token in clear text inside TLS"), "{unverified:?}");
    let settings = iam().flag("source-user", "u").read(NEITHER).unwrap();
    assert_eq!(settings.side(Side::Source).unwrap().password, PasswordFrom::IamToken);
}

#[cfg(not(feature = "aws"))]
#[test]
fn without_the_aws_feature_a_secret_is_a_mistake() {
    let case = Case::new().flag("source-host", "db.example.com").flag("source-secret", "arn:x");
    assert!(case.mistakes(NEITHER)[0].starts_with("--source-secret: this leeward was built without the aws feature"));
}

#[test]
fn one_server_cannot_be_both_sides() {
    for (source, target) in [
        ("mysql://u@db.example.com/", "mysql://v@DB.example.com.:3306/"),
        ("mysql://u@localhost:3307/", "mysql://u@127.0.0.1:3307/"),
        ("mysql://u@[::1]/", "mariadb://u@localhost/"),
    ] {
        let case = Case::new().variable("LEEWARD_SOURCE_URL", source).variable("LEEWARD_TARGET_URL", target);
        let mistakes = case.mistakes(BOTH);
        assert!(mistakes[0].starts_with("source and target are the same server"), "{mistakes:?}");
    }
    let ports = Case::new()
        .variable("LEEWARD_SOURCE_URL", "mysql://u@localhost:3306/")
        .variable("LEEWARD_TARGET_URL", "mysql://u@localhost:3307/");
    assert!(ports.read(BOTH).is_ok());
}

#[test]
fn a_missing_side_is_named_only_where_it_is_needed() {
    assert!(Case::new().read(NEITHER).is_ok());
    let mistakes = Case::new().mistakes(BOTH);
    assert_eq!(mistakes.len(), 2);
    assert!(mistakes[0].starts_with("no source is given: set LEEWARD_SOURCE_URL"), "{mistakes:?}");
    let half = Case::new().variable("LEEWARD_SOURCE_USER", "u").mistakes(NEITHER);
    assert_eq!(half, ["the source's host is missing: use --source-host or --source-url"]);
}

#[test]
fn the_targets_url_may_repeat_a_database_but_not_name_another() {
    let case =
        |path: &str| two_servers().variable("LEEWARD_TARGET_URL", &format!("mysql://lee@west.example.com/{path}"));
    assert!(case("shop").read(BOTH).is_ok());
    assert!(case("other").mistakes(BOTH)[0].starts_with("the database in LEEWARD_TARGET_URL: it is not among"));
}

#[test]
fn a_policy_with_mistakes_is_reported_with_the_rest() {
    let case = two_servers().file("policy.toml", "version = 1\nsurprise = 1\n").variable("LEEWARD_DATABASES", "mysql");
    let path = case.path("policy.toml").display().to_string();
    let mistakes = case.flag("policy", &path).mistakes(BOTH);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes.iter().any(|line| line.starts_with("policy.toml:2: surprise is not known")), "{mistakes:?}");
}

#[test]
fn a_misspelled_variable_is_warned_about_without_its_value() {
    let case = two_servers().variable("LEEWARD_SOURCE_URI", "mysql://u:hunter2@h/").variable("LEEWARD_TEST_X", "1");
    let warnings = case.read(BOTH).unwrap().warnings;
    assert_eq!(warnings, ["the environment variable LEEWARD_SOURCE_URI is not one that Leeward knows"]);
}

#[test]
fn what_was_typed_prints_no_values() {
    let case = two_servers().variable("LEEWARD_SOURCE_PASSWORD", "hunter4");
    let surroundings = Surroundings { environment: &case.environment, directory: Path::new("/") };
    let raw = raw::gather(&case.flags, surroundings).unwrap();
    let printed = format!("{raw:?}");
    assert!(printed.contains("LEEWARD_SOURCE_PASSWORD") && !printed.contains("hunter"), "{printed}");
}

#[test]
fn the_help_names_the_timeouts_that_are_used() {
    let usual = leeward_mysql::endpoint::Timeouts::default();
    for (flag, timeout) in [("source-connect-timeout", usual.connect), ("target-read-timeout", usual.read)] {
        let key = Key::all().into_iter().find(|key| key.flag() == flag).unwrap();
        let says = format!("[default: {}s]", timeout.as_secs());
        assert!(key.spec().help.ends_with(&says), "{flag} is {says}");
    }
}

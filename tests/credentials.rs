//! Where passwords come from and whom they are sent to: secrets that are rotated under a running process, certificates of a
//! private CA, and every way in which AWS or a certificate can be wrong.

use std::path::Path;

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::certs::{Authority, Validity};
use leeward_testkit::servers::{Kind, Moto, Server, ServerOptions, Tls};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::json;

use crate::support::{Leeward, PASSWORD, Ran, Stage, query};

const TABLE: &str = "
    CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO t (n) VALUES (1), (2);";

const REGION: &str = "us-west-2";

/// Belongs to the password of every test here; no output may hold it.
const NEVER_SHOWN: &str = "never-shown";

/// Stores an account as RDS does.
fn stored(user: &str, password: &str) -> String {
    json!({ "username": user, "password": password, "engine": "mysql", "host": "elsewhere.example", "port": 3306 })
        .to_string()
}

/// Makes a secret and returns its ARN.
async fn create_secret(moto: &Moto, name: &str, text: &str) -> Result<String> {
    let secret = json!({ "Name": name, "SecretString": text });
    let answer = moto.call("secretsmanager", REGION, "create_secret", secret).await?;
    Ok(answer["ARN"].as_str().context("a secret has an ARN")?.to_owned())
}

/// Ends the connections of an account, as a rotation that takes hold does at some time.
async fn disconnect(server: &Server, user: &str) -> Result<()> {
    let mut conn = server.connect().await?;
    let threads = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{user}'");
    for thread in query::<u64>(&mut conn, &threads).await? {
        // It may have ended by itself in between.
        let _ = conn.query_drop(format!("KILL {thread}")).await;
    }
    Ok(conn.disconnect().await?)
}

fn shows_no_password(ran: Ran) -> Ran {
    assert!(!ran.text().contains(NEVER_SHOWN), "{}", ran.text());
    ran
}

each_kind! {
    /// The secrets of both sides are rotated in mid-sync: it goes on by itself, and the old passwords are worth nothing. In
    /// between, as in every rotation, the account has a password that the secret does not hold yet.
    async fn secrets_rotated_in_mid_sync_are_fetched_again(kind: Kind) -> Result<()> {
        let moto = Moto::start().await?;
        let stage = Stage::own(kind, "rotated_secret").await?;
        stage.on_source(TABLE).await?;
        stage.seed().await?;
        stage.source().create_account("secret_reader", PASSWORD, "SELECT, PROCESS").await?;
        stage.target().create_rds_like_admin("secret_writer", PASSWORD).await?;
        let reader = create_secret(&moto, "shop/reader", &stored("secret_reader", PASSWORD)).await?;
        let writer = create_secret(&moto, "shop/writer", &stored("secret_writer", PASSWORD)).await?;
        let flags = ["sync", "--cycle-interval", "250ms", "--source-secret", &reader, "--target-secret", &writer];
        let mut leeward = stage.leeward(&flags);
        for (name, value) in moto.env() {
            leeward = leeward.env(name, &value);
        }
        let address = |server: &Server| format!("mysql://{}:{}/", server.host(), server.port());
        let leeward = leeward.env("LEEWARD_SOURCE_URL", &address(stage.source()));
        let mut sync = leeward.env("LEEWARD_TARGET_URL", &address(stage.target())).start()?;
        stage.caught_up().await?;

        for (server, user, secret, side) in [
            (stage.source(), "secret_reader", &reader, "source"),
            (stage.target(), "secret_writer", &writer, "target"),
        ] {
            let rotated = format!("Quay-rotated-{NEVER_SHOWN}");
            server.exec_script(&format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{rotated}';")).await?;
            disconnect(server, user).await?;
            sync.says(&format!("does not hold the {side}'s password")).await?;
            let value = json!({ "SecretId": secret, "SecretString": stored(user, &rotated) });
            moto.call("secretsmanager", REGION, "put_secret_value", value).await?;
            stage.on_source("INSERT INTO t (n) VALUES (3); UPDATE t SET n = n + 1;").await?;
            stage.caught_up().await?;
            let old = Conn::new(Opts::from_url(&server.url(user, PASSWORD))?).await;
            assert!(old.is_err_and(|error| error.to_string().contains("1045")), "the old password still works");
        }
        shows_no_password(sync.stop().await?.exits(0));
        stage.assert_equal().await
    }

    /// A server whose certificate a private CA has signed, as on RDS: taken with its CA and its name, and with nothing else.
    async fn a_certificate_of_a_private_ca_is_taken_and_no_other(kind: Kind) -> Result<()> {
        let authority = Authority::new()?;
        let folder = tempfile::tempdir()?;
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("ca.pem", authority.certificate_pem())?;
        write("another.pem", Authority::new()?.certificate_pem())?;
        write("expired.pem", Authority::valid(Validity::Expired)?.certificate_pem())?;
        write("password.txt", "no certificate")?;

        let server = with_certificate(kind, &authority, Validity::Current).await?;
        plan(&server, "?ca=ca.pem", folder.path()).await?.exits(0);
        plan(&server, "", folder.path()).await?.exits(0);
        for (options, code, words) in [
            ("?ca=ca.pem&server_name=db.example", 1, ["is for 127.0.0.1, not for db.example", "--source-ca-file"]),
            ("?tls=verify-identity", 1, ["was not issued by a trusted CA", "--source-ca-file"]),
            ("?ca=another.pem", 1, ["was not issued by a trusted CA", "--source-ca-file"]),
            ("?ca=expired.pem", 1, ["every CA in expired.pem has expired, the last one on 2001-01-01", "global-bundle.pem"]),
            ("?ca=password.txt", 1, ["password.txt: it holds no PEM certificate", "--source-ca-file"]),
            ("?ca=absent.pem", 3, ["absent.pem cannot be read", "the URL"]),
        ] {
            plan(&server, options, folder.path()).await?.exits(code).says(&words);
        }
        let server = with_certificate(kind, &authority, Validity::Expired).await?;
        plan(&server, "?ca=ca.pem", folder.path()).await?.exits(1).says(&["the server's certificate has expired"]);
        Ok(())
    }

    /// A token goes to a verified server alone, and where it is refused, what RDS wants of an account is said.
    async fn an_iam_token_goes_to_a_verified_server_alone(kind: Kind) -> Result<()> {
        let authority = Authority::new()?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem())?;
        let server = with_certificate(kind, &authority, Validity::Current).await?;
        let run = async |options: &str| {
            let url = server.url("reader", "").replace("reader:@", "reader@") + options;
            let leeward = Leeward::new(&["plan", "--source-iam", "--aws-region", REGION], folder.path());
            let leeward = leeward.env("LEEWARD_SOURCE_URL", &url).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
            leeward.env("AWS_SECRET_ACCESS_KEY", &format!("key-{NEVER_SHOWN}")).run().await
        };
        for options in ["", "?tls=disabled", "?tls=required"] {
            let ran = run(options).await?.exits(3).says(&["the source must be verified", "--source-tls verify-identity"]);
            shows_no_password(ran);
        }
        let ran = run("?ca=ca.pem").await?.exits(1).says(&[
            "user or password refused",
            "\"Action\":\"rds-db:connect\"",
            "AWSAuthenticationPlugin",
        ]);
        assert!(!shows_no_password(ran).text().contains("X-Amz-Signature"), "the token is shown");
        Ok(())
    }
}

/// Starts a server with a certificate for its address, and an account that may plan.
async fn with_certificate(kind: Kind, authority: &Authority, validity: Validity) -> Result<Server> {
    let certificate = authority.issue(&["127.0.0.1"], validity)?;
    let server =
        Server::start(kind, ServerOptions { tls: Tls::Certificate(certificate), ..ServerOptions::default() }).await?;
    server.create_account("reader", PASSWORD, "SELECT, PROCESS, SHOW VIEW, TRIGGER, EVENT").await?;
    server.exec_script("CREATE DATABASE shop;").await?;
    Ok(server)
}

async fn plan(server: &Server, options: &str, folder: &Path) -> Result<Ran> {
    let url = server.url("reader", PASSWORD) + options;
    Leeward::new(&["plan", "--databases", "shop"], folder).env("LEEWARD_SOURCE_URL", &url).run().await
}

/// A source that nobody will ask: what is wrong is found before.
const SOURCE: &str = "mysql://127.0.0.1:9/";

/// Whatever keeps a secret from being read is told by its cause and with a way out. No server is asked, so there is none.
#[test]
fn a_secret_that_cannot_be_read_is_told_by_its_cause() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let moto = Moto::start().await?;
        create_secret(&moto, "shop", &stored("reader", PASSWORD)).await?;
        create_secret(&moto, "shop/no-password", "{\"username\":\"reader\"}").await?;
        let folder = tempfile::tempdir()?;
        let run = async |secret: &str, changes: &[(&str, &str)]| {
            let mut leeward = Leeward::new(&["plan", "--databases", "shop", "--source-secret", secret], folder.path());
            leeward = leeward.env("LEEWARD_SOURCE_URL", SOURCE).env("AWS_REGION", REGION);
            for (name, value) in moto.env() {
                leeward = leeward.env(name, &value);
            }
            for (name, value) in changes {
                leeward = leeward.env(name, value);
            }
            leeward.run().await.map(shows_no_password)
        };
        let no_keys = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
        run("shop", &[]).await?.exits(1).says(&["127.0.0.1:9", "does not answer"]);
        run("harbor", &[]).await?.exits(1).says(&["there is no such secret", "list-secrets --region us-west-2"]);
        let elsewhere = [("AWS_REGION", "us-east-1")];
        run("shop", &elsewhere).await?.exits(1).says(&["there is no such secret", "a secret lives in one Region"]);
        run("shop/no-password", &[]).await?.exits(1).says(&["has no field \"password\"", "store the secret as JSON"]);
        run("shop", &no_keys).await?.exits(1).says(&["look for AWS credentials", "taskRoleArn"]);
        run("shop", &[("AWS_REGION", "")]).await?.exits(1).says(&["name the Region in the settings or in AWS_REGION"]);
        let nobody = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
        run("shop", &nobody).await?.exits(1).says(&["cannot be reached", "open HTTPS from here to Secrets Manager"]);
        run("arn:aws:s3:::shop", &[]).await?.exits(1).says(&["this ARN is not a secret's"]);
        Ok(())
    })
}

/// A secret of another account is read by a role of that account, which one side alone may have.
#[test]
fn a_secret_of_another_account_is_read_by_a_role_there() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        const ROLE: &str = "arn:aws:iam::111122223333:role/leeward";

        let moto = Moto::start().await?;
        let secret = json!({ "Name": "theirs", "SecretString": stored("reader", PASSWORD) });
        moto.call_as(ROLE, ("secretsmanager", REGION, "create_secret"), secret).await?;
        let folder = tempfile::tempdir()?;
        let run = async |role: &[&str]| {
            let arguments = [&["plan", "--databases", "shop", "--source-secret", "theirs"][..], role].concat();
            let mut leeward = Leeward::new(&arguments, folder.path());
            for (name, value) in moto.env() {
                leeward = leeward.env(name, &value);
            }
            leeward.env("LEEWARD_SOURCE_URL", SOURCE).env("AWS_REGION", REGION).run().await
        };
        let is_read = ["127.0.0.1:9", "does not answer"];
        run(&[]).await?.exits(1).says(&["there is no such secret"]);
        run(&["--aws-role-arn", ROLE]).await?.exits(1).says(&is_read);
        run(&["--source-role-arn", ROLE]).await?.exits(1).says(&is_read);
        let other = "arn:aws:iam::444455556666:role/leeward";
        run(&["--aws-role-arn", other]).await?.exits(1).says(&["there is no such secret"]);
        run(&["--aws-role-arn", other, "--source-role-arn", ROLE]).await?.exits(1).says(&is_read);
        run(&["--source-role-arn", "leeward"]).await?.exits(1).says(&["write the role's ARN"]);
        Ok(())
    })
}

//! Accounts with the privileges that real ones have on RDS: the master user, and the reader that
//! Leeward asks for on a source.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;

use super::{Kind, Server};

/// What an RDS master user holds, from "Master user account privileges" in the RDS user guide.
///
/// RELOAD is left out: RDS grants it but refuses `FLUSH TABLES WITH READ LOCK`, which a plain
/// server would then allow.
const MASTER_STATIC: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, PROCESS, REFERENCES, INDEX, ALTER, \
     SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, \
     CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER";

/// What MySQL's master user holds in addition, through a role. Which of these a version has is
/// asked for: SET_USER_ID became SET_ANY_DEFINER.
const MASTER_DYNAMIC: [&str; 5] =
    ["APPLICATION_PASSWORD_ADMIN", "ROLE_ADMIN", "SET_USER_ID", "SET_ANY_DEFINER", "XA_RECOVER_ADMIN"];

const MASTER_ROLE: &str = "rds_superuser_role";

/// What Leeward needs on a source.
const READER: &str = "SELECT, PROCESS, SHOW VIEW";

impl Server {
    /// Creates an account with what an RDS master user may do, and no more: no SUPER, no global
    /// read lock, no backup lock. On MySQL the privileges come through a role, as they do on RDS.
    pub async fn create_rds_like_admin(&self, user: &str, password: &str) -> Result<()> {
        let grantee = grantee(user);
        let mut conn = self.connect().await?;
        create_user(&mut conn, &grantee, password).await?;
        match self.kind() {
            Kind::MariaDb => {
                conn.query_drop(format!("GRANT {MASTER_STATIC} ON *.* TO {grantee} WITH GRANT OPTION")).await?;
            }
            Kind::MySql => grant_master_role(&mut conn, &grantee).await?,
        }
        conn.disconnect().await.context("close the connection")
    }

    /// Creates an account that may read everything and see what runs; `extra_privileges` such as
    /// `TRIGGER` and `EVENT` are added.
    pub async fn create_reader(&self, user: &str, password: &str, extra_privileges: &[&str]) -> Result<()> {
        let mut privileges = vec![READER];
        privileges.extend(extra_privileges);
        self.create_account(user, password, &privileges.join(", ")).await
    }

    /// Creates an account with the given global privileges, comma-separated, as in a GRANT
    /// statement; `USAGE` for none.
    pub async fn create_account(&self, user: &str, password: &str, privileges: &str) -> Result<()> {
        let grantee = grantee(user);
        let mut conn = self.connect().await?;
        create_user(&mut conn, &grantee, password).await?;
        conn.query_drop(format!("GRANT {privileges} ON *.* TO {grantee}")).await.context("grant privileges")?;
        conn.disconnect().await.context("close the connection")
    }
}

async fn create_user(conn: &mut mysql_async::Conn, grantee: &str, password: &str) -> Result<()> {
    let password = quoted(password);
    // The statement holds a password, so the driver's error is all that may be shown.
    conn.query_drop(format!("CREATE USER {grantee} IDENTIFIED BY {password}")).await.context("create a test account")
}

async fn grant_master_role(conn: &mut mysql_async::Conn, grantee: &str) -> Result<()> {
    let known: Vec<mysql_async::Row> = conn.query("SHOW PRIVILEGES").await?;
    let known: Vec<String> = known.iter().filter_map(|row| row.get::<String, _>(0)).collect();
    conn.query_drop(format!("CREATE ROLE IF NOT EXISTS {MASTER_ROLE}")).await?;
    conn.query_drop(format!("GRANT {MASTER_STATIC}, CREATE ROLE, DROP ROLE ON *.* TO {MASTER_ROLE} WITH GRANT OPTION"))
        .await?;
    for privilege in MASTER_DYNAMIC {
        if known.iter().any(|name| name.eq_ignore_ascii_case(privilege)) {
            conn.query_drop(format!("GRANT {privilege} ON *.* TO {MASTER_ROLE} WITH GRANT OPTION")).await?;
        }
    }
    conn.query_drop(format!("GRANT {MASTER_ROLE} TO {grantee} WITH ADMIN OPTION")).await?;
    conn.query_drop(format!("SET DEFAULT ROLE {MASTER_ROLE} TO {grantee}")).await.context("grant the master role")
}

fn grantee(user: &str) -> String {
    format!("{}@'%'", quoted(user))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

//! What stands below the options in the help of each subcommand: examples, and what a person must know before typing one.

pub(super) const ABOUT: &str = "Keeps a warm copy of a MySQL or MariaDB database in another region, proves that it is right, and \
                     says whether it can take over";

pub(super) const TOP_HELP: &str = "\
First steps:
  export LEEWARD_SOURCE_URL='mysql://leeward:…@db.east.example.com/?ca=global-bundle.pem'
  export LEEWARD_TARGET_URL='mysql://leeward:…@db.west.example.com/?ca=global-bundle.pem'
  leeward doctor --databases shop    what is missing on either side, with the GRANT to run
  leeward plan   --databases shop    how each table will be kept, and why
  leeward seed   --databases shop    the first copy; run it again to continue
  leeward sync                       keep it in step, until stopped
  leeward readiness                  can the copy take over now?

Every option can be set by flag, by environment variable (--source-ca-file is
LEEWARD_SOURCE_CA_FILE) and in leeward.toml ([source] ca_file = …); a flag wins over the
environment, the environment over the file. A password is never a flag: put it into the URL's
variable, LEEWARD_SOURCE_PASSWORD, --source-password-file or --source-secret.
Results go to stdout, log and progress to stderr.

Exit codes:
  0  done, or the answer is yes
  1  it could not be done or found out
  2  the answer is no: differences, not ready, blocked, a check failed
  3  usage or configuration";

pub(super) const DOCTOR_HELP: &str = "\
Checks both sides and reports all findings at once: reachability, versions, privileges with the
exact GRANT to run, server settings, clocks, and whether both addresses lead to one server. Writes nothing.

Examples:
  leeward doctor --databases shop,billing
  leeward doctor --output json | jq '.findings[] | select(.status == \"fail\")'

Exit code 2 when a check fails, or one that is needed could not be made; a server that does not answer
is such a check.";

pub(super) const PLAN_HELP: &str = "\
Looks at the source and says for every table its class, its strategy and why. Writes nothing but
the file named with --out. Tables that cannot be kept right are named with what would help.

Examples:
  leeward plan --databases shop
  leeward plan --databases shop --policy policy.toml --out plan.json
  leeward seed --plan plan.json";

pub(super) const SEED_HELP: &str = "\
Creates the tables on the target and copies all rows in chunks. Killed at any moment and started
again, it continues. Refuses a target that already holds such tables, unless --adopt is given:
then they are compared and repaired instead of loaded.

With --join any number of processes, on any number of machines, share one copy: start all of them
with the same command. Whichever comes first leads; the others help it, and lead on if it dies. A
seed that runs without it can be joined too. Each ends when the seed is done.

With --via the rows are dumped into a bucket or a folder first and loaded from there, so that the
source is done with once it was read; what changed meanwhile is found by the comparison at the end.
The dump is taken away afterwards.

With --max-source-load the copy waits, and says why, while the source is busier than that: what was
begun is finished, nothing more is begun. It needs PROCESS on the source, and refuses without it.

Examples:
  leeward seed --databases shop
  leeward seed --databases shop --max-source-load 8
  leeward seed --plan plan.json --parallel 8
  leeward seed --databases shop --join
  leeward seed --databases shop --via s3://dumps-of-shop/seed
  leeward seed --databases shop --adopt";

pub(super) const DUMP_HELP: &str = "\
Writes every row into a bucket or a folder, in compressed chunks, with the definitions of tables,
views, routines, triggers and events. The manifest that makes it a dump is written last and names
every object with its SHA-256. The source is only read.

It shows one moment of all tables. For several readers the source is locked for as long as it takes
to open their views (FLUSH TABLES WITH READ LOCK, which takes RELOAD, else LOCK TABLES, which takes
that privilege); a lock that is not had within seconds is given up, and all is read over one
connection. With --no-lock none is asked for. A dump of one moment that was killed begins anew.

With --spread each chunk is read in a statement of its own and no moment is promised; it spares the
source's undo log, and a dump that was killed goes on with --resume.

Examples:
  leeward dump --databases shop --to s3://dumps-of-shop/nightly
  leeward dump --databases shop --to file:///srv/dumps --no-lock
  leeward dump --databases shop --to file:///srv/dumps --spread --resume";

pub(super) const LOAD_HELP: &str = "\
Creates the tables of a dump on a target that has none of them and loads all rows; each object's
SHA-256 is compared before its rows are committed. No source is needed. Killed and started again, it
continues. Triggers and events are written down and not made, as a seed does it.

Examples:
  leeward load --from s3://dumps-of-shop/nightly              the newest whole dump
  leeward load --from file:///srv/dumps --id 20261128T060000.000Z-0a1b2c3d

Exit code 2 when a table was left for a person.";

pub(super) const SNAPSHOT_HELP: &str = "\
Takes a dump, and takes snapshots away that are no longer to be kept: what --keep or --keep-for keeps
is kept, and the newest whole one always. Only snapshots of the same lane are looked at. What was
begun, cannot be gone on with and has got nothing for seven days goes, too. With --every it goes on
until SIGTERM or Ctrl-C.

Examples:
  leeward snapshot --databases shop --to s3://dumps-of-shop/hourly --every 6h --keep 28
  leeward snapshot --databases shop --to file:///srv/dumps --keep-for 7d --keep 3
  leeward snapshot list   --from s3://dumps-of-shop/hourly
  leeward snapshot verify --from s3://dumps-of-shop/hourly";

pub(super) const SNAPSHOT_LIST_HELP: &str = "\
Lists whole dumps with what they show of their source, those that were begun and not finished, and
how old the newest of each lane is. No server is asked.";

pub(super) const SNAPSHOT_VERIFY_HELP: &str = "\
Reads every object of a dump and compares its length and SHA-256 with the manifest. Nothing is
loaded, and no server is asked.

Exit code 2 when an object is missing or not what it was.";

pub(super) const RESTORE_HELP: &str = "\
Puts one table of a dump onto the target, which may be at work otherwise: a table of that name is
refused, never overwritten. Under another name its foreign keys have other names, too; those whose
parents are not there are left out, by name.

Examples:
  leeward restore --from s3://dumps-of-shop/nightly --table shop.orders
  leeward restore --from file:///srv/dumps --table shop.orders --as shop.orders_restored";

pub(super) const SYNC_HELP: &str = "\
Moves the target from one consistent view of the source to the next, until it is stopped. The
first SIGTERM or Ctrl-C finishes or rolls back the open transaction, gives the lease back and
exits with 0; a second one exits at once.

Examples:
  leeward sync
  leeward sync --once           catch up, then exit
  leeward sync --cycle-interval 2s
  leeward sync --listen 9464    answer /live, /ready, /status.json and /metrics on 127.0.0.1:9464
  leeward sync --metrics emf    a line for CloudWatch a minute";

pub(super) const HEALTHCHECK_HELP: &str = "\
Asks the `leeward sync` of this machine whether its loop goes on, at the address that both are given
with --listen. It goes on while a server is away and while another process holds the lease: it is
about the process, not about the servers. For the health check of a container:
  [\"CMD\", \"/usr/local/bin/leeward\", \"healthcheck\"]

Exit code 0 when it does; 1 when it does not, or nothing answers within 4 s.";

pub(super) const STATUS_HELP: &str = "\
Prints what Leeward itself has written down on the target: lag, tables, what waits for a person
and what to do about it. Works while the source is unreachable.

Exit code 2 when the lane is blocked, a table is quarantined, or nothing has been seeded yet.";

pub(super) const ACCEPT_HELP: &str = "\
Shows what the brake has stopped: when, what would be deleted or overwritten on the target, and
which keys. With tables it agrees: they are caught up and repaired, with the brake released for as
many rows as were seen and no more. Each agreement counts once. It works while `sync` runs, which
takes it up within seconds; otherwise the next `sync` does. The source is not asked.

Examples:
  leeward accept                      what waits
  leeward accept shop.orders
  leeward accept 'shop.order*' 'billing.*'

Exit code 2 when a table waits for somebody to agree; 0 when none does, and when tables were named
and agreed to.";

pub(super) const VERIFY_HELP: &str = "\
Compares every row of both sides within one consistent view of the source. Differences are listed
by key, never by value. Without --repair nothing is written anywhere; this works on any copy,
also on a native replica that Leeward did not build.

Examples:
  leeward verify
  leeward verify --tables 'shop.order*' --output json
  leeward verify --repair

Exit code 2 when there are differences, repaired or not.";

pub(super) const READINESS_HELP: &str = "\
Runs every check of the catalogue in a fixed order and prints the verdict: READY,
READY_WITH_WARNINGS or NOT_READY. What cannot be observed is not ready. Works while the source is
unreachable. On RDS it describes both servers through AWS; it changes nothing there.

From one look it writes as many forms as are asked for, each file whole or not at all: HTML for
people (one file, nothing else is loaded), JSON for programs, JUnit for a CI. A former JSON report
given by --since shows what became better and worse; it may be the file that --json replaces.

Examples:
  leeward readiness
  leeward readiness --html readiness.html --junit readiness.xml
  leeward readiness --json readiness.json --since readiness.json

Exit code 0 when ready, 2 when not.";

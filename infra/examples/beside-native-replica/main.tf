# Beside a native cross-Region read replica (or DMS), which keeps the copy: Leeward compares every row of both sides once a
# night, writes nothing on either, and somebody is told when they differ. Its account needs REPLICATION CLIENT (MariaDB: BINLOG
# MONITOR on the source, SLAVE MONITOR on the target) to wait for the replica. Readiness judges the replica where it is run with
# the file that `verify --evidence` wrote; tasks keep no files, so that it has no schedule here.

module "leeward" {
  source = "../.."

  providers = {
    aws.source = aws.source
    aws.target = aws.target
  }

  image           = var.image
  databases       = var.databases
  source_database = var.source_database
  target_database = var.target_database

  vpc_id         = var.network.vpc_id
  vpc_cidr_block = var.network.vpc_cidr_block
  subnet_ids     = var.network.subnet_ids

  schedules = {
    verify = {
      expression = "cron(30 2 * * ? *)"
      command    = ["verify", "--output", "json"]
    }
  }

  sync_count              = 0
  seed_enabled            = false
  bucket_enabled          = false
  readiness_alarm_enabled = false
  alarm_topic_arns        = var.alarm_topic_arns
}

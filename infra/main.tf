# Leeward in ECS: everything runs in the target's Region, so that it outlives the source's.
#
# ecs.tf       the service, and the cluster if none is given
# schedule.tf  tasks that run by the clock: readiness, verify
# batch.tf     the queue and the job of a shared first copy
# iam.tf       roles; each action with the code that needs it
# network.tf   security groups on both sides
# storage.tf   the bucket, the key, the log group
# alarms.tf    what somebody is woken for

data "aws_caller_identity" "target" {
  provider = aws.target
}

data "aws_partition" "target" {
  provider = aws.target
}

data "aws_region" "target" {
  provider = aws.target
}

data "aws_region" "source" {
  provider = aws.source
}

data "aws_caller_identity" "source" {
  provider = aws.source
}

locals {
  account_id    = data.aws_caller_identity.target.account_id
  partition     = data.aws_partition.target.partition
  region        = data.aws_region.target.name
  source_region = data.aws_region.source.name

  tags = merge(var.tags, { "leeward:lane" = var.lane })

  # What every command of Leeward's is told, by environment. Passwords are not here: their secrets are named, so that one
  # that is rotated is fetched anew.
  settings = merge(
    {
      LEEWARD_DATABASES      = join(",", var.databases)
      LEEWARD_SOURCE_HOST    = var.source_database.host
      LEEWARD_SOURCE_PORT    = tostring(var.source_database.port)
      LEEWARD_SOURCE_CA_FILE = "/etc/leeward/rds-ca.pem"
      LEEWARD_TARGET_HOST    = var.target_database.host
      LEEWARD_TARGET_PORT    = tostring(var.target_database.port)
      LEEWARD_TARGET_CA_FILE = "/etc/leeward/rds-ca.pem"
      LEEWARD_LOG_FORMAT     = "json"
    },
    var.policy_path == null ? {} : { LEEWARD_POLICY = var.policy_path },
    var.source_database.user == null ? {} : { LEEWARD_SOURCE_USER = var.source_database.user },
    var.target_database.user == null ? {} : { LEEWARD_TARGET_USER = var.target_database.user },
    var.source_database.secret_arn == null ? { LEEWARD_SOURCE_IAM = "true" } : { LEEWARD_SOURCE_SECRET = var.source_database.secret_arn },
    var.target_database.secret_arn == null ? { LEEWARD_TARGET_IAM = "true" } : { LEEWARD_TARGET_SECRET = var.target_database.secret_arn },
    var.source_database.role_arn == null ? {} : { LEEWARD_SOURCE_ROLE_ARN = var.source_database.role_arn },
    var.environment,
  )

  environment = [for name, value in local.settings : { name = name, value = value }]
}

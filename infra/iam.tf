# Roles. Each action stands with the code that needs it; crates/xtask/tests/infra.rs holds the list to that. Nothing may be
# called that no code calls: there is no role for a promotion, because this release promotes nothing.
#
# execution  what ECS and Batch do before and beside a container: fetch the image, write its log
# sync       the service: a password or token for either side
# report     tasks by the clock: the same, and what readiness asks AWS
# dump       tasks by the clock that keep dumps: the same, and the bucket
# seed       the job of a first copy: the same as sync
# scheduler  EventBridge Scheduler, which starts the tasks

data "aws_iam_policy_document" "assumed_by_tasks" {
  provider = aws.target

  statement {
    actions = ["sts:AssumeRole"] # ECS and Batch on Fargate, for every task

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    # Only for tasks of this account and Region: the service cannot be talked into it for another's.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:*"]
    }
  }
}

# Before and beside the container.

resource "aws_iam_role" "execution" {
  provider = aws.target

  name                 = "${var.name}-execution"
  description          = "Fetches Leeward's image and writes its log"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_tasks.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

data "aws_iam_policy_document" "execution" {
  provider = aws.target

  statement {
    sid = "Log"
    actions = [
      "logs:CreateLogStream", # awslogs, in ecs.tf, schedule.tf and batch.tf
      "logs:PutLogEvents",    # awslogs, in ecs.tf, schedule.tf and batch.tf
    ]
    resources = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
  }

  dynamic "statement" {
    for_each = var.repository_arn == null ? [] : [var.repository_arn]

    content {
      sid = "FetchImage"
      actions = [
        "ecr:BatchCheckLayerAvailability", # the image, in ecs.tf, schedule.tf and batch.tf
        "ecr:BatchGetImage",               # the image, in ecs.tf, schedule.tf and batch.tf
        "ecr:GetDownloadUrlForLayer",      # the image, in ecs.tf, schedule.tf and batch.tf
      ]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.repository_arn == null ? [] : [var.repository_arn]

    content {
      sid       = "SignInToRegistry"
      actions   = ["ecr:GetAuthorizationToken"] # the image; the action knows no resource
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "execution" {
  provider = aws.target

  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What every command needs: to log in to both servers.

locals {
  # What a role of the source's account does is that role's to be allowed, not ours.
  asks_for_source = var.source_database.role_arn == null

  secret_arns = compact([local.asks_for_source ? var.source_database.secret_arn : null, var.target_database.secret_arn])
  secret_keys = compact([local.asks_for_source ? var.source_database.secret_kms_key_arn : null, var.target_database.secret_kms_key_arn])
  database_users = concat(
    var.source_database.resource_id == null || !local.asks_for_source ? [] : [
      "arn:${local.partition}:rds-db:${local.source_region}:${data.aws_caller_identity.source.account_id}:dbuser:${var.source_database.resource_id}/${var.source_database.user}"
    ],
    var.target_database.resource_id == null ? [] : [
      "arn:${local.partition}:rds-db:${local.region}:${local.account_id}:dbuser:${var.target_database.resource_id}/${var.target_database.user}"
    ],
  )
}

data "aws_iam_policy_document" "log_in" {
  provider = aws.target

  dynamic "statement" {
    for_each = length(local.secret_arns) == 0 ? [] : [local.secret_arns]

    content {
      sid       = "FetchPasswords"
      actions   = ["secretsmanager:GetSecretValue"] # crates/leeward-aws/src/secret.rs
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.secret_keys) == 0 ? [] : [local.secret_keys]

    content {
      sid       = "DecryptPasswords"
      actions   = ["kms:Decrypt"] # crates/leeward-aws/src/secret.rs, through Secrets Manager alone
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = distinct(["secretsmanager.${local.region}.amazonaws.com", "secretsmanager.${local.source_region}.amazonaws.com"])
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.database_users) == 0 ? [] : [local.database_users]

    content {
      sid       = "LogInByToken"
      actions   = ["rds-db:connect"] # crates/leeward-aws/src/token.rs
      resources = statement.value
    }
  }

  # Where the source's account is another, its role may do what stands above for the source, and these tasks may become it.
  dynamic "statement" {
    for_each = var.source_database.role_arn == null ? [] : [var.source_database.role_arn]

    content {
      sid       = "BecomeSourceRole"
      actions   = ["sts:AssumeRole"] # crates/leeward-aws/src/account.rs
      resources = [statement.value]
    }
  }
}

# What keeps dumps.

data "aws_iam_policy_document" "store" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"] # crates/leeward-aws/src/bucket.rs: opening a store, and lists
    resources = [aws_s3_bucket.this[0].arn]
  }

  statement {
    sid = "ReadAndWrite"
    actions = [
      "s3:GetObject",            # crates/leeward-aws/src/bucket.rs: reading, and settling an answer that was lost
      "s3:PutObject",            # crates/leeward-aws/src/bucket.rs, crates/leeward-aws/src/bucket/upload.rs
      "s3:AbortMultipartUpload", # crates/leeward-aws/src/bucket/upload.rs: parts of an upload that failed
      "s3:DeleteObject",         # crates/leeward-aws/src/bucket.rs: old snapshots
    ]
    resources = ["${aws_s3_bucket.this[0].arn}/*"]
  }

  statement {
    sid = "Encrypt"
    actions = [
      "kms:GenerateDataKey", # crates/leeward-aws/src/bucket.rs: the bucket encrypts with a key
      "kms:Decrypt",         # crates/leeward-aws/src/bucket.rs: reading; a write in parts needs it, too
    ]
    resources = [aws_kms_key.this.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }
}

# The service.

resource "aws_iam_role" "sync" {
  provider = aws.target

  name                 = "${var.name}-sync"
  description          = "Leeward's service: keeps the copy in step"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_tasks.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "sync" {
  provider = aws.target

  name   = "log-in"
  role   = aws_iam_role.sync.id
  policy = data.aws_iam_policy_document.log_in.json
}

# Tasks by the clock. What readiness asks AWS: README.md has the checks that each action is for.

data "aws_iam_policy_document" "facts" {
  provider = aws.target

  statement {
    sid = "Servers"
    actions = [
      "rds:DescribeDBInstances",                  # crates/leeward-aws/src/facts/server.rs
      "rds:DescribeDBClusters",                   # crates/leeward-aws/src/facts/server.rs
      "rds:DescribeDBSubnetGroups",               # crates/leeward-aws/src/facts/offer.rs
      "rds:DescribeValidDBInstanceModifications", # crates/leeward-aws/src/facts/offer.rs
    ]
    resources = flatten([
      for region in distinct([local.source_region, local.region]) : [
        for kind in ["db", "cluster", "subgrp"] : "arn:${local.partition}:rds:${region}:${local.account_id}:${kind}:*"
      ]
    ])
  }

  statement {
    sid = "WithoutResources"
    actions = [
      "rds:DescribeOrderableDBInstanceOptions", # crates/leeward-aws/src/facts/offer.rs
      "rds:DescribeAccountAttributes",          # crates/leeward-aws/src/facts/region.rs
      "rds:DescribeCertificates",               # crates/leeward-aws/src/facts/region.rs
      "cloudwatch:GetMetricData",               # crates/leeward-aws/src/facts/metric.rs
      "ec2:DescribeSecurityGroups",             # crates/leeward-aws/src/facts/ec2.rs
      "ec2:DescribeSubnets",                    # crates/leeward-aws/src/facts/ec2.rs
    ]
    resources = ["*"] # these actions know no resource
  }

  dynamic "statement" {
    for_each = var.readiness_asks.target_kms_key_arn == null ? [] : [var.readiness_asks.target_kms_key_arn]

    content {
      sid       = "Key"
      actions   = ["kms:DescribeKey"] # crates/leeward-aws/src/facts/key.rs
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.readiness_asks.hosted_zone_id == null ? [] : [var.readiness_asks.hosted_zone_id]

    content {
      sid       = "Zone"
      actions   = ["route53:ListResourceRecordSets"] # crates/leeward-aws/src/facts/route53.rs
      resources = ["arn:${local.partition}:route53:::hostedzone/${statement.value}"]
    }
  }

  dynamic "statement" {
    for_each = var.readiness_asks.application_secret_arn == null ? [] : [var.readiness_asks.application_secret_arn]

    content {
      sid       = "ApplicationSecret"
      actions   = ["secretsmanager:GetSecretValue"] # crates/leeward-aws/src/secret.rs
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "report" {
  provider = aws.target

  name                 = "${var.name}-report"
  description          = "Leeward's readiness and verify by the clock: reads, changes nothing"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_tasks.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "report" {
  provider = aws.target
  for_each = { log-in = data.aws_iam_policy_document.log_in.json, facts = data.aws_iam_policy_document.facts.json }

  name   = each.key
  role   = aws_iam_role.report.id
  policy = each.value
}

# Tasks by the clock that keep dumps.

resource "aws_iam_role" "dump" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  name                 = "${var.name}-dump"
  description          = "Leeward's dumps and snapshots by the clock: writes to its bucket and to nothing else"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_tasks.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "dump" {
  provider = aws.target
  for_each = var.bucket_enabled ? { log-in = data.aws_iam_policy_document.log_in.json, store = data.aws_iam_policy_document.store[0].json } : {}

  name   = each.key
  role   = aws_iam_role.dump[0].id
  policy = each.value
}

# The first copy.

resource "aws_iam_role" "seed" {
  provider = aws.target
  count    = var.seed_enabled ? 1 : 0

  name                 = "${var.name}-seed"
  description          = "Leeward's first copy, as a job of Batch"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_tasks.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "seed" {
  provider = aws.target
  count    = var.seed_enabled ? 1 : 0

  name   = "log-in"
  role   = aws_iam_role.seed[0].id
  policy = data.aws_iam_policy_document.log_in.json
}

# Whoever starts tasks by the clock.

data "aws_iam_policy_document" "assumed_by_scheduler" {
  provider = aws.target

  statement {
    actions = ["sts:AssumeRole"] # EventBridge Scheduler, in schedule.tf

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  provider = aws.target
  count    = length(var.schedules) == 0 ? 0 : 1

  statement {
    sid       = "StartTasks"
    actions   = ["ecs:RunTask"] # EventBridge Scheduler, in schedule.tf
    resources = [for task in aws_ecs_task_definition.report : "${task.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [local.cluster_arn]
    }
  }

  statement {
    sid       = "TagTasks"
    actions   = ["ecs:TagResource"] # EventBridge Scheduler, for propagate_tags in schedule.tf
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:task/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandRolesOn"
    actions   = ["iam:PassRole"] # EventBridge Scheduler, in schedule.tf: to the tasks that it starts, and to nobody else
    resources = concat([aws_iam_role.execution.arn, aws_iam_role.report.arn], aws_iam_role.dump[*].arn)

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  provider = aws.target
  count    = length(var.schedules) == 0 ? 0 : 1

  name                 = "${var.name}-scheduler"
  description          = "Starts Leeward's tasks by the clock"
  assume_role_policy   = data.aws_iam_policy_document.assumed_by_scheduler.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "scheduler" {
  provider = aws.target
  count    = length(var.schedules) == 0 ? 0 : 1

  name   = "start-tasks"
  role   = aws_iam_role.scheduler[0].id
  policy = data.aws_iam_policy_document.scheduler[0].json
}

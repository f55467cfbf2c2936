# The bucket for plans, dumps and reports, one key for it and for the logs, and the log group.

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109: in the policy of a key, "*" is that key, and its account must be able to change the policy
  # checkov:skip=CKV_AWS_111: in the policy of a key, "*" is that key
  # checkov:skip=CKV_AWS_356: in the policy of a key, "*" is that key
  provider = aws.target

  statement {
    sid       = "AccountDecides"
    actions   = ["kms:*"] # without it nobody could ever change this policy again; IAM decides who of the account may
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid = "LogsEncrypt"
    actions = [
      "kms:Encrypt",         # CloudWatch Logs, for the log group below
      "kms:Decrypt",         # CloudWatch Logs, for the log group below
      "kms:ReEncryptFrom",   # CloudWatch Logs, for the log group below
      "kms:ReEncryptTo",     # CloudWatch Logs, for the log group below
      "kms:GenerateDataKey", # CloudWatch Logs, for the log group below
      "kms:DescribeKey",     # CloudWatch Logs, for the log group below
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/leeward/${var.name}"]
    }
  }
}

resource "aws_kms_key" "this" {
  provider = aws.target

  description             = "Leeward: logs and the bucket of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.kms_deletion_days
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  provider = aws.target

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_cloudwatch_log_group" "this" {
  provider = aws.target

  name              = "/leeward/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
  tags              = local.tags
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: who reads it is in CloudTrail's data events, which the account's owner switches on; a log bucket of our own would need rules of its own
  # checkov:skip=CKV_AWS_144: it holds what can be made again, and lies in the Region that survives
  # checkov:skip=CKV2_AWS_62: nothing waits for its objects
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = "${var.name}-${local.account_id}-${local.region}"
  tags   = local.tags
}

resource "aws_s3_bucket_ownership_controls" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.bucket_expiry_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    # Parts of an upload that was killed are billed and seen by nobody.
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "bucket" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["s3:*"] # denied, not allowed: whatever does not come over TLS
    resources = [aws_s3_bucket.this[0].arn, "${aws_s3_bucket.this[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  provider = aws.target
  count    = var.bucket_enabled ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  policy = data.aws_iam_policy_document.bucket[0].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# Everything: the service, readiness every quarter of an hour, the job of a first copy, a bucket, alarms.
#
#   terraform apply -var seeded=false …    # all but the service's task
#   $(terraform output -raw seed_command)  # the first copy; wait until `leeward status` says live
#   terraform apply -var seeded=true …     # the service

module "leeward" {
  source = "../.."

  providers = {
    aws.source = aws.source
    aws.target = aws.target
  }

  image          = var.image
  repository_arn = var.repository_arn
  databases      = var.databases

  source_database = merge(var.source_database, { secret_kms_key_arn = var.secret_keys.source })
  target_database = merge(var.target_database, { secret_kms_key_arn = var.secret_keys.target })

  vpc_id         = var.network.vpc_id
  vpc_cidr_block = var.network.vpc_cidr_block
  subnet_ids     = var.network.subnet_ids

  sync_count     = var.seeded ? 1 : 0
  seed_arguments = ["--max-source-load", "8"]

  lag_alarm_seconds       = 60
  readiness_alarm_enabled = var.seeded
  alarm_topic_arns        = var.alarm_topic_arns
}

output "seed_command" {
  description = "Starts the first copy."
  value       = module.leeward.seed_command
}

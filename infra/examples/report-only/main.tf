# A lane that another process keeps (on a machine of your own, say): only readiness runs here, by the clock, and somebody is
# told when it says no. No service, no job, no bucket.

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

  sync_count       = 0
  seed_enabled     = false
  bucket_enabled   = false
  alarm_topic_arns = var.alarm_topic_arns
}

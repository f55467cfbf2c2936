output "cluster_arn" {
  description = "ECS cluster in which tasks run."
  value       = local.cluster_arn
}

output "service_name" {
  description = "Name of the service that keeps the copy in step."
  value       = aws_ecs_service.sync.name
}

output "log_group_name" {
  description = "Log group of everything that runs."
  value       = aws_cloudwatch_log_group.this.name
}

output "bucket_name" {
  description = "Bucket for plans, dumps and reports; null where none is made."
  value       = one(aws_s3_bucket.this[*].bucket)
}

output "kms_key_arn" {
  description = "Key of the bucket and of the logs."
  value       = aws_kms_key.this.arn
}

output "task_security_group_id" {
  description = "Security group of all tasks."
  value       = aws_security_group.task.id
}

output "role_arns" {
  description = "Roles by what they are for."
  value = {
    execution = aws_iam_role.execution.arn
    sync      = aws_iam_role.sync.arn
    report    = aws_iam_role.report.arn
    dump      = one(aws_iam_role.dump[*].arn)
    seed      = one(aws_iam_role.seed[*].arn)
  }
}

output "seed_command" {
  description = "Starts a first copy that eight processes share; null where seed_enabled is false."
  value = var.seed_enabled ? join(" ", [
    "aws batch submit-job --region ${local.region} --job-name ${var.name}-seed",
    "--job-queue ${aws_batch_job_queue.seed[0].name} --job-definition ${aws_batch_job_definition.seed[0].name}",
    "--array-properties size=8",
  ]) : null
}

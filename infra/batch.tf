# A first copy that many processes share: an array job, each element of which is `leeward seed --join`. Whichever comes
# first leads, the others help; each may be killed, so Spot capacity will do.

resource "aws_batch_compute_environment" "seed" {
  provider = aws.target
  count    = var.seed_enabled ? 1 : 0

  # The name of this argument in version 5 of the provider is compute_environment_name; the default is unique in both.
  type = "MANAGED"
  tags = local.tags

  compute_resources {
    type               = "FARGATE_SPOT"
    max_vcpus          = var.seed_max_vcpus
    subnets            = var.subnet_ids
    security_group_ids = [aws_security_group.task.id]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_batch_job_queue" "seed" {
  provider = aws.target
  count    = var.seed_enabled ? 1 : 0

  name     = "${var.name}-seed"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.seed[0].arn
  }
}

resource "aws_batch_job_definition" "seed" {
  provider = aws.target
  count    = var.seed_enabled ? 1 : 0

  name                  = "${var.name}-seed"
  type                  = "container"
  platform_capabilities = ["FARGATE"]
  propagate_tags        = true
  tags                  = local.tags

  container_properties = jsonencode({
    image                  = var.image
    command                = concat(["seed", "--join"], var.seed_arguments)
    jobRoleArn             = aws_iam_role.seed[0].arn
    executionRoleArn       = aws_iam_role.execution.arn
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    environment            = local.environment

    resourceRequirements = [
      { type = "VCPU", value = tostring(var.seed_vcpus) },
      { type = "MEMORY", value = tostring(var.seed_memory) },
    ]
    runtimePlatform              = { operatingSystemFamily = "LINUX", cpuArchitecture = var.cpu_architecture }
    fargatePlatformConfiguration = { platformVersion = "LATEST" }
    networkConfiguration         = { assignPublicIp = "DISABLED" }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "seed"
      }
    }
  })

  # Usage and configuration (3) are as wrong the second time. Whatever else ended it, Spot included, is tried again, which is
  # what Batch does where no rule matches, and goes on where it stopped.
  retry_strategy {
    attempts = 5

    evaluate_on_exit {
      on_exit_code = "3"
      action       = "EXIT"
    }
  }

  timeout {
    # A week: longer than any first copy that makes sense over this way.
    attempt_duration_seconds = 604800
  }
}

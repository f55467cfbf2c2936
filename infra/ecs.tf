# The service that keeps the copy in step.

resource "aws_ecs_cluster" "this" {
  provider = aws.target
  count    = var.cluster_arn == null ? 1 : 0

  name = var.name
  tags = local.tags

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

locals {
  cluster_arn = var.cluster_arn == null ? aws_ecs_cluster.this[0].arn : var.cluster_arn
}

resource "aws_ecs_task_definition" "sync" {
  provider = aws.target

  family                   = "${var.name}-sync"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.sync_cpu
  memory                   = var.sync_memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.sync.arn
  tags                     = local.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([
    {
      name      = "leeward"
      image     = var.image
      essential = true
      command   = ["sync", "--metrics", "emf"]

      # Leeward writes nothing to disk and needs no right of the kernel's.
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { add = [], drop = ["ALL"] } }

      # It stops within some ten seconds; the most that Fargate grants is for the day on which it does not.
      stopTimeout = 120

      # ECS ignores the image's own health check. This one asks the loop of the process, not the servers: a failover of two
      # minutes is no reason to replace a task that will get over it.
      healthCheck = {
        command     = ["CMD", "/usr/local/bin/leeward", "healthcheck"]
        interval    = 30
        timeout     = 10
        retries     = 3
        startPeriod = 60
      }

      environment = concat(local.environment, [{ name = "LEEWARD_LISTEN", value = "127.0.0.1:${var.health_port}" }])

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "sync"
        }
      }
    }
  ])
}

resource "aws_ecs_service" "sync" {
  provider = aws.target

  name             = "${var.name}-sync"
  cluster          = local.cluster_arn
  task_definition  = aws_ecs_task_definition.sync.arn
  desired_count    = var.sync_count
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"
  tags             = local.tags

  # The old task is stopped before the new one starts. Two at once would do no harm, the lease sees to that; but the new one
  # would wait for the lease, and a deployment would wait for nothing.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.task.id]
    assign_public_ip = false
  }
}

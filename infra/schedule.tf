# Tasks that run by the clock and end: readiness, and whatever else var.schedules names. They change nothing but the bucket, and
# that only where the schedule says so.

resource "aws_ecs_task_definition" "report" {
  provider = aws.target
  for_each = var.schedules

  family                   = "${var.name}-report-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = each.value.store ? aws_iam_role.dump[0].arn : aws_iam_role.report.arn
  tags                     = local.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # No health check: it runs to its end, and its exit code is the answer.
  container_definitions = jsonencode([
    {
      name                   = "leeward"
      image                  = var.image
      essential              = true
      command                = each.value.command
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { add = [], drop = ["ALL"] } }
      stopTimeout            = 120
      environment            = local.environment

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "report-${each.key}"
        }
      }
    }
  ])
}

resource "aws_scheduler_schedule" "report" {
  # checkov:skip=CKV_AWS_297: a schedule holds a task's ARN and no secret; AWS's own key encrypts it
  provider = aws.target
  for_each = var.schedules

  name                = "${var.name}-${each.key}"
  description         = "leeward ${join(" ", each.value.command)}"
  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.cluster_arn
    role_arn = aws_iam_role.scheduler[0].arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.report[each.key].arn
      launch_type         = "FARGATE"
      propagate_tags      = "TASK_DEFINITION"

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = [aws_security_group.task.id]
        assign_public_ip = false
      }
    }

    # A task that cannot be started now is started at its next time.
    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 300
    }
  }
}

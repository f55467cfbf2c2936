# What somebody is woken for. The numbers come from Leeward's own log lines (crates/leeward/src/service/emf.rs); a service that
# says nothing is as bad as one that says that it is behind, so that missing data raises most of these.

locals {
  # Metrics of the service exist while there is one.
  sync_alarms = {
    lag = {
      metric      = "Lag"
      above       = var.lag_alarm_seconds
      statistic   = "Maximum"
      periods     = 3
      missing     = "breaching"
      description = "The last consistent cut is older than the objective, or the service says nothing."
    }
    quarantined = {
      metric      = "TablesQuarantined"
      above       = 0
      statistic   = "Maximum"
      periods     = 2
      missing     = "notBreaching"
      description = "A table waits for a person: `leeward status` says why and what to do."
    }
    comparison = {
      metric      = "ComparisonAge"
      above       = var.comparison_alarm_seconds
      statistic   = "Maximum"
      periods     = 5
      missing     = "breaching"
      description = "Some table has not been compared whole for too long, or never."
    }
    faults = {
      metric      = "Faults"
      above       = 10
      statistic   = "Sum"
      periods     = 5
      missing     = "notBreaching"
      description = "Cycles fail again and again, minute after minute: the log names the faults."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "sync" {
  provider = aws.target
  for_each = { for name, alarm in local.sync_alarms : name => alarm if var.sync_count > 0 }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Leeward"
  metric_name         = each.value.metric
  dimensions          = { Lane = var.lane }
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "readiness" {
  provider = aws.target
  count    = var.readiness_alarm_enabled ? 1 : 0

  alarm_name          = "${var.name}-readiness"
  alarm_description   = "The target could not take over, or nobody has asked for an hour: `leeward readiness` says why."
  namespace           = "Leeward"
  metric_name         = "Ready"
  dimensions          = { Lane = var.lane }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 3600
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}

# A task by the clock whose answer is no (2), or that could not find out (1): by its exit code, whatever it was told to do.
resource "aws_cloudwatch_event_rule" "report_failed" {
  provider = aws.target
  count    = length(var.schedules) == 0 || length(var.alarm_topic_arns) == 0 ? 0 : 1

  name        = "${var.name}-report-failed"
  description = "A task of Leeward's by the clock ended with another exit code than 0"
  tags        = local.tags

  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = {
      clusterArn        = [local.cluster_arn]
      taskDefinitionArn = [for task in aws_ecs_task_definition.report : { prefix = "${task.arn_without_revision}:" }]
      lastStatus        = ["STOPPED"]
      containers        = { exitCode = [{ "anything-but" = [0] }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "report_failed" {
  provider = aws.target
  for_each = length(var.schedules) == 0 ? toset([]) : toset(var.alarm_topic_arns)

  rule = aws_cloudwatch_event_rule.report_failed[0].name
  arn  = each.value
}

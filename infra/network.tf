# Tasks reach both servers and AWS, and nobody reaches them: they listen on their own loopback alone.

resource "aws_security_group" "task" {
  provider = aws.target

  name        = "${var.name}-task"
  description = "Leeward's tasks: out to both servers and to AWS, nothing in"
  vpc_id      = var.vpc_id
  tags        = local.tags
}

resource "aws_vpc_security_group_egress_rule" "to_target" {
  provider = aws.target

  security_group_id            = aws_security_group.task.id
  description                  = "The target"
  ip_protocol                  = "tcp"
  from_port                    = var.target_database.port
  to_port                      = var.target_database.port
  referenced_security_group_id = var.target_database.security_group_id
}

resource "aws_vpc_security_group_egress_rule" "to_source" {
  provider = aws.target
  for_each = toset(var.source_database.cidr_blocks)

  security_group_id = aws_security_group.task.id
  description       = "The source, over the peering or the transit gateway"
  ip_protocol       = "tcp"
  from_port         = var.source_database.port
  to_port           = var.source_database.port
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_egress_rule" "to_aws" {
  provider = aws.target
  for_each = toset(var.https_cidr_blocks)

  security_group_id = aws_security_group.task.id
  description       = "Secrets Manager, S3, ECR and CloudWatch Logs"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_ingress_rule" "into_target" {
  provider = aws.target

  security_group_id            = var.target_database.security_group_id
  description                  = "Leeward's tasks"
  ip_protocol                  = "tcp"
  from_port                    = var.target_database.port
  to_port                      = var.target_database.port
  referenced_security_group_id = aws_security_group.task.id
}

# A security group of another Region cannot be named in a rule, hence the address range.
resource "aws_vpc_security_group_ingress_rule" "into_source" {
  provider = aws.source
  count    = var.source_database.security_group_id == null ? 0 : 1

  security_group_id = var.source_database.security_group_id
  description       = "Leeward's tasks, from the VPC in the target's Region"
  ip_protocol       = "tcp"
  from_port         = var.source_database.port
  to_port           = var.source_database.port
  cidr_ipv4         = var.vpc_cidr_block
}

variable "source_region" {
  description = "Region that is protected."
  type        = string
}

variable "target_region" {
  description = "Region of the copy."
  type        = string
}

variable "image" {
  description = "Image of Leeward, by digest or by a tag that never moves."
  type        = string
}

variable "databases" {
  description = "Databases in scope."
  type        = list(string)
}

variable "source_database" {
  description = "The server that is protected."
  type = object({
    host              = string
    secret_arn        = string
    security_group_id = string
    cidr_blocks       = list(string)
  })
}

variable "target_database" {
  description = "The server that holds the copy."
  type = object({
    host              = string
    secret_arn        = string
    security_group_id = string
  })
}

variable "network" {
  description = "Where the tasks run: a VPC in the target's Region that is peered with the source's."
  type = object({
    vpc_id         = string
    vpc_cidr_block = string
    subnet_ids     = list(string)
  })
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to."
  type        = list(string)
}

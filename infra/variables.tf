variable "name" {
  description = "Prefix of everything that is made; letters, digits and dashes."
  type        = string
  default     = "leeward"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,27}$", var.name))
    error_message = "Write 2 to 28 lower-case letters, digits and dashes, a letter first: names of roles and buckets are made from it."
  }
}

variable "lane" {
  description = "Name of the lane, as the policy has it; the dimension of all metrics."
  type        = string
  default     = "main"
}

variable "tags" {
  description = "Tags for everything that can carry them."
  type        = map(string)
  default     = {}
}

variable "image" {
  description = "Image of Leeward, by digest or by a tag that never moves."
  type        = string
}

variable "repository_arn" {
  description = "ARN of the ECR repository that holds the image; null where it comes from a public registry."
  type        = string
  default     = null
}

variable "cpu_architecture" {
  description = "Architecture that the image was built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "Write X86_64 or ARM64."
  }
}

variable "databases" {
  description = "Databases in scope."
  type        = list(string)

  validation {
    condition     = length(var.databases) > 0
    error_message = "Name at least one database."
  }
}

variable "source_database" {
  description = "The server that is protected. Give secret_arn, or resource_id (DbiResourceId or cluster resource id) for IAM authentication; role_arn where its account is another, which the tasks assume before they ask for either."
  type = object({
    host               = string
    port               = optional(number, 3306)
    user               = optional(string)
    secret_arn         = optional(string)
    secret_kms_key_arn = optional(string)
    resource_id        = optional(string)
    role_arn           = optional(string)
    security_group_id  = optional(string)
    cidr_blocks        = list(string)
  })

  validation {
    condition     = (var.source_database.secret_arn == null) != (var.source_database.resource_id == null)
    error_message = "Give either secret_arn or resource_id."
  }
  validation {
    condition     = var.source_database.resource_id == null || var.source_database.user != null
    error_message = "IAM authentication needs the user's name."
  }
}

variable "target_database" {
  description = "The server that holds the copy. Give secret_arn, or resource_id (DbiResourceId or cluster resource id) for IAM authentication."
  type = object({
    host               = string
    port               = optional(number, 3306)
    user               = optional(string)
    secret_arn         = optional(string)
    secret_kms_key_arn = optional(string)
    resource_id        = optional(string)
    security_group_id  = string
  })

  validation {
    condition     = (var.target_database.secret_arn == null) != (var.target_database.resource_id == null)
    error_message = "Give either secret_arn or resource_id."
  }
  validation {
    condition     = var.target_database.resource_id == null || var.target_database.user != null
    error_message = "IAM authentication needs the user's name."
  }
}

variable "vpc_id" {
  description = "VPC in the target's Region in which the tasks run."
  type        = string
}

variable "vpc_cidr_block" {
  description = "Address range of that VPC, which the source's security group lets in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that VPC, in at least two zones, from which both servers and AWS's endpoints can be reached."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Name at least one subnet."
  }
}

variable "https_cidr_blocks" {
  description = "Where tasks may speak HTTPS to: AWS's endpoints. Narrow it to the VPC where interface endpoints stand."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "cluster_arn" {
  description = "ECS cluster in which tasks run; null makes one."
  type        = string
  default     = null
}

variable "policy_path" {
  description = "Path of the policy file inside the image; null is the built-in policy."
  type        = string
  default     = null
}

variable "environment" {
  description = "More of Leeward's settings, by variable (LEEWARD_CYCLE_INTERVAL and so on). No passwords: they would be readable in the task definition."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : startswith(name, "LEEWARD_") && !endswith(name, "_PASSWORD") && !endswith(name, "_URL")])
    error_message = "Only LEEWARD_ variables, and neither passwords nor URLs, which hold one: name a secret instead."
  }
}

variable "sync_count" {
  description = "1 keeps the copy in step; 0 before the first seed and beside a native replica. Never more: a lane has one writer."
  type        = number
  default     = 1

  validation {
    condition     = contains([0, 1], var.sync_count)
    error_message = "Write 0 or 1."
  }
}

variable "sync_cpu" {
  description = "CPU units of the sync task."
  type        = number
  default     = 1024
}

variable "sync_memory" {
  description = "Memory of the sync task, MiB."
  type        = number
  default     = 2048
}

variable "health_port" {
  description = "Port on the task's own loopback at which the health check asks."
  type        = number
  default     = 9464
}

variable "schedules" {
  description = "Tasks that run by the clock, by name: what Leeward is told to do, and when (rate(...) or cron(...), UTC). With store = true the task may write to the bucket, for dumps and snapshots."
  type = map(object({
    expression = string
    command    = list(string)
    store      = optional(bool, false)
  }))
  default = {
    readiness = {
      expression = "rate(15 minutes)"
      command    = ["readiness", "--metrics", "emf"]
    }
  }

  validation {
    condition     = var.bucket_enabled || alltrue([for schedule in var.schedules : !schedule.store])
    error_message = "A task with store = true needs bucket_enabled."
  }
}

variable "readiness_asks" {
  description = "What readiness may look at beside both servers: the key of the target's storage, the zone and the application's secret that a failover changes (checks INS-10, CUT-01, CUT-02); each null where it is not to be asked."
  type = object({
    target_kms_key_arn     = optional(string)
    hosted_zone_id         = optional(string)
    application_secret_arn = optional(string)
  })
  default = {}
}

variable "seed_enabled" {
  description = "Whether the queue and the job for a shared first copy are made. They cost nothing while no job runs."
  type        = bool
  default     = true
}

variable "seed_vcpus" {
  description = "vCPUs of each process of a seed, as Batch on Fargate takes them (0.25 to 16)."
  type        = number
  default     = 2
}

variable "seed_memory" {
  description = "Memory of each process of a seed, MiB, as Fargate takes it for these vCPUs."
  type        = number
  default     = 4096
}

variable "seed_max_vcpus" {
  description = "vCPUs of all processes of a seed together."
  type        = number
  default     = 32
}

variable "seed_arguments" {
  description = "More arguments of `leeward seed --join`, such as --max-source-load and its limit."
  type        = list(string)
  default     = []
}

variable "bucket_enabled" {
  description = "Whether a bucket for plans, dumps and reports is made."
  type        = bool
  default     = true
}

variable "bucket_expiry_days" {
  description = "Days after which an object of the bucket is deleted."
  type        = number
  default     = 90
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365
}

variable "kms_deletion_days" {
  description = "Days between the order to delete the key and its end."
  type        = number
  default     = 30
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles; null where there is none."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to. Their policy must let cloudwatch.amazonaws.com and events.amazonaws.com publish."
  type        = list(string)
  default     = []
}

variable "lag_alarm_seconds" {
  description = "Age of the last consistent cut from which on an alarm is raised: the policy's rpo."
  type        = number
  default     = 60
}

variable "comparison_alarm_seconds" {
  description = "Age of the oldest whole comparison of a table from which on an alarm is raised."
  type        = number
  default     = 86400
}

variable "readiness_alarm_enabled" {
  description = "Whether an alarm is raised when readiness says no, or says nothing for an hour. Needs a schedule that runs `readiness --metrics emf`."
  type        = bool
  default     = true
}

terraform {
  # optional() with defaults in object types came with 1.3, validations that look at other variables with 1.9.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 7.0"
      # The Region that is protected, and the Region of the copy, in which nearly everything is made.
      configuration_aliases = [aws.source, aws.target]
    }
  }
}

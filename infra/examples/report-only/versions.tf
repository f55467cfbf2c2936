terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 7.0"
    }
  }
}

# The Region that is protected.
provider "aws" {
  alias  = "source"
  region = var.source_region
}

# The Region of the copy, in which Leeward runs.
provider "aws" {
  alias  = "target"
  region = var.target_region
}

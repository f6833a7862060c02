variable "name" {
  description = "The namespace's name; its id is the name, a dot, and the account. One for live and one for the sandbox."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,37}[a-z0-9]$", var.name))
    error_message = "name: 2 to 39 small letters, digits and hyphens are accepted, with a letter first and no hyphen last."
  }
}

variable "regions" {
  description = "Where it is, such as [\"aws-us-east-1\"]: near the workers. A second region is its replica."
  type        = list(string)

  validation {
    condition     = length(var.regions) >= 1 && length(var.regions) <= 2
    error_message = "regions: one or two are accepted."
  }
}

variable "retention_days" {
  description = "How long it keeps what has ended. The ledger keeps what was charged for ever; what was terminated is brought back from here."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 7 && var.retention_days <= 90
    error_message = "retention_days: 7 to 90 are accepted."
  }
}

variable "api_key_expires_at" {
  description = "When the key of workers, API and receiver expires (RFC 3339), two years from now at most. Make another before."
  type        = string

  validation {
    condition     = can(formatdate("YYYY", var.api_key_expires_at))
    error_message = "api_key_expires_at: an instant such as 2027-11-01T00:00:00Z is accepted."
  }
}

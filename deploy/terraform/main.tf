# Temporal Cloud, as Perennial needs it: a namespace with its search attributes, and a key that may use this namespace
# alone. An administrator's own key is in TEMPORAL_CLOUD_API_KEY while this is applied.

resource "temporalcloud_namespace" "perennial" {
  name           = var.name
  regions        = var.regions
  api_key_auth   = true
  retention_days = var.retention_days

  lifecycle {
    # Every subscription lives in it.
    prevent_destroy = true
  }
}

# Those of workflows/names.py; all must be there before the first subscription starts.
locals {
  search_attributes = {
    SubscriptionStatus = "Keyword"
    NextActionAt       = "Datetime"
    Plan               = "Keyword"
    MerchantReference  = "Keyword"
    MerchantAccount    = "Keyword"
    LastReason         = "Keyword"
    NeedsAttention     = "Bool"
    PastDue            = "Bool"
  }
}

resource "temporalcloud_namespace_search_attribute" "perennial" {
  for_each = local.search_attributes

  namespace_id = temporalcloud_namespace.perennial.id
  name         = each.key
  type         = each.value
}

# Whoever works, receives and answers: it writes in this namespace, and may do nothing in the account.
resource "temporalcloud_service_account" "perennial" {
  name = "perennial-${var.name}"

  namespace_scoped_access = {
    namespace_id = temporalcloud_namespace.perennial.id
    permission   = "write"
  }
}

resource "temporalcloud_apikey" "perennial" {
  display_name = "perennial-${var.name}"
  owner_type   = "service-account"
  owner_id     = temporalcloud_service_account.perennial.id
  expiry_time  = var.api_key_expires_at
  disabled     = false
}

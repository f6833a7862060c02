output "namespace" {
  description = "TEMPORAL_NAMESPACE."
  value       = temporalcloud_namespace.perennial.id
}

output "address" {
  description = "TEMPORAL_ADDRESS."
  value       = temporalcloud_namespace.perennial.endpoints.grpc_address
}

output "api_key" {
  description = "TEMPORAL_API_KEY. It stands in Terraform's state as well: keep that as you keep the key."
  value       = temporalcloud_apikey.perennial.token
  sensitive   = true
}

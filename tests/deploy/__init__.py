"""What a deployment is made with beside docker-compose.yml: the chart for Kubernetes and the module for Terraform."""

"""What is seen of a deployment: metrics, logs, traces, alerts, dashboards."""

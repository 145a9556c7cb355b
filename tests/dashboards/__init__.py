"""The dashboards in deploy/grafana, and how they are made."""

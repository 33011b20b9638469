"""The web: Slack, Grafana, and HTML reports that need no network to be read."""

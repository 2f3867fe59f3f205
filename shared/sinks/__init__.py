"""Where findings go: Logs Ingestion for the rows, an Event Grid topic for alerts, blobs for the monitor's state."""

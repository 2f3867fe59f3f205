"""What the commands do, by service. Each function takes the cloud and the options, and gives az's result."""

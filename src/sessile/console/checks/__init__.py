"""What `sessile check` and the console find weak in a configuration."""

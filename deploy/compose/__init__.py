"""What the services of deploy/compose.yaml mount and run."""

"""What is done in rounds: alerts, rows that lost their message, removals, the canary."""

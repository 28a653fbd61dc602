"""What replicas of the gateway share by Redis or Valkey, and do without while it is away."""

"""Changes of simulated APIs by the doctor."""

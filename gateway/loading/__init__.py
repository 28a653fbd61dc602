"""What an operation reads of its backends: keys that say it, and loaders that batch them."""

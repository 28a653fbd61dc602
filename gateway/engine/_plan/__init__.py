"""A document becomes a plan: arguments, generated serializers, which fields of records it shows."""

"""A text becomes a valid document: cached, limited, validated; sent, or named by its hash."""

"""The REST APIs behind the gateway, as small apps written from the vendors' documents alone."""

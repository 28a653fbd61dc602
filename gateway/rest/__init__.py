"""One REST API over HTTP: targets, bearer, deadline, retry and caps; and its connections."""

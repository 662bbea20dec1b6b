"""What every HTTP program here shares: serving, limits, TLS, addresses, errors as answers.

Reading order: `limits` (every bound), `statuses` (error -> status), `problems` (error -> body),
`messages` and `application` (request, answer, routes), `addresses` and `tls` (where), `stop`
(when), `run` (the loop, the guard around uvicorn's protocol, the graceful stop).
"""

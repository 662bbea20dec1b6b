"""What every HTTP program here shares: serving, limits, TLS, addresses, errors as answers.

Reading order: `limits` (every bound), `statuses` (error -> status), `problems` (error -> body),
`messages`, `queries` and `application` (request, answer, routes), `guard` (uvicorn's protocol,
bounded), `hot` and `hot_protocol` (the short cut for requests that come by the thousand), `tiles`
(a published log, the server's or a store's), `metrics` (a port of numbers), `addresses` and `tls`
(where), `stop` (when), `process` (open files, turns of threads), `run` (the loop, the graceful
stop).
"""
